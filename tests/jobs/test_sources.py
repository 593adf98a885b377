"""Sources from user input, with the real plugins."""

import pytest
from media import image, video

from inspector.api import SourceSpec, Text
from inspector.domain import Choice, InputError
from inspector.jobs.sources import resolve_sources
from inspector.registry import Registry, load


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load()


def test_a_folder_of_images_and_videos_is_two_sources(catalogue, tmp_path):
    image(tmp_path / "a.png")
    assert resolve_sources(catalogue, str(tmp_path)) == [Choice("image_files", {"path": str(tmp_path)})]
    video(tmp_path / "b.avi")
    assert [choice.id for choice in resolve_sources(catalogue, str(tmp_path))] == ["image_files", "video_files"]
    assert resolve_sources(catalogue, "camera:0")[0].id == "camera"


@pytest.mark.parametrize(
    ("text", "complaint"), [(" ", "SOURCE is empty"), ("nix.png", "does not exist"), ("odd.xyz", "neither an image")]
)
def test_what_nobody_opens_is_refused(catalogue, tmp_path, monkeypatch, text, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.xyz").write_bytes(b"odd")
    with pytest.raises(InputError, match=complaint):
        resolve_sources(catalogue, text)


class Claims:
    """A registry whose first source fails at every claim."""

    layers: dict = {}

    def __init__(self, claim):
        from inspector.registry import PluginRecord

        self.sources = {
            "bad": SourceSpec("bad", Text("bad"), print, claim=claim),
            "good": SourceSpec("good", Text("good"), print, claim=lambda text: {"path": text}),
        }
        self.records = (PluginRecord("bad_plugin", "drop-in", "active", specs=(("source", "bad"),)),)

    owner = Registry.owner


def fail(text):
    raise ZeroDivisionError("boom")


def leave(text):
    raise SystemExit(0)


@pytest.mark.parametrize("claim", [fail, leave, lambda text: 7, lambda text: "x", lambda text: {1: 2}])
def test_a_claim_that_fails_is_named_and_the_others_are_asked(tmp_path, caplog, claim):
    found = resolve_sources(Claims(claim), str(tmp_path))
    assert [choice.id for choice in found] == ["good"]
    assert "The plugin bad_plugin failed in claim of bad" in caplog.text
