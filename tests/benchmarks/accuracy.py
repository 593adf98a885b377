"""Box and mask accuracy of a checkpoint on a data set in YOLO's layout: ``validate``'s figures, and nothing else.

.venv/bin/python tests/benchmarks/accuracy.py WEIGHTS DATA.yaml [--split val] [--imgsz 640]
"""

import argparse
import json
import sys
from pathlib import Path

from inspector import registry


def measure(weights: Path, data: Path, split: str, imgsz: int) -> dict[str, float]:
    """Precision, recall, mAP50 and mAP50-95 for boxes (B) and masks (M)."""
    from inspector_plugins.yolo11.evaluation.evaluate import evaluate

    layers = tuple(registry.load().layers.values())
    total = evaluate(weights, data, layers, split=split, imgsz=imgsz, device="cpu", batch=8)["all"]
    return {
        f"{key}({part[0].upper()})": round(value, 4) for part in ("box", "mask") for key, value in total[part].items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--imgsz", type=int, default=640)
    arguments = parser.parse_args()
    json.dump(measure(**vars(arguments)), sys.stdout, indent=2)
    sys.stdout.write("\n")
