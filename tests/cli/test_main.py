"""The command group: quick help, exit codes, one clear line for an expected failure."""

import subprocess
import sys

import pytest

from tfhashtag.cli import main as cli


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    return stop.value.code, capsys.readouterr()


def test_help_does_not_import_tensorflow():
    script = (
        "import sys\n"
        "from tfhashtag.cli import main\n"
        "main.main(['--help'])\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'pyarrow'} & set(sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for name in cli.COMMANDS:
        assert name in result.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(capsys, name):
    cli.main([name, "--help"])
    assert "Usage: tfhashtag" in capsys.readouterr().out


def test_unknown_command_is_wrong_usage(capsys):
    code, output = run(capsys, "trian")
    assert code == 2
    assert "Did you mean `train`?" in output.err


def test_missing_option_is_wrong_usage(capsys):
    code, output = run(capsys, "data", "synth")
    assert code == 2
    assert "--out" in output.err


def test_expected_failure_is_one_line_without_traceback(capsys, tmp_path):
    code, output = run(capsys, "data", "stats", str(tmp_path / "nowhere"))
    assert code == 1
    assert output.err.startswith("Error: ")
    assert "nowhere" in output.err
    assert len(output.err.splitlines()) <= 2


def test_debug_shows_the_failure_itself(tmp_path):
    from tfhashtag.errors import ArtifactError

    with pytest.raises(ArtifactError):
        cli.main(["--debug", "data", "stats", str(tmp_path / "nowhere")])


def test_mistake_in_a_setting(capsys, tmp_path):
    code, output = run(
        capsys, "train", "engagement", "--data", "x", "--out", str(tmp_path / "r"), "--set", "sed=1"
    )
    assert code == 1
    assert "--set sed: unknown key. Did you mean `seed`?" in output.err


def test_the_home_folder_is_known_where_no_shell_has_seen_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    code, output = run(capsys, "data", "stats", "~/corpus")
    assert code == 1 and f"{tmp_path}/corpus: no `corpus.json`" in output.err
