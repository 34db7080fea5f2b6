"""New posts for a trained run, without training: whole or not at all."""

import collections
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tfhashtag.corpus.alike_users import ALIKE
from tfhashtag.corpus.archives import unpacked
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.editing import join_posts
from tfhashtag.corpus.hashtag import hashtag_key
from tfhashtag.corpus.import_options import option_text, options_as_imported
from tfhashtag.corpus.importing import Collected, collect, corpus_of_posts
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.readers.files import check_there
from tfhashtag.corpus.recognition import format_of
from tfhashtag.corpus.store import read_corpus, source_of, write_posts
from tfhashtag.corpus.table_source import table_file
from tfhashtag.corpus.texts import Texts
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.errors import ConfigError
from tfhashtag.files import atomic_directory, scratch_directory
from tfhashtag.recommenders.registry import read_vectors, recommender_class
from tfhashtag.runs import states
from tfhashtag.runs.answers import FOLDER, can_answer, write_answers
from tfhashtag.runs.drift import ranked_before
from tfhashtag.tracking.told import RunTracking
from tfhashtag.tracking.tracker import trackers_of


@dataclasses.dataclass(frozen=True)
class UpdateReport:
    """What an update did.

    Attributes:
        state: the number of the state that the run is in now.
        posts, users, hashtags: how many came in that were not there.
        there: posts that were left out, as their id is there already.
        encoded: texts, names of hashtags and pictures that were encoded.
        figures: how well the model ranked the new posts before they came in, see
            `tfhashtag.runs.drift`; None where none of them could be asked about.
        version: folder of the export, or None.
        trained: lists of `new` and of `old` posts that training went on with, and its `seconds`;
            None where it did not.
    """

    state: int
    posts: int
    users: int
    hashtags: int
    there: int
    encoded: int
    figures: dict[str, Any] | None = None
    version: pathlib.Path | None = None
    trained: dict[str, Any] | None = None


def update_run(
    run: Any,
    posts: Any,
    *,
    format: str | None = None,
    export: str | os.PathLike | None = None,
    train: bool = False,
    keep_states: int = 3,
    keep_answers: bool = False,
    progress: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    step: Callable[[str], None] = lambda what: None,
    track: str | Iterable[str] = (),
    **options: Any,
) -> UpdateReport:
    """Takes new posts into a run: texts, users, hashtags, tables and counts.

    The weights stay, or with `train` go on from where they are.

    Only new texts, names and pictures are encoded. The posts are first ranked as a test set and the
    figures are kept. Posts whose id is there already are left out, so that an update can be given
    again; where the source gives no ids, a post's content is its id. A kill at any point leaves the
    run as it was.

    Args:
        run: a complete `Run`.
        posts: a file, folder or pattern as of `th.import_posts`, a pandas or Arrow table, or a list
            of dicts.
        format: of the files; None: recognised.
        export: model folder that gets the next version afterwards.
        train: go on training, an epoch with a third of the learning rate, on the new posts as they
            were foreseen from the old ones and on the last imitated future of these.
        keep_states: earlier states that stay for `rollback`, besides that of the training.
        keep_answers: build what answers `recommend` now; else the first question waits for it.
        progress: show a bar while texts are encoded.
        tell: called with a line about what was recognised or counted.
        step: called with what is being done, for people who wait.
        track: places that are told, as `tfhashtag.tracking.tracker.trackers_of` takes them: the
            figures of the posts before they came in, counts and digest, in the run that its
            training began; where it is exported, the model, too.
        options: fields of `tfhashtag.corpus.importing.Wishes` and
            `tfhashtag.corpus.row_source.Reading`. What the import of the run's posts said is said
            again, of how files are written where the format is the same.

    Raises:
        ConfigError: the weights are of the users or hashtags of the training, the texts of the run
            were given as a table of vectors, or an option reads posts in another way than those
            that are there.
        DataError: a mistake in the posts.
        ArtifactError: the training is not complete, or another process is at work in the folder.

    Example:

    >>> import tempfile
    >>> import tfhashtag as th
    >>> from tfhashtag.corpus.store import write_corpus
    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> folder = tempfile.mkdtemp()
    >>> write_corpus(synthetic_corpus(posts=200, users=20), folder + "/corpus")
    >>> run = th.train("popular", folder + "/corpus", folder + "/run")
    >>> post = {"user": "ann", "text": "green tea", "hashtags": ["tea"], "timestamp": 1_800_000_000}
    >>> done = update_run(run, [post])
    >>> done.posts, done.hashtags, run.state
    (1, 1, 1)
    """
    if isinstance(posts, str | os.PathLike):
        check_there(posts)
    trackers = trackers_of(track)
    _check(run, keep_states, train)
    proof = source_of(run.place / "data").get("hashed_users")
    if run.hashes is not None:
        options = {"hash_users": run.hashes.key_file, **options}
    if proof is not None and "hash_users" not in options:
        raise ConfigError(f"{run.folder}: its users are hashed; give the key of the import.")
    if "hash_users" in options:
        UserHashes(options["hash_users"]).check(proof, str(run.folder))
        options = {"known_users": frozenset(run.corpus.users), **options}
    with states.alone(run.folder):
        run.refresh()
        states.clean(run)
        step("reading the new posts")
        with _new_posts(run, posts, format, tell, options) as (new, pictures, there):
            how = _How(there, train, keep_answers, progress, step)
            report = None if new is None else _take_in(run, new, pictures, how)
        if report is None:
            tell(f"{run.folder}: nothing new ({there:,} posts are there already)")
            report = UpdateReport(run.state, 0, 0, 0, there, 0)
        states.prune(run, keep_states)
    if export is not None:
        report = dataclasses.replace(report, version=run.export(export, step=step))
    tracking = RunTracking(trackers, run)
    if report.posts:
        tracking.keep(report)
    tracking.tell_updates()
    return report


