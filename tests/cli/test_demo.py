"""`tfhashtag demo` refuses before it replaces anything."""

import pytest

from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks.users.episode import evaluation_episode, imitated_future


def refused(capsys, *arguments, code=1):
    """The error of `tfhashtag demo`."""
    with pytest.raises(SystemExit) as stop:
        main(["demo", *map(str, arguments)])
    assert stop.value.code == code
    return capsys.readouterr().err


def test_unknown_configuration_leaves_the_last_demo(tmp_path, capsys):
    (tmp_path / ".tfhashtag-demo").touch()
    (tmp_path / "metrics.json").write_text("{}")
    error = refused(capsys, "--out", tmp_path, "--config", "posts", code=2)
    assert "ranks hashtags for posts" in " ".join(error.split())
    error = refused(capsys, "--out", tmp_path, "--config", "engagment")
    assert "Did you mean `engagement`?" in error
    assert (tmp_path / "metrics.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["mine.txt", ".git"])
def test_a_folder_of_something_else_is_refused(tmp_path, capsys, name):
    (tmp_path / name).write_text("kept")
    assert "Give another folder, or one that a demo left" in refused(capsys, "--out", tmp_path)
    assert (tmp_path / name).read_text() == "kept"


@pytest.mark.parametrize("posts, users, least", [(100, 10, 400), (399, 10, 400), (799, 200, 800)])
def test_too_few_posts_are_refused_before_anything_is_made(tmp_path, capsys, posts, users, least):
    out = tmp_path / "demo"
    error = refused(capsys, "--out", out, "--posts", posts, "--users", users, code=2)
    assert f"--posts {least} here" in " ".join(error.split())
    assert not out.exists()


@pytest.mark.parametrize("posts, users", [(400, 10), (400, 100), (800, 200)])
def test_the_smallest_sizes_have_something_to_learn_from(posts, users):
    corpus = synthetic_corpus(posts, users, seed=0)
    settings = load_settings("engagement")
    episodes = [evaluation_episode(corpus, Split.TEST)]
    episodes += [
        imitated_future(corpus, cut, until=until, minimum_contexts=settings.data.minimum_contexts)
        for cut, until in settings.training.futures
    ]
    assert len(episodes[0].candidates.users)
    assert sum(episode.candidates.labels.sum() for episode in episodes[1:]) > 0
