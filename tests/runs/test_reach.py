"""Reach of runs: the trade-off, recommendations that weigh it, and what stands in the way."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfhashtag as th
from tests.fixtures.commands import call
from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, source_of, write_corpus, write_posts
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.reach.blend import POOL
from tfhashtag.runs.reach import FILE, Moment, Pools, known_reach
from tfhashtag.runs.recommendation import recommend_file
from tfhashtag.runs.run import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    main(["data", "synth", "--reach", "--posts", "4000", "--users", "120",
          "--out", str(folder / "corpus")])  # fmt: skip
    for name in ("popular", "post_popularity"):
        th.train(name, folder / "corpus", folder / name)
    write_corpus(synthetic_corpus(300, 20, 0), folder / "bare")
    th.train("popular", folder / "bare", folder / "without")
    return folder


@pytest.mark.parametrize("name", ["popular", "post_popularity"])
def test_fit_is_given_for_reach(folder, name, tmp_path):
    run = th.load(folder / name)
    found = run.reach(out=tmp_path, weights=(0, 0.3, 1))
    rows = found.result["weights"]
    assert json.loads((tmp_path / "reach.json").read_text()) == found.result
    assert rows[0]["value"] > 0
    assert rows[0]["expected"] <= rows[1]["expected"] <= rows[2]["expected"]
    assert all(row["low"] < row["estimate"] < row["high"] for row in rows)
    if name == "post_popularity":  # the figure of an evaluation, at weight 0
        metrics = run.evaluate(out=tmp_path).result["metrics"]
        assert rows[0]["value"] == pytest.approx(metrics["HitRate@5"])
    else:
        values = run.evaluate(out=tmp_path, protocol="full").result["averages"]
        assert rows[0]["value"] == pytest.approx(values["answerable"]["MAP"])
    truth = json.loads((folder / "corpus" / "truth.json").read_text())["effects"]
    first = [row["hashtag"] for row in found.hashtags[:5]]
    assert all(truth[hashtag] == 0.4 for hashtag in first)
    assert found.plot(tmp_path / "reach.svg").read_text().count("<svg") == 1
    with pytest.raises(ConfigError, match=r"expected a name that ends with .png or .svg"):
        found.plot(tmp_path / "reach.txt")
    with pytest.raises(DataError, match="is a file; `--out` takes a folder"):
        run.reach(out=tmp_path / "reach.json")


def test_what_people_chose_says_what_is_true(folder, tmp_path):
    """The first five add 0.4 or nothing; the interval holds it, the mean of posts does not."""
    found = th.load(folder / "post_popularity").reach(out=tmp_path, weights=[1.0]).result
    row = found["weights"][0]
    assert 0 < row["low"] < 0.4 < row["high"] < 0.9 and row["effective"] > 10
    assert abs(found["calibration"]["slope"] - 1) < 3 * found["calibration"]["slope_error"] < 0.8
    by_mean = sorted(found["hashtags"], key=lambda each: -each["mean"])
    assert all(each["hashtag"].endswith("fame") for each in by_mean[:5])


def test_the_command(folder, tmp_path, capsys):
    code, out, err = call(capsys, "reach", folder / "popular", "--weights", "0,1", "--k", 2,
                          "--out", tmp_path, "--plot", tmp_path / "reach.png")  # fmt: skip
    assert code == 0, err
    assert "Fit and reach: test" in out and "slope" in out and "craft" in out
    assert (tmp_path / "reach.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = call(capsys, "reach", folder / "popular", "--weights", "0.5", "--json",
                        "--out", tmp_path)  # fmt: skip
    assert code == 0 and json.loads(out)["metric"] == "MAP"


@pytest.mark.parametrize(
    "name, options, code, told",
    [
        ("without", (), 1, "say nothing of what came of them; import them with one of likes"),
        ("popular", ("--weights", "0,2"), 2, "expected numbers from 0 to 1 with commas between"),
        ("popular", ("--clip", "0"), 2, "0"),
        ("nowhere", (), 1, "no such run folder"),
    ],
)
def test_what_stands_in_the_way_is_one_clear_line(folder, capsys, name, options, code, told):
    found, _, err = call(capsys, "reach", folder / name, *options)
    assert found == code and told in err and "Traceback" not in err
    assert len(err.strip().splitlines()) <= (2 if code == 1 else 4)


def test_what_cannot_be_asked_is_refused_without_tensorflow(folder, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"history": ["tea"]}\n')
    asked = """
