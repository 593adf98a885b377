import pytest

from inspector.api import InputError, LayerSpec, Text
from inspector_plugins.yolo11.architecture import design


def spec(name, kind, **more):
    return LayerSpec(id=f"{name}_{kind}", name=name, title=Text(name), kind=kind, load=lambda: (), **more)


LAYERS = (
    spec("swish", "block", presets={"swishy": "+block=swish+down=halve"}),
    spec("halve", "downsample"),
    spec("mix", "neck"),
    spec("double", "upsample"),
    spec("net", "backbone"),
    spec("zoo", "backbone", members=lambda: ("lion", "tiger")),
)
CATALOGUE = design.Catalogue(LAYERS)
STOCK = {
    "scales": {"n": [0.5, 0.25, 1024]},
    "backbone": [
        [-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]], [-1, 2, "C3k2", [256, False, 0.25]],
        [-1, 1, "Conv", [256, 3, 2]], [-1, 2, "C3k2", [512, False, 0.25]], [-1, 1, "Conv", [512, 3, 2]],
        [-1, 2, "C3k2", [512, True]], [-1, 1, "Conv", [1024, 3, 2]], [-1, 2, "C3k2", [1024, True]],
        [-1, 1, "SPPF", [1024, 5]], [-1, 2, "C2PSA", [1024]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]], [[-1, 6], 1, "Concat", [1]], [-1, 2, "C3k2", [512, False]],
        [-1, 1, "Conv", [256, 3, 2]], [[-1, 13], 1, "Concat", [1]], [[16, 19, 22], 1, "Segment", ["nc", 32, 256]],
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, normal",
    [
        ("yolo11n-seg", "yolo11n-seg"),
        (" yolo11x-seg ", "yolo11x-seg"),
        ("yolo11s-seg-swishy", "yolo11s-seg+block=swish+down=halve"),
        ("yolo11n-seg+neck=mix+block=swish", "yolo11n-seg+block=swish+neck=mix"),
        ("yolo11n-seg-swishy+backbone=zoo/lion", "yolo11n-seg+backbone=zoo/lion+block=swish+down=halve"),
    ],
)
def test_a_name_has_one_normal_form(name, normal):
    assert CATALOGUE.parse(name).name == normal
    assert CATALOGUE.parse(normal).name == normal


@pytest.mark.parametrize(
    "name, said",
    [
        ("yolo12n-seg", "Unknown architecture 'yolo12n-seg'; names begin with yolo11n-seg"),
        ("yolo11n", "Unknown architecture"),
        ("", "Unknown architecture ''"),
        ("yolo11n-seg-nope", "There is no preset 'nope' of yolo11n-seg; known are swishy"),
        ("yolo11n-seg-swishy-nope", "There is no preset 'swishy-nope'"),
        ("yolo11n-seg+backbone=zoo/frog", "zoo has no backbone 'frog'; it has 2, such as lion"),
        ("yolo11n-seg+block=swsh", "There is no block 'swsh'; did you mean swish? known are swish"),
        ("yolo11n-seg+block", "'block' is not a modifier; write +WORD=NAME"),
        ("yolo11n-seg+", "'' is not a modifier"),
        ("yolo11n-seg+tail=swish", "'tail=swish' is not a modifier"),
        ("yolo11n-seg+down=swish", "There is no downsample 'swish'"),
        ("yolo11n-seg-swishy+block=swish", "block is named twice"),
        ("yolo11n-seg+neck=mix+upsample=double", "neck=mix leaves no place for upsample=double"),
        ("yolo11n-seg+backbone=zoo", "'zoo' does not name a backbone; write zoo/lion"),
        ("yolo11n-seg+backbone=net/large", "'net/large' does not name a backbone; write net"),
        ("yolo11n-seg+backbone=zoo/tigr", "zoo has no backbone 'tigr'; did you mean tiger?"),
    ],
)
def test_a_wrong_name_is_refused_with_what_is_known(name, said):
    with pytest.raises(InputError) as error:
        CATALOGUE.parse(name)
    assert said in str(error.value)


def test_without_plugins_only_the_bases_are_known():
    bare = design.Catalogue(())
    assert bare.parse("yolo11m-seg").scale == "m"
    with pytest.raises(InputError, match="no active plugin provides one"):
        bare.parse("yolo11n-seg+block=swish")
    with pytest.raises(InputError, match="no plugin provides one"):
        bare.parse("yolo11n-seg-swishy")


def modules(name):
    described = design.rows(CATALOGUE.parse(name), STOCK)
    return [row[2] for row in described["backbone"] + described["head"]], described


def test_blocks_and_downsampling_take_their_places_and_the_stem_stays():
    names, described = modules("yolo11n-seg-swishy")
    assert names[:4] == ["Conv", "downsample:halve", "C3k2:swish", "downsample:halve"]
    assert "C3k2" not in names and names.count("C3k2:swish") == 5
    assert described["backbone"][1][3] == [128]
    assert STOCK["backbone"][1][2] == "Conv"  # the stock rows are not touched


def test_neck_and_backbone_keep_the_numbers_of_the_rows():
    names, described = modules("yolo11n-seg+neck=mix+backbone=net")
    assert len(names) == len(STOCK["backbone"]) + len(STOCK["head"])
    assert names[:11] == [
        "backbone:net", "nn.Identity", "nn.Identity", "nn.Identity", "Index", "nn.Identity", "Index", "nn.Identity",
        "Index", "SPPF", "C2PSA",
    ]  # fmt: skip
    assert [described["backbone"][row][0::3] for row in (4, 6, 8)] == [[0, [0]], [0, [1]], [0, [2]]]
    assert names[11:13] == ["nn.Identity", "neck:mix"] and described["head"][1][0] == [-1, 6]
    assert names[15] == "Concat"  # not behind an upsampling
    assert modules("yolo11n-seg+upsample=double")[0][11:13] == ["upsample:double", "Concat"]


def test_rows_of_ours_are_known():
    _, described = modules("yolo11n-seg-swishy+neck=mix+backbone=zoo/lion")
    assert design.is_ours(described) and not design.is_ours(STOCK)
