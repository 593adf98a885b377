"""Charts: data, layout, widget and printing."""

import csv
import os
import stat

import pytest
from fakes import Shell, focus
from PIL import Image

from inspector.domain import InputError
from inspector.ui.kit import printing, theme
from inspector.ui.kit.charts import chart as charts
from inspector.ui.kit.charts import data_window
from inspector.ui.kit.charts.chart import Chart, print_figures
from inspector.ui.kit.charts.export import DPI, render, save_pdf, save_png
from inspector.ui.kit.charts.figure import Figure, Series, ticks
from inspector.ui.kit.charts.layout import Line, Rect, Text, draw, hatching

STACKED = Figure(
    "Yield",
    ("Mon", "Tue", "Wed"),
    (
        Series("OK", (8, 0, 4), "ok"),
        Series("WARN", (1, 0, 0), "warn", "lines"),
        Series("NG", (1, 0, 4), "ng", "slants"),
    ),
    x_title="Day",
    y_title="Inspections",
    line=(90.0, None, 50.0),
    line_name="Yield",
    heading="Day",
)
BINS = Figure("Areas", ("10", "100", "1000"), (Series("Defects", (3, 5)),), binned=True, heading="Area")
ACROSS = Figure("Models", ("best.pt", "轴承" * 40), (Series("OK", (3, 0.5)),), across=True)


class Grid:
    """A text measurer whose letters are 7 x 12."""

    unit = 1.0

    def width(self, text, font):
        return 7 * len(text)

    def height(self, font):
        return 12


@pytest.fixture
def shell(root):
    shell = Shell(root)
    yield shell
    shell.tasks.close()


@pytest.fixture
def chart(root, shell, wait):
    chart = Chart(root, shell, "Yield")
    chart.pack(fill="both", expand=True)
    root.geometry("700x400")
    chart.show(STACKED)
    wait(lambda: chart.canvas.winfo_width() > 500)
    return chart


def texts(chart):
    return [
        chart.canvas.itemcget(item, "text") for item in chart.canvas.find_all() if chart.canvas.type(item) == "text"
    ]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (10, [0, 2, 4, 6, 8, 10]),
        (97, [0, 20, 40, 60, 80, 100]),
        (1234, [0, 500, 1000, 1500]),
    ],
)
def test_ticks_are_whole_and_round(most, expected):
    assert ticks(most) == expected


def test_the_numbers_are_those_of_the_bars():
    headings, rows = STACKED.numbers()
    assert headings == ["Day", "OK", "WARN", "NG", "Yield %"]
    assert rows == [["Mon", 8, 1, 1, 90.0], ["Tue", 0, 0, 0, None], ["Wed", 4, 0, 4, 50.0]]
    assert BINS.numbers()[1] == [["10 – 100", 3], ["100 – 1000", 5]]
    assert STACKED.tip(2) == "Wed\nOK: 4\nWARN: 0\nNG: 4\nYield: 50.0 %"


@pytest.mark.parametrize("figure", [STACKED, BINS, ACROSS])
@pytest.mark.parametrize("size", [(300, 160), (800, 500)])
def test_everything_lies_within_the_drawing(figure, size):
    drawing = draw(figure, *size, Grid())
    assert len(drawing.areas) == len(figure.totals)
    for item in drawing.items:
        if isinstance(item, Text):
            half = 7 * len(item.text) / 2
            left = item.at[0] - {"w": 0, "e": 2 * half, "center": 6 if item.upright else half}[item.anchor]
            assert left >= 0 and left + (12 if item.upright else 2 * half) <= size[0] + 1, item
            points = [item.at]
        elif isinstance(item, Rect):
            points = [(item.left, item.top), (item.right, item.bottom)]
        else:
            points = item.points
        assert all(-1 <= x <= size[0] + 1 and -1 <= y <= size[1] + 1 for x, y in points), item


def test_bars_are_as_high_as_their_values_and_stand_on_each_other():
    bars = [
        item for item in draw(STACKED, 600, 400, Grid()).items if isinstance(item, Rect) and item.bottom - item.top > 15
    ]
    ok, warn, ng = bars[0], *(bar for bar in bars[1:] if bar.left == bars[0].left)
    assert (ok.colour, warn.colour, ng.colour) == ("ok", "warn", "ng")
    assert ok.bottom - ok.top == pytest.approx(8 * (warn.bottom - warn.top))
    assert ok.top == pytest.approx(warn.bottom) and warn.top == pytest.approx(ng.bottom)


def test_a_place_that_is_too_small_is_left_empty():
    assert draw(STACKED, 30, 20, Grid()).areas == ()


@pytest.mark.parametrize("hatch", ["lines", "slants"])
@pytest.mark.parametrize("box", [(10, 20, 70, 90), (0, 0, 100, 7), (5, 5, 9, 80)])
def test_hatching_stays_in_its_bar(hatch, box):
    left, top, right, bottom = box
    lines = list(hatching(*box, hatch, 1.0))
    assert lines
    for line in lines:
        assert isinstance(line, Line)
        assert all(left <= x <= right and top <= y <= bottom for x, y in line.points), line


def test_the_canvas_shows_bars_axes_and_legend(chart):
    shown = texts(chart)
    for text in ("OK", "WARN", "NG", "Yield", "Mon", "Tue", "Wed", "Day", "Inspections", "0", "10", "100 %"):
        assert text in shown
    fills = {chart.canvas.itemcget(item, "fill") for item in chart.canvas.find_all()}
    assert {theme.tokens().ok, theme.tokens().warn, theme.tokens().ng} <= fills


def test_colours_follow_the_theme(root, chart):
    theme.configure("dark")
    root.update()
    assert chart.canvas.cget("background") == theme.tokens().card
    fills = {chart.canvas.itemcget(item, "fill") for item in chart.canvas.find_all()}
    assert theme.tokens().text in fills


