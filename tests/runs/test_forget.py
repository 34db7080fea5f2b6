"""Forgetting: no byte is left on disk, whole or untouched when killed, and what stays works."""

import contextlib
import itertools
import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

import tfhashtag as th
from tests.runs.test_update import later_posts, rows_of, tree
from tfhashtag.corpus.alike_users import ALIKE
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.encoders.corpus_without import write_without
from tfhashtag.encoders.vector_cache import load_proposals
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.files import exchange, exclusive_lock, write_json
from tfhashtag.runs.copies import exports_of, note_export, of_before
from tfhashtag.runs.retraining import begin_queued, queued_since
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

NAME = "zoë.quillfeather"
NOT_EXPORTED = shutil.ignore_patterns("exports.jsonl")  # of the shared run, by other tests


@pytest.fixture(scope="module")
def peopled(user_run, tmp_path_factory):
    """A run with two updates in which somebody of an odd name wrote odd things."""
    folder = tmp_path_factory.mktemp("forget") / "run"
    shutil.copytree(user_run("engagement").folder, folder, ignore=NOT_EXPORTED)
    run = Run.open(folder)
    start = int(run.corpus.timestamps.max()) + 60
    for seed in (5, 6):
        rows = later_posts(seed, start + 10_000 * seed)
        for number in (3, 8, 20):
            tags = [*rows[number]["hashtags"], "quillish"]
            text = f"unheard-of matter {seed} {number} qqxyz"
            rows[number] |= {"user": NAME, "text": text, "hashtags": tags}
        rows[30]["text"] = f"thanks @{NAME} for it {seed}"
        run.update(rows, keep_answers=seed == 6)
    (folder / "run.trec").write_text(f"{NAME} Q0 tea 1 0.5 tfhashtag\n")
    write_json(
        folder / "tracking.json",
        {"mlflow:there": {"run": {"key": "abc"}}, "tensorboard": {"run": {"key": "x"}}},
    )
    (folder / "tensorboard" / "metadata.tsv").write_text("hashtag\ttrain posts\nquillish\t1\n")
    (folder / "why").mkdir()
    (folder / "why" / "explanation.html").write_text(f"<p>{NAME}</p>")
    run.rollback(1)
    return folder


@pytest.fixture
def run(peopled, tmp_path):
    shutil.copytree(peopled, tmp_path / "run")
    return Run.open(tmp_path / "run")


def what_was_written(run):
    """Bytes that only that user brought: name, texts, vectors of them, hashtags, hashes."""
    corpus, found = run.corpus, [NAME.encode(), b"qqxyz", b"quillish"]
    user = corpus.users.index(NAME)
    messages = np.unique(corpus.message_of_post[corpus.user_of_post == user])
    found += [np.asarray(run.data.texts[message]).tobytes() for message in messages]
    for table in run.data.tables[:1]:
        found += [key.tobytes() for key in np.load(table / "keys.npy")[messages]]
    return found


