from pathlib import Path

import pytest

from inspector.api import ExporterSpec, LayerSpec, ModelSpec, Option, SourceSpec, Text
from inspector.registry.manifest import Refused
from inspector.registry.specs import checked_specs

T = Text("Title")


def source(**change):
    return SourceSpec(**({"id": "s", "title": T, "open": print} | change))


def test_takes_any_iterable_of_the_hooks_specs():
    one, two = source(), source(id="t", options=[Option("key", Path, None, T)])
    assert checked_specs("inspector_sources", (each for each in (one, two))) == [("source", one), ("source", two)]
    assert checked_specs("inspector_models", []) == []


@pytest.mark.parametrize("returned", [None, 5, "text", b"b", {"a": 1}, source()])
def test_refuses_what_is_no_list(returned):
    with pytest.raises(Refused, match=r"inspector_sources returned .*, not a list of SourceSpec"):
        checked_specs("inspector_sources", returned)


@pytest.mark.parametrize("item", [None, 5, ExporterSpec("e", T, print), SourceSpec])
def test_refuses_a_list_of_something_else(item):
    with pytest.raises(Refused, match=r"inspector_sources returned a list with .* in it"):
        checked_specs("inspector_sources", [source(), item])


@pytest.mark.parametrize(
    ("hook", "spec", "says"),
    [
        ("inspector_sources", source(id="a-b"), "id must be"),
        ("inspector_sources", source(id=""), "id must be"),
        ("inspector_sources", source(id=3), "id must be"),
        ("inspector_sources", source(title="Title"), "title must be Text"),
        ("inspector_sources", source(open="x"), "open must be callable"),
        ("inspector_sources", source(open=None), "open must be callable"),
        ("inspector_sources", source(claim=5), "claim must be callable"),
        ("inspector_sources", source(options=Option("a", int, 1, T)), "must be a tuple of Option"),
        ("inspector_sources", source(options=("a",)), "must be a tuple of Option"),
        ("inspector_sources", source(options=(Option("A b", int, 1, T),)), "key must be lower case"),
        ("inspector_sources", source(options=(Option("a", int, 1, T), Option("a", int, 1, T))), "a is there twice"),
        ("inspector_sources", source(options=(Option("a", list, None, T),)), "type of a must be"),
        ("inspector_sources", source(options=(Option("a", int, 1, "A"),)), "title and help of a"),
        ("inspector_sources", source(options=(Option("a", int, 9, T, maximum=5),)), "default is refused"),
        ("inspector_models", ModelSpec("m", T, print, suffixes=(".PT",)), "suffixes must be"),
        ("inspector_models", ModelSpec("m", T, print, suffixes=".pt"), "suffixes must be"),
        ("inspector_models", ModelSpec("m", T, print, bundled=["a"]), "bundled must map"),
        ("inspector_models", ModelSpec("m", T, print, train_options=("a",)), "train_options must be"),
        ("inspector_layers", LayerSpec("l", T, "tail", print), "kind must be one of backbone"),
        ("inspector_layers", LayerSpec("l", T, "loss", print), "part must be box, class or mask"),
        ("inspector_layers", LayerSpec("l", T, "block", print, about="a"), "about must be"),
        ("inspector_layers", LayerSpec("l", T, "block", 5), "load must be callable"),
    ],
)
def test_names_what_cannot_work(hook, spec, says):
    with pytest.raises(Refused, match=says):
        checked_specs(hook, [spec])
