"""Files of explanations: one page with all inside, escaped; figures of any text."""

import dataclasses
import html.parser
import json

import numpy as np
import PIL.Image
import pytest

from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError
from tfhashtag.explain.write import write_explanation
from tfhashtag.recommenders.engagement.explanation import explain_engagement
from tfhashtag.recommenders.phr.explanation import explain_post
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.episode import evaluation_episode

NASTY = (
    "<script>alert(1)</script> & \"'> \U0001f600\U0001f468\u200d\U0001f469 漢字 مرحبا $x^{$ \n\0"
)


class Reader(html.parser.HTMLParser):
    """Collects tags, links to elsewhere, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.words = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def read(folder):
    page = Reader((folder / "explanation.html").read_text(encoding="utf-8"))
    assert page.tags.isdisjoint({"script", "link", "b"})
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    for path in folder.glob("*.png"):
        with PIL.Image.open(path) as picture:
            assert picture.format == "PNG" and min(picture.size) > 150
            assert np.asarray(picture.convert("L")).std() > 1
    return page, json.loads((folder / "explanation.json").read_text(encoding="utf-8"))


def test_post_from_the_command_line(explained_posts, explained_post_run, tmp_path, capsys):
    run = explained_post_run("full")
    corpus = Run.open(run).corpus
    known = set(corpus.user_of_post[corpus.split_of_post == Split.TRAIN].tolist())
    post = next(
        post
        for post in range(len(corpus))[::-1]
        if corpus.images[post] and int(corpus.user_of_post[post]) in known
    )
    out = tmp_path / "deep" / "out"
    main(
        [
            *("explain", str(run), "--post", corpus.post_ids[post], "--out", str(out)),
            *("--k", "3", "--data", str(explained_posts / "corpus")),
        ]
    )
    assert "explanation.html" in capsys.readouterr().out
    page, numbers = read(out)
    names = {path.name for path in out.glob("*.png")}
    assert names == {
        "parts.png", "post_tag_own.png", "post_tag_others.png", "co_attention.png", "regions.png",
        "graph.png",
    }  # fmt: skip
    assert len(page.sources) == len(names)
    assert len(numbers["hashtags"]) >= 3 and numbers["picture"]
    assert numbers["post_id"] == corpus.post_ids[post] and numbers["grid"] == 3


@pytest.mark.filterwarnings("error:Glyph")
def test_text_of_any_kind(explained_post_run, explained_user_run, tmp_path):
    run = explained_post_run("full")
    found = explain_post(run, Run.open(run).corpus.post_ids[-1], 2)
    case = found.post_tag[-1]
    posts = [dataclasses.replace(p, text=NASTY, user=NASTY, hashtags=[NASTY]) for p in case.posts]
    case = dataclasses.replace(case, posts=posts, hashtags=[NASTY] * len(case.hashtags))
    hashtags = [dataclasses.replace(row, hashtag=NASTY) for row in found.hashtags]
    nasty = dataclasses.replace(
        found, text=NASTY, user=NASTY, post_tag=[case], hashtags=hashtags, post_id=NASTY
    )
    write_explanation(nasty, tmp_path / "post")
    page, numbers = read(tmp_path / "post")
    assert numbers["text"] == NASTY
    assert any("<script>alert(1)</script>" in words for words in page.words)
    found = explain_engagement(explained_user_run("engagement"), "user1", "tag2x0")
    write_explanation(found, tmp_path / "pair")
    page, _ = read(tmp_path / "pair")
    assert any("<b>" in words for words in page.words)


@pytest.mark.parametrize("name", ["audience", "engagement"])
def test_pairs_from_the_command_line(explained_user_run, tmp_path, name):
    corpus = Run.open(explained_user_run(name)).corpus
    hashtag = corpus.hashtags[evaluation_episode(corpus, Split.TEST).catalogue[0]]
    given = ["--user", "user1", "--hashtag", f"#{hashtag}", "--out", str(tmp_path)]
    main(["explain", str(explained_user_run(name)), *given])
    _, numbers = read(tmp_path)
    assert numbers["user"] == "user1" and numbers["hashtag"] == hashtag
    wanted = "signals.png" if name == "audience" else "attention.png"
    assert (tmp_path / wanted).is_file()


def test_variants_have_the_figures_of_what_they_have(explained_post_run, tmp_path):
    run = explained_post_run("plain")
    write_explanation(explain_post(run, Run.open(run).corpus.post_ids[-1]), tmp_path)
    read(tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"parts.png"}


def test_wrong_usage(explained_post_run, explained_user_run, tmp_path, capsys):
    for arguments, said in (
        ([explained_post_run("full"), "--user", "a", "--hashtag", "b"], "give --post"),
        ([explained_user_run("audience"), "--post", "1"], "give --user and --hashtag"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["explain", *map(str, arguments), "--out", str(tmp_path / "out")])
        assert stop.value.code == 2 and said in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    run = explained_user_run("engagement")
    with pytest.raises(ArtifactError, match="is a file; give a folder"):
        write_explanation(explain_engagement(run, "user1", "tag2x0"), tmp_path / "file")


def test_without_matplotlib(monkeypatch, explained_user_run, tmp_path, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    run = str(explained_user_run("engagement"))
    given = ["--user", "user1", "--hashtag", "tag2x0", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["explain", run, *given])
    assert stop.value.code == 1
    assert "pip install 'tfhashtag[plots]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