def rollback_run(run: Any, to: int) -> None:
    """Goes back to a state; those after it stay, so that it can be gone forward to again.

    Args:
        run: a `Run`.
        to: number of an update, 0 for the run as it was trained.

    Raises:
        ConfigError: there is no such state, or it is not kept any more.
        ArtifactError: another process is at work in the folder.
    """
    with states.alone(run.folder):
        run.refresh()
        kept = states.kept_states(run)
        if to not in kept:
            raise ConfigError(
                f"{run.folder}: no state {to} to go back to; there are {', '.join(map(str, kept))}."
            )
        line = {"event": "rollback", "state": to, "from": run.state}
        states.commit(run, line, read_corpus(states.folder_of(run, to) / "data").digest)


@dataclasses.dataclass(frozen=True)
class _How:
    """How posts are taken in: how many were left out as they are `there`, and what was asked.

    `step` is called with what is being done.
    """

    there: int
    train: bool
    keep_answers: bool
    progress: bool
    step: Callable[[str], None]


def _check(run: Any, keep_states: int, train: bool) -> None:
    run.check_complete()
    kind, settings = recommender_class(run.settings.model), run.settings
    if keep_states < 0:
        raise ConfigError(f"`keep_states` must be at least 0, found {keep_states}.")
    if not kind.can_update:
        raise ConfigError(
            f"{run.folder}: `model` is {settings.model}, whose weights are of the users, hashtags "
            "or words that it was trained on: it cannot take in posts without training. Import old "
            "and new posts together and train again, or take `engagement`."
        )
    if train and not kind.can_train_on:
        raise ConfigError(
            f"{run.folder}: `model` is {settings.model}, which has no weights that training could "
            "go on from; leave `train` out."
        )
    if "texts" in kind.parts_of(settings) and settings.text_encoder.endswith(".npy"):
        raise ConfigError(
            f"{run.folder}: `text_encoder` is the table {settings.text_encoder}, which cannot "
            "encode new texts. Train with an encoder's name."
        )


