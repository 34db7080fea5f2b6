"""`--json` of every command: there, documented, and valid by what is documented."""

import importlib
import json

import click
import jsonschema
import pytest

from tfhashtag.cli.main import COMMANDS, main, tfhashtag
from tfhashtag.cli.output import json_output, schema_of, text
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


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_it_and_its_fields_are_on_its_page(path, monkeypatch, request):
    command = LEAVES[path]
    assert any("--json" in option.opts for option in command.params), "use cli.output.json_output"
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    monkeypatch.syspath_prepend(str(request.config.rootpath / "docs" / "build_site"))
    page = "\n".join(importlib.import_module("commands")._page(command, "tfhashtag", 1))
    for kind in schema.get("anyOf", [schema]):
        for name in (kind.get("items") or kind).get("properties", {}):
            assert f"{name}` |" in page, name


@pytest.fixture
def answer(capsys):
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
        schema = schema_of(LEAVES[tuple(arguments[: 1 + group])])
        jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
        return value

    return run


def test_corpora_and_configurations(answer, tmp_path):
    made = answer("data", "synth", "--out", tmp_path / "c", "--posts", 60, "--users", 6)
    assert made["posts"] == 60
    pictures = ("--task", "posts", "--posts", 30, "--users", 3, "--picture-size", 24)
    assert answer("data", "synth", "--out", tmp_path / "p", *pictures)["told"]
    assert answer("data", "stats", tmp_path / "c")["paper"]["Number of Users"] == "6"
    source = tmp_path / "posts.jsonl"
    source.write_text('{"user": "ann", "text": "good tea", "hashtags": ["tea"]}\n' * 2)
    assert answer("data", "import", "jsonl", source, "--out", tmp_path / "i")["posts"] == 2
    assert "data import" in answer("data", "check", source)["command"]
    source.write_text('{"user": "ann"}\n')
    assert answer("data", "check", source, code=1)["error"]
    write_word_encoder(tmp_path / "words")
    told = answer("encode", tmp_path / "c", "--text-encoder", tmp_path / "words", "--quiet")["told"]
    assert "60 messages" in told[0]
    assert {"name": "cf", "model": "collaborative"}.items() <= answer("configs", "list")[1].items()
    assert answer("configs", "describe", "cf")[0]["key"] == "model"


def test_a_run(answer, encoded_corpus, tmp_path):
    run = tmp_path / "run"
    text_encoder = f"text_encoder={encoded_corpus[1]}"
    train = ("train", "cf", "--data", encoded_corpus[0], "--out", run, "--set", text_encoder)
    assert answer(*train)["last"]["valid_MAP"] > 0
    assert answer("eval", run)["averages"]["all"]["MAP"] > 0


def test_answers_explanations_and_exports(answer, user_run, tmp_path):
    run = user_run("engagement")
    user, hashtag = run.corpus.users[0], run.corpus.hashtags[0]
    best = answer("recommend", run.folder, "--user", user, "--k", 2)
    assert len(best) == 2
    queries, out = tmp_path / "q.jsonl", tmp_path / "a.csv"
    queries.write_text(json.dumps({"user": user}) + "\n")
    done = answer("recommend", run.folder, "--queries", queries, "--out", out, "--k", 2)
    assert done["queries"] == 1 and out.read_text().count("\n") == 3
    rows = tmp_path / "rows.parquet"
    found = answer("explain", run.folder, "--user", user, "--hashtag", hashtag, "--out", rows)
    assert found["files"] == [str(rows)] and found["explanation"]["facts"]
    model = tmp_path / "models" / "engagement"
    version = answer("export", run.folder, "--out", model, "--no-check")["version"]
    assert version == str(model / "1")


def test_the_demo(answer, tmp_path):
    """The whole path, with the smallest model of its kind."""
    write_word_encoder(tmp_path / "words")
    config = tmp_path / "small.yaml"
    config.write_text(
        "model: audience\ndata: {taste_width: 6}\nnetwork: {members: 1, hidden: [4]}\n"
        "training: {epochs: 1, futures: [[0.6, 1.0]], refit: false}\n"
    )
    found = answer(
        "demo", "--out", tmp_path / "demo", "--posts", 400, "--users", 10, "--config", config,
        "--text-encoder", tmp_path / "words",
    )  # fmt: skip
    assert len(found["recommended"]) == 5
    assert [row["system"] for row in found["systems"]][-1] == "trained"


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
        assert "384" in facts["minilm"]


def test_completion(answer):
    assert "_TFHASHTAG_COMPLETE=bash_complete" in answer("completion", "bash")["script"]
    for shell in ("zsh", "fish"):
        assert "tfhashtag" in answer("completion", shell)["script"]


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
