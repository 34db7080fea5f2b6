import os

import pytest

from tfhashtag.serving.versions.version_folders import find_versions, fingerprint


def make(folder, *names):
    for name in names:
        (folder / name).mkdir()
        (folder / name / "saved_model.pb").touch()


def test_numbers_with_a_model_are_versions(tmp_path):
    make(tmp_path, "1", "00000002", "tmp", ".3", "-4", "5.0", "٦", str(2**63))
    (tmp_path / "7").mkdir()
    (tmp_path / "8").touch()
    assert {n: p.name for n, p in find_versions(tmp_path).items()} == {1: "1", 2: "00000002"}


def test_of_two_names_of_a_version_the_longer_counts(tmp_path):
    make(tmp_path, "2", "002", "02")
    assert find_versions(tmp_path)[2].name == "002"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError):
        find_versions(tmp_path / "none")


def test_a_fingerprint_shows_every_change(tmp_path):
    inner = tmp_path / "variables"
    inner.mkdir()
    (inner / "a").write_bytes(b"1")
    seen = [fingerprint(tmp_path)]
    assert fingerprint(tmp_path) == seen[0]
    (inner / "b").write_bytes(b"")
    seen.append(fingerprint(tmp_path))
    (inner / "a").write_bytes(b"12")
    seen.append(fingerprint(tmp_path))
    os.utime(inner / "a", ns=(1, 1))
    seen.append(fingerprint(tmp_path))
    (inner / "b").unlink()
    seen.append(fingerprint(tmp_path))
    (inner / "dangling").symlink_to(tmp_path / "none")
    assert fingerprint(tmp_path) == seen[-1]
    assert len(set(seen)) == 5
