"""Posts of an import on the disk: they come in the order of files and go in that of time."""

import collections
import contextlib
import hashlib
import itertools
import json
import sqlite3
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.ordering import neighbours_in_time, tie_key
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.texts import first_of_each
from tfhashtag.errors import ArtifactError

_CACHE = 16 << 10  # KiB that SQLite holds before it writes to the disk
_AT_ONCE = 1024  # posts that are read at once
_TABLES = """
CREATE TABLE ids (id TEXT PRIMARY KEY, place TEXT) WITHOUT ROWID;
CREATE TABLE posts (
    place INTEGER PRIMARY KEY, time INTEGER, near INTEGER, user INTEGER, id TEXT, numbered INTEGER,
    name TEXT, text TEXT, hashtags TEXT, split INTEGER, source TEXT, more TEXT, proposals BLOB
);
"""
_CONTENT = "SELECT place, name, text, hashtags FROM posts WHERE place IN ({})"
_WHOLE = """
SELECT posts.place, near.time, posts.id, posts.name, posts.text, posts.hashtags, posts.split,
    posts.source, posts.numbered, posts.more, posts.proposals
FROM posts JOIN posts near ON near.place = posts.near WHERE posts.place IN ({})
"""
_IN_ORDER = """
SELECT posts.place FROM posts JOIN posts near ON near.place = posts.near
ORDER BY near.time, tie(near.id, near.numbered, near.name, near.text, near.hashtags),
    (posts.near < posts.place) - (posts.near > posts.place), posts.place
"""


