"""Notices: text, duration, acknowledging and end."""

import pytest

from inspector.engine.alarms import Alarms
from inspector.ui.inspect.notices import Notices, state, state_line, state_text
from inspector.ui.kit import strings


class Counts:
    inspected = skipped = 0


class Run:
    failure, paused, state, silence, pending = None, False, "running", 12.0, ""
    trigger_kind, counts_frames = "", False

    def __init__(self):
        self.alarms, self.counts = Alarms(), Counts()


class Session:
    active, loading, source_kind = True, "", "camera"

    def __init__(self):
        self.run = Run()


@pytest.fixture
def session():
    strings.set_language("en")
    yield Session()
    strings.set_language("en")


@pytest.fixture
def sounds():
    return []


@pytest.fixture
def notices(session, sounds):
    return Notices(session, lambda: sounds.append(True))


def test_nothing_is_said_where_nothing_is_wrong(notices, sounds):
    assert notices.current() is None and notices.hint() is None and not sounds


def test_a_lost_camera_stays_until_it_is_back_and_is_heard_once(session, notices, sounds):
    session.run.counts.inspected = 1
    session.run.alarms.begin("source", "cam: the connection was lost; reconnecting")
    notice = notices.current()
    assert notice.text == "Camera disconnected, reconnecting\n(0 s)" and notice.interrupts and notice.hides
    assert state(session, False, notice) == "reconnecting"
    notices.current()
    assert len(sounds) == 1
    notices.acknowledge()
    quiet = notices.current()
    assert quiet is not None and quiet.quiet, "there is still no camera"
    session.run.alarms.end("source")
    assert notices.current() is None
    session.run.alarms.begin("source", "cam: the connection was lost; reconnecting")
    assert not notices.current().quiet and len(sounds) == 2, "it is another time"


def test_a_sound_comes_again_until_somebody_has_seen_it(session, notices, sounds, monkeypatch):
    monkeypatch.setattr("inspector.ui.inspect.notices._AGAIN", 0.0)
    session.run.alarms.begin("source", "lost")
    for _ in range(3):
        notices.current()
    assert len(sounds) == 3
    notices.acknowledge()
    notices.current()
    assert len(sounds) == 3


@pytest.mark.parametrize(
    "kind, begun, english, chinese",
    [
        ("camera", 0, "Waiting for the camera", "等待相机"),
        ("camera", 1, "Camera disconnected, reconnecting", "相机断开，正在重连"),
        ("folder", 1, "Watched folder unavailable, waiting for it", "监视文件夹无法访问，等待恢复"),
        ("", 1, "Source unavailable, waiting for it", "输入源中断，等待恢复"),
    ],
)
def test_words_for_every_kind_of_source(session, notices, kind, begun, english, chinese):
    session.source_kind, session.run.counts.inspected = kind, begun
    session.run.alarms.begin("source", "lost")
    assert notices.current().text == f"{english}\n(0 s)"
    strings.set_language("zh")
    assert notices.current().text == f"{chinese}\n（0 秒）"


def test_what_was_not_saved_is_over_once_it_is_acknowledged(session, notices):
    session.run.alarms.begin("exporter", "Exporter images failed: OSError", "images")
    session.run.alarms.begin("disk", "The disk of /r is full: 0.1 MB are free; make room")
    assert notices.current().code == "disk", "the more important first"
    assert not notices.current().interrupts
    notices.acknowledge()
    assert notices.current() is None
    session.run.alarms.begin("exporter", "Exporter xlsx failed: OSError", "xlsx")
    assert "xlsx" in notices.current().detail


def test_a_run_that_failed_is_said_until_it_is_acknowledged(session, notices):
    session.run.alarms.begin("model", "The model failed: RuntimeError: out of memory", "failed")
    session.run.failure, session.active = RuntimeError(), False
    assert notices.current().text == "The model failed; the run has ended"
    assert state(session, False, notices.current()) == "failed"
    notices.acknowledge()
    assert notices.current() is None


def test_little_room_is_a_remark_beside_the_verdict(session, notices, sounds):
    session.run.alarms.begin(
        "space", "Only 300 MB are free on the disk of /r, which is less than 1000 MB; make room soon"
    )
    assert notices.current() is None and "300 MB" in notices.hint().detail and not sounds
    notices.acknowledge()
    assert notices.hint() is None


def test_silence_says_for_how_long(session, notices):
    session.run.alarms.begin("quiet", "The source sends no new image")
    assert notices.current().text == "No new image for 12 s"


def test_errors_are_kept_for_the_operator_until_a_run_begins(notices):
    notices.error("There is nothing to inspect")
    notices.error("There is nothing to inspect")
    assert notices.hint().code == "error"
    notices.begin()
    assert notices.hint() is None


def test_every_state_has_words_of_its_own(session):
    run = session.run
    seen = {state(session, False, None), state(session, True, None)}
    run.paused = True
    seen.add(state(session, False, None))
    run.paused, run.state = False, "starting"
    seen.add(state(session, False, None))
    session.active = False
    for run.state in ("done", "stopped"):
        seen.add(state(session, False, None))
    run.failure = ValueError()
    seen.add(state(session, False, None))
    session.run = None
    seen.add(state(session, False, None))
    assert seen == {"running", "stopping", "paused", "starting", "ended", "stopped", "failed", "ready"}
    assert len({state_text(now) for now in seen}) == len(seen)


def test_what_begins_a_part_of_a_camera_is_named(session):
    session.run.counts_frames = True
    assert state_line(session, "running") == "● running · each frame counts"
    assert state_line(session, "paused") == "❚❚ paused"
    session.run.counts_frames, session.run.trigger_kind = False, "key"
    assert state_line(session, "running") == "● running · F7 takes the next part"


def test_an_image_that_is_on_its_way_is_named_while_a_run_is_at_work(session):
    assert state_line(session, "running") == "● running"
    session.run.pending = "part 7.jpg"
    assert state_line(session, "running") == "● running · reading part 7.jpg…"
    assert state_line(session, "paused") == state_text("paused")
    name = session.run.pending = "a/very/long/way/to/an/image of a part 12.jpg"
    assert state_line(session, "running") == f"● running · reading …{name[-24:]}…"
    session.run = None
    assert state_line(session, "ready") == state_text("ready")
