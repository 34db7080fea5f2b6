"""Work in a process of its own: how it ends is told, and it never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
import traceback

import pytest

from tfhashtag.comparison.own_process import WorkError, run_module
from tfhashtag.errors import ArtifactError, TfHashtagError

WORKER = """
import os, pathlib, signal, time
from tfhashtag.comparison.own_process import work_on
from tfhashtag.errors import DataError

def work(job):
    folder = pathlib.Path(job["folder"])
    (folder / "pid").write_text(str(os.getpid()))
    if job["do"] == "expected":
        raise DataError("no posts")
    if job["do"] == "odd":
        raise ValueError("odd\\nthing")
    if job["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job["do"] == "wait":
        try:
            (folder / "waiting").touch()
            time.sleep(60)
        except KeyboardInterrupt:
            (folder / "interrupted").open("a").write("x")
            raise
    print("said")

if __name__ == "__main__":
    work_on(work)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    (tmp_path / "made_worker.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path)

    def run(do, **more):
        job = {"do": do, "folder": str(tmp_path)}
        run_module("made_worker", job, tmp_path, every=0.02, **more)

    return run


def test_done(start, tmp_path):
    start("nothing")
    assert (tmp_path / "log.txt").read_text() == "said\n"


def test_an_expected_failure_keeps_its_message_and_traceback(start):
    with pytest.raises(TfHashtagError) as found:
        start("expected")
    assert str(found.value) == "no posts"
    text = "".join(traceback.format_exception(found.value))
    assert "made_worker.py" in text and 'raise DataError("no posts")' in text


def test_another_failure_names_its_kind(start):
    with pytest.raises(WorkError) as found:
        start("odd")
    assert str(found.value) == "ValueError: odd thing"


def test_a_killed_process_is_told(start):
    with pytest.raises(ArtifactError, match="killed by SIGKILL"):
        start("die")


def test_a_failure_of_before_is_forgotten(start):
    with pytest.raises(WorkError):
        start("odd")
    with pytest.raises(ArtifactError, match="killed by SIGKILL"):
        start("die")


def test_an_interruption_reaches_it_once(start, tmp_path):
    def interrupt():
        if (tmp_path / "waiting").exists():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `nohup` has it, and all children
    try:
        with pytest.raises(KeyboardInterrupt):
            start("wait", watch=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "interrupted").read_text() == "x"


def test_it_ends_with_its_parent(tmp_path):
    (tmp_path / "made_worker.py").write_text(WORKER)
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]);"
        "from tfhashtag.comparison.own_process import run_module;"
        "run_module('made_worker', {'do': 'wait', 'folder': sys.argv[1]},"
        " pathlib.Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    until((tmp_path / "waiting").exists)
    worker = int((tmp_path / "pid").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not running(worker))


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"  # ended, and nobody asked


def until(happened):
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
