"""One position and one number: slider, label, image and table agree, in a folder of images and a film."""

import cv2
import numpy as np
import pytest

from inspector.domain import Inspection, Rules

FILM = 6


@pytest.fixture
def mixed(parts):
    """Five images, of which the last cannot be read, and a film of six frames: its third one has a spot."""
    (parts / "part-4.png").write_bytes(b"no image")
    writer = cv2.VideoWriter(str(parts / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (80, 60))
    for number in range(FILM):
        frame = np.full((60, 80, 3), 200, np.uint8)
        if number == 2:
            frame[20:30, 20:30] = 10
        writer.write(frame)
    writer.release()
    return parts


@pytest.fixture
def ran(window, page, until, mixed):
    page.open_sources([str(mixed)])
    until(lambda: window.session.total == 5 + FILM)
    page.start()
    until(lambda: page._finished and page.results.rows is not None and len(page.results.rows) == 5 + FILM)
    page._show_state()
    return page


def shown(page):
    """Position in the label next to the slider, the slider, the image's overlay, and the session."""
    words = int(page.position._words.cget("text").split(" / ")[0])
    return (
        words,
        round(page.position._value.get()) + 1,
        int(page.image_view._title.split(" / ")[0].split()[-1]),
        page._place + 1,
    )


def test_after_a_run_slider_label_and_image_say_the_same(ran):
    assert shown(ran) == (11, 11, 11, 11)


def test_a_table_row_moves_all_of_them_and_stepping_goes_on_from_there(window, until, ran):
    page = ran
    index = next(i for i in range(11) if (row := page.results.rows.row(i)) and row.verdict == "NG" and row.seconds)
    page.results.table._choose(index, 0)
    until(lambda: page.banner.status == "NG" and page._shown.frame.name == "film.avi")
    page._show_state()
    assert page.results.rows.row(index).number == 8 and shown(page) == (8, 8, 8, 8)
    page.step(1)
    until(lambda: isinstance(page._shown, Inspection) and page._shown.frame.index == 3)
    assert page._shown.frame.name == "film.avi" and shown(page) == (9, 9, 9, 9)


def test_changing_the_rules_changes_the_verdict_and_never_the_image(window, until, ran):
    page = ran
    page.results.table._choose(7, 0)
    until(lambda: (page._show_state(), shown(page))[1] == (8, 8, 8, 8) and page.banner.status == "NG")
    before, place = page._shown, shown(page)
    window.session.set_rules(Rules.from_json({"classes": {"*": {"area_px": {"ng": 5000}}}}))
    window.root.update()
    assert page.banner.status == "OK" and page._shown.frame is before.frame and shown(page) == place
    assert "not saved" in page._unsaved.cget("text")
    window.session.set_rules(None)
    window.root.update()
    assert page.banner.status == "NG" and page._shown.frame is before.frame and shown(page) == place


def test_rules_that_are_being_edited_judge_the_image_shown_and_nothing_else(window, until, ran):
    page, session = ran, window.session
    page.results.table._choose(7, 0)
    until(lambda: (page._show_state(), shown(page))[1] == (8, 8, 8, 8) and page.banner.status == "NG")
    before, place = page._shown, shown(page)
    session.try_rules(Rules.from_json({"version": 2, "all": {"count": {"ng": 99}}, "unnamed": "ok"}))
    window.root.update()
    assert page.banner.status == "OK" and page._shown.frame is before.frame and shown(page) == place
    assert session.rules is None and session.job().rules is None
    session.try_rules(None)  # cancelled
    window.root.update()
    assert page.banner.status == "NG" and page._shown.frame is before.frame and shown(page) == place
