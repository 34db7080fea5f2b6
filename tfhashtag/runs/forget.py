"""Posts that are taken out of a corpus or a run as if they had never come in."""

import dataclasses
import datetime
import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from tfhashtag.corpus.alike_users import plain_name
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.named_users import is_mentioned
from tfhashtag.corpus.store import read_corpus, source_of
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.encoders.corpus_without import write_without
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import exclusive_lock
from tfhashtag.recommenders.registry import read_vectors, recommender_class
from tfhashtag.runs import anew, states
from tfhashtag.runs import copies as copied
from tfhashtag.runs.retraining import queue, queued_since, told_of_training, weights_remember
from tfhashtag.runs.run import Run

_AGE = re.compile(r"([0-9]+)d")
_MOST_DAYS = 700_000  # the years of a calendar
_HASH = re.compile(r"[0-9a-f]{24}")


@dataclasses.dataclass(frozen=True)
class Forgotten:
    """What was taken out.

    Attributes:
        posts, users, hashtags: how many are gone.
        mentions: posts of others that still name the user: as `@user`, and where users are hashed
            by the hash wherever it stands.
        removed: files and folders of a run that may have named people, by name.
        told: what is to be known and done besides, a line each.
    """

    posts: int
    users: int
    hashtags: int
    mentions: int
    removed: list[str]
    told: list[str]


def forget(
    folder: str | os.PathLike,
    *,
    user: str | None = None,
    post: str | None = None,
    before: str | datetime.date | None = None,
    keep: str | None = None,
    mentions: bool = False,
    retrain: bool = False,
    copies: bool = False,
    hash_users: str | os.PathLike | None = None,
) -> Forgotten:
    """Takes posts out of a corpus or a run: texts, vectors, tables, logs, pages, all states.

    The folder is made anew beside itself and exchanged in one step: a kill at any point leaves it
    whole with the posts or whole without them. What a kill leaves beside it is removed by the next
    call, or by whatever is written beside it next. Files on the disk are deleted, not overwritten.

    Args:
        folder: of a corpus or a run.
        user: all posts of this user.
        post: the post of this id.
        before: everything before this date, as ISO 8601; UTC.
        keep: everything but the last so many days, such as `365d`, counted from now.
        mentions: with `user`, also the posts of others that name them: texts with `@user`; where
            users are hashed, texts with the hash anywhere, and hashtags that are it.
        retrain: of a run, queue its training anew on what is left, so that the weights know nothing
            of the posts either; they stay until `tfhashtag.runs.train.train` with `resume` begins
            it, with state 0. Given alone, it does so for what earlier calls took out.
        copies: of a run, also in what lies outside of it on this machine: exported versions that
            are of other posts than it has now are written anew and the old ones deleted (deleted
            alone where it waits for its training), and so are rankings, models and hashtags that
            MLflow or TensorBoard were told. Given alone, it does so for what earlier calls took
            out.
        hash_users: file of the key by which the import hashed the users, where `user` is a name.

    Raises:
        ConfigError: not exactly one of `user`, `post`, `before` and `keep`, and not `retrain` or
            `copies` alone, or the texts of the run are a table of vectors.
        DataError: there is nothing of the kind, there are no times, or nothing would be left.
        ArtifactError: no corpus and no run, or another process is at work there.

    Example:

    >>> import tempfile
    >>> from tfhashtag.corpus.store import write_corpus
    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> folder = tempfile.mkdtemp() + "/corpus"
    >>> write_corpus(synthetic_corpus(posts=50, users=5, seed=0), folder)
    >>> forget(folder, user="user0003").users
    1
    """
    # What a link points to: exchanged were the link, and the posts would stay.
    folder = pathlib.Path(os.path.expanduser(folder)).resolve()
    is_run = (folder / "run.json").is_file()
    if retrain and not is_run:
        raise ConfigError(f"{folder}: a corpus has nothing to train; `retrain` is for runs.")
    if copies and not is_run:
        raise ConfigError(f"{folder}: of a corpus no copies are known; `copies` is for runs.")
    if not is_run:
        read_corpus(folder)  # says what is missing where it is no corpus either
    corpora = _corpora(folder, is_run)
    user, post = _as_kept(corpora, user, post, hash_users)
    hashed = source_of(corpora[0]).get("hashed_users") is not None
    moment = _moment(before, keep)
    alone = (retrain or copies) and user is None and post is None and moment is None
    wish = None if alone else _Wish(user, post, moment, mentions, hashed)
    if is_run:
        copied.exports_of(folder), copied.told_of(folder)  # before anything goes, if damaged
    nothing = None
    done = Forgotten(0, 0, 0, 0, [], [])
    try:
        if wish is not None:
            done = _exchanged(folder, is_run, wish, retrain)
        elif retrain:
            queue(folder)
    except NothingToForgetError as error:
        if not copies:
            raise
        nothing, done = error, dataclasses.replace(done, told=[str(error)])
    if is_run:
        run = Run.open(folder)
        lines, changed = _outside(run, copies)
        if nothing is not None and not changed:
            raise nothing
        waits = [told_of_training(run)] if retrain or not run.complete else []
        done = dataclasses.replace(done, told=[*done.told, *waits, *lines])
    return done


def _exchanged(folder: pathlib.Path, is_run: bool, wish: "_Wish", retrain: bool) -> Forgotten:
    """Puts a folder without the posts in place of one, under its lock."""
    make = _run_without if is_run else _corpus_without
    busy = f"{folder}: is being changed."
    alone = states.alone(folder) if is_run else exclusive_lock(folder, busy)
    with alone, anew.beside(folder) as (aside, cleaned):
        try:
            return make(folder, aside, wish, retrain)
        except NothingToForgetError as error:
            more = " What a stopped call had left beside it is removed now." if cleaned else ""
            raise NothingToForgetError(f"{error}{more}") from None


def _outside(run: Run, copies: bool) -> tuple[list[str], bool]:
    """What is to be known of what lies outside of a run, and whether anything there was changed.

    Args:
        run: without the posts.
        copies: whether to forget there, too.
    """
    exported, told = copied.exports_of(run.folder), copied.told_of(run.folder)
    old = copied.of_before(run, exported)
    changed: list[str] = []
    if copies:
        changed = copied.clear_places(run.folder)
        changed += copied.renew_exports(run, old) + copied.forget_told(told)
    lines = copied.left_told(told, copies) + copied.of_others(run.folder, exported)
    lines += changed if copies else copied.left_exported(old)
    lines.append(
        "copies of exports, and rankings, pages and lists that were written elsewhere (--out), "
        "hold what they held"
    )
    return lines, any(line.startswith(("deleted", "exported")) for line in changed)


class NothingToForgetError(DataError):
    """There is no post of the kind."""


def _corpora(folder: pathlib.Path, is_run: bool) -> list[pathlib.Path]:
    """Folders of what is kept: the corpus, or those of all states of a run, its present first."""
    if not is_run:
        return [folder]
    run = Run.open(folder)
    numbers = sorted(states.kept_states(run), key=lambda number: number != run.state)
    return [states.folder_of(run, number) / "data" for number in numbers]


def _as_kept(
    corpora: list[pathlib.Path],
    user: str | None,
    post: str | None,
    key: str | os.PathLike | None,
) -> tuple[str | None, str | None]:
    """User and post as they are called in corpora whose import may have hashed them.

    Raises:
        ConfigError: they are hashed and no key is given, or it is another, or there is no need.
    """
    proof = source_of(corpora[0]).get("hashed_users")
    if proof is None and key is None:
        return user, post
    plain = post is None or any(post in read_corpus(data).post_ids for data in corpora)
    if key is not None:
        hashes = UserHashes(key)
        hashes.check(proof, str(corpora[0]))
        user = None if user is None else hashes.of_user(user)
        return user, post if plain or post is None else hashes.of_user(post)
    if not plain or (user is not None and not _HASH.fullmatch(user)):
        raise ConfigError(
            f"{corpora[0]}: the import hashed its users, and identifiers that name them. Give the "
            "key's file, `--hash-users`, or the hash."
        )
    return user, post


@dataclasses.dataclass(frozen=True)
class _Wish:
    """Which posts are to go."""

    user: str | None
    post: str | None
    before: int | None
    mentions: bool
    hashed: bool = False

    def __post_init__(self) -> None:
        given = sum(one is not None for one in (self.user, self.post, self.before))
        if given != 1:
            raise ConfigError("give exactly one of `user`, `post`, `before` and `keep`.")
        if self.mentions and self.user is None:
            raise ConfigError("`mentions` goes with `user`.")

    def gone(self, corpus: Corpus) -> np.ndarray:
        """Which posts, bool `[posts]`."""
        if self.before is not None:
            if corpus.timestamps is None:
                raise DataError(f"{corpus.name}: its posts have no times; forget by user or post.")
            return corpus.timestamps < self.before
        if self.post is not None:
            return np.array([identity == self.post for identity in corpus.post_ids], bool)
        users = np.array([name == self.user for name in corpus.users], bool)
        gone = users[corpus.user_of_post]
        return gone | self.naming(corpus) if self.mentions else gone

    def naming(self, corpus: Corpus) -> np.ndarray:
        """Which posts of others name the user, bool `[posts]`."""
        if self.user is None:
            return np.zeros(len(corpus), bool)
        naming = np.array([self._named(text) for text in corpus.messages], bool)
        naming = naming[corpus.message_of_post]
        if self.hashed and self.user in corpus.hashtags:
            posts, tags = corpus.taggings()
            naming[posts[tags == corpus.hashtags.index(self.user)]] = True
        own = np.array([name == self.user for name in corpus.users], bool)
        return naming & ~own[corpus.user_of_post]

    def alike(self, corpus: Corpus) -> str:
        """Other users whose names differ from the user's in case, form or `@` alone."""
        if self.user is None:
            return ""
        plain = plain_name(self.user)
        names = [name for name in corpus.users if plain_name(name) == plain]
        return ", ".join(f"`{name}`" for name in sorted(names) if name != self.user)

    def near(self, corpus: Corpus) -> str:
        """What is said of them where there is nobody of the name."""
        found = self.alike(corpus)
        return f" Called nearly so: {found}." if found else ""

    def _named(self, text: str) -> bool:
        assert self.user is not None
        return self.user in text if self.hashed else is_mentioned(text, self.user)

    def __str__(self) -> str:
        if self.user is not None:
            return f"no post of user {self.user!r}"
        if self.post is not None:
            return f"no post {self.post!r}"
        moment = datetime.datetime.fromtimestamp(self.before or 0, datetime.UTC)
        return f"no post before {moment:%Y-%m-%d %H:%M:%S}"


def _moment(before: Any, keep: str | None) -> int | None:
    """Seconds since 1970 before which posts go."""
    if before is not None and keep is not None:
        raise ConfigError("give one of `before` and `keep`.")
    if keep is not None:
        days = _AGE.fullmatch(keep)
        if days is None or int(days[1]) > _MOST_DAYS:
            raise ConfigError(f"`keep` is {keep!r}; expected a number of days such as 365d.")
        moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=int(days[1]))
        return int(moment.timestamp())
    if before is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(str(before))
    except ValueError as error:
        raise ConfigError(
            f"`before` is {str(before)!r}; expected a date such as 2026-01-31."
        ) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp())


def _without(
    folder: pathlib.Path, target: pathlib.Path, gone: Callable[[Corpus], np.ndarray]
) -> tuple[Corpus, Corpus | None]:
    """Writes a corpus folder without posts; the old corpus, and the new one if any post is left."""
    corpus = read_corpus(folder)
    kept = np.flatnonzero(~gone(corpus))
    if not len(kept):
        return corpus, None
    target.mkdir(parents=True, exist_ok=True)
    write_without(folder, corpus, kept, target)
    return corpus, read_corpus(target)


