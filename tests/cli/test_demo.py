"""`tfhashtag demo` refuses before it replaces anything."""

import pytest

from tfhashtag.cli.main import main


def refused(capsys, *arguments):
    """The error of `tfhashtag demo`."""
    with pytest.raises(SystemExit) as stop:
        main(["demo", *map(str, arguments)])
    assert stop.value.code == 1
    return capsys.readouterr().err


def test_unknown_configuration_leaves_the_last_demo(tmp_path, capsys):
    (tmp_path / ".tfhashtag-demo").touch()
    (tmp_path / "metrics.json").write_text("{}")
    error = refused(capsys, "--out", tmp_path, "--config", "engagment")
    assert "Did you mean `engagement`?" in error
    assert (tmp_path / "metrics.json").read_text() == "{}"


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("kept")
    assert "is not a demo's folder" in refused(capsys, "--out", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"
