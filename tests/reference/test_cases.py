"""Every reference case through ``cases.BUILD``: outputs, and gradients where the case has them."""

import json
import os
import sys
from pathlib import Path

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

sys.path.insert(0, str(Path(__file__).parent))
import cases

SHARED = Path(os.environ.get("BEARING_INSPECTOR_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "reference" / "golden"
INDEX = json.loads((FOLDER / "index.json").read_text("utf-8"))["cases"] if (FOLDER / "index.json").exists() else {}
KINKS = [3, 5, 6, 7]  # rows of boxes whose gradient depends on the choice at a tie


def stored(name):
    return torch.load(FOLDER / INDEX[name]["file"], weights_only=True)


def flat(found):
    return [found] if isinstance(found, torch.Tensor) else list(found)


@pytest.mark.skipif(not INDEX, reason="shared/reference/golden is not there")
@pytest.mark.parametrize("name", INDEX or ["none"])
def test_outputs(name):
    entry, case = INDEX[name], stored(name)
    torch.manual_seed(0)
    run = cases.builder(entry)(entry["config"], case.get("state_dict"))
    with torch.no_grad():
        found = flat(run(*case["inputs"].values()))
    if entry["class"] == "selective_scan_ref":  # further outputs are the first again, of other forms of the scan
        found += [found[0]] * (len(case["outputs"]) - 2)
    for (key, expected), value in zip(case["outputs"].items(), found, strict=True):
        torch.testing.assert_close(
            value, expected, **entry["tolerance"], check_dtype=False, msg=lambda m, k=key: f"{k}: {m}"
        )


@pytest.mark.skipif(not INDEX, reason="shared/reference/golden is not there")
@pytest.mark.parametrize("name", [name for name, entry in INDEX.items() if "grads" in entry["sections"]] or ["none"])
def test_gradients(name):
    entry, case = INDEX[name], stored(name)
    run = cases.builder(entry)(entry["config"], case.get("state_dict"))
    inputs = {key: value.clone() for key, value in case["inputs"].items()}
    for key in case["grads"]:
        if key in inputs:
            inputs[key].requires_grad_()
    found = dict(zip(case["outputs"], flat(run(*inputs.values())), strict=False))
    weights = case["grad_output"] if isinstance(case["grad_output"], dict) else {next(iter(found)): case["grad_output"]}
    sum((found[key] * weight).sum() for key, weight in weights.items()).backward()
    for key, expected in case["grads"].items():
        own = inputs[key].grad if key in inputs else dict(run.named_parameters())[key].grad
        if name.startswith("loss_") and expected.shape == (24, 4):
            keep = [row for row in range(24) if row not in KINKS]
            own, expected = own[keep], expected[keep]
        torch.testing.assert_close(own, expected, **entry.get("tolerance_grads", entry["tolerance"]), check_dtype=False)


def test_the_table_names_every_entry_and_measures_it(capsys, monkeypatch):
    import table

    from inspector import registry

    layers = registry.load(plugins=False).layers.values()
    assert set(table.CASES) == {spec.id for spec in layers}
    assert all(spec.about.en.endswith(".") and spec.about.zh.endswith("。") and spec.paper for spec in layers)
    used = tuple(
        start for starts in table.CASES.values() for start in ([starts] if isinstance(starts, str) else starts)
    )
    assert all(any(case.startswith(start) for case in INDEX) for start in used) or not INDEX
    monkeypatch.setattr("sys.argv", ["table.py", "--only", "simam"])
    assert table.main() == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| simam | attention | ") and "Yang et al., 2021" in row
