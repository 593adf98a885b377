import os
import subprocess
import sys

import pytest

WINDOWED = """
import sys
sys.stdin = sys.stdout = sys.stderr = None
from inspector.system import startup
startup.prepare()
print("轴承 and \\udce4")
sys.stderr.write("an error\\n")
assert sys.stdin.read() == ""
"""
LEAVING = """
import atexit, os, sys, threading, time
from inspector.system import startup
atexit.register(lambda: print("tidied"))
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
print("said", end=" ")
startup.leave(7)
"""
STALLED = """
import inspector.cli, inspector.__main__, socket, sys, threading, time
import cv2
from inspector_plugins.cameras import capture  # keeps FFmpeg quiet
silent = socket.create_server(("127.0.0.1", 0))
address = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
capture.opencv()
much = [[number] for number in range(2_000_000)]  # an interpreter that shuts down is busy with it
def command(arguments):
    limit = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 300]
    threading.Thread(target=cv2.VideoCapture, args=(address, cv2.CAP_FFMPEG, limit), daemon=True).start()
    time.sleep(0.28)
    print("said", end="")
    print("its sentence", end="", file=sys.stderr)
    return 2
inspector.cli.main = command
inspector.__main__.run()
"""


def test_a_program_without_streams_writes_to_a_file(home):
    subprocess.run([sys.executable, "-c", WINDOWED], check=True)
    subprocess.run([sys.executable, "-c", WINDOWED], check=True)
    said = (home / "logs" / "output.log").read_text("utf-8")
    assert said == "轴承 and \\udce4\nan error\n" * 2


def test_the_file_does_not_grow_for_ever(home):
    (home / "logs").mkdir()
    (home / "logs" / "output.log").write_bytes(b"x" * 1_000_001)
    subprocess.run([sys.executable, "-c", WINDOWED], check=True)
    assert (home / "logs" / "output.log").stat().st_size < 100


def test_without_streams_and_without_a_folder_it_still_starts(tmp_path):
    (tmp_path / "file").touch()
    environment = os.environ | {"BEARING_INSPECTOR_HOME": str(tmp_path / "file" / "home")}
    subprocess.run([sys.executable, "-c", WINDOWED], check=True, env=environment)


def test_streams_that_are_there_stay(home):
    script = "import sys; from inspector.system import startup; before = sys.stdout; startup.prepare();"
    script += "print(sys.stdout is before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n" and not (home / "logs" / "output.log").exists()


def test_the_network_is_off_before_anything_is_imported():
    script = (
        "import os, sys; from inspector.system import startup; startup.prepare(); "
        "print(os.environ['YOLO_OFFLINE'], os.environ['HF_HUB_OFFLINE'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "true 1 False\n"


def test_leaving_tidies_and_keeps_the_exit_code():
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True)
    assert done.returncode == 7 and done.stdout == "said tidied\n" and not done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there it acts")
def test_elsewhere_than_on_windows_the_screen_needs_nothing():
    from inspector.system import startup

    startup.prepare_screen()


def test_a_thread_that_is_inside_ffmpeg_does_not_abort_the_end(home):
    done = subprocess.run([sys.executable, "-c", STALLED, "inspect", "a"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (2, "said", "its sentence")
