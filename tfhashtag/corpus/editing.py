"""Corpora from corpora: some of the posts of one, and the posts of two, in columns."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.outcomes import joined_outcomes, known_outcomes
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.texts import Texts
from tfhashtag.errors import DataError

#: int32 columns that number the strings of another column, `[posts]` but for hashtags.
_NUMBERED = {"user_of_post": "users", "message_of_post": "messages", "hashtag_values": "hashtags"}


def select_posts(corpus: Corpus, posts: np.ndarray) -> Corpus:
    """Some posts of a corpus, with the users, messages and hashtags that these have.

    Strings are numbered by first appearance, as `read_corpus` numbers them. Who was evaluated and
    still has a post stays so.

    Args:
        corpus: the posts.
        posts: int `[n]`, in the order that they shall have.

    Returns:
        A corpus in memory, without digest and folder.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=50, users=5, seed=0)
    >>> len(select_posts(corpus, np.arange(40, 50)))
    10
    """
    posts = np.asarray(posts, np.int64)
    tags = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    rows = _some_proposals(corpus.proposals, corpus.proposal_rows, posts)
    picked = dataclasses.replace(
        corpus,
        post_ids=_taken(corpus.post_ids, posts),
        user_of_post=corpus.user_of_post[posts],
        message_of_post=corpus.message_of_post[posts],
        hashtag_offsets=tags.offsets,
        hashtag_values=tags.values,
        split_of_post=corpus.split_of_post[posts],
        timestamps=None if corpus.timestamps is None else corpus.timestamps[posts],
        images=None if corpus.images is None else [corpus.images[post] for post in posts],
        proposals=rows[0],
        proposal_rows=rows[1],
        outcomes=known_outcomes({n: v[posts] for n, v in (corpus.outcomes or {}).items()}),
        digest="",
        folder=None,
    )
    return _numbered_anew(picked)


def join_posts(old: Corpus, new: Corpus) -> Corpus:
    """The posts of two corpora as one: in order of time where both have times, else `new` last.

    Of one second the old ones come first; splits stay as they are. All users of `new` are
    evaluated besides those of `old`, in order of appearance where all were.

    Args:
        old: the posts that were there, whose name is kept.
        new: the posts that come in.

    Raises:
        DataError: a post stands in both, only one of them has times, or their proposals have
            different shapes.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=50, users=5, seed=0)
    >>> early, late = select_posts(corpus, np.arange(40)), select_posts(corpus, np.arange(40, 50))
    >>> join_posts(early, late).post_ids == corpus.post_ids
    True
    """
    _check_joinable(old, new)
    strings: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    for column, name in _NUMBERED.items():
        ours, more = Texts.of(getattr(old, name)), Texts.of(getattr(new, name))
        theirs = ours.places(more)
        added = np.flatnonzero(theirs < 0)
        theirs[added] = len(ours) + np.arange(len(added))
        both = ours.joined(more.take(added))
        strings[name] = both if isinstance(getattr(old, name), Texts) else list(both)
        columns[column] = np.concatenate(
            [getattr(old, column), theirs.astype(np.int32)[getattr(new, column)]]
        )
    proposals, proposal_rows = _joined_proposals(old, new)
    images = None
    if old.images is not None or new.images is not None:
        images = [*(old.images or [()] * len(old)), *(new.images or [()] * len(new))]
    everybody = len(old.evaluation_users) == len(old.users)
    users = np.arange(len(strings["users"]), dtype=np.int32)
    if not everybody:
        added = np.unique(columns["user_of_post"][len(old) :])
        users = np.concatenate([old.evaluation_users, np.setdiff1d(added, old.evaluation_users)])
    joined = dataclasses.replace(
        old,
        post_ids=Texts.of(old.post_ids).joined(new.post_ids),
        **strings,
        **columns,
        hashtag_offsets=np.concatenate(
            [old.hashtag_offsets, old.hashtag_offsets[-1] + new.hashtag_offsets[1:]]
        ),
        split_of_post=np.concatenate([old.split_of_post, new.split_of_post]),
        evaluation_users=users,
        timestamps=None
        if old.timestamps is None or new.timestamps is None
        else np.concatenate([old.timestamps, new.timestamps]),
        images=images,
        proposals=proposals,
        proposal_rows=proposal_rows,
        outcomes=joined_outcomes([(old.outcomes, len(old)), (new.outcomes, len(new))]),
        digest="",
        folder=None,
    )
    order = _order(joined)
    moved = not np.array_equal(order, np.arange(len(joined)))
    found = select_posts(joined, order) if moved else joined
    if everybody:  # in order of appearance, as an import has them
        everyone = np.arange(len(found.users), dtype=np.int32)
        found = dataclasses.replace(found, evaluation_users=everyone)
    return found


def _check_joinable(old: Corpus, new: Corpus) -> None:
    there = np.flatnonzero(Texts.of(old.post_ids).places(new.post_ids) >= 0)
    if len(there):
        twice = new.post_ids[there[0]]
        raise DataError(f"post {twice!r} is in the corpus already; expected posts that are new.")
    if (old.timestamps is None) != (new.timestamps is None):
        new_have, old_have = ("times", "none") if old.timestamps is None else ("no times", "some")
        raise DataError(
            f"the new posts have {new_have} and those of the corpus have {old_have}; posts are "
            "kept in order of time, so give both or neither: --columns timestamp=..., or import "
            "anew."
        )


def _order(corpus: Corpus) -> np.ndarray:
    """By time; posts of one second by their ids, as `tfhashtag.corpus.ordering` has them."""
    if corpus.timestamps is None:
        return np.arange(len(corpus))
    order = np.argsort(corpus.timestamps, kind="stable")
    times = corpus.timestamps[order]
    same = np.diff(times) == 0
    starts = np.flatnonzero(np.r_[True, ~same])
    lengths = np.diff(np.r_[starts, len(times)])
    # Posts of one source stand in its order; others of one second are put in order.
    mixed = np.searchsorted(starts, np.flatnonzero(same & (np.diff(order) != 1)), "right") - 1
    for group in np.unique(mixed):
        start, length = starts[group], lengths[group]
        part = order[start : start + length]
        order[start : start + length] = sorted(
            part.tolist(), key=lambda post: _by_id(corpus.post_ids[post])
        )
    return order


def _by_id(identity: str) -> tuple[int, int, str]:
    number = identity.isdecimal() and len(identity) < 30
    return (0, int(identity), "") if number else (1, 0, identity)


def _taken(strings: Sequence[str], places: np.ndarray) -> Sequence[str]:
    if isinstance(strings, Texts):
        return strings.take(places)
    return np.array(strings, object)[places].tolist()


def _some_proposals(vectors: Any, rows: Any, posts: np.ndarray) -> tuple[Any, Any]:
    """The proposals of the posts, each once, in order of appearance."""
    if rows is None:
        return None, None
    rows = rows[posts]
    if not np.any(rows >= 0):
        return None, None
    kept, numbers = _first_appearance(rows[rows >= 0], len(vectors))
    found = np.full(len(rows), -1, np.int32)
    found[rows >= 0] = numbers
    return np.asarray(vectors[kept]), found


def _joined_proposals(old: Corpus, new: Corpus) -> tuple[Any, Any]:
    given = [corpus for corpus in (old, new) if corpus.proposals is not None]
    if not given:
        return None, None
    shapes = {corpus.proposals.shape[1:] for corpus in given if corpus.proposals is not None}
    if len(shapes) > 1:
        raise DataError(
            f"the new posts bring proposals {new.proposals.shape[1:]}, "  # type: ignore[union-attr]
            f"those of the corpus are {old.proposals.shape[1:]}."  # type: ignore[union-attr]
        )
    place: dict[bytes, int] = {}
    vectors: list[np.ndarray] = []
    rows = []
    for corpus in (old, new):
        if corpus.proposals is None or corpus.proposal_rows is None:
            rows.append(np.full(len(corpus), -1, np.int32))
            continue
        number = np.zeros(len(corpus.proposals) + 1, np.int32)
        number[-1] = -1  # the row of a post without any
        for row, vector in enumerate(corpus.proposals):
            content = np.ascontiguousarray(vector).tobytes()
            number[row] = place.setdefault(content, len(place))
            if number[row] == len(vectors):
                vectors.append(vector)
        rows.append(number[corpus.proposal_rows])
    return np.stack(vectors).astype(np.float32, copy=False), np.concatenate(rows)


def _first_appearance(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values in order of first appearance, and the place of each value among them."""
    distinct, first = np.unique(values, return_index=True)
    kept = distinct[np.argsort(first, kind="stable")]
    place = np.full(count, -1, np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    return kept, place[values]


def _numbered_anew(corpus: Corpus) -> Corpus:
    """Users, messages and hashtags without those that no post has, by first appearance."""
    changed: dict[str, Any] = {}
    users = np.zeros(0, np.int64)
    for column, name in _NUMBERED.items():
        strings = getattr(corpus, name)
        kept, changed[column] = _first_appearance(getattr(corpus, column), len(strings))
        changed[name] = _taken(strings, kept)
        users = kept if name == "users" else users
    place = np.full(len(corpus.users), -1, np.int32)
    place[users] = np.arange(len(users), dtype=np.int32)
    evaluated = place[corpus.evaluation_users]
    changed["evaluation_users"] = evaluated[evaluated >= 0]
    return dataclasses.replace(corpus, **changed)
