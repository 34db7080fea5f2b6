"""Updates: equal to a run built anew, whole or not at all, gone back from, measured before."""

import dataclasses
import functools
import json
import os
import re
import shutil

import numpy as np
import pytest

import tfhashtag as th
from tfhashtag.corpus import texts
from tfhashtag.corpus.alike_users import ALIKE
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.recognition import examine
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.encoders import load_text_encoder
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.files import exclusive_lock
from tfhashtag.recommenders.registry import model_names, read_vectors, recommender_class
from tfhashtag.runs.answers import Answers
from tfhashtag.runs.drift import at_the_moment, figures_of
from tfhashtag.runs.run import Run
from tfhashtag.runs.status import advice_of, led_to
from tfhashtag.runs.update import _with_id
from tfhashtag.training.checkpoint import load_state

DAY = 86_400


def rows_of(corpus, mark=""):
    """Posts as an import reads them; their ids with a mark before them."""
    return [
        {
            "id": mark + corpus.post_ids[post],
            "user": corpus.users[corpus.user_of_post[post]],
            "text": corpus.messages[corpus.message_of_post[post]],
            "hashtags": [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)],
            **({} if corpus.timestamps is None else {"timestamp": int(corpus.timestamps[post])}),
            **({} if corpus.images is None else {"images": corpus.images[post]}),
        }
        for post in range(len(corpus))
    ]


def later_posts(seed, start, posts=60):
    """Posts of old and new users; a hashtag that is new, and one in another spelling."""
    rows = rows_of(synthetic_corpus(posts, 44, seed))
    for number, row in enumerate(rows):
        row |= {"id": f"{seed}-{number}", "timestamp": start + 60 * number}
        if number % 6 == 0:
            row["hashtags"] = ["brandnew", *row["hashtags"]]
            row["text"] = f"brand {seed} {number} {row['text']}"
    rows[1]["hashtags"] = ["BOOKS"]
    return rows


@pytest.fixture
def run(user_run, tmp_path):
    """A trained run that may be changed, and its end of time."""
    folder = tmp_path / "run"
    shutil.copytree(user_run("engagement").folder, folder)
    return Run.open(folder)


