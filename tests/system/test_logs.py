import logging
import subprocess
import sys
import threading
import warnings

import pytest

from inspector.system import logs
from inspector.system.paths import logs_folder

plugin = logging.getLogger("inspector_plugins.somebody")
ours = logging.getLogger("inspector.something")


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    level, raising = root.level, logging.raiseExceptions
    levels = {name: logging.getLogger(name).level for name in ("inspector", "inspector_plugins")}
    yield
    logs.stop()
    root.setLevel(level)
    logging.raiseExceptions = raising
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def fail(message: str) -> None:
    raise ValueError(message)


def in_thread(target, *arguments) -> None:
    thread = threading.Thread(target=target, args=arguments, name="reader")
    thread.start()
    thread.join()


def test_the_file_has_everything_and_the_terminal_one_sentence(capsys):
    path = logs.start()
    ours.info("已读取 %d", 3)
    ours.debug("detail")
    try:
        fail("inner")
    except ValueError:
        plugin.warning("The camera is gone;\n it is tried again", exc_info=True)
    text = path.read_text("utf-8")
    assert path.parent == logs_folder()
    assert "INFO" in text and "已读取 3" in text and "MainThread" in text and "ValueError: inner" in text
    assert "detail" not in text
    assert capsys.readouterr().err == "The camera is gone; it is tried again\n"


def test_verbose_shows_all(capsys):
    logs.start(verbose=True)
    ours.debug("detail")
    try:
        fail("inner")
    except ValueError:
        plugin.warning("sentence", exc_info=True)
    shown = capsys.readouterr().err
    assert "detail" in shown and "Traceback" in shown


def test_console_off_is_silent(capsys):
    path = logs.start(console=False)
    ours.error("sentence")
    assert capsys.readouterr().err == "" and "sentence" in path.read_text("utf-8")


def test_an_error_that_nobody_caught_in_a_thread_is_kept(capsys):
    path = logs.start()
    in_thread(fail, "lost")
    assert capsys.readouterr().err == "Unexpected error in reader: ValueError: lost\n"
    text = path.read_text("utf-8")
    assert "CRITICAL" in text and "Traceback" in text and "in fail" in text
    in_thread(sys.exit, 1)
    assert path.read_text("utf-8") == text


def test_an_error_that_nobody_caught_ends_the_program_and_is_kept(home):
    code = "from inspector.system import logs; logs.start(); raise ValueError('lost')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == "Unexpected error: ValueError: lost\n"
    assert "Traceback" in (logs_folder() / logs.FILE_NAME).read_text("utf-8")


def test_warnings_of_libraries_go_to_the_file_only(capsys):
    path = logs.start()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old function", UserWarning, stacklevel=1)
    assert "old function" in path.read_text("utf-8") and capsys.readouterr().err == ""


def test_a_windowed_program_has_no_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    path = logs.start()
    ours.warning("sentence")
    in_thread(fail, "lost")
    assert "sentence" in path.read_text("utf-8") and "lost" in path.read_text("utf-8")


def test_a_terminal_that_lacks_characters_or_is_gone_disturbs_nothing(monkeypatch, tmp_path):
    with open(tmp_path / "terminal", "w", encoding="ascii") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        path = logs.start()
        ours.warning("轴承")
        ours.warning("after")
    ours.warning("closed")
    text = path.read_text("utf-8")
    assert "轴承" in text and "closed" in text
    assert "after" in (tmp_path / "terminal").read_text()


def test_no_log_folder_is_no_reason_to_stop(home, capsys):
    (home / "logs").write_text("a file in the way")
    assert logs.start() is None
    ours.warning("sentence")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2 and shown[0].startswith("No log is written: ") and shown[1] == "sentence"


def test_a_log_that_cannot_be_written_is_told_in_words(home, capsys):
    path = home / "logs" / logs.FILE_NAME
    path.mkdir(parents=True)
    assert logs.start() is None
    told = capsys.readouterr().err
    assert told.startswith(f"No log is written: {path} cannot be written (") and "Errno" not in told


def test_the_file_rotates_and_stays_small():
    path = logs.start(console=False)
    for number in range(700):
        ours.info("%d %s", number, "x" * 10_000)
    files = sorted(path.parent.iterdir())
    assert len(files) == 5 and all(file.stat().st_size <= 1_000_000 for file in files)
    assert "699 x" in path.read_text("utf-8")


def test_a_file_that_cannot_rotate_goes_on(monkeypatch):
    path = logs.start(console=False)

    def refuse(*names):
        raise PermissionError("open in another program")

    monkeypatch.setattr(logs.RotatingFileHandler, "rotate", refuse)
    for number in range(150):
        ours.info("%d %s", number, "x" * 10_000)
    text = path.read_text("utf-8")
    assert all(f" {number} x" in text for number in (0, 98, 99, 100, 149))


def test_starting_again_does_not_double(capsys):
    logs.start()
    path = logs.start()
    ours.warning("once")
    assert capsys.readouterr().err == "once\n" and path.read_text("utf-8").count("once") == 1


def test_names_that_are_no_text_are_kept():
    path = logs.start(console=False)
    ours.warning("bad\udcff.png")
    assert "bad\\udcff.png" in path.read_text("utf-8")


def test_a_run_has_its_own_log(tmp_path):
    logs.start(console=False)
    path = tmp_path / "运行 1" / "run.log"
    path.parent.mkdir()
    ours.info("before")
    with logs.run_log(path):
        ours.info("第 1 张")
        plugin.warning("sentence")
    ours.info("behind")
    lines = path.read_text("utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["INFO 第 1 张", "WARNING sentence"]
    path.unlink()  # it is closed: Windows would refuse


def test_a_run_log_that_cannot_be_written_is_told(tmp_path, caplog):
    with logs.run_log(tmp_path / "missing" / "run.log"):
        ours.warning("goes on")
    assert "run.log cannot be written" in caplog.text and "goes on" in caplog.text


def test_a_run_log_ends_with_an_error(tmp_path):
    before = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="inner"), logs.run_log(tmp_path / "run.log"):
        fail("inner")
    assert logging.getLogger().handlers == before
