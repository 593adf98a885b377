"""Allowed imports: the table of docs/architecture.md, checked against every import statement of the tree."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def read_arrows() -> dict[str, set[str]]:
    """The table of docs/architecture.md: room -> rooms that it may import."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)/?` \| [^|]+ \| ([^|]*)\|$", text.partition("| room |")[2], re.MULTILINE)
    return {room: {name.strip() for name in names.split(",") if name.strip()} for room, names in rows}


ARROWS = read_arrows()
TYPES_ONLY = {"api": {"datasets", "i18n", "imaging", "system"}}  # imported at first use
# Inside ui: the rooms besides itself and kit.
UI_ARROWS = {
    "kit": set(),
    "history": set(),
    "inspect": {"history"},
    "statistics": {"history"},
    "training": set(),
    "plugins": set(),
}
HEAVY = {"torch", "torchvision", "ultralytics", "timm"}


def modules() -> dict[str, Path]:
    """Every module of ours by name, such as ``inspector.cli.inspect`` and ``inspector_plugins.yolo11``."""
    found = {}
    for folder, package in (("inspector", "inspector"), ("plugins/inspector_plugins", "inspector_plugins")):
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = file
    return found


MODULES = modules()


def imports(module: str, types: bool = False) -> Iterator[str]:
    """Full names that ``module`` imports anywhere; with ``types`` those below TYPE_CHECKING instead."""
    tree = ast.parse(MODULES[module].read_bytes())
    guarded = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test).endswith("TYPE_CHECKING")
        for node in ast.walk(test)
    }
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if (node in guarded) is not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


@cache
def ours(module: str, types: bool = False) -> set[str]:
    return {name for name in imports(module, types) if name.split(".")[0] in ("inspector", "inspector_plugins")}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


CORE = [module for module in MODULES if module.startswith("inspector.")]


@pytest.mark.parametrize("module", CORE)
def test_the_core_keeps_to_the_arrows(module):
    if room(module) == "__main__":
        assert {room(name) for name in ours(module)} <= {"cli", "selftest", "system", "ui", ""}
        return
    allowed = ARROWS[room(module)] | {room(module), ""}  # "": the version
    assert {room(name) for name in ours(module)} <= allowed
    assert {room(name) for name in ours(module, types=True)} <= allowed | TYPES_ONLY.get(room(module), set())
    assert not [name for name in ours(module) if name.startswith("inspector_plugins")]


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("inspector_plugins.")])
def test_plugins_know_their_door_and_themselves(module):
    plugin = module.split(".")[1]
    for name in ours(module) | ours(module, types=True):
        mine = name.startswith("inspector_plugins.") and (name.split(".")[1] == plugin or name.split(".")[1][0] == "_")
        assert name == "inspector.api" or mine, f"{module} imports {name}"


def test_only_models_know_torch():
    for module in MODULES:
        known = HEAVY & {name.split(".")[0] for name in imports(module)}
        in_plugin_package = (
            module.startswith("inspector_plugins.") and MODULES[module].parent != ROOT / "plugins" / "inspector_plugins"
        )
        if not in_plugin_package and module not in ("inspector.system.frameworks", "inspector.diagnostics"):
            assert not known, f"{module} imports {known}"


def test_only_the_window_knows_tk():
    for module in MODULES:
        if not module.startswith("inspector.ui"):
            assert "tkinter" not in {name.split(".")[0] for name in imports(module)}, module


@pytest.mark.parametrize("module", [module for module in CORE if module.startswith("inspector.ui.")])
def test_the_kit_knows_no_page_and_pages_few_others(module):
    own = module.split(".")[2]
    if own not in UI_ARROWS:
        return
    for name in ours(module) | ours(module, types=True):
        if name.startswith("inspector.ui."):
            assert name.split(".")[2] in UI_ARROWS[own] | {own, "kit"}, f"{module} imports {name}"


def rooms(graph: dict[str, set[str]], depth: int) -> dict[str, set[str]]:
    """The graph of packages ``depth`` levels deep."""
    grouped: dict[str, set[str]] = {}
    for module, names in graph.items():
        short = ".".join(module.split(".")[:depth])
        grouped.setdefault(short, set()).update({".".join(name.split(".")[:depth]) for name in names} - {short})
    return grouped


@pytest.mark.parametrize("depth", [2, 3, 4, 9])
def test_no_circle(depth):
    """Between modules and between packages, imports for types included."""
    apart = {"inspector", "inspector.ui", "inspector.api"}  # packages whose __init__ starts or re-exports their parts
    graph = {
        module: (ours(module) | (ours(module, types=True) if module not in apart else set())) & set(MODULES) - {module}
        for module in MODULES
    }
    grouped = {room: names - {room} - apart for room, names in rooms(graph, depth).items() if room not in apart}
    try:
        TopologicalSorter(grouped).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle: {' -> '.join(circle.args[1])}")


@pytest.mark.parametrize("depth", [3, 4, 9])
def test_no_circle_within_ui(depth):
    """Between its modules and packages, imports for types included."""
    graph = {
        module: {name for name in ours(module) | ours(module, types=True) if name.startswith("inspector.ui.")}
        & set(MODULES) - {module}
        for module in CORE
        if module.startswith("inspector.ui.")
    }
    try:
        TopologicalSorter({room: names - {room} for room, names in rooms(graph, depth).items()}).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle: {' -> '.join(circle.args[1])}")


def test_this_test_sees_what_it_should():
    assert "inspector.domain" in ours("inspector.api") and "torch" in set(imports("inspector.system.frameworks"))
    assert "inspector.system.frameworks" in ours("inspector.api", types=True) - ours("inspector.api")
    assert set(ARROWS) - {"inspector_plugins"} == {room(module) for module in CORE} - {"__main__"}