def tree(folder):
    """Every file of a run and its content, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize(
    ("images", "expected"), [((), "ff212dcf207ac68c"), (("a.png",), "15fdc09df2f89a7d")]
)
def test_a_post_without_id_keeps_that_of_earlier_updates(images, expected):
    post = Post(
        "1", "ann", "green tea", ("tea",), timestamp=1_800_000_000, images=images, numbered=True
    )
    assert _with_id(post).id == expected
    several = dataclasses.replace(post, images=("a.png", "b.png"))
    assert _with_id(several).id != _with_id(dataclasses.replace(post, images=("a.pngb.png",))).id


def best_of(run):
    queries = run.task.queries(run.corpus, run.settings.data, Split.TEST, "full")
    return run.recommender.rank(queries).best(10)


@pytest.mark.usefixtures("two_signatures")
def test_ranks_are_those_of_a_run_built_anew(run, user_corpus, tmp_path, monkeypatch):
    end = int(run.corpus.timestamps.max())
    trained, old_rows, weights = run.corpus, rows_of(run.corpus), run.weights
    new = [later_posts(5, end + 60), later_posts(6, end - 40 * 60)]  # the second began before
    new[1] += [{**new[1][2], "id": "same time", "timestamp": end}]
    # The check of exports has its own tests.
    monkeypatch.setattr(Run, "export", functools.partialmethod(Run.export, check=False))
    asked, hashed = ({}, {"export": tmp_path / "models"}), []

    def digests(contents, made=texts.digests_of):
        hashed.extend(contents := list(contents))
        return made(contents)

    monkeypatch.setattr(texts, "digests_of", digests)
    reports = [
        run.update(rows, keep_answers=False, **more) for rows, more in zip(new, asked, strict=True)
    ]
    assert 0 < len(hashed) <= 121 < len(trained.messages), "keys of new texts alone"
    assert reports[1].version == tmp_path / "models" / "1"
    exported, newcomer = Answers(reports[1].version), {"user": run.corpus.users[-1]}
    asked = [run.task.read_query(one, "") for one in ({"history": ["brand brand"]}, newcomer)]
    for rows in run.task.answer(exported, asked, 500, lambda: run.corpus, run.settings):
        assert "brandnew" in [hashtag for hashtag, _ in rows]
    assert [report.state for report in reports] == [1, 2]
    assert reports[0].posts == 60 and reports[0].users > 0 and reports[0].hashtags > 0
    assert 0 < reports[1].encoded <= 2 * 61
    assert "BOOKS" not in run.corpus.hashtags and "brandnew" in run.corpus.hashtags

    source = tmp_path / "all.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in [*old_rows, *new[0], *new[1]]))
    anew = th.import_posts(source, tmp_path / "anew", tell=lambda line: None)
    assert anew.digest == run.corpus.digest == Run.open(run.folder).info["data_digest"]
    for kind in (
        "embeddings",
        "hashtag_embeddings",
    ):  # made in other batches: equal but for rounding
        shutil.copytree(run.place / "data" / kind, tmp_path / "anew" / kind)
    vectors = read_vectors(tmp_path / "anew", anew, run.settings)
    encoded = load_text_encoder(str(user_corpus / "bert")).encode(anew.messages)
    np.testing.assert_allclose(vectors.texts, encoded, atol=1e-5)
    kind = recommender_class(run.settings.model)
    kind.carry(run.settings, trained, vectors, weights, tmp_path / "weights")
    theirs = kind.load(tmp_path / "weights", run.settings, vectors)
    queries = run.task.queries(anew, run.settings.data, Split.TEST, "full")
    assert theirs.rank(queries).best(10) == best_of(run)


@pytest.mark.parametrize("name", ["posts", "nearest"])
def test_posts_are_ranked_as_by_a_run_built_anew(name, post_run, post_corpus, tmp_path):
    """With their pictures; the newest posts are asked about, all before them are known."""
    shutil.copytree(post_run(name).folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    trained, weights, old = run.corpus, run.weights, run.place / "data"
    new = synthetic_posts(posts=40, users=30, seed=1, themes=2, picture_size=24, without_text=0.1)
    write_synthetic_posts(new, tmp_path / "new")
    sources = (trained, post_corpus / "corpus", ""), (new.corpus, tmp_path / "new", "new ")
    rows = [
        {**row, "images": [str(folder / name) for name in row["images"]]}
        for corpus, folder, mark in sources
        for row in rows_of(corpus, mark)
    ]
    images = os.path.commonpath([post_corpus, tmp_path])
    assert run.update(rows[-40:], keep_answers=False, images=images).posts == 40
    assert (run.corpus.split_of_post == Split.TRAIN).all() and len(run.corpus) == 340

    source = tmp_path / "all.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    anew = th.import_posts(source, tmp_path / "anew", images=images, tell=lambda line: None)
    for table in Run.open(run.folder).data.tables:
        shutil.copytree(table, tmp_path / "anew" / table.relative_to(run.place / "data"))
    assert (old / "corpus.json").is_file()
    fresh = np.arange(len(anew)) >= 300
    ranked = []
    kind = recommender_class(run.settings.model)
    for corpus, folder in ((anew, tmp_path / "anew"), (run.corpus, run.place / "data")):
        vectors = read_vectors(folder, corpus, run.settings)
        asked = dataclasses.replace(vectors, corpus=at_the_moment(corpus, fresh))
        kind.carry(run.settings, trained, asked, weights, tmp_path / f"weights of {folder.name}")
        model = kind.load(tmp_path / f"weights of {folder.name}", run.settings, asked)
        queries = run.task.queries(asked.corpus, run.settings.data, Split.TEST)
        assert len(queries) > 20
        ranked.append(model.rank(queries).best(10))
    assert ranked[0] == ranked[1]


def test_training_goes_on_from_where_it_was(run):
    """On new posts and some old ones; before, the model had ranked them as it was."""
    end = int(run.corpus.timestamps.max())
    old = np.load(run.weights / "model.npz")
    fast = run.settings.training.model_copy(update={"learning_rate": 0.02})  # so few lists
    run.settings = run.settings.model_copy(update={"training": fast})
    done = run.update(later_posts(5, end + 60), train=True)
    assert done.trained["new"] > 5 and done.trained["old"] > 5
    line = json.loads((run.folder / "updates.jsonl").read_text())
    assert line["trained"] == done.trained and line["figures"] == done.figures
    new = np.load(run.weights / "model.npz")
    moved = {
        key: np.abs(new[key] - old[key]).max() for key in old.files if old[key].dtype.kind == "f"
    }
    assert max(moved.values()) > 0
    assert all(moved[key] == 0 for key in moved if "standardizer" in key)  # the scales stay
    moment = at_the_moment(run.corpus, run.corpus.timestamps > end)
    values, model = [], run.recommender.model
    for weights in (run.weights, run.folder / "weights"):
        load_state(weights / "model.npz", {"model": model.variables})
        model.shares.assign([1.0, 0.0])  # the networks, which learn; trees stay as they were grown
        found = figures_of(run.task, moment, run.settings.data, run.recommender)
        values.append(found["value"])
    assert values[0] > values[1]  # they have seen them
    run.rollback(0)
    assert np.array_equal(np.load(run.weights / "model.npz")[old.files[0]], old[old.files[0]])


def test_updates_are_told_and_gone_back_from(run):
    end = int(run.corpus.timestamps.max())
    trained, posts = best_of(run), later_posts(5, end + 60)
    figures = run.update(posts, keep_answers=False).figures
    assert figures["metric"] == "MAP" and 0 <= figures["popular"] <= 1 and figures["queries"] > 3
    updated = best_of(run)
    again = run.update(posts)  # all are there
    assert (again.posts, again.there, run.state) == (0, 60, 1)
    run.rollback(0)
    assert run.state == 0 and best_of(Run.open(run.folder)) == trained
    run.rollback(1)
    assert best_of(run) == updated
    with pytest.raises(ConfigError, match="no state 7 to go back to; there are 0, 1"):
        run.rollback(7)
    lines = [json.loads(line) for line in (run.folder / "updates.jsonl").open()]
    assert [(line["event"], line["state"]) for line in lines] == [
        ("update", 1), ("rollback", 0), ("rollback", 1),
    ]  # fmt: skip
    status = run.status()
    assert status.figures[0]["value"] == figures["value"] and status.kept == [0, 1]
    assert "after 6 updates" in status.advice and "MAP before" in status.columns
    assert status.plot(run.folder.parent / "drift.png").read_bytes()[:4] == b"\x89PNG"
    run.update(later_posts(6, end + DAY), keep_states=0, keep_answers=False)
    assert run.status().kept == [0, 2]


def test_what_was_ranked_before_saw_nothing_of_the_new_posts(run):
    """The figures are those of an evaluation in which the new posts are the test split."""
    end = int(run.corpus.timestamps.max())
    old = set(run.corpus.post_ids)
    figures = run.update(later_posts(5, end + 60), keep_answers=False).figures
    corpus = run.corpus
    new = np.array([identity not in old for identity in corpus.post_ids])
    moment = at_the_moment(corpus, new)
    assert (moment.split_of_post[new] == Split.TEST).all()
    assert (moment.split_of_post[~new] == Split.TRAIN).all()
    queries = run.task.queries(moment, run.settings.data, Split.TEST)
    scores = run.recommender.score(queries)
    values = run.task.measure(queries, queries.ranking(scores), (5,))["MAP"]
    asked = np.array([queries.truth.labels[queries.truth.hashtags.row_of_value == row].any()
                      for row in range(len(queries))])  # fmt: skip
    assert figures["value"] == pytest.approx(values[asked].mean(), abs=1e-6)


def test_killed_at_any_point_the_old_run_stays_whole(tmp_path, killed_at):
    """Of a rule, which needs no encoder; what is encoded has its own tests of kills."""
    corpus = synthetic_corpus(300, 20, 0)
    write_corpus(corpus, tmp_path / "corpus")
    th.train("popular", tmp_path / "corpus", tmp_path / "trained")
    rows = later_posts(5, int(corpus.timestamps.max()) + 60)
    folder, seen = tmp_path / "run", set()
    for point in range(1, 60):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "trained", folder)
        before = tree(folder)
        killed = killed_at(point, lambda: Run.open(folder).update(rows))
        state = Run.open(folder).state
        seen.add((killed, state))
        if not killed:
            break
        if state == 0:
            found = tree(folder)
            assert {name: found.get(name) for name in before} == before, point
        run = Run.open(folder)
        assert (run.update(rows).posts, len(run.corpus)) == (0 if state else 60, 360)
        assert [path.name for path in (folder / "states").iterdir()] == ["1"]
        assert len(run.status()) == 1
    assert seen == {(True, 0), (True, 1), (False, 1)}


def test_what_cannot_be_updated_says_what_to_do(run, explained_user_run):
    with exclusive_lock(run.folder, ""), pytest.raises(ArtifactError, match="wait for its end"):
        run.update([{"user": "ann", "text": "tea", "hashtags": ["tea"]}])
    with pytest.raises(
        DataError, match="the new posts have no times and those of the corpus have some"
    ):
        run.update([{"user": "ann", "text": "tea", "hashtags": ["tea"]}])
    with pytest.raises(ConfigError, match="scorer, which has no weights that training could go on"):
        Run.open(explained_user_run("scorer")).update([], train=True)
    with pytest.raises(ConfigError, match="cannot encode new texts"):
        Run.open(explained_user_run("audience")).update([])
    with pytest.raises(ConfigError, match="cannot take in posts without training"):
        Run.open(explained_user_run("engagement")).update([])
    able = [name for name in model_names() if recommender_class(name).can_update]
    assert {"audience", "post_ranker", "scorer", "post_rule"} <= set(able)
    assert not {"phr", "macon", "collaborative", "lambdamart", "engagement"} & set(able)


def test_what_was_rolled_back_is_no_figure():
    lines = [
        {"event": event, "state": state, "from": before}
        for event, state, before in (
            ("update", 1, 0), ("update", 2, 1), ("rollback", 1, 2), ("update", 3, 1),
        )
    ]  # fmt: skip
    assert led_to(3, lines) == {0, 1, 3} and led_to(0, lines) == {0}


def test_advice_is_by_more_than_chance():
    def figures(*gains):
        return [{"queries": 50, "gain": gain, "gain_error": 0.02} for gain in gains]

    assert "within chance" in advice_of(figures(0.2, 0.2, 0.2, 0.19, 0.18, 0.18))
    assert advice_of(figures(0.2, 0.2, 0.2, 0.1, 0.1, 0.1)).startswith("training again would")
    assert "rose from" in advice_of(figures(0.1, 0.1, 0.1, 0.2, 0.2, 0.2))


def test_posts_without_ids_are_known_by_what_they_say(tmp_path):
    """Also those of the import, so that a file that has grown can be given again."""
    rows = [{**row, "id": None} for row in rows_of(synthetic_corpus(320, 20, 0))]
    rows[0]["hashtags"] = [tag.upper() for tag in rows[0]["hashtags"]]
    told = []
    th.import_posts(rows[:300], tmp_path / "corpus", tell=told.append)
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    done = run.update(rows)
    assert (done.posts, done.there, len(run.corpus)) == (20, 300, 320)
    other = {**rows[0], "id": "7", "text": "of another source, which numbers from one, too"}
    assert run.update([other], tell=told.append).there == 1
    assert any("differ from the one of their id that is there: 1" in line for line in told)
    name = run.corpus.users[3].upper()
    run.update([{**other, "id": "new", "user": name}], tell=told.append)
    assert any(f"{ALIKE}: 1, first `{name.lower()}` and `{name}`" in line for line in told)


def test_posts_are_read_as_at_the_import(tmp_path):
    def lines(path, rows):
        names = {"user": "who", "timestamp": "when"}
        rows = [{names.get(name, name): value for name, value in row.items()} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    rows = rows_of(synthetic_corpus(300, 20, 0))
    for row in rows:
        row["timestamp"] *= 1000
        row["text"] += f" #{row['hashtags'][0]}" if row["hashtags"] else ""
    said = {
        "columns": {"user": "who", "timestamp": "when"}, "time_unit": "ms", "keep_spelling": True,
        "hashtags_from": "text", "keep_hashtags_in_text": True, "drop_duplicates": True,
        "drop_retweets": True, "text_format": "plain", "frames": 2,
    }  # fmt: skip
    first = lines(tmp_path / "first.jsonl", rows[:280])
    th.import_posts(first, tmp_path / "corpus", tell=str, **said)
    run, told = th.train("popular", tmp_path / "corpus", tmp_path / "run"), []
    new = [
        {**row, "hashtags": ["unread"], "text": f"<b>{row['text']}</b> #TEA"} for row in rows[280:]
    ]
    repeat = {**rows[0], "id": "again"}
    retweet = {**new[0], "id": "rt", "text": "RT @ann: #tea"}
    late = lines(tmp_path / "late.jsonl", [*new, repeat, retweet])
    assert run.update(late, tell=told.append).posts == 20
    assert "as at the import: " in told[0] and "--columns user=who,timestamp=when" in told[0]
    place = run.corpus.post_ids.index(new[0]["id"])
    assert run.corpus.messages[run.corpus.message_of_post[place]] == new[0]["text"]
    tags = [run.corpus.hashtags[tag] for tag in run.corpus.hashtags_of_post(place)]
    assert tags[-1] == "TEA" and "unread" not in run.corpus.hashtags
    assert int(run.corpus.timestamps[place]) == new[0]["timestamp"] // 1000
    by_hand = {"user": "ann", "text": "<i>x</i> #Tea", "timestamp": 1_800_000_000}
    run.update([by_hand])  # columns and units are of the file
    assert run.corpus.timestamps.max() == 1_800_000_000 and "<i>x</i> #Tea" in run.corpus.messages
    for name, value in (("hashtags_from", "field"), ("frames", 3)):
        with pytest.raises(ConfigError, match=r"imported --\S+ \w+, .* found --\S+ \w+. Leave it"):
            run.update(late, **{name: value})
    assert th.forget(run.folder, user="ann").posts == 1  # and what was said stays known
    with pytest.raises(ConfigError, match=r"--hashtags-from text, .* found --hashtags-from auto"):
        th.load(run.folder).update(late, hashtags_from="auto")
    th.import_posts(rows[:280], tmp_path / "plain", tell=str, images=tmp_path)
    plain = th.train("popular", tmp_path / "plain", tmp_path / "other")
    with pytest.raises(ConfigError, match="imported without --keep-spelling, and all"):
        plain.update(late, keep_spelling=True)


def test_what_was_said_of_other_files_is_said_anew(tmp_path):
    """Whose posts they are and the unit of times; what `auto` has decided may be said."""
    texts = [f"good #tea number {number} #milk" for number in range(60)]
    rows = [{"text": text, "timestamp": 1_700_000_000 + n} for n, text in enumerate(texts)]

    def lines(name, rows, unit=1):
        rows = [{**row, "timestamp": row["timestamp"] * unit} for row in rows]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    first = lines("first.jsonl", rows[:50], 1000)
    th.import_posts(first, tmp_path / "corpus", tell=str, time_unit="ms", user="ann")
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    late = lines("late.jsonl", rows[50:])
    with pytest.raises(ConfigError, match="imported --user ann; say who wrote these: --user NAME"):
        run.update(late)
    with pytest.raises(ConfigError, match=r"late.jsonl: times look like s, .*: --time-unit s\.$"):
        run.update(late, user="bob")
    with pytest.raises(ConfigError, match="found --hashtags-from field"):
        run.update(late, user="bob", hashtags_from="field")
    assert th.forget(run.folder, post="1").posts == 1  # and what was decided stays known
    run = Run.open(run.folder)
    assert run.update(late, user="bob", time_unit="s", hashtags_from="text").posts == 10
    assert run.corpus.timestamps.min() == 1_700_000_001 and run.corpus.users == ["ann", "bob"]


def test_a_table_is_updated_by_a_table_as_it_was_imported(tmp_path):
    rows = [{"who": "ann", "text": f"a {n}", "hashtags": ["tea"], "id": str(n)} for n in range(60)]
    th.import_posts(rows[:50], tmp_path / "corpus", tell=str, columns={"user": "who"})
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    assert run.update(rows).posts == 10


def test_a_corpus_whose_ids_were_hashed_otherwise_is_imported_anew(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    source = {"format": "table", "hashed_users": UserHashes(key).proof}
    write_corpus(synthetic_corpus(300, 20, 0), tmp_path / "corpus", source=source)
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    with pytest.raises(
        ConfigError, match=r"hashed by an earlier version, .* Import all posts anew"
    ):
        run.update(rows_of(synthetic_corpus(20, 20, 1)), hash_users=key)


def test_what_is_no_file_of_posts_is_called_by_its_name(tmp_path):
    write_corpus(synthetic_corpus(300, 20, 0), tmp_path / "corpus")
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run")
    for path, found in (
        (run.folder, "found a run; .*tfhashtag status"),
        (tmp_path / "corpus", "found a corpus, whose posts are imported: `tfhashtag data stats"),
        (tmp_path / "corpus" / "posts.parquet", "found a corpus"),
        (run.folder / "data", "found a corpus"),
    ):
        with pytest.raises(
            DataError, match=f"{path}: expected a file or a folder of posts; {found}"
        ):
            run.update(path)
        with pytest.raises(DataError, match=found):
            examine(path)
        assert re.search(found, examine(path, "parquet").error)
    with pytest.raises(ArtifactError, match=r"a corpus; expected a run\. Make one of it"):
        Run.open(tmp_path / "corpus")
    with pytest.raises(
        ArtifactError, match=r"It is a run, whose corpus as it was trained is .*data"
    ):
        th.read_corpus(run.folder)