@contextlib.contextmanager
def _new_posts(
    run: Any, source: Any, format: Any, tell: Callable[[str], None], options: Any
) -> Iterator[tuple[Corpus | None, dict[str, Any], int]]:
    """The posts that are not there yet, their pictures' files, and how many are there already."""
    with contextlib.ExitStack() as stack:
        kind = format
        if not isinstance(source, str | os.PathLike):
            kind, format, source = (
                "table",
                "parquet",
                stack.enter_context(table_file(source, options.get("columns"))),
            )
            options = {"images": os.getcwd(), **options}
        files = stack.enter_context(unpacked(source))
        source = files.path
        aside = stack.enter_context(scratch_directory())
        format = format or format_of(source, **options)
        imported = source_of(run.place / "data")
        kept, said_now = imported.get("options", {}), options
        options = options_as_imported(imported, kind or format, options, str(run.folder))
        if again := {name: v for name, v in kept.items() if options.get(name) == v}:
            tell(f"  as at the import: {option_text(again)}")
        found = collect(format, source, aside, **options)
        if "time_unit" not in said_now:
            _check_unit(found, options.get("time_unit"), files.shown(str(source)))
        for line in found.report.told:
            tell(f"  {files.shown(line)}")
        counted: collections.Counter[str] = collections.Counter(found.report.counted)
        posts: dict[str, Post] = {}
        for post in map(_with_id, found.posts):
            posts.setdefault(post.id, post)
        places = Texts.of(run.corpus.post_ids).places(list(posts))
        fresh, others = list[Post](), 0
        for post, place in zip(posts.values(), places.tolist(), strict=True):
            if place < 0:
                fresh.append(post)
            else:
                others += (post.user, post.text) != _said(run.corpus, place)
        if not options.get("keep_spelling"):
            fresh = _as_spelt(fresh, run.corpus.hashtags)
        fresh = _without_known(fresh, run.corpus, bool(options.get("drop_duplicates")))
        there = len(found.posts) - len(fresh)
        counted["posts that are there already"] = there
        if found.named is not None:
            tags = [tag for tag in run.corpus.hashtags if found.named.of_hashtag(tag) != tag]
            told = (
                "hashtags of before that are names of users of now, and stay; import anew to hash"
            )
            counted[told] = len(tags)
        counted["of these, posts that differ from the one of their id that is there"] = others
        alike, pair = found.alike({post.user for post in fresh}, known=run.corpus.users)
        counted[ALIKE] = alike
        known = {what: count for what, count in counted.items() if count}
        examples = {**found.report.examples, **({ALIKE: pair} if pair else {})}
        for line in dataclasses.replace(
            found.report, counted=known, examples=examples
        ).counted_lines:
            tell(f"  {line}")
        made = corpus_of_posts(fresh, run.corpus.name, in_order=True) if fresh else None
        yield made, dict(found.pictures.source_of_name), there


def _check_unit(found: Collected, unit: str | None, where: str) -> None:
    """Refuses times in another unit than the one that was said at the import."""
    seen = None if found.rows is None else found.rows.unit_of_times
    if unit is not None and seen not in (None, unit):
        raise ConfigError(
            f"{where}: times look like {seen}, and those of the import were said to be {unit}. Say "
            f"what these are: --time-unit {seen}."
        )


def _with_id(post: Post) -> Post:
    """A post without id is known by its content, so that it does not come in twice."""
    if post.numbered:
        # One picture is written as a string, as when posts had no more: ids of then stay.
        images = post.images if len(post.images) > 1 else "".join(post.images)
        content = repr((post.user, post.text, post.hashtags, post.timestamp, images))
        identity = hashlib.sha256(content.encode()).hexdigest()[:16]
        return dataclasses.replace(post, id=identity, split=None)
    return dataclasses.replace(post, split=None)


def _said(corpus: Corpus, post: int) -> tuple[str, str]:
    """Who wrote a post, and its text."""
    return corpus.users[corpus.user_of_post[post]], corpus.messages[corpus.message_of_post[post]]


def _without_known(posts: list[Post], corpus: Corpus, repeats: bool) -> list[Post]:
    """Without posts that have no id in the source and are there: an import has numbered them.

    With `repeats` without all whose user, text and hashtags one that is there has.
    """
    asked = [post.text for post in posts if repeats or post.numbered]
    places = Texts.of(corpus.messages).places(asked)
    known, said = set(), set()
    for post in np.flatnonzero(np.isin(corpus.message_of_post, places[places >= 0])).tolist():
        tags = frozenset(corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post))
        time = None if corpus.timestamps is None else int(corpus.timestamps[post])
        images = () if corpus.images is None else tuple(corpus.images[post])
        known.add((*_said(corpus, post), tags, time, images))
        said.add((*_said(corpus, post), tags))

    def content(post: Post) -> tuple[Any, ...]:
        time = None if corpus.timestamps is None else post.timestamp
        return post.user, post.text, frozenset(post.hashtags), time, post.images

    kept = [post for post in posts if not post.numbered or content(post) not in known]
    return [post for post in kept if not repeats or content(post)[:3] not in said]


def _as_spelt(posts: list[Post], hashtags: list[str]) -> list[Post]:
    """A hashtag that is there keeps its name, however the new posts spell it."""
    there = set(hashtags)
    names = {hashtag_key(name): name for name in reversed(hashtags)}
    return [
        dataclasses.replace(
            post,
            hashtags=tuple(
                dict.fromkeys(
                    tag if tag in there else names.get(hashtag_key(tag), tag)
                    for tag in post.hashtags
                )
            ),
        )
        for post in posts
    ]


