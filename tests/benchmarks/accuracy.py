"""Box and mask accuracy of a checkpoint on a data set in YOLO's layout, by ultralytics' own validator.

.venv/bin/python tests/benchmarks/accuracy.py WEIGHTS DATA.yaml [--split val] [--imgsz 640]
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

from inspector.frameworks import prepare_torch


def measure(weights: Path, data: Path, split: str, imgsz: int) -> dict[str, float]:
    """Precision, recall, mAP50 and mAP50-95 for boxes (B) and masks (M)."""
    prepare_torch()
    import yaml
    from ultralytics import YOLO
    from ultralytics.utils import LOGGER

    from inspector_plugins.yolo11.train import read_data

    LOGGER.setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder) / "data.yaml"
        resolved.write_text(yaml.safe_dump(read_data(data)), "utf-8")
        found = YOLO(str(weights)).val(
            data=str(resolved), split=split, imgsz=imgsz, device="cpu", workers=0, plots=False, verbose=False,
            project=folder, batch=8,
        )  # fmt: skip
    return {key.removeprefix("metrics/"): round(float(value), 4) for key, value in found.results_dict.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--imgsz", type=int, default=640)
    arguments = parser.parse_args()
    json.dump(measure(**vars(arguments)), sys.stdout, indent=2)
    sys.stdout.write("\n")