def every_byte(folder):
    """Each file with its bytes, and of Parquet also what is in it, unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
            if path.suffix == ".parquet":
                text = json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False)
                yield path, text.encode()


def left(folder, needles):
    return [
        (path, needle[:20])
        for path, content in every_byte(folder)
        for needle in needles
        if needle in content
    ]


@pytest.mark.usefixtures("two_signatures")
def test_no_byte_of_a_user_is_left(run, tmp_path):
    needles = what_was_written(run)
    assert {path.name for path, _ in left(run.folder, needles)} >= {
        "posts.parquet", "vectors.npy", "keys.npy", "run.trec", "explanation.html", "corpus.json",
    }  # fmt: skip
    others = [row for row in rows_of(run.corpus) if row["user"] != NAME]
    link = tmp_path / "link"
    link.symlink_to(run.folder)
    models = tmp_path / "models" / "now"
    run.export(models, k=3, check=False)
    done = th.forget(link, user=NAME, mentions=True, copies=True)
    assert f"exported anew: {models / '2'}" in done.told
    assert [entry.name for entry in models.iterdir() if entry.name != ".lock"] == ["2"]
    lines = (run.folder / "exports.jsonl").read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [str(models / "2")]
    assert link.readlink() == run.folder and list((run.folder / "tensorboard").rglob("*tfevents*"))
    assert (done.posts, done.users, done.hashtags, done.mentions) == (4, 1, 1, 0)
    kept_answers = {"servable"}  # in the shared run if it was asked before
    assert set(done.removed) - kept_answers == {"checkpoints", "run.trec", "why"}
    assert any("--retrain" in line for line in done.told)
    assert any("was told to mlflow:there" in line and "abc" in line for line in done.told)
    assert (run.folder / "tracking.json").is_file()  # as long as it is there it is to be said
    assert left(tmp_path, needles) == []
    again = Run.open(run.folder)
    assert again.state == 1 and again.status().kept == [0, 1, 2]
    kept = [row for row in others if f"@{NAME}" not in row["text"]]
    assert rows_of(again.corpus) == kept
    queries = again.task.queries(again.corpus, again.settings.data, Split.TEST)
    assert np.isfinite(again.recommender.score(queries)).all()
    again.rollback(2)
    assert left(tmp_path, needles) == []


def made_run(folder, model):
    write_corpus(synthetic_corpus(200, 10, 0), folder / "corpus")
    options = TrainingOptions(progress=False)
    return train(model, folder / "corpus", folder / "run", options=options)


def trained_anew(run, **how):
    """What `tfhashtag train run/config.yaml --out run --resume` does."""
    options = TrainingOptions(progress=False, **how)
    return train(run.folder / "config.yaml", None, run.folder, resume=True, options=options)


def test_weights_that_are_of_the_users_wait_for_their_training(tmp_path):
    run = made_run(tmp_path, "cf")
    of_users, name = len(run.corpus.users), run.corpus.users[0]
    # As by three workers from prepared lists, which are not there any more.
    run.info["options"] |= {"strategy": "multi_worker", "workers": 3, "prepared": True}
    write_json(run.folder / "run.json", run.info)
    write_json(
        run.folder / "tracking.json", {"mlflow:there": {"run": {"key": "abc", "model": True}}}
    )
    told = "the run waits for its training. Go on with `tfhashtag train"
    for wish in ({"user": name}, {"retrain": True}):  # the second asks for what is to come anyhow
        assert any(line.startswith(told) for line in th.forget(run.folder, **wish).told)
    again = Run.open(run.folder)
    assert not again.complete and again.status().training.startswith(told)
    assert again.info["options"]["strategy"] == "none" and not again.info["options"]["prepared"]
    again = trained_anew(again)
    assert again.state == 0 and len(again.corpus.users) == of_users - 1
    queries = again.task.queries(again.corpus, again.settings.data, Split.TEST)
    assert np.isfinite(again.recommender.score(queries)).all() and not again.status().training
    done = th.forget(run.folder, user=again.corpus.users[0])
    assert any("was told to mlflow:there" in line and "abc" in line for line in done.told)


def test_training_anew_is_queued_and_begun_by_resume(tmp_path):
    run = made_run(tmp_path, "popular")
    run.update([{"user": "ann", "text": "tea", "hashtags": ["tea"], "timestamp": 2_000_000_000}])
    name, models = run.corpus.users[0], tmp_path / "models" / "1"
    models.mkdir(parents=True)
    (models / "saved_model.pb").write_bytes(b"of the weights of before")
    assert th.forget(run.folder, user=name).posts and not Run.open(run.folder).status().training
    with pytest.raises(DataError, match=r"no post of user 'typo' .*\. `retrain` alone queues"):
        th.forget(run.folder, user="typo", retrain=True)
    weights = tree(run.folder / "weights")
    for user in (None, run.corpus.users[1]):  # for what went before, and again
        done = th.forget(run.folder, user=user, retrain=True)
        (line,) = [line for line in done.told if line.startswith("training anew is queued since")]
        waits = Run.open(run.folder)
        assert waits.complete and waits.status().training == line and waits.state == 1
        assert tree(run.folder / "weights") == weights and "--resume" in line
        since = waits.info["training_queued"]
        write_json(
            run.folder / "run.json", {**waits.info, "training_queued": since.replace("20", "19", 1)}
        )
    note_export(waits, models, {"k": 3})
    queries = waits.task.queries(waits.corpus, waits.settings.data, Split.TEST)
    assert np.isfinite(waits.recommender.score(queries)).all(), "it answers until then"
    with pytest.raises(ConfigError, match=r"lists of the posts before\. Leave `--prepared` out"):
        trained_anew(waits, prepared=str(tmp_path))
    again = trained_anew(waits)
    assert again.complete and again.state == 0 and len(again.corpus.users) == 9
    assert not again.status().training and "ann" in again.corpus.users
    assert [row["event"] for row in again.status().rows] == ["retrain"]
    before = tree(run.folder)
    trained_anew(again)  # nothing is queued: a rule of every night may call it
    assert tree(run.folder) == before
    assert [one.version for one in of_before(again, exports_of(run.folder))] == [models]
    with pytest.raises(DataError, match="no post was taken out since"):
        th.forget(run.folder, retrain=True)


def test_a_queued_training_that_is_killed_as_it_begins_is_queued_or_waits(tmp_path, killed_at):
    made = made_run(tmp_path / "made", "popular")
    name, seen = made.corpus.users[0], set()
    th.forget(made.folder, user=name, retrain=True)
    for point in itertools.count(1):
        shutil.rmtree(tmp_path / "one", ignore_errors=True)
        shutil.copytree(made.folder, tmp_path / "one" / "run")
        run = Run.open(tmp_path / "one" / "run")
        killed = killed_at(point, lambda run=run: begin_queued(run, TrainingOptions()))
        now = Run.open(run.folder)
        seen.add((killed, queued_since(now) is not None, now.complete))
        assert len(now.corpus.users) == 9
        if not killed:
            break
        assert trained_anew(now).complete
        assert [path.name for path in run.folder.parent.iterdir()] == ["run"]
    assert seen == {(True, True, True), (True, False, False), (False, False, False)}


def test_vectors_stay_with_their_texts(run):
    before = dict(zip(run.corpus.messages, np.asarray(run.data.texts), strict=True))
    done = th.forget(run.folder, post="5-8")
    assert done.posts == 1 and done.users == 0
    again = Run.open(run.folder)
    for message, vector in zip(again.corpus.messages, np.asarray(again.data.texts), strict=True):
        np.testing.assert_array_equal(vector, before[message])
    assert "5-8" not in again.corpus.post_ids


def test_what_is_left_may_hold_no_picture_or_too_little_to_rank(post_run, tmp_path):
    shutil.copytree(post_run("posts").folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    bare = np.flatnonzero([not names for names in run.corpus.images])
    (tmp_path / "bare").mkdir()
    small = write_without(run.folder / "data", run.corpus, bare, tmp_path / "bare")
    assert not small.pictures and len(small) == len(bare) > 1
    proposals = load_proposals(tmp_path / "bare", small, "pixels")
    assert len(proposals.vectors) == 0 and (proposals.rows_of_post == -1).all()
    moment = np.datetime64(int(np.sort(run.corpus.timestamps)[-6]), "s").item().isoformat()
    done = th.forget(run.folder, before=moment)
    assert "weights" in done.removed and "cannot rank what is left" in done.told[0]
    assert len(Run.open(run.folder).corpus) == 6 and not Run.open(run.folder).complete


def test_what_is_old_goes(tmp_path, monkeypatch):
    write_corpus(synthetic_corpus(100, 10, 0), tmp_path / "corpus")

    def exchange_alone(first, second):
        exchange(first, second)
        with pytest.raises(ArtifactError, match="busy"), exclusive_lock(first, "busy"):
            pass  # until the old folder is gone, too

    monkeypatch.setattr("tfhashtag.runs.anew.exchange", exchange_alone)
    corpus = read_corpus(tmp_path / "corpus")
    cut = int(corpus.timestamps[60])
    moment = np.datetime64(cut, "s").item().isoformat()
    assert th.forget(tmp_path / "corpus", before=moment).posts == 60
    assert int(read_corpus(tmp_path / "corpus").timestamps.min()) == cut
    for wish, told in (
        ({"keep": "1d"}, "nothing would be left; delete the folder"),
        ({"keep": "3650000d", "before": "2020-01-01"}, "one of `before` and `keep`"),
        ({"keep": "a year"}, "expected a number of days such as 365d"),
        ({"keep": "9" * 20 + "d"}, "expected a number of days such as 365d"),
        ({"before": "yesterday"}, "expected a date such as"),
        ({"user": "nobody"}, "no post of user 'nobody' in the corpus; nothing was changed"),
        ({"post": "nothing"}, "no post 'nothing'"),
        ({"before": "1999-01-01"}, "no post before 1999-01-01"),
        ({}, "exactly one of"),
        ({"post": "1", "mentions": True}, "`mentions` goes with `user`"),
        ({"user": "user0001", "retrain": True}, "`retrain` is for runs"),
    ):
        with pytest.raises((ConfigError, DataError), match=told):
            th.forget(tmp_path / "corpus", **wish)
    assert len(read_corpus(tmp_path / "corpus")) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    with exclusive_lock(tmp_path / "corpus", ""), pytest.raises(ArtifactError, match="is being"):
        th.forget(tmp_path / "corpus", user="user0001")


def test_weights_that_are_of_the_users_are_removed(explained_user_run, post_run, tmp_path):
    shutil.copytree(post_run("macon").folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    done = th.forget(run.folder, user=run.corpus.users[0])
    assert {"weights", "training.jsonl"} <= set(done.removed)
    assert "are removed" in done.told[0] and "waits for its training. Go on" in done.told[1]
    assert not Run.open(run.folder).complete
    with pytest.raises(ConfigError, match="Make corpus and table anew"):
        th.forget(explained_user_run("audience"), user="user0")


def test_killed_at_any_point_it_is_whole_or_untouched(tmp_path, killed_at):
    made = tmp_path / "made"
    write_corpus(synthetic_corpus(60, 6, 0), made)
    folder = tmp_path / "one" / "corpus"
    before, seen = read_corpus(made), set()
    for point in range(1, 40):
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(made, folder)
        files = tree(folder)
        killed = killed_at(point, lambda: th.forget(folder, user="user0003"))
        corpus = read_corpus(folder)  # always whole
        gone = "user0003" not in corpus.users
        seen.add((killed, gone))
        if not killed:
            break
        assert gone or tree(folder) == files
        if gone:
            with pytest.raises(DataError, match=r"no post of user 'user0003'.* removed now"):
                th.forget(folder, user="user0003")
        else:
            assert len(corpus) == len(before)
            th.forget(folder, user="user0003")
        assert [path.name for path in folder.parent.iterdir()] == ["corpus"]
        assert left(folder, [b"user0003"]) == []
    assert seen == {(True, False), (True, True), (False, True)}


def test_copies_that_are_known_forget_too(tmp_path):
    """Rankings and models of MLflow and hashtags of TensorBoard go; an export of others stays."""
    pytest.importorskip("mlflow")
    rows = rows_of(synthetic_corpus(300, 20, 0))
    for row in rows[5:300:7]:
        row |= {"user": NAME, "hashtags": ["quillish", *row["hashtags"]]}
    th.import_posts(rows, tmp_path / "corpus", tell=str, images=tmp_path)
    place = [f"mlflow:{tmp_path / 'told'}", f"tensorboard:{tmp_path / 'curves'}"]
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run", track=place)
    run.evaluate(track=place)
    later = {**rows[0], "id": "later", "timestamp": 10 + max(row["timestamp"] for row in rows)}
    run.update([later], track=place)  # a part of its own, which keeps no files
    models = tmp_path / "models" / "1"
    models.mkdir(parents=True)
    (models / "saved_model.pb").write_bytes(b"of before")
    note_export(run, models, {"k": 3})
    (tmp_path / "curves" / "run" / "metadata.tsv").write_text("quillish\t1\n")
    shutil.rmtree(tmp_path / "corpus")
    needles = [NAME.encode(), b"quillish"]
    outside = [tmp_path / name for name in ("told", "curves")]
    assert all(left(folder, needles) for folder in outside)
    told = " ".join(th.forget(run.folder, post=rows[5]["id"]).told)
    assert f"hold what they held: {models}; --copies" in told
    assert str(tmp_path / "curves" / "run") in told and "; --copies deletes" in told
    (models / "saved_model.pb").write_bytes(b"of somebody else, by now")
    done = th.forget(run.folder, user=NAME, copies=True)
    assert any(line.startswith("deleted of what mlflow") for line in done.told)
    assert not any("delete it there" in line for line in done.told)  # all of it is here
    assert [left(folder, needles) for folder in outside] == [[], []] and models.is_dir()
    with pytest.raises(ConfigError, match="`copies` is for runs"):
        th.forget(run.folder / "data", user="ann", copies=True)


@contextlib.contextmanager
def graphs_of(version):
    """Exports take the graphs of another one of the run: to trace them takes seconds."""

    def write(servable, folder):
        shutil.copytree(version, folder, dirs_exist_ok=True)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tfhashtag.export.saved_model.write_signatures", write)
        yield


@pytest.fixture(scope="module")
def exporting(user_run, user_version, tmp_path_factory):
    """A run that has been exported, beside its model."""
    folder = tmp_path_factory.mktemp("exporting")
    shutil.copytree(user_run("engagement").folder, folder / "run", ignore=NOT_EXPORTED)
    with graphs_of(user_version("engagement")):
        Run.open(folder / "run").export(folder / "models", check=False)
    return folder


@pytest.fixture
def exported(exporting, tmp_path):
    shutil.copytree(exporting, tmp_path / "here")
    lines = tmp_path / "here" / "run" / "exports.jsonl"
    lines.write_text(lines.read_text().replace(str(exporting), str(tmp_path / "here")))
    with graphs_of(exporting / "models" / "1"):
        yield tmp_path / "here"


def versions(folder):
    return sorted(path.name for path in (folder / "models").iterdir() if path.name.isdigit())


def test_exports_are_renewed_by_a_later_call_too(exported, monkeypatch):
    """First without `copies`, then with it, stopped twice: a version goes when its new one is."""
    run, name = exported / "run", Run.open(exported / "run").corpus.users[3]
    told = th.forget(run, user=name).told
    assert any("--copies writes them" in line for line in told)
    (killed := exported / "models" / ".7.tfht-0a1b2c3d").mkdir()  # by a kill before its renaming
    remove = shutil.rmtree
    for where, left_there in (("tfhashtag.runs.copies.renew_exports", ["1"]), ("", ["1", "2"])):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

            def stop(path, *_, where=where, **options):
                if where or path == exported / "models" / "1":
                    raise KeyboardInterrupt
                remove(path, **options)

            patch.setattr(where or "shutil.rmtree", stop)
            th.forget(run, user=name, copies=True)
        assert versions(exported) == left_there and not killed.exists()
    with monkeypatch.context() as patch:

        def unreadable(place):
            raise PermissionError(13, "Permission denied")

        patch.setattr("tfhashtag.runs.copies.clear_left_behind", unreadable)
        done = th.forget(run, user=name, copies=True)
    assert any("models: cannot be read (Permission denied)" in line for line in done.told)
    assert done.posts == 0 and f"deleted: version 1 of {exported / 'models'}" in done.told
    assert versions(exported) == ["2"]
    with pytest.raises(DataError, match=r"no post of user .* in the run"):
        th.forget(run, user=name, copies=True)
    assert not any(line.startswith("exported") for line in th.forget(run, copies=True).told)


def test_an_export_that_is_killed_before_or_after_it_is_in_place_is_known(exported, monkeypatch):
    run, models = Run.open(exported / "run"), exported / "models"
    rename = os.rename
    for where, there in (("before", ["1"]), ("after", ["1", "2"])):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

            def stop(source, target, where=where):
                if target == models / "2":
                    if where == "after":
                        rename(source, target)
                    raise KeyboardInterrupt
                rename(source, target)

            patch.setattr("tfhashtag.files.os.rename", stop)
            run.export(models, check=False)
        assert versions(exported) == there
        known = [one.version.name for one in exports_of(run.folder)]
        assert known == there


def test_no_export_is_put_in_place_of_what_was_forgotten_meanwhile(exported):
    run, copies = Run.open(exported / "run"), exported / "copies"
    assert run.recommender is not None
    with pytest.raises(ArtifactError, match="was changed by an update or a forgetting meanwhile"):
        run.export(
            copies,
            check=False,
            step=lambda what: (
                what.startswith("building") and th.forget(run.folder, user=run.corpus.users[3])
            ),
        )
    assert [path for path in copies.iterdir() if path.name.isdigit()] == []


def test_what_a_first_export_to_a_place_left_that_was_killed_is_found(exported):
    run, left_there = exported / "run", exported / "new" / ".1.tfht-0a1b2c3d"

    def killed(what):
        left_there.mkdir(parents=True)
        raise KeyboardInterrupt

    opened = Run.open(run)
    with pytest.raises(KeyboardInterrupt):
        opened.export(left_there.parent, step=killed)
    told = th.forget(run, user=opened.corpus.users[3], copies=True).told
    assert any(f"deleted: {left_there}, which an export" in line for line in told)
    assert not left_there.exists()


def test_exports_of_another_run_stay(exported):
    """Of the run that this one is a copy of, and of one with the same graph under the number."""
    run, copy, version = exported / "run", exported / "copy", exported / "models" / "1"
    shutil.copytree(run, copy)
    name = Run.open(run).corpus.users[3]
    told = th.forget(copy, user=name, copies=True).told
    assert any(f"exports of {run}," in line and str(version) in line for line in told)
    index = version / "variables" / "variables.index"
    index.write_bytes(index.read_bytes() + b"of other weights")
    th.forget(run, user=name, copies=True)
    assert versions(exported) == ["1"]


def test_a_torn_line_of_exports_is_told_before_anything_goes(exported):
    lines, name = exported / "run" / "exports.jsonl", Run.open(exported / "run").corpus.users[3]
    whole = lines.read_text()
    lines.write_text(whole + '{"version": "/mo')
    note_export(Run.open(exported / "run"), exported / "models" / "1", {})
    assert len(lines.read_text().splitlines()) == 4
    with pytest.raises(ArtifactError, match=r"line 3 is damaged.*Delete the line"):
        th.forget(exported / "run", user=name)
    assert name in Run.open(exported / "run").corpus.users
    lines.write_text(whole)
    (exported / "run" / "weights").rename(exported / "weights")  # it waits for its training
    told = th.forget(exported / "run", user=name, copies=True).told
    assert versions(exported) == [] and any("with nothing in its place" in line for line in told)


def test_users_who_are_called_nearly_so_are_told(tmp_path):
    rows = rows_of(synthetic_corpus(60, 6, 0))
    rows[3]["user"] = "User0002"
    th.import_posts(rows, tmp_path / "corpus", tell=str)
    with pytest.raises(DataError, match=r"'@USER0002' .* Called nearly so: `User0002`, `user0002`"):
        th.forget(tmp_path / "corpus", user="@USER0002")
    told = th.forget(tmp_path / "corpus", user="user0002").told
    assert told[0].startswith("called nearly so, and left: `User0002`; where they")


def test_a_hash_is_a_mention_wherever_it_stands(tmp_path):
    """In posts, where forgetting finds it, and in questions, where the key puts it for the name."""
    key, name = tmp_path / "key", "user0001"
    key.write_bytes(bytes(range(32)))
    hashed = UserHashes(key).of_user(name)
    rows = rows_of(synthetic_corpus(60, 6, 0))
    others = [row for row in rows if row["user"] != name]
    for row, text in zip(others, (f"#{name} says", f"I met {name}.", f"@{name}"), strict=False):
        row["text"] = text
    for row in others[3:9]:
        row["hashtags"] = [*row["hashtags"], name]
    th.import_posts(rows, tmp_path / "corpus", tell=str, hash_users=key)
    assert hashed in read_corpus(tmp_path / "corpus").hashtags
    th.train("popular", tmp_path / "corpus", tmp_path / "run")
    run = th.load(tmp_path / "run", hash_users=key)
    asked = run.task.read_query({"history": [f"all of #{name}, {name.upper()}"]}, "")
    assert asked.hashed(run.named).history == (f"all of #{hashed}, {hashed}",)
    told: list[str] = []
    late = {"text": "late", "hashtags": [], "timestamp": 1_900_000_000}
    names = "User0001", "quill", "@QUILL", name  # of one who is there, and of one who is not
    run.update([{**late, "id": f"9{n}", "user": u} for n, u in enumerate(names)], tell=told.append)
    assert f"  {ALIKE}: 2" in told and "uill" not in "".join(told)
    assert th.forget(tmp_path / "corpus", user=name, hash_users=key).mentions == 9
    done = th.forget(tmp_path / "corpus", user=hashed, mentions=True)
    assert (done.posts, done.mentions) == (9, 0)
    assert left(tmp_path / "corpus", [hashed.encode()]) == []


def test_hashed_users_are_asked_for_by_name(tmp_path, capsys):
    from tfhashtag.cli.main import main

    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    rows = rows_of(synthetic_corpus(60, 6, 0))
    text = "RT @user0001: ask @User0002, RT@user0004, \uff20user0004, or a@user0003.org"
    rows[5] |= {"text": text, "id": "x/user0005/1", "user": "user0005"}
    rows[6] |= {"id": "https://o.org/users/quillbob/1", "user": "quillbob@o.org"}
    source = tmp_path / "user0005-and-quillbob.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = tmp_path / "corpus"
    main(["data", "import", "jsonl", str(source), "--out", str(corpus), "--hash-users", str(key)])
    hidden = [b"user0001", b"ser0002", b"user0004", b"user0005", b"quillbob"]
    found = [path.name for path, _ in left(corpus, hidden)]
    assert found == []
    hashes = UserHashes(key)
    assert hashes.of_user("user0001") in read_corpus(corpus).users
    (tmp_path / "other").write_bytes(bytes(range(1, 33)))
    for wish in ({"user": "user0001"}, {"post": "x/user0005/1"}):
        with pytest.raises(ConfigError, match=r"hashed its users.*`--hash-users`"):
            th.forget(corpus, **wish)
        with pytest.raises(ConfigError, match="hashed with another key"):
            th.forget(corpus, **wish, hash_users=tmp_path / "other")
    capsys.readouterr()
    assert th.forget(corpus, post="x/user0005/1", hash_users=key).posts == 1
    main(["forget", str(corpus), "--user", "user0001", "--hash-users", str(key)])
    assert "1 users" in capsys.readouterr().out
    for words, told in (
        ([], "exactly one of `--user`, `--post`, `--before` and `--keep`"),
        (["--post", "1", "--mentions"], "`--mentions` goes with `--user`"),
        (["--user", hashes.of_user("user0002"), "--retrain"], "`--retrain` is for runs"),
    ):
        with pytest.raises(SystemExit):
            main(["forget", str(corpus), *words])
        assert told in capsys.readouterr().err
    assert hashes.of_user("user0001") not in read_corpus(corpus).users
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(ConfigError, match="3 bytes, a key has at least 16"):
        UserHashes(tmp_path / "short")
    for proof, told in ((None, "not hashed; leave the key out"), ("1234", "with another key")):
        with pytest.raises(ConfigError, match=told):
            hashes.check(proof, "corpus")
