import os
import subprocess
import sys

import pytest

WINDOWED = """
import sys
sys.stdin = sys.stdout = sys.stderr = None
from inspector import startup
startup.prepare()
print("轴承 and \\udce4")
sys.stderr.write("an error\\n")
assert sys.stdin.read() == ""
"""
LEAVING = """
import atexit, os, sys, threading, time
from inspector import startup
atexit.register(lambda: print("tidied"))
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
print("said", end=" ")
startup.leave(7)
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
    script = (
        "import sys; from inspector import startup; before = sys.stdout; startup.prepare(); print(sys.stdout is before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n" and not (home / "logs" / "output.log").exists()


def test_the_network_is_off_before_anything_is_imported():
    script = (
        "import os, sys; from inspector import startup; startup.prepare(); "
        "print(os.environ['YOLO_OFFLINE'], os.environ['HF_HUB_OFFLINE'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "true 1 False\n"


def test_leaving_tidies_and_keeps_the_exit_code():
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True)
    assert done.returncode == 7 and done.stdout == "said tidied\n" and not done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there it acts")
def test_elsewhere_than_on_windows_the_screen_needs_nothing():
    from inspector import startup

    startup.prepare_screen()
