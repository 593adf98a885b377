"""Distance of the detections from ultralytics' own: ``python tests/benchmarks/parity.py MODEL.pt [IMAGE…]``.

Without images: all 83 of the BSData validation split.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

THRESHOLDS = ((0.05, 0.7), (0.25, 0.45), (0.5, 0.3))  # confidence, IoU


@dataclass
class Difference:
    """Largest differences of matching detections: box corners in px, score, and the smallest mask IoU."""

    ours: int
    theirs: int
    matched: int = 0
    box: float = 0.0
    score: float = 0.0
    mask: float = 1.0

    @property
    def acceptable(self) -> bool:
        complete = self.ours == self.theirs == self.matched
        return complete and self.box <= 0.5 and self.score <= 1e-3 and self.mask >= 0.99


def reference(network, image, confidence, iou, imgsz, device="cpu"):
    """Detections of ``ultralytics.YOLO`` in one BGR image."""
    return network.predict(
        image, retina_masks=True, conf=confidence, iou=iou, imgsz=imgsz, device=device, verbose=False, save=False
    )[0]


def difference(detections, result) -> Difference:
    """Compare our detections with an ultralytics result of the same image."""
    import numpy as np

    boxes = result.boxes.data.cpu().numpy()
    masks = None if result.masks is None else result.masks.data.cpu().numpy().astype(bool)
    found = Difference(len(detections), len(boxes))
    free = set(range(len(boxes)))
    for detection in detections:
        near = {n: np.abs(boxes[n, :4] - detection.box).max() for n in free if boxes[n, 5] == detection.class_id}
        near = {n: distance for n, distance in near.items() if abs(boxes[n, 4] - detection.score) <= 1e-3}
        if not near:
            continue
        best = min(near, key=near.get)
        free.remove(best)
        mask, theirs = detection.mask, masks[best]
        h, w = mask.pixels.shape
        both = (theirs[mask.y : mask.y + h, mask.x : mask.x + w] & mask.pixels).sum()
        found.matched += 1
        found.box = max(found.box, float(near[best]))
        found.score = max(found.score, abs(float(boxes[best, 4]) - detection.score))
        found.mask = min(found.mask, float(both / (theirs.sum() + mask.area - both)))
    return found


def main(weights: Path, images: list[Path]) -> int:
    from inspector.api import prepare_torch, read_image

    prepare_torch()
    from ultralytics import YOLO

    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    model, network = TorchModel(weights, "cpu"), YOLO(weights)
    failures = 0
    for confidence, iou in THRESHOLDS:
        found, ours, theirs = [], 0.0, 0.0
        for path in images:
            image = read_image(path)[0]
            start = time.perf_counter()
            detections = model.predict([image], confidence, iou)[0]
            middle = time.perf_counter()
            result = reference(network, image, confidence, iou, model.info.imgsz)
            ours, theirs = ours + middle - start, theirs + time.perf_counter() - middle
            found.append(difference(detections, result))
            if not found[-1].acceptable:
                print(f"{path.name}: {found[-1]}")
                failures += 1
        print(
            f"conf {confidence} iou {iou}: {len(found)} images, {sum(f.theirs for f in found)} detections, "
            f"{sum(f.matched for f in found)} matched; box {max(f.box for f in found):.2g} px, "
            f"score {max(f.score for f in found):.2g}, mask IoU {min(f.mask for f in found):.6f}; "
            f"ms a picture: ours {ours / len(found) * 1e3:.0f}, ultralytics {theirs / len(found) * 1e3:.0f}"
        )
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    chosen = [Path(name) for name in sys.argv[2:]]
    shared = Path(__file__).resolve().parents[3] / "shared" / "data" / "bsdata-raceway" / "images" / "val"
    sys.exit(main(Path(sys.argv[1]), chosen or sorted(shared.iterdir())))
