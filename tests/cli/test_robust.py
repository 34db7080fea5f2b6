"""Commands where the disk is full or read-only, files are cut or newer, or two work at once.

Each ends with 1 and one line, what stood there before is as it was, nothing hidden is left, and the
same command works when what was wrong is mended.
"""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

import tfhashtag as th
from tests.runs.test_update import later_posts
from tfhashtag.cli.main import main
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.files import exclusive_lock
from tfhashtag.testing.small_world import write_word_encoder

TUNED = "model: collaborative\ntune:\n  training.factors: {low: 2, high: 16}\n"
COMMANDS = {
    "import": "data import csv posts.csv --out made",
    "encode": "encode corpus --text-encoder words --quiet",
    "train": "train popular --data corpus --out run2",
    "update": "update run --posts new.jsonl",
    "tune": "tune tuned.yaml --data corpus --out study --trials 1 --quiet",
    "export": "export users --out models/m --no-check",
}
SLOW = {"tune", "export"}
NAMES = [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in COMMANDS]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the commands read."""
    folder = tmp_path_factory.mktemp("world")
    corpus = synthetic_corpus(150, 12, 0)
    write_corpus(corpus, folder / "corpus")
    th.train("popular", folder / "corpus", folder / "run")
    rows = later_posts(5, int(corpus.timestamps.max()) + 60, 20)
    (folder / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [f"{corpus.users[u]},text {post},tea" for post, u in enumerate(corpus.user_of_post)]
    (folder / "posts.csv").write_text("user,text,hashtags\n" + "\n".join(lines) + "\n")
    write_word_encoder(folder / "words")
    (folder / "tuned.yaml").write_text(TUNED)
    return folder


@pytest.fixture
def place(world, tmp_path, monkeypatch):
    """A copy of it in which a test works."""
    folder = tmp_path / "place"
    shutil.copytree(world, folder)
    monkeypatch.chdir(folder)
    return folder


def tree(folder):
    """Files and what is in them; locks are none."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "ballast")
    }


def ended(capsys, command):
    """How a command ended, and the line that says why."""
    capsys.readouterr()
    try:
        main(command.split())
    except SystemExit as stop:
        told = capsys.readouterr().err
        assert "Traceback" not in told
        lines = [line for line in told.splitlines() if line.startswith("Error")]
        assert len(lines) == 1 and told.splitlines()[-1].startswith("Error"), told
        return stop.code, lines[0]
    return 0, ""


@pytest.fixture
def small_disk(world, tmp_path, monkeypatch):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    shutil.copytree(world, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    yield folder
    os.chdir("/")
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk(small_disk, name, capsys, request):
    if name == "export":
        run = request.getfixturevalue("user_run")("engagement")
        shutil.copytree(run.folder, small_disk / "users")
    ballast, before, left = small_disk / "ballast", tree(small_disk), []
    for free in (0, 12, 60):  # kilobytes
        room = os.statvfs(small_disk)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - free * 1024)
        code, told = ended(capsys, COMMANDS[name])
        ballast.unlink()
        if code == 0:
            break
        assert code == 1 and ("No space left" in told or "disk is full" in told)
        after = tree(small_disk)
        assert {path: after.get(path) for path in before} == before
        left = [path for path in after.keys() - before.keys() if "/." in f"/{path}"]
        assert all("/.partial-" in path for path in left)  # of an encoding, which goes on there
    if code:
        assert ended(capsys, COMMANDS[name])[0] == 0
    hidden = [path for path in tree(small_disk).keys() - before.keys() if "/." in f"/{path}"]
    assert hidden == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_disk(small_disk, name, capsys):
    before = tree(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    command = COMMANDS[name].replace("users", "run")  # which says so before it needs an encoder
    code, told = ended(capsys, command)
    assert code == 1 and tree(small_disk) == before
    if name != "export":
        assert "Read-only file system" in told and "Check its rights" in told
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


DAMAGES = {
    "a cut Parquet file": ("corpus/posts.parquet", lambda data: data[: len(data) // 2], "corpus"),
    "an empty one": ("corpus/posts.parquet", lambda data: b"", "corpus"),
    "a corpus of a later version": ("corpus/corpus.json", "format", "corpus"),
    "a cut corpus.json": ("corpus/corpus.json", lambda data: data[:40], "corpus"),
    "a run of a later version": ("run/run.json", "format", "run"),
    "a cut run.json": ("run/run.json", lambda data: data[:40], "run"),
    "a run whose corpus is cut": ("run/data/posts.parquet", lambda data: data[:99], "run"),
}
READERS = {
    "corpus": ["data stats corpus", COMMANDS["encode"], COMMANDS["train"]],
    "run": ["eval run", "recommend run --user user1", COMMANDS["update"], "status run"],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_and_later_versions(place, damage, capsys):
    path, change, kind = DAMAGES[damage]
    data = (place / path).read_bytes()
    if change == "format":
        info = {**json.loads(data), "format": 9, "libraries": {"tfhashtag": "9.0.0"}}
        (place / path).write_text(json.dumps(info))
    else:
        (place / path).write_bytes(change(data))
    before = tree(place)
    for command in READERS[kind]:
        code, told = ended(capsys, command)
        assert code == 1, command
        assert path.split("/")[0] in told and len(told) < 500
        assert tree(place) == before


@pytest.mark.parametrize(
    "folder, command",
    [
        ("run", COMMANDS["update"]),
        ("run", "forget run --user nobody"),
    ],
)
def test_two_at_once(place, folder, command, capsys):
    before = tree(place)
    with exclusive_lock(place / folder, "busy"):
        code, _ = ended(capsys, command)
    assert (code, tree(place)) == (1, before)


def test_two_imports_into_one_folder(place, capsys):
    """The loser is told where; its posts are nowhere."""
    from tfhashtag import files

    real, command = files.os.rename, COMMANDS["import"]

    def late(source, target, **more):
        if str(target).endswith("made"):
            shutil.copytree(place / "corpus", target)
        real(source, target, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "rename", late)
        code, told = ended(capsys, command)
    assert code == 1 and "made: was made by another process meanwhile" in told
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []
