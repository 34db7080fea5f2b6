"""Files and folders appear whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from tfhashtag.cli.main import main
from tfhashtag.diagnosis import PROBES
from tfhashtag.errors import ArtifactError
from tfhashtag.files import (
    atomic_directory,
    atomic_writer,
    exclusive_lock,
    left_behind,
    scratch_directory,
    write_json,
)

ROOT = pathlib.Path(__file__).parent.parent


def test_failure_keeps_what_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), atomic_writer(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_the_old_file_reads_it_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with path.open() as reader:
        with atomic_writer(path) as file:
            file.write("after")
        assert reader.read() == "before"  # another file was put in its place
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_what_json_has_no_word_for(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "metrics.json", {"MAP": float("nan")})
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "metrics.json", {"MAP": 0.5})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"MAP": 0.5}


def test_folder_of_a_failed_block_does_not_appear(tmp_path):
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "1") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "kept").touch()
    message = f"{tmp_path / '1'}: was made by another process meanwhile"
    with pytest.raises(ArtifactError, match=message), atomic_directory(tmp_path / "1") as folder:
        (folder / "new").touch()
    assert (tmp_path / "1" / "kept").is_file()


def test_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    script = (
        "import os, signal\n"
        "from tfhashtag.files import atomic_writer\n"
        f"with atomic_writer({str(path)!r}) as file:\n"
        "    file.write('x' * 100_000)\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert result.returncode == -signal.SIGKILL
    assert path.read_text() == "before"


def test_full_disk_is_an_os_error_and_keeps_the_old_file(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(OSError) as failure, atomic_writer(path) as file:
        os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())
        file.write("x" * 100_000)
        file.flush()
    assert failure.value.filename == str(path)
    assert path.read_text() == "before"


def test_errors_name_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as failure, atomic_writer(tmp_path / "a" / "b.json"):
        pass
    assert failure.value.filename == str(tmp_path / "a" / "b.json")
    with pytest.raises(OSError) as failure, atomic_directory(tmp_path / "c") as folder:
        (folder / "d" / "e.txt").write_text("no such folder")
    assert failure.value.filename == str(tmp_path / "c" / "d" / "e.txt")
    with pytest.raises(OSError) as failure, atomic_directory(tmp_path / "c") as folder:
        raise OSError(28, "No space left on device", str(tmp_path / "source"), None, str(folder))
    assert failure.value.filename == str(tmp_path / "c")
    with pytest.raises(OSError, match="many") as failure, atomic_directory(tmp_path / "c"):
        raise shutil.Error("many files")
    assert failure.value.filename is None
    with pytest.raises(OSError) as failure, atomic_writer(tmp_path / "b.json"):
        (tmp_path / "other").read_text()
    assert failure.value.filename == str(tmp_path / "other")


def test_command_says_what_to_do(tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stop:
        main(["data", "synth", "--posts", "20", "--users", "2", "--out", str(tmp_path / "file/c")])
    error = capsys.readouterr().err
    assert stop.value.code == 1
    assert f"`{tmp_path / 'file'}" in error and "Give another path, or move away" in error


KILLED = """
import os, pathlib, signal, sys
from tfhashtag.files import atomic_directory, atomic_writer, scratch_directory
path = pathlib.Path(sys.argv[2])
how = {"file": lambda: atomic_writer(path), "folder": lambda: atomic_directory(path),
       "scratch": scratch_directory}[sys.argv[1]]
with how() as made:
    if sys.argv[1] == "file":
        made.write("half")
        made.flush()
    else:
        (made / "half").write_text("half")
    if sys.argv[3] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    print("open", flush=True)
    sys.stdin.read()
