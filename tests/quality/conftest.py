"""Published tables: the attribute and the gauge study of AIAG MSA 4, with their rows as files in ``data``."""

import csv
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent / "data"
APPRAISERS = "ABC"


@pytest.fixture
def ratings():
    """Appraiser -> (50, 3) verdicts, and the (50,) reference."""
    rows = list(csv.DictReader((DATA / "msa_attribute.csv").open(encoding="utf-8")))
    by_name = {name: [[int(row[f"{name}{trial}"]) for trial in (1, 2, 3)] for row in rows] for name in APPRAISERS}
    return by_name, [int(row["reference"]) for row in rows]


@pytest.fixture
def gauge():
    """(3, 10, 3): appraisers, parts, trials."""
    values = np.empty((3, 10, 3))
    for row in csv.DictReader((DATA / "gauge.csv").open(encoding="utf-8")):
        values[APPRAISERS.index(row["appraiser"]), int(row["part"]) - 1, int(row["trial"]) - 1] = row["value"]
    return values