def _report(
    folder: pathlib.Path,
    old: Corpus,
    new: Corpus | None,
    wish: _Wish,
    told: list[str],
    removed: Any,
) -> Forgotten:
    if new is None:
        raise DataError(f"{folder}: nothing would be left; delete the folder instead.")
    mentions = 0 if wish.mentions else int(wish.naming(new).sum())
    if mentions:
        told = [
            f"{mentions:,} posts of others name {'' if wish.hashed else '@'}{wish.user}; "
            "--mentions forgets them, too",
            *told,
        ]
    if alike := wish.alike(new):
        one = "where they are one person, forget them, too"
        told = [f"called nearly so, and left: {alike}; {one}", *told]
    return Forgotten(
        len(old) - len(new),
        len(old.users) - len(new.users),
        len(old.hashtags) - len(new.hashtags),
        mentions,
        sorted(removed),
        told,
    )


def _corpus_without(
    folder: pathlib.Path, target: pathlib.Path, wish: _Wish, retrain: bool
) -> Forgotten:
    old, new = _without(folder, target, wish.gone)
    if not wish.gone(old).any():
        near = wish.near(old)
        raise NothingToForgetError(f"{folder}: {wish} in the corpus; nothing was changed.{near}")
    told = ["runs and exports that were made of it hold copies: forget there, too"]
    return _report(folder, old, new, wish, told, set())


def _run_without(
    folder: pathlib.Path, target: pathlib.Path, wish: _Wish, retrain: bool, carry: bool = True
) -> Forgotten:
    """Makes a run folder anew without posts, in every state that is kept.

    Where the weights cannot rank what is left, they go as if they were of the users.
    """
    run = Run.open(folder)
    settings, told = run.settings, list[str]()
    if not any(wish.gone(read_corpus(states.folder_of(run, n) / "data")).any()
               for n in states.kept_states(run)):  # fmt: skip
        later = " `retrain` alone queues training for what was forgotten before."
        later = later * (retrain and weights_remember(run))
        raise NothingToForgetError(
            f"{folder}: {wish} in the run; nothing was changed.{wish.near(run.corpus)}{later}"
        )
    kind = recommender_class(settings.model)  # loads TensorFlow, which what was refused needs not
    if settings.text_encoder.endswith(".npy") and "texts" in kind.parts_of(settings):
        raise ConfigError(
            f"{folder}: `text_encoder` is the table {settings.text_encoder}, a row a text. Make "
            "corpus and table anew without the posts, and train again."
        )
    carried = kind.can_update and run.complete and carry
    present: tuple[Corpus, Corpus | None] | None = None
    for number in states.kept_states(run) if carried else [run.state]:
        place = states.folder_of(run, number).relative_to(folder) if carried else pathlib.Path()
        source = states.folder_of(run, number)
        old, new = _without(source / "data", target / place / "data", wish.gone)
        if number == run.state:
            present = old, new
        if new is None or not carried:
            continue
        try:
            vectors = read_vectors(target / place / "data", new, settings)
            kind.carry(settings, old, vectors, source / "weights", target / place / "weights")
        except DataError:  # too little is left
            if number == run.state:
                shutil.rmtree(target)
                target.mkdir()
                return _run_without(folder, target, wish, retrain, carry=False)
            for part in ("data", "weights"):
                shutil.rmtree(target / place / part, ignore_errors=True)
            told.append(f"state {number} held too little besides and is gone")
    assert present is not None
    done = _report(folder, *present, wish, [*told, *_consequences(run, carried, retrain)], ())
    if not carried:
        anew.split_anew(target / "data", present[1], run.state)
    removed = anew.carry_files(run, target, carried)
    since = queued_since(run) or (states.now() if retrain else None)
    queued: dict[str, Any] = {anew.QUEUED: since} if carried and since else {}
    anew.write_info(run, target, carried, **queued)
    return dataclasses.replace(done, removed=sorted(removed))


def _consequences(run: Run, carried: bool, retrain: bool) -> list[str]:
    if carried:
        more = "" if retrain else "; --retrain queues training anew"
        return [f"the weights were learned from these posts, too, and stay{more}"]
    return [
        f"the weights of `{run.settings.model}` are of these users and hashtags, or cannot rank "
        "what is left, and are removed"
    ]
