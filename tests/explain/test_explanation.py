"""Files of explanations: one page with all inside, escaped; figures of any text."""

import html.parser
import json

import numpy as np
import PIL.Image
import pytest

from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.explain.explanation import Bars, Column, Explanation, HeatMap, Items
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
    assert numbers["about"]["post"] == corpus.post_ids[post]
    assert [panel["kind"] for panel in numbers["panels"] if panel["key"] == "regions"] == [
        "Regions"
    ]
    said = "".join(page.words)
    assert "the user's similar posts have it (own_similar)" in said
    for text in (said, (out / "explanation.json").read_text(encoding="utf-8")):
        assert str(explained_posts) not in text and str(out) not in text


@pytest.mark.filterwarnings("error:Glyph")
def test_text_of_any_kind(tmp_path):
    """Whatever a user wrote is shown as text, wherever it stands, on the page and in figures."""
    numbers = [0.5, 0.25]
    panels = [
        Bars(key="bars", title=NASTY, rows=[NASTY] * 2, series={NASTY: numbers}, axis="x"),
        Bars(key="many", rows=[NASTY] * 2, series={NASTY: numbers, "y": numbers}, axis="x"),
        HeatMap(
            key="map",
            title=NASTY,
            note=NASTY,
            rows=[NASTY] * 2,
            columns=[NASTY] * 2,
            values=[numbers] * 2,
            weights=(NASTY, numbers),
        ),
        HeatMap(key="cells", rows=[NASTY] * 2, values=[numbers, []], cells=[[NASTY] * 2, []]),
        Items(
            key="items",
            columns=[
                Column(NASTY, [NASTY, None], "text"),
                Column("name", [NASTY] * 2, "name"),
                Column("words", [[(NASTY, 0.5), (NASTY, None)], []], "words"),
                Column("number", [-1e-9, None]),
            ],
        ),
    ]
    found = Explanation(NASTY, [NASTY], panels, {"user": NASTY}, NASTY)
    found.write(tmp_path)
    page, kept = read(tmp_path)
    assert kept["about"]["user"] == kept["title"] == kept["text"] == NASTY
    assert sum("<script>alert(1)</script>" in words for words in page.words) >= 10
    assert "-0.000" not in "".join(page.words) and "(no word)" in page.words
    assert {path.stem for path in tmp_path.glob("*.png")} == {"bars", "many", "map", "cells"}
    shown = Reader(found._repr_html_())
    assert shown.tags.isdisjoint({"script", "link", "b"}) and len(shown.sources) == 4
    assert repr(found).endswith(": bars, many, map, cells, items>")


@pytest.mark.parametrize("name", ["audience", "engagement"])
def test_pairs_from_the_command_line(explained_user_run, tmp_path, name):
    corpus = Run.open(explained_user_run(name)).corpus
    hashtag = corpus.hashtags[evaluation_episode(corpus, Split.TEST).catalogue[0]]
    given = ["--user", "user1", "--hashtag", f"#{hashtag}", "--out", str(tmp_path)]
    main(["explain", str(explained_user_run(name)), *given])
    page, numbers = read(tmp_path)
    about = numbers["about"]
    assert about["user"] == "user1" and about["hashtag"] == hashtag
    if name == "audience":
        assert "hashtags of people who use it are close to yours: on average" in page.words
        assert "authors_tags_mean" in page.words
    else:
        assert any("<b>" in words for words in page.words)  # of a user, as text
    wanted = "signals.png" if name == "audience" else "attention.png"
    assert (tmp_path / wanted).is_file()


def test_variants_have_the_figures_of_what_they_have(explained_post_run, tmp_path):
    run = Run.open(explained_post_run("plain"))
    run.recommender.explain(run.corpus.post_ids[-1]).write(tmp_path)
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
    with pytest.raises(ArtifactError, match="is a file; give a folder"):
        Explanation("", [], [], {}).write(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"`model` is scorer, which has nothing to explain"):
        Run.open(explained_user_run("scorer")).recommender.explain("user1", "tag2x0")


def test_a_wrong_name_or_place_is_told_before_a_model_is_loaded(
    explained_user_run, tmp_path, capsys, monkeypatch
):
    asked = [explained_user_run("audience"), "--user", "User1", "--hashtag", "tag2x0"]
    monkeypatch.delattr(Run, "recommender")
    monkeypatch.delattr(Run, "answers")
    (tmp_path / "file").touch()
    for command, code, said in (
        (["explain", *asked, "--out", tmp_path / "new"], 1, "`user` 'User1' is not in corpus"),
        (["recommend", *asked[:2], "usr1"], 1, "nearest: user1"),
        (["recommend", *asked[:2], "somebody else"], 1, "nor any like it among its "),
        (["explain", *asked, "--out", tmp_path], 1, "exists already and is not empty"),
        (["explain", *asked, "--out", tmp_path / "why.html"], 2, "expected a folder, which gets"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*map(str, command)])
        told = " ".join(capsys.readouterr().err.split())
        assert stop.value.code == code and said in told, told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_matplotlib(monkeypatch, explained_user_run, tmp_path, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    run = str(explained_user_run("engagement"))
    given = ["--user", "user1", "--hashtag", "tag2x0", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["explain", run, *given])
    assert stop.value.code == 1
    assert "pip install 'tfhashtag[plots]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
