"""Topics of a trained run beside those of LDA."""

import csv
import json

import numpy as np
import pytest
import rich.console

from tfhashtag.cli.main import main
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topic_quality import diversity, npmi_coherence
from tfhashtag.recommenders.engagement.topics import compare_topics, topic_tables, write_topics
from tfhashtag.runs.run import Run


@pytest.fixture(scope="module")
def found(explained_user_run):
    return compare_topics(Run.open(explained_user_run("engagement")).recommender, passes=3)


def test_figures_are_those_of_the_words_shown(explained_user_run, found):
    opened = Run.open(explained_user_run("engagement"))
    recommender = opened.recommender
    place = {word: at for at, word in enumerate(recommender.vocabulary.words)}
    documents, messages = topic_documents(
        opened.corpus, recommender.words, opened.settings.data.minimum_contexts
    )
    assert (found.hashtags, found.messages) == (documents.shape[0], messages.shape[0])
    assert [topics.system for topics in found.systems] == ["NTM", "LDA"]
    for topics in found.systems:
        assert len(topics.words) == len(topics.npmi) == 4
        words = np.array([[place[word] for word in row] for row in topics.words])
        expected = npmi_coherence(words[:, :10], messages)
        np.testing.assert_allclose(topics.npmi, expected)
        assert topics.coherence == pytest.approx(expected.mean())
        assert topics.diversity == diversity(words)
    pure = np.eye(4, dtype="float32")
    logits = np.array(recommender.model.topic_model.decoder_dense(pure))
    assert [row[0] for row in found.systems[0].words] == [
        recommender.vocabulary.words[at] for at in logits.argmax(axis=1)
    ]


def test_without_frequent_words(explained_user_run, found):
    recommender = Run.open(explained_user_run("engagement")).recommender
    frequent = set(recommender.vocabulary.words[:3])
    rarer = compare_topics(recommender, passes=3, without=3)
    assert any(frequent & set(row) for topics in found.systems for row in topics.words)
    assert not any(frequent & set(row) for topics in rarer.systems for row in topics.words)
    with pytest.raises(ConfigError, match="`without` is 100000"):
        compare_topics(recommender, without=100_000)


def test_files(found, tmp_path):
    paths = write_topics(found, tmp_path / "out")
    assert [path.name for path in paths] == ["topics.md", "topics.csv", "topics.json"]
    saved = json.loads(paths[2].read_text())
    assert saved["systems"][1]["words"] == found.systems[1].words
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and rows[0]["words"].split() == found.systems[0].words[0]
    assert float(rows[5]["npmi"]) == pytest.approx(found.systems[1].npmi[1], abs=1e-6)
    text = paths[0].read_text()
    assert f"| NTM | 4 | {found.systems[0].coherence:.3f} |" in text
    assert text.count("\n| ") > 8
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="is a file"):
        write_topics(found, tmp_path / "file")


def test_tables(found):
    console = rich.console.Console(width=120, record=True)
    for table in topic_tables(found, shown=2):
        console.print(table)
    text = console.export_text()
    best = int(np.argmax(found.systems[0].npmi))
    assert " ".join(found.systems[0].words[best][:4]) in text
    assert "NPMI" in text and f"{found.systems[1].diversity:.3f}" in text


def test_refuses_runs_without_topics(explained_user_run):
    with pytest.raises(ConfigError, match="`model` is engagement, without topics"):
        compare_topics(Run.open(explained_user_run("attention")).recommender)
    with pytest.raises(ConfigError, match="needs a run of model engagement"):
        compare_topics(Run.open(explained_user_run("audience")).recommender)


def test_command(explained_user_run, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["topics", str(explained_user_run("attention"))])
    assert stop.value.code == 1
    assert "Error:" in capsys.readouterr().err
    run = explained_user_run("engagement")
    main(["topics", str(run), "--out", str(tmp_path / "out"), "--show", "1", "--passes", "2"])
    text = capsys.readouterr().out
    assert "diversity" in text and "LDA" in text
    assert (tmp_path / "out" / "topics.json").is_file()
