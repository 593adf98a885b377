"""Who may import whom: the arrows of docs/architecture.md, held by reading every import statement of the tree."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Room -> the rooms that it may import; cli and ui may import all of these, and never each other.
ARROWS = {
    "domain": set(),
    "channel": set(),
    "locks": set(),
    "paths": {"domain"},
    "api": {"domain"},
    "imaging": {"domain", "paths"},
    "i18n": {"domain", "paths"},
    "logs": {"domain", "paths"},
    "frameworks": {"paths"},
    "single_instance": {"domain", "locks", "paths"},
    "startup": {"domain", "frameworks", "paths"},
    "synthesis": {"domain"},
    "conversion": {"domain", "imaging", "paths"},
    "settings": {"api", "domain", "paths"},
    "history": {"domain", "paths"},
    "registry": {"api", "domain", "paths"},
    "engine": {"api", "domain", "channel", "paths"},
    "desk": {"api", "domain", "channel"},
    "jobs": {"api", "domain", "history", "imaging", "paths", "registry", "settings"},
    "replay": {"api", "domain", "history", "paths"},
    "training": {"domain", "locks", "paths"},
    "benchmark": {"api", "domain", "jobs", "registry", "training"},
    "diagnostics": {"api", "domain", "frameworks", "history", "imaging", "logs", "paths", "registry"},
}
ARROWS |= {room: set(ARROWS) for room in ("cli", "ui")}
ARROWS["selftest"] = {"domain", "paths", "registry", "startup", "ui"}
TYPES_ONLY = {"api": {"domain", "frameworks", "i18n", "imaging", "paths"}}  # below TYPE_CHECKING, for editors
HEAVY = {"torch", "torchvision", "ultralytics", "timm"}


def modules() -> dict[str, Path]:
    """Every module of ours by name, such as ``inspector.cli.inspect`` and ``inspector_plugins.yolo11``."""
    found = {}
    for folder, package in (("inspector", "inspector"), ("plugins", "inspector_plugins")):
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


def ours(module: str, types: bool = False) -> set[str]:
    return {name for name in imports(module, types) if name.split(".")[0] in ("inspector", "inspector_plugins")}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


CORE = [module for module in MODULES if module.startswith("inspector.")]


@pytest.mark.parametrize("module", CORE)
def test_the_core_keeps_to_the_arrows(module):
    if room(module) == "__main__":
        assert {room(name) for name in ours(module)} <= {"cli", "selftest", "startup", "ui", ""}
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
        in_plugin_package = module.startswith("inspector_plugins.") and MODULES[module].parent != ROOT / "plugins"
        if not in_plugin_package and module not in ("inspector.frameworks", "inspector.diagnostics"):
            assert not known, f"{module} imports {known}"


def test_only_the_window_knows_tk():
    for module in MODULES:
        if not module.startswith("inspector.ui"):
            assert "tkinter" not in {name.split(".")[0] for name in imports(module)}, module


def test_no_circle():
    graph = {module: (ours(module) & set(MODULES)) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle: {' -> '.join(circle.args[1])}")


def test_this_test_sees_what_it_should():
    assert "inspector.domain" in ours("inspector.api") and "torch" in set(imports("inspector.frameworks"))
    assert "inspector.frameworks" in ours("inspector.api", types=True) - ours("inspector.api")
    assert set(ARROWS) == {room(module) for module in CORE} - {"__main__"}
