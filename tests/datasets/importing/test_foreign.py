"""Unsupported formats are recognised by their content, and the message names what to export instead."""

import json
import zipfile

import numpy as np
import pytest

from inspector.datasets.importing import convert
from inspector.domain import InputError
from inspector.imaging import write_image

STUDIO, VIA = "contains Label Studio JSON", "contains VGG Image Annotator"
PART = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "crack"}]}
REGION = {"shape_attributes": {"name": "polygon", "all_points_x": [1], "all_points_y": [1]}}


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("annotations.xml", '<?xml version="1.0"?>\n<!-- by CVAT -->\n<annotations><image id="0">',
         "contains CVAT XML (annotations.xml), which is not supported; export it from CVAT as COCO 1.0"),
        ("a.xml", "<annotation verified='yes'><filename>a.png</filename><object><name>crack</name>",
         "contains Pascal VOC XML (a.xml), which is not supported; it contains boxes; export polygons"),
        ("a.xml", "<dataset/>", "contains XML (a.xml)"),
        ("export.json", [{"id": 1, "data": {"image": "/data/a.png"}, "annotations": [{"result": []}]}], STUDIO),
        ("min.json", [{"image": "/data/a.png", "id": 1, "annotation_id": 3, "label": []}], STUDIO),
        ("a.png.json", {"description": "", "size": {"height": 1, "width": 1}, "objects": [{"classTitle": "crack"}]},
         "contains Supervisely JSON"),
        ("meta.json", {"classes": [], "tags": [], "projectType": "images"}, "contains Supervisely JSON"),
        ("p.json", PART | {"annotations": [{"segments_info": []}]}, "contains COCO panoptic"),
        ("k.json", {"images": [], "annotations": [{"image_id": 1, "keypoints": [1, 2, 2]}]}, "contains COCO keypoints"),
        ("r.json", [{"image_id": 1, "category_id": 1, "score": 0.5}], "contains a list of COCO results"),
        ("c.json", PART, "contains a part of COCO"),
        ("via.json", {"a.png123": {"filename": "a.png", "size": 123, "regions": [REGION]}}, VIA),
        ("via.json", {"_via_settings": {}, "_via_img_metadata": {}}, VIA),
        ("l.json", [{"data_row": {"id": "x"}, "projects": {}}], "contains Labelbox JSON"),
        ("m.json", [{"image": "a.png", "annotations": [{"label": "a", "coordinates": {}}]}], "contains CreateML JSON"),
        ("d.json", {"info": {}, "categories": {}, "items": []}, "contains Datumaro JSON"),
        ("a_gtFine_polygons.json", {"imgHeight": 1, "imgWidth": 1, "objects": []}, "contains Cityscapes JSON"),
        ("g.json", {"type": "FeatureCollection", "features": []}, "contains GeoJSON"),
        ("a.txt", "imagesource:GoogleEarth\ngsd:0.1\n1 1 9 1 9 9 1 9 plane 0\n", "contains DOTA (a.txt)"),
        ("a.txt", "1.0 1.0 9.0 1.0 9.0 9.0 1.0 9.0 small-vehicle 0\n", "contains DOTA (a.txt)"),
        ("a.txt", "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46 -1\n", "contains KITTI"),
        ("obj.data", "classes = 1\nnames = data/obj.names\n", "contains YOLO 1.1 (Darknet)"),
        ("a.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5\n", "contains YOLO (a.txt), which is not supported; write a data.yaml"),
        ("labels.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n", "contains a CSV table (labels.csv)"),
        ("train.csv", "ImageId,EncodedPixels\n", "contains a CSV table (train.csv)"),
        ("x.tfrecord", "\1", "contains TFRecord"),
    ],
)  # fmt: skip
def test_every_format_is_named(tmp_path, name, content, complaint):
    folder = tmp_path / "in"
    write_image(folder.mkdir() or folder / "a.png", np.zeros((20, 20, 3), np.uint8))
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(InputError) as refused:
        convert(folder, tmp_path / "set")
    assert complaint in str(refused.value) and len(str(refused.value)) < 400
    with pytest.raises(InputError, match=r"export|write|give|convert"):  # named also where the format is given
        convert(folder, tmp_path / "set", format="coco")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    "place, name", [("masks", "a.png"), ("ground_truth/crack", "a_mask.png"), ("SegmentationClass", "a.png")]
)
def test_mask_images_are_named(tmp_path, place, name):
    folder = tmp_path / "in"
    for number in range(3):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        write_image(folder / "images" / ("a.png" if not number else f"b{number}.png"), pixels)
    mask = np.zeros((20, 20, 3), np.uint8)
    mask[3:8, 3:8] = 255
    (folder / place).mkdir(parents=True)
    write_image(folder / place / name, mask)
    with pytest.raises(
        InputError, match=r"contains mask images \(.*a.*png\), which is not supported; export polygons as labelme"
    ):
        convert(folder, tmp_path / "set")


def test_an_archive_in_the_folder_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "export.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(
        InputError, match=r"contains an archive \(export.zip\), which is not supported; unpack it first"
    ):
        convert(tmp_path / "in", tmp_path / "set")


def test_photographs_alone_are_no_format(tmp_path):
    for place in ("x", "y"):
        (tmp_path / "in" / place).mkdir(parents=True)
        pixels = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
        write_image(tmp_path / "in" / place / "a.png", pixels)
    (tmp_path / "in" / "readme.txt").write_text("5 images of the line\n", "ascii")
    (tmp_path / "in" / "bill.csv").write_text("part,price\n", "ascii")
    with pytest.raises(InputError, match="contains no labels of labelme"):
        convert(tmp_path / "in", tmp_path / "set")