import sys, tfhashtag as th
from tfhashtag.errors import ConfigError
users, posts = th.load("popular"), th.load("post_popularity")
for ask in (
    lambda: users.recommend(history=["tea"]), lambda: posts.recommend(text="tea"),
    lambda: th.recommend(users, sys.argv[1], sys.argv[2]), lambda: users.export(sys.argv[2]),
):
    try:
        ask()
    except ConfigError as error:
        print("ranks the lists of evaluations alone" in str(error))
print("tensorflow" in sys.modules)
"""
    command = [sys.executable, "-c", asked, tmp_path / "q.jsonl", tmp_path / "a.jsonl"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True"] * 4 + ["False"]


def test_a_split_that_asks_nothing_is_told(folder):
    run = th.load(folder / "popular")
    moment = Moment.of(run)
    nobody = np.zeros(0, np.int32)
    corpus = dataclasses.replace(moment.corpus, evaluation_users=nobody)
    moment = dataclasses.replace(moment, data=dataclasses.replace(moment.data, corpus=corpus))
    with pytest.raises(DataError, match="no user of the valid split has anything to be ranked for"):
        Pools.ranked(run, moment, Split.VALID, 10, 0)


def with_outcomes(run, folder, lifted):
    """A copy of a trained run whose posts reach as many as chance will have, and more with some."""
    assert run.answers  # kept from here on, for copies, too
    shutil.copytree(run.folder, folder)
    for kept in (folder / "weights").glob("similar_*"):  # of the posts before
        shutil.rmtree(kept)
    corpus = read_corpus(folder / "data")
    rng = np.random.default_rng(0)
    posts, tags = corpus.taggings()
    level = rng.normal(5, 0.3, len(corpus))
    np.add.at(level, posts, np.isin(np.array(corpus.hashtags)[tags], lifted) * 1.0)
    corpus = dataclasses.replace(corpus, outcomes={"likes": np.exp(level).astype(np.int64)})
    digest = write_posts(corpus, folder / "data", source_of(folder / "data") or None)
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "data_digest": digest}))
    return Run.open(folder)


def check_fits(run):
    """What is told of posts of the corpus is what was learned by, and a probability.

    The servable answers shares of a softmax, the recommender scores logits.
    """
    moment, blend = Moment.of(run), known_reach(run).blend
    pools = Pools.ranked(run, moment, Split.VALID, 500, 0)
    corpus, there = moment.corpus, pools.place >= 0
    fits = blend.probability(pools.scores)
    for row in (0, 5):
        post = pools.queries.posts[row]
        text = corpus.messages[corpus.message_of_post[post]]
        user = corpus.users[corpus.user_of_post[post]]
        told = run.recommend(text=text, user=user, k=100, reach=0.3)
        found = {one["hashtag"]: one["fit"] for one in told}
        names = [corpus.hashtags[tag] for tag in pools.hashtags[row][there[row]]]
        assert set(names) == set(found) and len(names) > 5
        np.testing.assert_allclose(
            [found[each] for each in names], fits[row][there[row]], rtol=1e-3
        )
    assert fits[there].sum() == pytest.approx(pools.labels()[there].sum(), rel=0.02)


@pytest.mark.parametrize("name", ["engagement", "text"])
def test_recommendations_weigh_reach(name, user_run, post_run, tmp_path):
    trained = user_run(name) if name == "engagement" else post_run(name)
    counts = np.bincount(trained.corpus.hashtag_values)
    lifted = [trained.corpus.hashtags[tag] for tag in np.argsort(-counts)[:6]]
    run = with_outcomes(trained, tmp_path / "run", lifted)
    asked = {"user": run.corpus.users[0]}
    if name != "engagement":
        asked["text"] = run.corpus.messages[0]
    plain = run.recommend(**asked, k=100).rows
    assert run.recommend(**asked, k=100, reach=0).rows == plain
    assert not (run.place / FILE).exists()
    found = run.recommend(**asked, k=100, reach=1.0)
    assert {row["hashtag"] for row in found} == {row["hashtag"] for row in plain}
    assert sum(row["score"] for row in found) == pytest.approx(1)
    reach = [row["reach"] for row in found]
    assert reach == sorted(reach, reverse=True)
    there = [row["hashtag"] for row in plain if row["hashtag"] in lifted]
    assert {row["hashtag"] for row in found[: len(there)]} == set(there) and there
    assert reach[0] > 1.5
    # Fit keeps its order, and is a probability.
    fits = {row["hashtag"]: row["fit"] for row in found}
    ordered = [fits[row["hashtag"]] for row in plain]
    assert np.all(np.diff(ordered) <= 1e-9) and 0 < ordered[-1] <= ordered[0] < 1
    # A file of questions is answered so, too; what was learned is kept, and read again.
    kept = (run.place / FILE).read_bytes()
    assert np.isfinite(list(json.loads(kept)["blend"].values())).all()
    (tmp_path / "q.jsonl").write_text(json.dumps(asked) + "\n")
    recommend_file(run, tmp_path / "q.jsonl", tmp_path / "answers.jsonl", 100, reach=1.0)
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["hashtag"] for row in answers] == [row["hashtag"] for row in found]
    assert (run.place / FILE).read_bytes() == kept
    if name == "text":
        check_fits(run)
    # Other processes find it where they look: it is learned, and kept, before questions go out.
    (run.place / FILE).unlink()
    before = []

    def each(work, items):
        before.append((run.place / FILE).read_bytes())
        yield 0, []

    again = Run.open(run.folder)
    recommend_file(again, tmp_path / "q.jsonl", tmp_path / "no.jsonl", 5, reach=1.0, each=each)
    assert before == [kept]
    assert known_reach(Run.open(run.folder)) == known_reach(run)
    for weight in (-0.1, 1.5):
        with pytest.raises(ConfigError, match="`reach` must lie between 0"):
            run.recommend(**asked, reach=weight)


def test_hashtags_that_are_no_candidates_have_no_say(post_run, tmp_path):
    """Their scores, near -1000, are no logits, also where such a hashtag is right."""
    trained = post_run("posts")
    run = with_outcomes(trained, tmp_path / "run", trained.corpus.hashtags[:6])
    found = run.reach(out=tmp_path, weights=(0, 0.5, 1)).result
    assert np.isfinite([list(row.values()) for row in found["weights"]]).all()
    moment = Moment.of(run)
    pools = Pools.ranked(run, moment, Split.VALID, 500, 0)
    there, labels = pools.place >= 0, len(pools.queries.labels)
    assert (
        np.array_equal(there, np.isfinite(pools.scores)) and there.sum() < there.shape[0] * labels
    )
    right = pools.ranking.lists.labels > 0
    assert right.sum() > pools.labels().sum()  # some are right
    assert found["chosen"]["exchange"] > 0 and found["chosen"]["scale"] > 0.1
    known = known_reach(run)
    effects = dict(zip(("a", "b", "c"), (0.0, 0.2, 9.0), strict=True))
    rows = dataclasses.replace(known, effects=effects).reordered(
        [("a", -1.0), ("b", -1.5), ("c", -np.inf)], 3, 1.0
    )
    assert [row["hashtag"] for row in rows] == ["b", "a", "c"]
    assert rows[2]["score"] == rows[2]["fit"] == 0 < rows[1]["score"]
    metrics = run.evaluate(out=tmp_path).result["metrics"]
    assert found["weights"][0]["value"] == pytest.approx(metrics["HitRate@5"])


def test_the_best_fitting_alone_are_reordered(folder):
    known = dataclasses.replace(known_reach(th.load(folder / "popular")), effects={"h150": 9.0})
    rows = [(f"h{place}", -place / 50) for place in range(200)]
    few, many = (known.reordered(rows[:most], most, 1.0) for most in (POOL, 200))
    assert many[:POOL] == few
    assert [row["hashtag"] for row in many[POOL:]] == [name for name, _ in rows[POOL:]]
    assert {row["score"] for row in many[POOL:]} == {0.0} and many[150]["reach"] > 1000


def test_without_valid_posts_the_newest_train_posts_stand_for_them(folder):
    run = th.load(folder / "popular")
    splits = run.corpus.split_of_post
    bare = dataclasses.replace(
        run.corpus, split_of_post=np.where(splits == Split.VALID, Split.TRAIN, splits)
    )
    vars(run).update(corpus=bare, data=dataclasses.replace(run.data, corpus=bare))
    found = Moment.of(run).corpus.split_of_post
    assert np.array_equal(found == Split.TEST, splits == Split.TEST)
    known = np.flatnonzero(splits != Split.TEST)
    assert np.flatnonzero(found == Split.VALID).tolist() == known[len(known) * 9 // 10 :].tolist()


def test_what_cannot_be_kept_is_learned_all_the_same(folder, tmp_path):
    shutil.copytree(folder / "popular", tmp_path / "run")
    expected = known_reach(Run.open(tmp_path / "run"))
    (tmp_path / "run" / FILE).unlink()
    (tmp_path / "view").mkdir()
    mount = ["mount", "--bind", "-o", "ro", str(tmp_path / "run"), str(tmp_path / "view")]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a folder read-only")
    try:
        assert known_reach(Run.open(tmp_path / "view")) == expected
        assert not (tmp_path / "run" / FILE).exists()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "view")], check=True)


def test_recommend_says_what_is_missing(user_run, tmp_path, capsys):
    run = user_run("engagement")
    user = run.corpus.users[0]
    with pytest.raises(DataError, match="say nothing of what came of them"):
        run.recommend(user=user, reach=0.3)
    code, _, err = call(capsys, "recommend", run.folder, "--user", user, "--reach", "0.3")
    assert code == 1 and "import them with one of likes" in err and len(err.splitlines()) == 1
    code, _, err = call(capsys, "recommend", run.folder, "--user", user, "--reach", "3")
    assert code == 2 and "0<=x<=1" in err


def test_what_is_known_follows_the_posts(folder, tmp_path):
    """After an update nobody's posts are valid any more: the newest tenth stands for them."""
    shutil.copytree(folder / "post_popularity", tmp_path / "run")
    run = Run.open(tmp_path / "run")
    before = known_reach(run)
    last = int(run.corpus.timestamps.max())
    rows = [
        {"user": f"user{i % 120:04d}", "text": f"new {i}", "hashtags": ["brandnew"], "likes": 9999,
         "id": f"new {i}", "timestamp": last + i}
        for i in range(60)
    ]  # fmt: skip
    run.update(rows)
    assert known_reach(run).effects["brandnew"] > 0.1 and "brandnew" not in before.effects
    assert (tmp_path / "run" / "states" / "1" / FILE).is_file()
    # No post is a test post any more; those that stand for valid ones can be told of.
    with pytest.raises(DataError, match=r"0 posts of the test split carry outcomes.*`--split`"):
        run.reach(out=tmp_path)
    rows = run.reach(split="valid", out=tmp_path, weights=[0.5]).result["weights"]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    (run.place / FILE).write_text("{}")
    with pytest.raises(ArtifactError, match="Delete it, and it is learned anew"):
        known_reach(Run.open(run.folder))
    th.forget(tmp_path / "run", user="user0000")
    left = sorted(path.name for path in (tmp_path / "run").rglob(FILE))
    assert left == []  # of the posts as they were; the next question learns it anew
    with pytest.raises(DataError, match="0 posts of the test split carry outcomes"):
        Run.open(tmp_path / "run").reach()
