"""The reference cases of the published modules, and the comparison of a layer with its ONNX export."""

import json
from types import SimpleNamespace

import pytest

from inspector.api import prepare_torch


@pytest.fixture(scope="session")
def golden(shared):
    """``golden("cgnet_block")``: config (dict), inputs, outputs, state_dict, …, and ``close(output, expected)``."""
    prepare_torch()
    import torch

    folder = shared / "reference" / "golden"
    index = json.loads((folder / "index.json").read_text("utf-8"))["cases"]

    def case(name: str) -> SimpleNamespace:
        entry = index[name]
        stored = torch.load(folder / entry["file"], weights_only=True)
        parts = {key: value for key, value in stored.items() if isinstance(value, dict)}

        def close(output, expected) -> None:
            torch.testing.assert_close(output, expected, **entry["tolerance"], check_dtype=False)

        return SimpleNamespace(config=entry["config"], close=close, **parts)

    return case


@pytest.fixture(scope="session")
def onnx_run(tmp_path_factory):
    """``onnx_run(module, *inputs)``: export the module to ONNX, run it in OpenVINO, return the list of outputs."""
    prepare_torch()
    import openvino
    import torch

    folder = tmp_path_factory.mktemp("onnx")

    def run(module, *inputs, opset: int = 17):
        file = folder / f"{type(module).__name__}-{len(list(folder.iterdir()))}.onnx"
        torch.onnx.export(module.eval(), inputs, file, dynamo=False, opset_version=opset)
        compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        results = compiled([value.numpy() for value in inputs])
        return [torch.from_numpy(results[port].copy()) for port in compiled.outputs]

    return run