def _take_in(
    run: Any,
    new: Corpus,
    pictures: dict[str, Any],
    how: _How,
) -> UpdateReport:
    """Makes the next state and goes over to it."""
    # Of the opened tables: the keys of texts that they know need no work when these are joined.
    old, kind = run.data.corpus, recommender_class(run.settings.model)
    source = source_of(run.place / "data")
    joined = join_posts(
        old, dataclasses.replace(new, split_of_post=np.full(len(new), Split.TEST, np.int8))
    )
    rule = source.get("split", "own-time")
    fresh = Texts.of(new.post_ids).places(joined.post_ids) >= 0
    splits = run.task.splits_when_grown(joined, rule, fresh)
    grown = dataclasses.replace(joined, split_of_post=splits)
    number = states.next_state(run)
    with atomic_directory(run.folder / states.STATES / str(number)) as folder:
        data = folder / "data"
        data.mkdir()
        digest = write_posts(grown, data, source or None)
        corpus = dataclasses.replace(grown, digest=digest, folder=data)
        how.step("encoding what is new")
        encoded = _encode(run, data, corpus, new, pictures, how.progress)
        vectors = read_vectors(data, corpus, run.settings)
        how.step("taking the posts into the tables")
        kind.carry(run.settings, old, vectors, run.weights, folder / "weights")
        how.step("ranking the new posts as if they were not there yet")
        figures = ranked_before(run, folder / "weights", vectors, fresh)
        how.step("going on training") if how.train else None
        trained = _train_on(run, folder / "weights", vectors, fresh, how) if how.train else None
        if how.keep_answers and can_answer(run.settings):
            how.step("building what answers `recommend`")
            recommender = kind.load(folder / "weights", run.settings, vectors)
            write_answers(recommender, folder / FOLDER)
    report = UpdateReport(
        number,
        len(new),
        len(corpus.users) - len(old.users),
        len(corpus.hashtags) - len(old.hashtags),
        how.there,
        encoded,
        figures,
        trained=trained,
    )
    line = {
        "event": "update",
        "state": number,
        "from": run.state,
        "posts": report.posts,
        "users": report.users,
        "hashtags": report.hashtags,
        "there": how.there,
        "all_posts": len(corpus),
        "figures": figures,
        **({"trained": trained} if trained else {}),
    }
    states.commit(run, line, digest)
    return report


def _train_on(
    run: Any, weights: pathlib.Path, vectors: Any, fresh: np.ndarray, how: _How
) -> dict[str, Any]:
    """Goes on training from weights that were carried over, and puts the new ones in place."""
    began = time.monotonic()
    recommender = recommender_class(run.settings.model).load(weights, run.settings, vectors)
    recommender.options = dataclasses.replace(recommender.options, progress=how.progress)
    lists = recommender.train_on(fresh)
    if lists["new"]:
        shutil.rmtree(weights)
        weights.mkdir()
        recommender.save(weights)
    return {**lists, "seconds": round(time.monotonic() - began, 1)}


def _encode(
    run: Any, data: pathlib.Path, corpus: Corpus, new: Corpus, pictures: Any, progress: bool
) -> int:
    """Brings the vectors over and makes those that are missing; says how many were made."""
    from tfhashtag.encoders import encode_corpus, encode_hashtags, encode_images

    settings, old = run.settings, run.data
    root = (run.place / "data").resolve()
    for table in (path.resolve() for path in old.tables):
        if table != root and table.is_relative_to(root):
            _link(table, data / table.relative_to(root))
    parts = recommender_class(settings.model).parts_of(settings)
    made = 0
    if "texts" in parts:
        made += encode_corpus(data, corpus, old.text_encoder, progress=progress).encoded
    if "names" in parts:
        made += encode_hashtags(data, corpus, old.text_encoder, progress=progress).encoded
    encoder = old.image_encoder if "images" in parts else None
    if encoder is not None:
        held = data / "images"
        held.mkdir()
        for name in new.pictures:
            shutil.copyfile(pictures[name], data / name)
        made += encode_images(data, corpus, encoder, progress=progress, broken_again=False).encoded
        shutil.rmtree(held)
    return made


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    """The files of a finished table in another folder, without copying them."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        os.link(path, target / path.name)
