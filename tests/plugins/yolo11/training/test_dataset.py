"""The training dataset gives exactly what ultralytics' own gives, without its files next to the labels."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from inspector.api import check_yolo_dataset, read_yolo_dataset
from inspector.datasets.synthetic import synthesize


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("set") / "set"
    synthesize(root, count=10, size=200, seed=3)
    return root


@pytest.mark.parametrize("augment", [False, True], ids=["val", "train"])
def test_it_equals_that_of_ultralytics(folder, tmp_path, augment):
    import torch
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset

    from inspector_plugins.yolo11.training.dataset import Dataset

    copy = tmp_path / "copy"  # ultralytics writes into it
    shutil.copytree(folder, copy)
    found = check_yolo_dataset(read_yolo_dataset(folder / "data.yaml"))
    options = {"imgsz": 96, "batch_size": 4, "augment": augment, "rect": not augment, "stride": 32, "pad": 0.5}
    sets = (
        Dataset(found.images["train"], found.names, hyp=get_cfg(), **options),
        YOLODataset(
            img_path=str(copy / "images" / "train"),
            data={"names": {0: "Defect"}, "nc": 1, "channels": 3},
            task="segment",
            hyp=get_cfg(),
            **options,
        ),
    )
    samples = []
    for data in sets:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        samples.append([data[number] for number in range(len(data))])
    assert len(samples[0]) == 8 and any(len(sample["cls"]) for sample in samples[0])
    for ours, theirs in zip(*samples, strict=True):
        assert Path(ours.pop("im_file")).name == Path(theirs.pop("im_file")).name
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            assert np.array_equal(np.asarray(value), np.asarray(theirs[key])), key


def test_12_bit_images_look_as_in_inspecting(tmp_path):
    import cv2
    from ultralytics.cfg import get_cfg

    from inspector_plugins.yolo11.training.dataset import Dataset

    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    values = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "images" / "deep.png"), values)
    (tmp_path / "labels" / "deep.txt").write_text("0 0 0 1 0 1 1", "utf-8")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [a]", "utf-8")
    found = check_yolo_dataset(read_yolo_dataset(tmp_path / "data.yaml"))
    data = Dataset(found.images["val"], found.names, imgsz=64, batch_size=1, augment=False, hyp=get_cfg())
    assert int(data[0]["img"].max()) == 255
