"""Every sentence for people in the source has its Chinese template, and no template is left over."""

import ast
import json
import re
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import get_args

import pytest

from inspector import i18n
from inspector.i18n import sentence
from inspector.paths import assets
from inspector.registry.manifest import State
from inspector.registry.records import Origin

pytestmark = pytest.mark.xdist_group("i18n_errors")  # its fixtures are made once
ROOT = Path(__file__).parents[1]
CATALOGUE = assets() / "locale" / "zh" / "errors.json"
ERRORS = {"InputError", "InspectorError", "Refused"}
STATED = {"CRASHED", "RESCUE", "notes"}  # names of sentences, or of tuples of them
ANSWERED = {  # functions that return them
    ("loading", "_sentence"),
    ("data", "sentences"),
    ("writer", "finish"),
    ("decoding", "_to_8_bits"),
}
GATHERED = {"notes", "refused"}  # lists of them
COUNTED = {"labels", "data"}  # modules with a table of what is counted and what is said of it
LOGGED = {"warning", "error", "exception"}
# Calls besides errors and the log that hand on a sentence: name -> which argument it is.
TOLD = {"Skipped": 1, "_report": 0, "_fail": 1, "tell": 0, "report": 0, "failed": 0}
TECHNICAL = {"{0} {1} ({2} of {3})"}  # looks like a sentence, and is a row of figures
# How sentences stand one behind the other; with words where a more general sentence would fit as well.
JOINTS = {
    *(
        "{0}: {1}",
        "{0}, {1}",
        "{0}; {1}",
        "{0}. {1}",
        "{0}: it cannot be read ({1})",
        "{0}, option {1}: {2} is not {3}",
    ),
    *("{0}, option {1}: {2} is not one of {3}", "{0}, option {1}: {2} lies outside the range {3}"),
}
# What Linux, Windows and SQLite say in brackets within our sentences.
SYSTEM = {
    *("No such file or directory", "Permission denied", "Operation not permitted", "No space left on device"),
    *("Read-only file system", "Is a directory", "Not a directory", "File exists", "File name too long"),
    *("Filename too long", "Too many open files", "Input/output error", "Invalid argument", "Device or resource busy"),
    *("Directory not empty", "Disk quota exceeded", "File too large", "Stale file handle", "Connection timed out"),
    *("Host is down", "Cannot allocate memory", "Broken pipe", "database is locked", "database or disk is full"),
    *("disk I/O error", "attempt to write a readonly database", "unable to open database file"),
}
HOLE = "\0"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One module, and what its expressions may say: texts in which ``HOLE`` stands for a value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text("utf-8"))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.found: set[str] = set()
        self._busy: set[ast.AST] = set()

    def sentences(self) -> set[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                name = _called(node)
                if name in ERRORS and node.args:
                    self.take(node.args[0])
                elif (
                    name in LOGGED
                    and isinstance(node.func, ast.Attribute)
                    and ast.unparse(node.func) == f"logger.{name}"
                ):
                    self.found |= {re.sub(r"%[\d.]*[sdrgf]", HOLE, text) for text in self.texts(node.args[0])}
                elif name in TOLD and len(node.args) > TOLD[name]:
                    self.take(node.args[TOLD[name]])
                elif name == "append" and ast.unparse(node.func).removesuffix(".append") in GATHERED:
                    self.take(node.args[0])
                elif name == "Finding" and self.path.stem in COUNTED and not isinstance(node.args[2], ast.Starred):
                    self.count(*node.args[2:4])
            elif (
                self.path.stem in COUNTED
                and isinstance(node, ast.Assign)
                and _names(node.targets[0]) <= {"KINDS", "_KINDS"}
            ):
                assert isinstance(node.value, ast.Dict)
                for row in node.value.values:
                    assert isinstance(row, ast.Tuple)
                    self.count(*row.elts)
            elif isinstance(node, ast.Assign) and any(_names(target) <= STATED for target in node.targets):
                self.take(node.value)
            elif isinstance(node, Function) and (self.path.stem, node.name) in ANSWERED:
                for value in _returned(node):
                    self.take(value)
        return {text for text in map(_tidy, self.found) if re.search(r"[A-Za-z]{2}", text)}

    def count(self, noun: ast.expr, text: ast.expr) -> None:
        """What is said of so and so many things, with examples in brackets."""
        (one,) = self.texts(noun)
        if not one:
            self.take(text)
            return
        for counted in (one, {"class": "classes"}.get(one, f"{one}s")):
            self.found.add(f"{HOLE} {counted} {HOLE}")
        self.found |= {f"{said} ({HOLE})" for said in self.texts(text)}

    def take(self, value: ast.expr) -> None:
        self.found |= self.texts(value)

    def texts(self, value: ast.AST | None) -> set[str]:
        """What an expression may be, as far as its text stands in this module."""
        if value is None or value in self._busy:
            return set()
        self._busy.add(value)
        try:
            return self._texts(value)
        finally:
            self._busy.remove(value)

    def _texts(self, value: ast.AST) -> set[str]:
        match value:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.JoinedStr(values=values):
                texts = {""}
                for piece in values:
                    texts = {text + more for text in texts for more in self._pieces(piece)}
                return texts
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return {a + b for a in self.texts(left) or {HOLE} for b in self.texts(right) or {HOLE}}
            case ast.IfExp(body=body, orelse=orelse):
                return self.texts(body) | self.texts(orelse)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values) | ast.Dict(values=values):
                return set().union(*map(self.texts, values))
            case ast.NamedExpr(value=inner) | ast.Starred(value=inner):
                return self.texts(inner)
            case ast.ListComp(elt=inner) | ast.GeneratorExp(elt=inner):
                return self.texts(inner)
            case ast.Subscript(value=inner):
                return self.texts(inner)
            case ast.Name():
                return set().union(*map(self.texts, self._meanings(value)))
            case ast.Call(func=ast.Attribute(value=owner, attr=attr), args=args):
                if attr == "join":
                    none = {""} if isinstance(owner, ast.Constant) and not owner.value else set()
                    return self.texts(args[0]) | none
                if attr in {"get", "rstrip", "removesuffix", "removeprefix", "replace", "format"}:
                    return self.texts(owner) | (self.texts(args[1]) if attr == "get" and len(args) > 1 else set())
                return set().union(*map(self.texts, self._results(attr)))
            case ast.Call(func=ast.Name(id=name)):
                return set().union(*map(self.texts, self._results(name)))
        return set()

    def _pieces(self, piece: ast.expr) -> set[str]:
        """A place; or what stands in it, where that is a clause of its own, such as "; unpack it first"."""
        if not isinstance(piece, ast.FormattedValue):
            assert isinstance(piece, ast.Constant)
            return {str(piece.value)}
        texts = self.texts(piece.value)
        if any(re.match(r"[;,.:]? .|; ", text) or text.endswith(" ") for text in texts):
            return texts
        self.found |= texts
        return {HOLE}

    @cached_property
    def _functions(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                found.setdefault(node.name, []).append(node)
        return found

    def _results(self, name: str) -> Iterator[ast.expr]:
        for function in self._functions.get(name, []):
            yield from _returned(function)

    def _meanings(self, name: ast.Name) -> Iterator[ast.expr]:
        """What is assigned to a name in the function where it stands, or given for the parameter, or in the module."""
        scope: ast.AST | None = self.parents.get(name)
        while scope is not None:
            if isinstance(scope, Function | ast.Module):
                here = [*self._assigned(scope, name.id), *self._given(scope, name.id)]
                if here:
                    yield from here
                    return
            scope = self.parents.get(scope)

    def _assigned(self, scope: ast.AST, name: str) -> Iterator[ast.expr]:
        for node in _own(scope):
            match node:
                case ast.Assign(targets=targets, value=value):
                    if any(name in _names(target) for target in targets):
                        yield value
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    if name in _names(target):
                        yield value
                case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                    if name in _names(target):
                        yield value
                case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                    if name in _names(target):
                        yield value
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="append"), args=[value]):
                    if owner == name:
                        yield value

    def _given(self, scope: ast.AST, name: str) -> Iterator[ast.expr]:
        """What this module's calls of the function give for its parameter ``name``."""
        if not isinstance(scope, Function):
            return
        parameters = [argument.arg for argument in (*scope.args.args, *scope.args.kwonlyargs)]
        if name not in parameters:
            return
        place = parameters.index(name) - (parameters[0] in {"self", "cls"})
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _called(node) == scope.name:
                if place < len(node.args):
                    yield node.args[place]
                yield from (keyword.value for keyword in node.keywords if keyword.arg == name)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module without those of functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, Function):
            yield child
            yield from _own(child)


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in _own(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            yield node.value


def _tidy(text: str) -> str:
    """Numbered places, neighbours as one."""
    numbers = iter(range(99))
    return re.sub(f"{HOLE}+", lambda _: f"{{{next(numbers)}}}", text).strip()


def _is_sentence(text: str) -> bool:
    """Rather than a word that may be a key, or a file's content."""
    return " " in text and "\n" not in text and text not in TECHNICAL


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """Sentence of the source -> where it stands."""
    sources = [*(ROOT / "inspector").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    return {text: str(path.relative_to(ROOT)) for path in sorted(sources) for text in Source(path).sentences()}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    texts: dict[str, str] = json.loads(CATALOGUE.read_text("utf-8"))
    return texts


def test_every_sentence_is_translated(found, catalogue):
    missing = [f"{where}: {text}" for text, where in found.items() if _is_sentence(text) and text not in catalogue]
    assert not missing, "\n".join(["Not in assets/locale/zh/errors.json:", *missing])


def test_the_states_of_plugins_are_translated(catalogue):
    assert {*get_args(State), *get_args(Origin)} <= catalogue.keys()


def test_no_template_is_left_over(found, catalogue):
    unused = catalogue.keys() - found.keys() - JOINTS - SYSTEM - {*get_args(State), *get_args(Origin)}
    assert not unused, "\n".join(["In errors.json, yet nobody says it:", *sorted(unused)])


def test_every_template_has_its_places(catalogue):
    for english, chinese in catalogue.items():
        places = re.findall(r"\{(\d+)\}", english)
        assert places == [str(number) for number in range(len(places))], english
        assert set(re.findall(r"\{(\d+)\}", chinese)) == set(places), english


def test_every_translation_is_chinese(catalogue):
    for english, chinese in catalogue.items():
        assert english in JOINTS or re.search("[\u4e00-\u9fff]", chinese), english
        assert chinese[-1] not in ",;:?!", english


def test_every_template_finds_its_own_sentence(catalogue):
    """None is hidden by a more telling one that fits as well."""
    for english, chinese in catalogue.items():
        template = i18n._Template(tuple(i18n._PLACE.split(english)[::2]), chinese)
        values = [f"<{number}>" for number in range(english.count("{"))]
        said, wanted = english, chinese
        for number, value in enumerate(values):
            said, wanted = said.replace(f"{{{number}}}", value), wanted.replace(f"{{{number}}}", value)
        if not template.joins:
            assert sentence(said, "zh") == wanted, english


@pytest.mark.parametrize(
    "english, chinese",
    [
        ("a b.jpg is empty (0 bytes); copy it again from where it came", "a b.jpg 是空的（0 字节）；请从来源重新复制"),
        (
            "Exporter xlsx failed: D:/报表/r.xlsx cannot be written (Permission denied)",
            "导出器 xlsx 失败：D:/报表/r.xlsx 无法写入（没有权限）",
        ),
        (
            "The recipe r.json cannot be used: Rules: class 'Defect', measure 'area_px': unknown measure; use count",
            "配方 r.json 无法使用：规则：类别 'Defect'，测量项 'area_px'：未知的测量项；请使用 count",
        ),
        (
            "clip.mp4: it cannot be read (No such file or directory)",
            "clip.mp4：无法读取（没有该文件或文件夹）",
        ),
        (
            "D:/d.yaml, train: no defect is labelled: 3 label lines left out with the picture, being a box where a "
            "polygon is needed (a.txt line 1; b.txt line 2)",
            "D:/d.yaml, train：没有标注缺陷：3 行标签是矩形框，而这里需要多边形，"
            "连同图片一起略去（a.txt line 1; b.txt line 2）",
        ),
        ("confidence: 'x' is not a number", "confidence：'x' 不是数"),
        (
            "x needs timm>=1 (not installed), a>2 (version 1 is installed)",
            "x 需要 timm>=1（未安装），a>2（已安装的版本是 1）",
        ),
        ("yolo11, option iou: 3 lies outside the range from 0 to 1", "yolo11，选项 iou：3 超出范围（在 0 到 1 之间）"),
        (
            "The exporter 'xlsx' belongs to the plugin 'spreadsheet', which is disabled: switched off by the user",
            "导出器 'xlsx' 属于插件 'spreadsheet'，而该插件的状态是“已停用”：已由用户停用",
        ),
        ("page 1 of 3", "共 3 页，取第 1 页"),
        ("The model failed: cam.pt is a folder, not a picture", "模型失败：cam.pt 是文件夹，不是图片"),
        (
            "there is no hook 'inspector_x'; did you mean 'inspector_y'?",
            "没有钩子 'inspector_x'；是否指 'inspector_y'？",
        ),
    ],
)
def test_sentence(english, chinese):
    assert sentence(english, "zh") == chinese
    assert sentence(english, "en") == english


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody of us said this",
        "somebody's pictures are lost: why",
        "KeyError: 'a'",
        "{0}",
        "{0}: {1}",
        "a(b[c*+?\\",
        "}{",
        "\n\n",
        "中文",
        "x" * 100_000,
        "is: a, b; c. " * 8_000,
        "so the pictures " * 600,
        "a: b, c; d. e " * 600,
    ],
)
def test_other_texts_come_back_quickly(text):
    sentence("warm", "zh")
    began = time.thread_time()
    assert sentence(text, "zh") == text
    assert time.thread_time() - began < 0.5


def test_values_are_taken_as_they_are():
    for value in ("{0}", "{1}", "\\1 (.*?) $", "a\nb", "x" * 9_000, "中文{", ""):
        assert sentence(f"The video {value} does not exist; check the path", "zh") == f"视频 {value} 不存在；请检查路径"


def test_a_sentence_takes_less_than_a_millisecond(catalogue):
    said = [re.sub(r"\{\d+\}", "D:/some folder/picture 12.jpg", english) for english in catalogue]
    sentence(said[0], "zh")
    began = time.thread_time()
    for text in said:
        sentence(text, "zh")
    assert (time.thread_time() - began) / len(said) < 0.001


def test_a_missing_catalogue_leaves_english(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    i18n._templates.cache_clear()
    try:
        assert sentence("yes or no", "zh") == sentence("yes or no", "zh") == "yes or no"
        assert len(caplog.records) == 1
    finally:
        i18n._templates.cache_clear()
