"""Grouping of images into parts."""

import json

import pytest

from inspector.domain import Grouping, InputError, Trigger


@pytest.mark.parametrize(
    ("pattern", "name", "groups"),
    [
        ("{serial}_{view}", "/data/A1_front.png", {"serial": "A1", "view": "front"}),
        ("{serial}_{view}", "A_1_front.png", {"serial": "A_1", "view": "front"}),
        ("{serial}_{view}", "/data_x/front.png", None),  # the folder is not part of the name
        ("{serial}/{view}", "C:\\data\\0017\\top.tif", {"serial": "0017", "view": "top"}),
        ("{serial}\\{view}", "/data/0017/top.tif", {"serial": "0017", "view": "top"}),
        ("{serial}_{view}.png", "A1_front.png", {"serial": "A1", "view": "front"}),
        ("{serial}_{view}.png", "A1_front.jpg", None),
        ("{lot}-{serial}_*", "L1-7_2026.11.30.png", {"lot": "L1", "serial": "7"}),
        (r"(?P<serial>[A-Z]\d+)[_-](?P<view>\w+)", "a12-Rear.BMP", {"serial": "a12", "view": "Rear"}),
        (r"(?P<serial>\d{4})", "12345.png", None),
        (r"(?P<serial>[^/]+)/img_(?P<view>\d)", "/x/零件 7/img_2.png", {"serial": "零件 7", "view": "2"}),
        ("{serial}", "no suffix", {"serial": "no suffix"}),
    ],
)
def test_patterns(pattern, name, groups):
    assert Grouping(pattern).match(name) == groups


@pytest.mark.parametrize(
    ("parts", "views", "trigger", "said"),
    [
        ("(?P<serial>.+", "", "", "cannot be used"),
        ("plain", "", "", "it has no field"),
        ("{serial}_{}", "", "", "is not a field"),
        ("{1}", "", "", "is not a field"),
        ("(?P<serial>a)(?P<serial>b)", "", "", "cannot be used"),
        ("{view}", "", "", "does not say what tells parts apart"),
        ("{serial}", "front,back", "", "no field for the view"),
        ("{serial}_{view}", "front,Front", "", "a name of its own"),
        ("{serial}_{view}", "front,,back", "", "a name of its own"),
        ("{serial}_{view}", "", "key", "cannot be combined with a trigger"),
        ("3", "front,back", "", "need a pattern"),
        ("3", "2", "", "need a pattern"),
        ("", "front", "", "need a pattern"),
        ("0", "", "", "1 to 100000 images, not 0"),
        ("-2", "", "", "not -2"),
        ("stretch", "", "", "needs a trigger"),
        ("", "", "button", "is not a trigger"),
        ("", "", "timer", "is not a trigger"),
        ("", "", "timer:0", "is not a trigger"),
        ("", "", "timer:nan", "is not a trigger"),
        ("", "", "key:2", "is not a trigger"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(parts, views, trigger, said):
    with pytest.raises(InputError) as refused:
        Grouping.from_text(parts, views, trigger)
    sentence = str(refused.value)
    assert said in sentence and "\n" not in sentence and "__" not in sentence


def test_texts_and_json():
    assert Grouping.from_text("", " ", None) is None
    assert Grouping.from_text("2") == Grouping(count=2)
    assert Grouping.from_text("{serial}_{view}", "front， back") == Grouping("{serial}_{view}", ("front", "back"))
    assert Grouping.from_text("{serial}_{view}", "2") == Grouping("{serial}_{view}", count=2)
    assert Grouping.from_text("stretch", "", "still") == Grouping(stretch=True, trigger=Trigger("still", 0.3))
    assert Grouping.from_text("", "", "key") == Grouping(trigger=Trigger("key"))
    for grouping in (
        Grouping("{serial}_{view}", ("front", "back")),
        Grouping(count=3, trigger=Trigger("timer", 2.5)),
        Grouping(stretch=True, trigger=Trigger("still", 0.5)),
    ):
        assert Grouping.from_json(json.loads(json.dumps(grouping.to_json()))) == grouping


@pytest.mark.parametrize("wrong", [3, {"patern": "x"}, {"views": "front"}, {"count": True}, {"trigger": "key"}])
def test_wrong_json_is_refused(wrong):
    with pytest.raises(InputError):
        Grouping.from_json(wrong)
