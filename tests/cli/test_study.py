"""``study``: tables in, figures out, and one sentence for a table that is none."""

import csv
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "quality" / "data"


@pytest.fixture
def msa(tmp_path):
    """The published study, one rating a row."""
    file = tmp_path / "研究.csv"
    with file.open("w", encoding="gb18030", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("Part", "Appraiser", "Trial", "Verdict", "Reference"))
        for row in csv.DictReader((DATA / "msa_attribute.csv").open(encoding="utf-8")):
            for name in ("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3"):
                verdict, reference = ("OK" if row[key] == "1" else "NG" for key in (name, "reference"))
                writer.writerow((row["part"], name[0], name[1], verdict, reference))
    return file


def test_agreement(program, msa):
    code, out, _ = program("study", "msa", msa, "--json")
    document = json.loads(out)
    assert code == 0 and [round(pair["kappa"], 4) for pair in document["pairs"]] == [0.8629, 0.7761, 0.788]
    first = document["appraisers"][0]
    assert first["effectiveness"]["count"] == 42 and first["miss_rate"]["of"] == 48
    code, out, _ = program("study", "msa", msa)
    assert code == 0 and "A and B: kappa 0.8629" in out and "84.0 % (70.9 to 92.8)" in out


def test_gauge(program):
    code, out, _ = program("study", "grr", DATA / "gauge.csv", "--json")
    document = json.loads(out)
    assert code == 0 and (round(document["range"]["percent"], 2), round(document["anova"]["percent"], 2)) == (
        26.68,
        27.86,
    )
    _, out, _ = program("study", "grr", DATA / "gauge.csv")
    assert "range: GR&R 26.68 %, ndc 5" in out and "anova: GR&R 27.86 %, ndc 5" in out


def test_detection(program, tmp_path):
    rows = [(size, int(size * 7 % 10 < size)) for size in range(1, 13)] * 4
    file = tmp_path / "sizes.csv"
    file.write_text("size,found\n" + "".join(f"{size},{found}\n" for size, found in rows))
    code, out, _ = program("study", "pod", file, "--json")
    document = json.loads(out)
    assert code == 0 and document["smallest"] == 1 and document["a90"] < document["a90_95"]
    assert document["parts_needed"] == {"0": 29, "1": 46, "2": 61}
    assert "a90/95" in program("study", "pod", file)[1]


@pytest.mark.parametrize(
    ("kind", "text", "named"),
    [
        ("msa", "", "has no rows"),
        ("msa", "part,appraiser,trial\n1,A,1\n", "no column verdict"),
        ("msa", "part,appraiser,trial,verdict\n1,A,1,maybe\n", "line 2"),
        ("msa", "part,appraiser,trial,verdict\n1,A,1,\n", "line 2: verdict is missing"),
        ("msa", "part,appraiser,trial,verdict\n1,A,1,OK\n1,A,1,OK\n", "line 3"),
        ("msa", "part,appraiser,trial,verdict\n1,A,1,OK\n2,A,2,OK\n", "no value for part '1' in trial '2'"),
        ("msa", "part,appraiser,trial,verdict,reference\n1,A,1,OK,OK\n1,A,2,OK,NG\n", "two references"),
        ("grr", "part,appraiser,trial,value\n1,A,1,x\n", "must be a number"),
        ("grr", "part,appraiser,trial,value\n1,A,1,1\n", "at least 2"),
        ("pod", "size,found\n1,1\n2,1\n3,1\n", "missed"),
        ("pod", 'size,found\n"1,1\n', "no CSV table"),
    ],
)
def test_what_is_no_study_is_refused(program, tmp_path, kind, text, named):
    file = tmp_path / "table.csv"
    file.write_text(text)
    code, out, err = program("study", kind, file)
    assert code == 2 and not out and named in err and len(err.splitlines()) == 1


def test_a_missing_file_is_named(program, tmp_path):
    code, _, err = program("study", "msa", tmp_path / "none.csv")
    assert code == 2 and "none.csv" in err
