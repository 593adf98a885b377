"""Write the ZIP file of a workbook even if the computer's clock is wrong: ZIP knows the years 1980 to 2107 only."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

_FIRST, _LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)


def save(book: Workbook, path: Path) -> None:
    """Write ``book`` to ``path``.

    Raises:
        OSError: it cannot be written completely.
    """
    book.properties.modified = datetime.now(UTC).replace(tzinfo=None)
    with _Archive(path, "w", ZIP_DEFLATED, allowZip64=True, strict_timestamps=False) as archive:
        ExcelWriter(book, archive).save()


class _Archive(ZipFile):
    def writestr(self, zinfo_or_arcname: str | ZipInfo, data: Any, *more: Any, **options: Any) -> None:
        if isinstance(zinfo_or_arcname, str):
            now = tuple(time.localtime()[:6])
            zinfo_or_arcname = ZipInfo(zinfo_or_arcname, min(max(now, _FIRST), _LAST))  # type: ignore[arg-type]
            zinfo_or_arcname.compress_type = self.compression
            zinfo_or_arcname.external_attr = 0o600 << 16
        super().writestr(zinfo_or_arcname, data, *more, **options)
