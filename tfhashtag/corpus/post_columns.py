"""From posts, one after the other, to the columns of a corpus."""

import array
import collections
import hashlib
from collections.abc import Collection
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.outcomes import OUTCOMES, UNKNOWN, known_outcomes
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.splits import split_posts
from tfhashtag.corpus.texts import StoredTexts, Texts, first_of_each
from tfhashtag.errors import DataError
from tfhashtag.stored_rows import StoredRows

_NO_SPLIT = -1


class PostColumns:
    """Takes posts in order of time and gives their corpus; texts and ids lie in files.

    In memory are numbers of each post, and the names of users and hashtags.

    Example:

    >>> columns = PostColumns()
    >>> for user, text in (("ann", "tea"), ("bob", "tea")):
    ...     columns.add(Post(f"{user}-1", user, text, ("cup",)))
    >>> corpus = columns.corpus("two", None, "own-time", 0)
    >>> corpus.users, list(corpus.messages), corpus.message_of_post.tolist()
    (['ann', 'bob'], ['tea'], [0, 0])
    """

    def __init__(self) -> None:
        self._ids, self._texts, self._digests = StoredTexts(), StoredTexts(), bytearray()
        self._users: dict[str, int] = {}
        self._hashtags: dict[str, int] = {}
        self._user, self._tags = array.array("i"), array.array("i")
        self._many, self._split = array.array("i"), array.array("b")
        self._times, self._timed = array.array("q"), True
        self._images: dict[int, tuple[str, ...]] = {}
        self._outcomes: dict[int, tuple[int, ...]] = {}
        self._proposals = _Proposals()
        self._without: tuple[str, str] | None = None  # place and id of a post without split

    def __len__(self) -> int:
        return len(self._user)

    def add(self, post: Post) -> None:
        """Takes the next post.

        Raises:
            DataError: its proposals have another shape than those before.
        """
        place = len(self)
        self._user.append(self._users.setdefault(post.user, len(self._users)))
        self._ids.add(post.id)
        self._texts.add(post.text)
        self._digests += hashlib.sha256(post.text.encode()).digest()[:16]
        self._many.append(len(post.hashtags))
        self._tags.extend(
            self._hashtags.setdefault(tag, len(self._hashtags)) for tag in post.hashtags
        )
        self._times.append(post.timestamp or 0)
        self._timed = self._timed and post.timestamp is not None
        self._split.append(_NO_SPLIT if post.split is None else post.split)
        if post.split is None and self._without is None:
            self._without = post.place, post.id
        if post.images:
            self._images[place] = post.images
        if post.outcomes:
            self._outcomes[place] = post.outcomes
        if post.proposals is not None:
            self._proposals.add(place, post)

    def corpus(self, name: str, wanted: list[str] | None, split: str, seed: int) -> Corpus:
        """The corpus; arguments and errors as `tfhashtag.corpus.importing.corpus_of_posts`."""
        splits, users = np.array(self._split, np.int8), np.array(self._user, np.int32)
        with_split = int(np.count_nonzero(splits != _NO_SPLIT))
        if self._without is not None and with_split:
            raise mixed_splits(*self._without, with_split, len(self))
        times = np.array(self._times, np.int64) if self._timed else None
        if not with_split:
            splits = split_posts(split, users, seed, times)
        names = list(self._users) if wanted is None else checked_users(wanted, self._users)
        messages, message_of_post = self._messages()
        proposals, proposal_rows = self._proposals.columns(len(self))
        return Corpus(
            name=name,
            post_ids=self._ids.texts(),
            users=list(self._users),
            user_of_post=users,
            messages=messages,
            message_of_post=message_of_post,
            hashtags=list(self._hashtags),
            hashtag_offsets=np.concatenate([[0], np.cumsum(self._many, dtype=np.int64)]),
            hashtag_values=np.array(self._tags, np.int32),
            split_of_post=splits,
            evaluation_users=np.array([self._users[user] for user in names], np.int32),
            timestamps=times,
            images=[self._images.get(place, ()) for place in range(len(self))]
            if self._images
            else None,
            digest="",
            proposals=proposals,
            proposal_rows=proposal_rows,
            outcomes=self._known_outcomes(),
        )

    def _messages(self) -> tuple[Texts, np.ndarray]:
        """The distinct texts in order of first appearance, and that of each post."""
        digests = np.frombuffer(self._digests, np.uint8).reshape(-1, 16)
        first, message_of_post = first_of_each(digests)
        texts = self._texts.texts()
        if len(first) == len(texts):
            return texts, message_of_post
        distinct = StoredTexts()
        for text in texts.at(first):
            distinct.add(text)
        return distinct.texts(), message_of_post

    def _known_outcomes(self) -> dict[str, np.ndarray] | None:
        if not self._outcomes:
            return None
        table = np.full((len(self), len(OUTCOMES)), UNKNOWN, np.int64)
        for place, values in self._outcomes.items():
            table[place] = values
        return known_outcomes({name: table[:, at] for at, name in enumerate(OUTCOMES)})


class _Proposals:
    """Distinct proposals of posts, in a file."""

    def __init__(self) -> None:
        self._row_of_content: dict[bytes, int] = {}
        self._row_of_post: dict[int, int] = {}
        self._rows: StoredRows | None = None
        self._shape: tuple[int, ...] = ()

    def add(self, place: int, post: Post) -> None:
        """Takes those of a post.

        Raises:
            DataError: they have another shape than those before.
        """
        values = np.ascontiguousarray(post.proposals, np.float32)
        if self._rows is None:
            self._shape, self._rows = values.shape, StoredRows(0, values.size, np.float32)
        if values.shape != self._shape:
            raise DataError(
                f"proposals of posts have different shapes: {values.shape} of {post.id!r}, "
                f"{self._shape} before."
            )
        content = hashlib.sha256(values.tobytes()).digest()
        row = self._row_of_content.setdefault(content, len(self._row_of_content))
        self._row_of_post[place] = row
        if row == len(self._rows):
            self._rows.add(values.reshape(1, -1))

    def columns(self, posts: int) -> tuple[Any, Any]:
        """Distinct proposals `[rows, m, a]` and each post's row, -1 for none; None without any."""
        if self._rows is None:
            return None, None
        rows = np.full(posts, -1, np.int32)
        rows[list(self._row_of_post)] = list(self._row_of_post.values())
        return self._rows.mapped().reshape(-1, *self._shape), rows


def mixed_splits(place: str, identity: str, with_split: int, posts: int) -> DataError:
    """The fault of a source of which some posts have a split and others none."""
    where = f"{place}: " if place else ""
    return DataError(
        f"{where}post {identity!r} has no split, {with_split} of {posts} posts have one; expected "
        "all or none. Mend it, or split anew: `--split own-time`."
    )


def checked_users(wanted: list[str], users: Collection[str]) -> list[str]:
    """Users to evaluate, each of which has a post and stands once.

    Raises:
        DataError: one that has none, or stands twice.
    """
    missing = [user for user in wanted if user not in users]
    if missing:
        raise DataError(f"user {missing[0]!r} of the list to evaluate has no post.")
    if len(set(wanted)) < len(wanted):
        twice = next(user for user, n in collections.Counter(wanted).items() if n > 1)
        raise DataError(f"user {twice!r} stands twice in the list to evaluate; expected once.")
    return wanted