def test_the_pointer_and_the_arrow_keys_tell_the_values(root, chart):
    left, top, right, bottom = chart._display_list.areas[2]
    chart.canvas.event_generate("<Motion>", x=int((left + right) / 2), y=int((top + bottom) / 2))
    assert STACKED.tip(2) in texts(chart)
    chart.canvas.event_generate("<Leave>")
    assert STACKED.tip(2) not in texts(chart)
    focus(chart.canvas)
    chart.canvas.event_generate("<Right>")
    chart.canvas.event_generate("<Right>")
    chart.canvas.event_generate("<Right>")
    assert STACKED.tip(2) in texts(chart)
    for item in chart.canvas.find_withtag("tip"):
        x1, y1, x2, _ = chart.canvas.bbox(item)
        assert x1 >= -2 and y1 >= -2 and x2 <= chart.canvas.winfo_width() + 2


def test_nothing_says_so(root, chart):
    chart.show(Figure("Empty", ("a",), (Series("OK", (0,)),)), "No defects were found.")
    root.update()
    assert texts(chart) == ["No defects were found."]
    assert all(button.instate(["disabled"]) for button in chart.buttons)
    assert chart.figure is None


def test_the_numbers_are_one_click_away(root, chart, shell, wait):
    chart.buttons[0].invoke()
    (window,) = [child for child in root.winfo_children() if isinstance(child, data_window.ChartDataWindow)]
    wait(
        lambda: (
            window.table.tree.get_children() and window.table.tree.item(window.table.tree.get_children()[0], "values")
        )
    )
    rows = [window.table.tree.item(slot, "values") for slot in window.table.tree.get_children()]
    assert rows[:3] == [("Mon", "8", "1", "1", "90"), ("Tue", "0", "0", "0", "—"), ("Wed", "4", "0", "4", "50")]
    window.copy()
    wait(lambda: shell.said)
    assert root.clipboard_get().splitlines()[1] == "Mon\t8\t1\t1\t90"
    window.destroy()


def test_numbers_go_to_a_file_that_spreadsheets_read(tmp_path):
    figure = Figure("Classes", ("=1+1", "裂纹"), (Series("Defects", (2, 1)),), heading="Class")
    path = data_window.save_csv(figure, tmp_path / "表.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with open(path, encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["Class", "Defects"], ["'=1+1", "2"], ["裂纹", "1"]]
    with pytest.raises(InputError, match="cannot be written"):
        data_window.save_csv(figure, tmp_path / "gone" / "a.csv")


def test_an_image_of_300_dpi_with_white_behind(chart, shell, tmp_path, monkeypatch, wait):
    target = tmp_path / "图.png"
    monkeypatch.setattr(charts.filedialog, "asksaveasfilename", lambda **_: str(target))
    chart.buttons[1].invoke()
    wait(lambda: shell.tasks.pump() or shell.said)
    with Image.open(target) as image:
        assert image.size == (9 * DPI, 5 * DPI)
        assert round(image.info["dpi"][0]) == DPI
        colours = {colour for _, colour in image.getcolors(1 << 24)}
    assert {(255, 255, 255), (0, 0x7A, 0x78), (0xF0, 0xB4, 0), (0xB8, 0x43, 0)} <= colours
    assert str(target) in shell.said[0][1]
    with pytest.raises(InputError, match="choose another folder"):
        save_png(STACKED, tmp_path / "gone" / "a.png")


def test_a_page_a_chart(tmp_path):
    path = save_pdf([STACKED, BINS, ACROSS], tmp_path / "a.pdf")
    content = path.read_bytes()
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 3


def test_every_kind_becomes_an_image():
    for figure in (STACKED, BINS, ACROSS):
        assert len(render(figure).convert("L").getcolors()) > 3


@pytest.mark.skipif(os.name == "nt", reason="lp is not for Windows")
def test_printing_asks_and_sends_pages_to_the_printer(root, shell, tmp_path, monkeypatch, wait):
    printed = tmp_path / "printed.pdf"
    lp = tmp_path / "lp"
    lp.write_text(f'#!/bin/sh\ncp "$1" "{printed}"\n')
    lp.chmod(lp.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    print_figures(shell, [STACKED])
    ((_, _, buttons, default),) = shell.asked
    assert list(buttons) == ["open", "print", "cancel"] and default == "cancel" and not printed.exists()
    shell.answer = "print"
    print_figures(shell, [STACKED, BINS])
    wait(lambda: printed.exists() and printed.read_bytes().rstrip().endswith(b"%%EOF"))
    lp.write_text('#!/bin/sh\necho "no default destination" >&2\nexit 1\n')
    with pytest.raises(InputError, match=r"not printed \(no default destination\); open it"):
        printing.print_file(printed)


def test_the_line_has_gaps_where_nothing_was_inspected():
    class TextMeasurer:
        unit = 1.0

        def width(self, text, font):
            return 6.0 * len(text)

        def height(self, font):
            return 12.0

    bars = tuple(range(1, 9))
    values = (90.0, 80.0, None, None, 70.0, None, 60.0, 50.0)
    figure = Figure("t", tuple("abcdefgh"), (Series("n", bars),), line=values, line_name="Yield")
    lines = [
        item
        for item in draw(figure, 600, 300, TextMeasurer()).items
        if isinstance(item, Line) and item.colour == "text"
    ]
    assert [len(line.points) for line in lines if len({y for _, y in line.points}) > 1] == [2, 2]
    alone = [
        item
        for item in draw(figure, 600, 300, TextMeasurer()).items
        if isinstance(item, Rect) and item.colour == "text"
    ]
    assert len(alone) >= 5  # each known value has its mark, also one between two gaps