class PostSpool:
    """Posts that are read once, in the order of files, and gone through in order of time.

    They lie in a database without a name, which SQLite keeps where temporary files go (TMPDIR) once
    it is larger than some megabytes; of each post the process holds numbers alone.

    In order of time each post has a time, or none has, where most have none. Posts of one second
    stand in order of their ids (numbers by value), and where the source gives no ids in that of
    user, text and hashtags, so that the order of the file changes nothing. A post without time gets
    that of its neighbour in the file, the one before it of the same user if there is one, and
    stands right behind it.

    Args:
        posts: to begin with.

    Attributes:
        hashtags: how often each is used, in order of first appearance, as it came.
        name_of: what hashtags are called from now on; those that are not in it keep their names.
        timed: how many posts have a time of their own.

    Raises:
        ArtifactError: there is no room for them.

    Example:

    >>> posts = [Post(i, "u", "", (), timestamp=t) for i, t in (("a", 7), ("b", None), ("c", 5))]
    >>> [(post.id, post.timestamp) for post in PostSpool(posts)]
    [('c', 5), ('a', 7), ('b', 7)]
    """

    def __init__(self, posts: Iterable[Post] = ()) -> None:
        self.hashtags: collections.Counter[str] = collections.Counter()
        self.name_of: dict[str, str] = {}
        self.timed = 0
        self._users: dict[str, int] = {}
        self._count = 0
        self._order: np.ndarray | None = None
        with _told():
            # One user at a time, but in any thread: what collects garbage may be another.
            self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._lie_in(tempfile.gettempdir())
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE}"):
                self._base.execute(f"PRAGMA {setting}")
            self._base.executescript(_TABLES)
            self._base.execute("BEGIN")
        weakref.finalize(self, self._base.close)
        for post in posts:
            self.add(post)

    def __len__(self) -> int:
        return self._count if self._order is None else len(self._order)

    def __iter__(self) -> Iterator[Post]:
        return map(self._post, self._rows(_WHOLE))

    def _lie_in(self, folder: str) -> None:
        """Sets where SQLite keeps what has no name: of its own accord not where Python does."""
        said = self._base.execute("PRAGMA temp_store_directory").fetchone()
        if said != (folder,):  # it is one of the whole process
            quoted = folder.replace("'", "''")
            self._base.execute(f"PRAGMA temp_store_directory = '{quoted}'")

    def note(self, identity: str, place: str) -> None:
        """Notes the id of a post that is read, whether or not it is kept.

        Raises:
            BadPost: a post before has it.
        """
        with _told():
            made = self._base.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (identity, place))
            if made.rowcount:
                return
            (before,) = self._base.execute("SELECT place FROM ids WHERE id = ?", (identity,))
        raise repeated_id(identity, before[0])

    def add(self, post: Post) -> None:
        """Keeps a post, the next of the file."""
        self.hashtags.update(post.hashtags)
        self.timed += post.timestamp is not None
        user = self._users.setdefault(post.user, len(self._users))
        time = None if post.timestamp is None else int(post.timestamp)
        values = None if post.proposals is None else np.asarray(post.proposals, np.float32)
        more = [post.images, post.outcomes, post.retweet, None if values is None else values.shape]
        row = (
            self._count, time, self._count, user, post.id, post.numbered, post.user, post.text,
            " ".join(post.hashtags), post.split, post.place,
            json.dumps(more) if any(more) else None, None if values is None else values.tobytes(),
        )  # fmt: skip
        with _told():
            self._base.execute(f"INSERT INTO posts VALUES ({','.join('?' * len(row))})", row)
        self._count += 1
        self._order = None

    def repeats(self, drop: bool) -> int:
        """How many posts have user, text and hashtags of an earlier one; `drop` leaves them out."""
        contents = bytearray()
        for _, user, text, hashtags in self._rows(_CONTENT):
            tags = " ".join(self._named(hashtags))
            content = f"{len(user)} {len(text)} {user}{text}{tags}".encode()
            contents += hashlib.sha256(content).digest()[:16]
        first, _ = first_of_each(np.frombuffer(contents, np.uint8).reshape(-1, 16))
        count = len(self) - len(first)
        if drop:
            self._order = self._ordered()[first]
        return count

    @property
    def _times_count(self) -> bool:
        """Whether posts have times: more than half of them do."""
        return 2 * self.timed > self._count

    def _ordered(self) -> np.ndarray:
        """The places of the posts in order of time, int64."""
        if self._order is None and not self._times_count:
            self._order = np.arange(self._count)
        elif self._order is None:
            with _told():
                self._find_times()
                self._base.create_function("tie", 5, self._tie, deterministic=True)
                places = (place for (place,) in self._base.execute(_IN_ORDER))
                self._order = np.fromiter(places, np.int64, self._count)
                self._base.create_function("tie", 5, None)  # it holds this object
        return self._order

    def _find_times(self) -> None:
        """Notes, for posts without a time, the place of the post whose time they get."""
        if self.timed == self._count:
            return
        rows = self._base.execute("SELECT user, time IS NOT NULL FROM posts ORDER BY place")
        pairs = itertools.chain.from_iterable(rows)
        users, timed = np.fromiter(pairs, np.int32, 2 * self._count).reshape(-1, 2).T
        near = neighbours_in_time(users, timed > 0)
        without = np.flatnonzero(timed == 0)
        found = zip(near[without].tolist(), without.tolist(), strict=True)
        self._base.executemany("UPDATE posts SET near = ? WHERE place = ?", found)

    def _named(self, hashtags: str) -> tuple[str, ...]:
        # Interned, as those that were read: one string for all posts.
        names = (self.name_of.get(tag, tag) for tag in hashtags.split(" ") if tag)
        return tuple(map(sys.intern, names))

    def _tie(self, identity: str, numbered: int, user: str, text: str, hashtags: str) -> bytes:
        return tie_key(Post(identity, user, text, self._named(hashtags), numbered=bool(numbered)))

    def _rows(self, query: str) -> Iterator[Any]:
        """Rows of a query in order of time, by the places that it begins with."""
        order = self._ordered()
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE].tolist()
            with _told():
                found = self._base.execute(query.format(",".join("?" * len(some))), some)
                rows = {row[0]: row for row in found}
            yield from map(rows.__getitem__, some)

    def _post(self, row: Any) -> Post:
        _, time, identity, user, text, hashtags, split, source, numbered, more, proposals = row
        images, outcomes, retweet, shape = (
            ((), (), False, None) if more is None else json.loads(more)
        )
        return Post(
            identity,
            sys.intern(user),
            text,
            self._named(hashtags),
            split=None if split is None else Split(split),
            timestamp=time if self._times_count else None,
            images=tuple(images),
            proposals=None if shape is None else np.frombuffer(proposals, "f4").reshape(shape),
            retweet=retweet,
            place=source,
            numbered=bool(numbered),
            outcomes=tuple(outcomes),
        )


def repeated_id(identity: str, place: str) -> BadPost:
    """The fault of a post whose id stood before, at a place."""
    fault = f"id {identity!r} stood before, at {place}; expected each id once"
    return BadPost("duplicate id", fault)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ArtifactError(
            f"{tempfile.gettempdir()}: no place for the posts that are read ({error}). Make room, "
            "or say where there is some: TMPDIR."
        ) from error
