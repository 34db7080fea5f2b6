"""The command group: quick help, exit codes, one clear line for an expected failure."""

import json
import subprocess
import sys

import pytest

from tfhashtag.cli import main as cli
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus


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


def test_what_can_be_known_without_tensorflow_is_refused_without_it(user_run, tmp_path):
    run, file, new = user_run("engagement").place, tmp_path / "file", tmp_path / "new"
    file.touch()
    asked = {
        ("forget", run, "--user", "nobody-of-that-name"): "nobody-of-that-name",
        ("topics", run): "without topics",
        ("update", run, "--posts", tmp_path / "no.jsonl"): "no.jsonl: cannot be read",
        ("export", run, "--out", file): "is a file; expected the folder of a model",
        ("recommend", run, "--user", "nobody-of-that-name"): "nobody-of-that-name",
        ("recommend", tmp_path / "no-run", "--user", "a"): "no-run",
        ("encode", tmp_path / "no-corpus", "--text-encoder", "minilmm"): "encoder `minilmm` is unk",
        ("serve", tmp_path / "no-models"): "no-models` is not a folder",
        ("finetune", tmp_path / "no-corpus", "--out", new): "no-corpus",
        ("tune", "engagement", "--data", tmp_path / "no-corpus", "--out", new): "no-corpus",
        ("prepare", "engagement", "--data", tmp_path / "no-corpus", "--out", new): "no-corpus",
    }
    script = (
        "import json, sys\n"
        "from tfhashtag.cli import main\n"
        "for arguments in json.load(sys.stdin):\n"
        "    try:\n"
        "        main.main(arguments)\n"
        "    except SystemExit as stop:\n"
        "        print(stop.code, 'tensorflow' in sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([[str(word) for word in words] for words in asked]),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stderr.splitlines()
    ends = [line for line in lines if line.endswith(("True", "False"))]
    assert len(ends) == len(asked), result.stderr
    for (words, why), end in zip(asked.items(), ends, strict=True):
        assert why in result.stderr, words
        assert end.split()[0] in ("1", "2") and end.endswith("False"), (words, end)


def test_what_learns_without_tensorflow_does_not_wait_for_it(tmp_path):
    script = """
import sys
import tfhashtag as th
from tfhashtag.recommenders.registry import recommender_class
corpus = sys.argv[1]
for name in ("cf", "tfidf", "popular", "post_own"):
    run = th.train(name, corpus, out=f"{corpus}-{name}")
    figures = run.evaluate().to_pandas().select_dtypes("number")
    print(name, figures.max().max() > 0, recommender_class(run.settings.model).uses_tensorflow)
    print(name, "tensorflow" in sys.modules, "keras" in sys.modules)
"""
    write_corpus(synthetic_corpus(posts=300, users=20, seed=0), tmp_path / "corpus")
    command = [sys.executable, "-c", script, tmp_path / "corpus"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("cf", "tfidf", "popular", "post_own"):
        assert f"{name} True False\n{name} False False\n" in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(capsys, name):
    cli.main([name, "--help"])
    assert "Usage: tfhashtag" in capsys.readouterr().out


def test_unknown_command_is_wrong_usage(capsys):
    code, output = run(capsys, "trian")
    assert code == 2
    assert "Did you mean `train`?" in output.err
    code, output = run(capsys, "compare", "users")
    assert code == 2
    assert "No such command `users`. `tfhashtag compare` has engagement, phr." in output.err


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


def completions(*words):
    """What the shell would offer after these words, the last one begun."""
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli.tfhashtag, {}, "tfhashtag", "_TFHASHTAG_COMPLETE")
    return {item.value for item in complete.get_completions(list(words[:-1]), words[-1])}


def test_completion_knows_commands_options_and_configurations():
    assert completions("trai") == {"train"}
    assert {"engagement", "engagement_paper"} <= completions("train", "eng")
    assert "phr_thesis" in completions("tune", "phr")
    assert "macon" in completions("configs", "describe", "ma")
    assert "--timeout" in completions("tune", "cf", "--ti")
    assert completions("completion", "") == {"bash", "zsh", "fish"}


def test_exit_codes(capsys, monkeypatch, tmp_path):
    """Each of the table, by the real command line."""
    from tfhashtag import door

    ended = {2: run(capsys, "trian")[0], 1: run(capsys, "eval", str(tmp_path / "nowhere"))[0]}
    cli.main(["configs", "list"])
    capsys.readouterr()
    ended[0] = 0

    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "load", interrupted)
    ended[130], told = run(capsys, "eval", "run")
    assert told.err.strip() == "Interrupted."
    reader = "import sys; from tfhashtag.cli.main import main; sys.stdout.flush(); main()"
    done = subprocess.run(
        f"{sys.executable} -c '{reader}' configs describe phr | head -c 0; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert int(done.stdout) == 1
    assert ended == {code: code for code in cli.EXIT_CODES}