"""


def other(kind, path, what):
    """A process that writes beside `path`, killed or waiting."""
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, kind, str(path), what], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(path.parent)},
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["file", "folder", "scratch"])
def test_what_a_kill_leaves_is_cleared_and_what_is_in_use_is_not(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = tmp_path / "result"
    (tmp_path / ".result.mine").touch()
    (tmp_path / ".results.abcdefgh").touch()
    kept = {".result.mine", ".results.abcdefgh"}
    assert other(kind, path, "kill").wait(60) == -signal.SIGKILL
    (left,) = {entry.name for entry in tmp_path.iterdir()} - kept
    waiting = other(kind, path, "wait")  # clears what is left, and is at work itself
    assert waiting.stdout.readline() == "open\n"
    (held,) = {entry.name for entry in tmp_path.iterdir()} - kept
    assert held != left
    make = {"file": atomic_writer, "folder": atomic_directory}.get(kind)
    with scratch_directory() if make is None else make(path) as made:
        assert held in {entry.name for entry in tmp_path.iterdir()}
        if kind == "file":
            made.write("whole")
    assert held in {entry.name for entry in tmp_path.iterdir()}
    waiting.kill()
    waiting.wait()
    waiting.stdin.close()
    waiting.stdout.close()
    if kind == "folder":
        path.rmdir()
    with scratch_directory() if make is None else make(path):
        pass
    assert {entry.name for entry in tmp_path.iterdir()} - {"result"} == kept


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_kill_leaves_goes_whatever_is_written_beside_it_next(tmp_path, kind):
    kept = [tmp_path / name for name in (".notes.original", ".x.tfht-1", ".run.forgetting")]
    for path in kept:
        path.touch()
    assert other(kind, tmp_path / "corpus", "kill").wait(60) == -signal.SIGKILL
    (left,) = left_behind(tmp_path)
    assert left.name.startswith(".corpus.")
    waiting = other(kind, tmp_path / "elsewhere", "wait")
    assert waiting.stdout.readline() == "open\n"
    assert not left.exists() and left_behind(tmp_path) == []  # what is in use is not left
    waiting.kill()
    waiting.wait()
    waiting.stdin.close()
    waiting.stdout.close()
    for path in (tmp_path / "run", tmp_path / ".run.forgetting"):
        path.unlink(missing_ok=True)
        path.mkdir()
    write_json(tmp_path / "run" / "run.json", {})
    with exclusive_lock(tmp_path / "run", ""):
        assert [path.name[:12] for path in left_behind(tmp_path)] == [".elsewhere.t"]
    assert "forgetting" in str(diagnosis_of(tmp_path))
    with atomic_directory(tmp_path / "other"):
        pass
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".notes.original", ".x.tfht-1", "run", "other"}


def diagnosis_of(folder):
    with contextlib.chdir(folder):
        return PROBES["left by killed commands"]()["here"]


def test_who_forgets_meanwhile_keeps_the_folder(tmp_path, monkeypatch):
    """Between look and deletion a `forget` begins; while something is deleted, none can."""
    run, aside = tmp_path / "run", tmp_path / ".run.forgetting"
    for path in (run, aside):
        path.mkdir()
    write_json(run / "run.json", {})
    begun = contextlib.ExitStack()

    def look(folder):
        found = left_behind(folder)
        begun.enter_context(exclusive_lock(run, ""))
        return found

    with begun, monkeypatch.context() as patch:
        patch.setattr("tfhashtag.files.left_behind", look)
        write_json(tmp_path / "a.json", {})
        assert aside.is_dir()
    remove, refused = shutil.rmtree, []

    def watched(path, **options):
        with pytest.raises(ArtifactError, match="busy"), exclusive_lock(run, "busy"):
            pass
        refused.append(path)
        remove(path, **options)

    monkeypatch.setattr("shutil.rmtree", watched)
    write_json(tmp_path / "a.json", {})
    assert refused == [aside] and not aside.exists()


def test_what_only_looks_like_a_forgetting_stays(tmp_path, monkeypatch):
    """Folders of people, pipes that nobody writes to; visible names are not looked at."""
    write_json(tmp_path / "run.json", {})
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "run.json", {})
    kept = {"xrun.forgetting", ".forgetting", "...forgetting", "run.forgetting"}
    for name in kept:
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / ".a.tfht-abcdefgh")
    looked, look = [], os.lstat
    monkeypatch.setattr("os.lstat", lambda path, **o: looked.append(str(path)) or look(path, **o))
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("a pipe is waited for"))
    signal.alarm(20)
    write_json(tmp_path / "a.json", {})
    signal.alarm(0)
    assert kept | {"run", "run.json", "a.json", ".a.tfht-abcdefgh"} == set(os.listdir(tmp_path))
    assert {pathlib.Path(path).name for path in looked} <= {".a.tfht-abcdefgh"}


def test_half_made_names_go_when_they_are_old(tmp_path):
    left = tmp_path / ".b.json.tfht-new-abcdefgh"
    left.touch()
    write_json(tmp_path / "a.json", {})
    assert left.exists()  # may be of a process that has just made it
    os.utime(left, (0, 0))
    write_json(tmp_path / "a.json", {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
