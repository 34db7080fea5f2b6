import pathlib
import signal
import subprocess
import sys

import pytest

from tfhashtag.errors import ArtifactError
from tfhashtag.export.writer import next_version, write_saved_model

ROOT = pathlib.Path(__file__).parents[2]

KILLED = """
import pathlib, sys, time
from tfhashtag.export.writer import write_saved_model

def archive(folder):
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"whole")
    print("written", flush=True)
    time.sleep(120)

write_saved_model(archive, sys.argv[1])
"""


def archive(folder):
    (folder / "saved_model.pb").write_bytes(b"model")


def versions(folder):
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def hidden(folder):
    return sorted(e.name for e in folder.iterdir() if e.name.startswith(".") and e.is_dir())


def test_versions_follow_each_other(tmp_path):
    out = tmp_path / "models" / "toy"
    assert next_version(out) == 1
    assert write_saved_model(archive, out) == out / "1"
    assert write_saved_model(archive, out) == out / "2"
    (out / "0041").mkdir()
    (out / "x99").mkdir()
    assert write_saved_model(archive, str(out)).name == "42"
    assert (out / "42" / "saved_model.pb").read_bytes() == b"model"


def test_a_killed_export_leaves_no_version_and_the_next_one_cleans_up(tmp_path):
    out = tmp_path / "toy"
    write_saved_model(archive, out)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "written\n"
    assert len(hidden(out)) == 1
    with pytest.raises(ArtifactError, match="another export is writing"):
        write_saved_model(archive, out)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    assert versions(out) == ["1"]
    assert len(hidden(out)) == 1
    assert write_saved_model(archive, out).name == "2"
    assert versions(out) == ["1", "2"]
    assert hidden(out) == []


def test_a_failing_export_leaves_nothing(tmp_path):
    def fails(folder):
        archive(folder)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write_saved_model(fails, tmp_path / "toy")
    with pytest.raises(ArtifactError, match=r"wrote no `saved_model.pb`"):
        write_saved_model(lambda folder: None, tmp_path / "toy")
    assert versions(tmp_path / "toy") == [] == hidden(tmp_path / "toy")


def test_out_is_a_file(tmp_path):
    (tmp_path / "toy").write_text("")
    with pytest.raises(ArtifactError, match="is a file"):
        write_saved_model(archive, tmp_path / "toy")
