"""The run's results below the image, as they come."""

import pytest


def finished(window):
    return window.session.run is not None and not window.session.active and window.inspect_page()._finished


@pytest.fixture
def results(window, page, until):
    """The results of a run of the five parts, two of which have a defect."""
    page.start()
    until(lambda: finished(window))
    until(lambda: page.results.rows is not None and len(page.results.rows) == 5)
    until(lambda: all(page.results.rows.row(place) is not None for place in range(5)))
    return page.results


def files(results):
    return [results.rows.row(place).name for place in range(len(results.rows))]


def test_rows_come_in_the_order_of_inspecting(results):
    assert files(results) == [f"part-{number}.png" for number in range(5)]
    assert [results.rows.row(place).verdict for place in range(5)] == ["OK", "NG", "OK", "NG", "OK"]


def test_sorting(window, results, until):
    results._sort("file", True)
    until(lambda: not results.rows.loading and results.rows.row(0) is not None and files_ready(results))
    assert files(results) == [f"part-{number}.png" for number in reversed(range(5))]


def files_ready(results):
    return all(results.rows.row(place) is not None for place in range(len(results.rows)))


def test_a_second_run_takes_the_place_of_the_first(window, page, results, until):
    first = results.run
    page.start()
    until(lambda: finished(window) and results.run != first)
    until(lambda: len(results.rows) == 5)
    assert results.run == window.session.run.history_id


def test_another_source_empties_the_table(window, page, results, parts, until):
    page.open_sources([str(parts / "part-1.png")])
    assert results.rows is None and results.run is None
    results.append_new()
    results._opened(0)
    assert results._menu(0) == []


def test_opening_a_row_goes_to_the_history(window, results, until):
    results._opened(1)
    assert window.page == "history"


def test_the_menu_of_a_row_leads_to_its_file(window, results, parts):
    items = dict(results._menu(1))
    items["Copy path"]()
    assert window.root.clipboard_get() == str(parts / "part-1.png")


def test_widths_are_kept(window, page, results, home):
    import json

    page.close()
    assert json.loads((home / "window.json").read_text())["columns"] == results.table.widths()
    page.toolbar = type("Gone", (), {"destroy": lambda self: None})()
    page.results.close = lambda: None


def test_widths_that_are_wrong_do_no_harm(window, page, until):
    page.results.table.set_widths({"verdict": 120})
    page.results.table.widths = lambda: {"verdict": "wide", "nothing": 5, "file": -40, "ms": None, "area": 111}
    window.rebuild()
    widths = window.inspect_page().results.table.widths()
    assert widths["area"] == 111 and widths["verdict"] != 120 and widths["file"] > 0
