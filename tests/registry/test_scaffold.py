import pytest

from inspector.api import RunInfo
from inspector.domain import Frame, InputError, Inspection, Verdict
from inspector.registry.calling import architectures
from inspector.registry.installing import install
from inspector.registry.layer_templates import LAYER_KINDS
from inspector.registry.loading import load
from inspector.registry.scaffold import new


@pytest.fixture
def made(tmp_path):
    """Writes a new plugin, installs it and returns its spec."""

    def make(kind: str):
        install(new(kind, f"my_{kind}", tmp_path))
        registry = load()
        record = next(each for each in registry.records if each.id == f"my_{kind}")
        assert (record.state, record.kinds, record.reason) == ("active", (kind,), "")
        return getattr(registry, kind)(f"my_{kind}")

    return make


def opened(spec, *arguments, **options):
    return spec.open(*arguments, **({option.key: option.default for option in spec.options} | options))


def test_the_new_source_yields_images_that_the_new_model_understands(made):
    source = opened(made("source"), count=3, size=64)
    frames = list(source)
    assert source.total == 3 and [frame.index for frame in frames] == [0, 1, 2]
    assert len({frame.image.tobytes() for frame in frames}) == 3
    source.close()
    model = opened(made("model"), None, "cpu", ())
    for frame, found in zip(frames, model.predict([frame.image for frame in frames], 0.25, 0.45), strict=True):
        (detection,) = found
        x = frame.index * 8
        assert detection.box == (x, 24, x + 8, 32) and detection.area == 64
        assert detection.score == pytest.approx(1 - 30 / 256)
    assert model.predict([frames[0].image], 0.9, 0.45) == [[]]
    model.close()


def test_the_new_exporter_counts(made, tmp_path):
    model = opened(made("model"), None, "cpu", ())
    run = RunInfo(job=None, model=model.info, title="Run 1", started="2026-01-01T00:00:00+00:00")
    (frame,) = opened(made("source"), count=1, size=32)
    exporter = opened(made("exporter"), tmp_path, run)
    for status in ("OK", "NG", "NG"):
        exporter.write(Inspection(Frame(frame.image, 0, "a"), (), Verdict(status), model.info))
    (file,) = exporter.close()
    assert file.read_text("utf-8") == "Run 1\nOK: 1\nWARN: 0\nNG: 2\n"


def test_the_new_layer_computes_and_can_be_named_by_a_checkpoint(made):
    import pickle

    import torch

    (main,) = made("layer").load()
    layer = main(8, 12, 16).eval()
    assert layer(torch.zeros(2, 8, 5, 7)).shape == (2, 12, 5, 7)
    assert pickle.loads(pickle.dumps(main)) is main
    assert f"{main.__module__}.{main.__name__}" == "bearing_inspector_dropins.my_layer.layers.SqueezeExcitation"


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_a_new_layer_of_each_kind_trains_in_an_architecture(tmp_path, kind):
    install(new("layer", "mine", tmp_path, kind))
    registry = load()
    spec = registry.layer("mine")
    assert (spec.kind, bool(spec.about.zh)) == (kind, True)
    known = architectures(registry, registry.model("yolo11"))
    (name,) = (one.name for one in known.list() if one.name.endswith("=mine"))
    known.check(f"yolo11n-seg{name}")


def test_what_is_there_is_not_overwritten(tmp_path):
    for kind in ("source", "layer"):
        new(kind, "mine", tmp_path)
        with pytest.raises(InputError, match="already exists"):
            new(kind, "mine", tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("verdict", "a", "There is no kind 'verdict'; choose source"),
        ("source", "My", "lower case letters"),
        ("source", "1a", "lower case letters"),
        ("source", "../a", "lower case letters"),
        ("source", "con", "lower case letters"),
        ("source", "a\n", "lower case letters"),
        ("source", "tables", "a plugin 'tables' already"),
    ],
)
def test_refuses_names_that_could_not_work(tmp_path, kind, name, says):
    with pytest.raises(InputError, match=says):
        new(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(InputError, match="does not exist; create it"):
        new("source", "mine", tmp_path / "none")
