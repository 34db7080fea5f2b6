"""What came of posts, from files of every kind to the corpus and through its changes."""

import json

import numpy as np
import pytest

import tfhashtag as th
from tfhashtag.cli.main import main
from tfhashtag.corpus.editing import join_posts, select_posts
from tfhashtag.corpus.outcomes import outcomes_of
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.statistics import notes_of
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.runs.forget import forget

_NOTE = {
    "id": "n",
    "attributedTo": "ann",
    "content": "x #a",
    "tag": [{"type": "Hashtag", "name": "a"}],
}
_PLAIN = {"user": "ann", "text": "x", "hashtags": ["a"]}
SOURCES = {
    "jsonl": ({**_PLAIN, "likes": 12, "shares": None}, {"likes": 12}),
    "twitter": (
        {"id": "1", "author_id": "2", "text": "x #a", "entities": {"hashtags": [{"tag": "a"}]},
         "public_metrics": {"like_count": 7, "retweet_count": 2, "quote_count": 1, "reply_count": 0,
                            "impression_count": 90}},
        {"likes": 7, "shares": 3, "replies": 0, "views": 90},
    ),
    "twitter page": (
        {"data": [{"id": "1", "author_id": "2", "text": "x #a",
                   "entities": {"hashtags": [{"tag": "a"}]}, "public_metrics": {"like_count": 7}}],
         "includes": {"users": [{"id": "2", "public_metrics": {"followers_count": 500}},
                                {"id": "3"}]}},
        {"likes": 7, "followers": 500},
    ),
    "twitter pages": (
        [{"data": [{"id": "1", "author_id": "2", "text": "x", "public_metrics": {"like_count": 7}}],
          "includes": {"users": [{"id": "2", "public_metrics": {"followers_count": 500}}]}}],
        {"likes": 7, "followers": 500},
    ),
    "twitter v1.1": (
        {"id_str": "1", "full_text": "x #a", "entities": {"hashtags": [{"text": "a"}]},
         "user": {"id_str": "2", "followers_count": 500}, "favorite_count": 7, "retweet_count": 2},
        {"likes": 7, "shares": 2, "followers": 500},
    ),
    "twitter archive": (
        {"tweet": {"id_str": "1", "full_text": "x #a", "entities": {"hashtags": [{"text": "a"}]},
                   "favorite_count": "7", "retweet_count": "2"}},
        {"likes": 7, "shares": 2},
    ),
    "twitter retweet": (
        {"id": "1", "author_id": "2", "text": "RT @x: #a", "entities": {"hashtags": [{"tag": "a"}]},
         "public_metrics": {"retweet_count": 900}, "referenced_tweets": [{"type": "retweeted"}]},
        None,
    ),
    "mastodon": (
        {"id": "1", "content": "x", "tags": [{"name": "a"}], "favourites_count": 4,
         "account": {"acct": "ann", "followers_count": 80}, "reblogs_count": 1, "replies_count": 2},
        {"likes": 4, "shares": 1, "replies": 2, "followers": 80},
    ),
    "mastodon archive": (
        {"actor": "ann", "type": "Create",
         "object": {**_NOTE, "likes": {"totalItems": 3}, "shares": {"totalItems": 0}}},
        {"likes": 3, "shares": 0},
    ),
    "bluesky": (
        {"post": {"uri": "at://ann/1", "author": {"did": "ann"}, "likeCount": 5, "repostCount": 2,
                  "quoteCount": 1, "replyCount": 0, "record": {"text": "x", "tags": ["a"]}}},
        {"likes": 5, "shares": 3, "replies": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
def test_what_came_of_posts_is_read(tmp_path, kind):
    row, expected = SOURCES[kind]
    for name, indent in (("posts.jsonl", None), ("posts.json", 2)):
        if indent and kind == "jsonl":
            continue
        (tmp_path / name).write_text(json.dumps(row, indent=indent) + "\n")
        made = th.import_posts(tmp_path / name, tmp_path / f"of {name}", kind.split()[0])
        found = made.outcomes and {name: int(values[0]) for name, values in made.outcomes.items()}
        assert found == expected


def test_a_broken_page_is_skipped_with_its_authors(tmp_path):
    page = json.dumps(SOURCES["twitter page"][0])
    (tmp_path / "pages.jsonl").write_text(f"{page}\n{{broken\n")
    options = {"skip_bad": True, "tell": lambda line: None}
    made = th.import_posts(tmp_path / "pages.jsonl", tmp_path / "corpus", "twitter", **options)
    assert made.outcomes["followers"].tolist() == [500]


def test_tables_and_cells(tmp_path):
    import pyarrow as pa

    rows = [{"user": "ann", "text": str(i), "hashtags": ["a"], "id": str(i)} for i in range(3)]
    table = pa.Table.from_pylist(rows).append_column("likes", pa.array([1.0, None, 3.0]))
    made = th.import_posts(table, tmp_path / "table")
    assert made.outcomes["likes"].tolist() == [1, -1, 3]
    lines = ["user,text,hashtags,like_count", "ann,x,a,1200", "ann,y,a,nan", "ann,z,a,"]
    (tmp_path / "posts.csv").write_text("\n".join(lines))
    told = []
    th.import_posts(tmp_path / "posts.csv", tmp_path / "unread", tell=told.append)
    assert any("--columns likes=like_count" in line for line in told)
    columns = {"likes": "like_count"}
    made = th.import_posts(tmp_path / "posts.csv", tmp_path / "cells", columns=columns)
    assert made.outcomes["likes"].tolist() == [1200, -1, -1]
    assert "likes: of 33% of posts, median 1,200" in notes_of(made)


@pytest.mark.parametrize(
    "value", ["1.2K", "1,200", "1.000", -1, 1.5, True, [3], float("inf"), 2**70]
)
def test_what_is_no_number_of_people_is_refused(value):
    with pytest.raises(BadPost, match=r"`likes` is .*expected a whole number of at least 0"):
        outcomes_of({"likes": value})


def test_a_bad_outcome_names_line_and_mend(tmp_path, capsys):
    path = tmp_path / "posts.jsonl"
    path.write_text(json.dumps({**_PLAIN, "likes": "many"}) + "\n")
    with pytest.raises(SystemExit):
        main(
            ["data", "import", "jsonl", str(tmp_path / "posts.jsonl"), "--out", str(tmp_path / "c")]
        )
    said = capsys.readouterr().err
    assert (
        "posts.jsonl:1: `likes` is 'many'; expected a whole number" in said and "--skip-bad" in said
    )


def test_columns_follow_the_posts(tmp_path):
    import dataclasses

    plain = synthetic_corpus(40, 4, 0)
    rng = np.random.default_rng(0)
    likes = np.where(rng.random(40) < 0.2, -1, rng.integers(0, 99, 40))
    corpus = dataclasses.replace(plain, outcomes={"likes": likes})
    write_corpus(plain, tmp_path / "plain")
    write_corpus(corpus, tmp_path / "corpus")
    assert read_corpus(tmp_path / "plain").outcomes is None
    assert read_corpus(tmp_path / "corpus").digest != read_corpus(tmp_path / "plain").digest
    order = rng.permutation(40)[:30]
    assert select_posts(corpus, order).outcomes["likes"].tolist() == likes[order].tolist()
    early, late = select_posts(corpus, np.arange(25)), select_posts(plain, np.arange(25, 40))
    joined = join_posts(early, late)
    assert joined.outcomes["likes"].tolist() == [*likes[:25], *[-1] * 15]
    # A user is forgotten: the others keep theirs, and nothing else is left.
    forget(tmp_path / "corpus", user=corpus.users[0])
    left = read_corpus(tmp_path / "corpus")
    kept = corpus.user_of_post != 0
    assert left.outcomes["likes"].tolist() == likes[kept].tolist()


def test_an_update_brings_them(tmp_path):
    write_corpus(synthetic_corpus(200, 20, 0), tmp_path / "corpus")
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    post = {
        "user": "ann",
        "text": "tea",
        "hashtags": ["tea"],
        "timestamp": 1_800_000_000,
        "likes": 9,
    }
    run.update([post])
    assert run.corpus.outcomes["likes"].tolist() == [*[-1] * 200, 9]
