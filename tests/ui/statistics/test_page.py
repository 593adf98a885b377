"""The statistics of a real history, as charts."""

import json
import threading
from datetime import datetime, timedelta

import numpy as np
import pytest
from fakes import Shell
from PIL import Image

from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Skipped, judge
from inspector.history import History, Query
from inspector.history.statistics import Analysis
from inspector.ui.kit import strings
from inspector.ui.statistics import page as statistics_page
from inspector.ui.statistics.figures import area_figure, class_figure, model_figure, yield_figure
from inspector.ui.statistics.page import StatisticsPage

BEGIN = datetime(2026, 5, 4, 8).astimezone()
IMAGE = np.zeros((90, 90, 3), np.uint8)


@pytest.fixture
def shell(root, pumped):
    shell = pumped(Shell(root))
    yield shell
    assert shell.errors == []


def detection(label, side):
    return Detection(label, 0.9, (0, 0, side, side), Mask(0, 0, np.ones((side, side), bool)))


@pytest.fixture
def filled(home):
    """Two models on two days: 20 inspections, 5 of them NG, with 5 wear and 2 pit; and one that was skipped."""
    strings.set_language("en")
    with History.open() as history:
        for day, file in enumerate(("one.pt", "two.pt")):
            model = ModelInfo(file, f"{day}" * 64, "yolo11n-seg", ("wear", "pit"))
            begin = BEGIN + timedelta(days=3 * day)
            run = history.begin(Job((), Choice("yolo11")), model, file, None, begin.isoformat())
            for number in range(10):
                labels = ["wear"] * (number % 4 == 0) + ["pit"] * (number == 8)
                labels = labels if day == 0 or number != 0 else []
                found = tuple(detection(label, 10 if label == "wear" else 40) for label in labels)
                moment = (begin + timedelta(minutes=number)).isoformat()
                frame = Frame(IMAGE, number, f"{number}.png")
                history.add(run, Inspection(frame, found, judge(found), model, number=number, time=moment))
            history.finish(run, "done", {})
        history.add_skipped(run, Skipped("broken.png", "it is cut off"))


@pytest.fixture
def page(root, shell, filled, wait):
    page = StatisticsPage(root, shell)
    page.pack(fill="both", expand=True)
    root.update()
    page.on_show(filter={"period": "own", "since": "2026-05-01", "until": "2026-05-31"})
    wait(lambda: page.statistics is not None and not page._loading)
    yield page
    page.close()


def found(query=None):
    with Analysis() as analysis:
        return analysis.statistics(query or Query(until=datetime(2026, 6, 1)))


def test_the_charts_hold_what_was_added_up(filled):
    statistics = found()
    over_time = yield_figure(statistics)
    assert over_time.labels[0] == "05-04" and len(over_time.labels) == 4
    assert [series.values[0] for series in over_time.series] == [7, 0, 3]
    assert over_time.line[0] == pytest.approx(70) and over_time.line[1] is None
    classes = class_figure(statistics)
    assert (classes.labels, classes.series[0].values) == (("wear", "pit"), (5, 2))
    assert classes.line == pytest.approx((500 / 7, 100))
    areas = area_figure(statistics)
    assert sum(areas.series[0].values) == 7 and len(areas.labels) == len(areas.series[0].values) + 1
    assert areas.x_title == "median 100 px², max 1,600 px²"
    models = model_figure(statistics)
    assert sorted(models.labels) == ["one.pt", "two.pt"]
    assert sum(sum(series.values) for series in models.series) == 20


def test_many_classes_are_summed_up(filled):
    from dataclasses import replace

    from inspector.history.statistics import ClassDefects

    many = tuple(ClassDefects(f"c{number}", 20 - number, 1) for number in range(15))
    figure = class_figure(replace(found(), classes=many))
    assert len(figure.labels) == 13 and figure.labels[-1] == "others"
    assert figure.series[0].values[-1] == 8 + 7 + 6 and figure.line[-1] == pytest.approx(100)


def test_models_of_one_name_are_told_apart(filled):
    from dataclasses import replace

    models = tuple(replace(model, file="best.pt") for model in found().models)
    assert sorted(model_figure(replace(found(), models=models)).labels) == ["best.pt (000000)", "best.pt (111111)"]


