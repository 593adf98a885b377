"""Write ``coco.json``: masks as compressed RLE, so that holes and pieces are kept, with scores."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from inspector.api import Inspection, RunInfo, __version__

from .._shared.atomic_files import AtomicTextFile, dumps
from .images import ClassNumbers, UniqueNames, suffix_of


class Coco:
    """Streams the images to the file and the annotations to a temporary file, and joins them at the end.

    The file is plain ASCII, because pycocotools opens it in the system's encoding. ``file_name`` is the name that the
    ``yolo`` and ``labelme`` exporters give the image in the same run; ``path`` is that of the original.
    """

    def __init__(self, folder: Path, run: RunInfo) -> None:
        self._names, self._classes = UniqueNames(), ClassNumbers(run.model.names)
        self._images = self._annotations = 0
        self._spool = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - closed by close
        self._file = AtomicTextFile(folder / "coco.json")
        info = {
            "description": run.title,
            "version": "1.0",
            "contributor": f"Bearing Inspector {__version__}",
            "date_created": run.started,
            "model": {"file": run.model.file, "sha256": run.model.sha256, "architecture": run.model.architecture},
        }
        self._file.write(f'{{"info": {dumps(info, ascii_only=True)},\n"licenses": [],\n"images": [')

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        image = {
            "id": inspection.number,
            "file_name": self._names.stem(frame) + suffix_of(frame),
            "width": frame.width,
            "height": frame.height,
            "date_captured": inspection.time,
            "name": frame.name,
            "index": frame.index,
            "path": frame.path,
        }
        self._file.write(("," if self._images else "") + "\n" + dumps(image, ascii_only=True))
        self._images += 1
        for found in inspection.detections:
            x1, y1, x2, y2 = (round(float(edge), 3) for edge in found.box)
            width, height = round(x2 - x1, 3), round(y2 - y1, 3)
            annotation = {
                "id": self._annotations + 1,
                "image_id": inspection.number,
                "category_id": self._classes.number(found) + 1,
                "bbox": [x1, y1, width, height],
                "area": round(width * height, 3) if found.area is None else found.area,
                "iscrowd": 0,
                "segmentation": [] if found.mask is None else found.mask.rle(frame.height, frame.width),
                "score": round(float(found.score), 6),
            }
            self._spool.write(("," if self._annotations else "") + "\n" + dumps(annotation, ascii_only=True))
            self._annotations += 1

    def close(self) -> Iterable[Path]:
        categories = [
            {"id": number, "name": name, "supercategory": "defect"}
            for number, name in enumerate(self._classes.names, 1)
        ]
        try:
            with self._spool as spool:
                self._file.write('\n],\n"annotations": [')
                spool.seek(0)
                shutil.copyfileobj(spool, self._file, 2**20)
                self._file.write(f'\n],\n"categories": {dumps(categories, ascii_only=True)}}}\n')
        except OSError:
            self._file.discard()
            raise
        return [self._file.publish()]