def test_counters_and_charts_are_shown(page):
    shown = {key: label.cget("text") for key, label in page.counters.items()}
    assert shown == {
        "inspected": "20",
        "images": "20",
        "yield": "75.0%",
        "ok": "✓ 15",
        "warn": "⚠ 0",
        "ng": "✕ 5",
        "defects": "7",
        "skipped": "0",
        "ms": "0",
    }
    assert all(chart.figure is not None for chart in page.charts.values())
    assert page.charts["classes"].figure.labels == ("wear", "pit")


def test_a_filter_by_result_has_no_yield(page, wait):
    for fields in ({"verdict": "NG"}, {"label": "pit"}, {"text": "png"}):
        page.filter.set(**fields)
        assert page._loading
        wait(lambda: not page._loading)
        assert page.counters["yield"].cget("text") == "—" and page.charts["yield"].figure.line == ()
        assert "so no yield is shown" in page.status.cget("text")
    page.filter.set()
    wait(lambda: page.counters["yield"].cget("text") == "75.0%" and page.status.cget("text") == "")


def test_a_filter_adds_up_again(page, wait):
    page.filter.set(model="two.pt")
    wait(lambda: page.statistics.tally.inspected == 10)
    assert page.counters["ng"].cget("text") == "✕ 2" and page.counters["skipped"].cget("text") == "1"
    page.filter.set(verdict="WARN")
    wait(lambda: page.statistics.tally.inspected == 0)
    assert page.counters["yield"].cget("text") == "—"
    assert all(chart.figure is None for chart in page.charts.values())
    assert page._save.instate(["disabled"]) and page._print.instate(["disabled"])


def test_adding_up_can_be_cancelled(root, page, wait, monkeypatch):
    going = threading.Event()
    real = statistics_page._statistics

    def slow(query, stop):
        going.set()
        assert stop.wait(10)
        return real(query, stop)

    monkeypatch.setattr(statistics_page, "_statistics", slow)
    before = page.statistics
    page.load()
    wait(going.is_set)
    assert page.status.cget("text") == "Calculating…" and page.cancel_button.winfo_ismapped()
    page.cancel_button.invoke()
    wait(lambda: not page._loading)
    root.update()
    assert page.statistics is before and not page.cancel_button.winfo_ismapped()
    assert page.status.cget("text") == "Cancelled."


def test_only_the_last_question_is_answered(page, wait):
    page.filter.set(model="one.pt")
    page.filter.set(model="two.pt", verdict="NG")
    wait(lambda: not page._loading)
    assert page.statistics.tally.inspected == 2


def test_all_charts_are_saved(page, shell, wait, tmp_path, monkeypatch):
    monkeypatch.setattr(statistics_page.filedialog, "askdirectory", lambda **_: str(tmp_path))
    page._save.invoke()
    wait(lambda: shell.said)
    assert shell.said == [("good", f"4 charts saved in {tmp_path}")]
    names = sorted(path.name for path in tmp_path.iterdir())
    expected = ["Defect area distribution.png", "Defects by class.png", "Verdicts by model.png", "Yield over time.png"]
    assert names == expected
    with Image.open(tmp_path / names[0]) as image:
        assert image.size == (2700, 1500)


def test_printing_asks_first(page, shell):
    page._print.invoke()
    assert [title for title, *_ in shell.asked] == ["Print the charts?"]


def test_state_survives_a_rebuild(root, page, shell, wait):
    page.filter.set(model="two.pt")
    kept = json.loads(json.dumps(page.save_state()))
    again = StatisticsPage(root, shell)
    again.restore_state(kept)
    again.pack()
    root.update()
    again.on_show()
    wait(lambda: again.statistics is not None)
    assert again.statistics.tally.inspected == 10
    again.close()


@pytest.mark.parametrize(("size", "across"), [("1366x700", 2), ("800x600", 1)])
def test_a_small_window_scrolls(root, page, wait, size, across):
    root.geometry(size)
    charts = list(page.charts.values())

    def columns():
        return len({int(chart.grid_info()["column"]) for chart in charts})

    wait(lambda: page.winfo_width() == int(size.split("x")[0]) and columns() == across)
    wait(lambda: all(chart.canvas.winfo_height() > 100 for chart in charts))
    bottom = charts[-1].winfo_rooty() + charts[-1].winfo_height()
    fits = bottom <= page.scroll.winfo_rooty() + page.scroll.winfo_height()
    assert fits is (across == 2)


def test_it_speaks_chinese(root, shell, filled):
    strings.set_language("zh")
    figure = yield_figure(found())
    assert (figure.title, figure.line_name, figure.x_title) == ("合格率趋势", "合格率（OK ÷ 零件数）", "日期")
