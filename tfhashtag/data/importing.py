"""Import: from files of a format to a corpus folder, with every bad line named or counted."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable

import numpy as np

from tfhashtag.data.corpus import Corpus
from tfhashtag.data.post import BadPost, Post
from tfhashtag.data.readers import READERS
from tfhashtag.data.readers.howyoutag import evaluation_users
from tfhashtag.data.splits import split_by_time
from tfhashtag.data.store import write_corpus
from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        posts: number of posts in the corpus.
        skipped: number of bad posts by reason, with `skip_bad`.
        examples: the first fault of each reason, `place: fault`.
        counted: what was found and is no fault, such as empty hashtag fields.
    """

    posts: int
    skipped: dict[str, int]
    examples: dict[str, str]
    counted: dict[str, int]


def import_posts(
    source_format: str,
    path: str | os.PathLike,
    out: str | os.PathLike,
    *,
    skip_bad: bool = False,
    keep_hashtags_in_text: bool = False,
    name: str | None = None,
) -> ImportReport:
    """Reads, checks and writes a corpus.

    Posts with timestamps are put in time order; a post without keeps its place in the file. Where
    the source has no splits, each user's posts are split 80/10/10 by time. A post's own hashtags
    are taken out of its text wherever they stand as `#tag`, as in the paper: else a model reads the
    answer there.

    Args:
        source_format: a key of `READERS`.
        path: file, or folder for `howyoutag`.
        out: corpus folder to make.
        skip_bad: count and report bad posts instead of stopping at the first.
        keep_hashtags_in_text: leave `#tag` words where they stand.
        name: of the corpus; default the name of `path`.

    Raises:
        DataError: with file and line, what was found and what was expected.
    """
    if source_format not in READERS:
        raise DataError(f"format {source_format!r} is not known; expected {', '.join(READERS)}.")
    path = pathlib.Path(path)
    if pathlib.Path(out).exists():
        raise DataError(f"{out}: exists already. Give another folder, or delete it first.")
    skipped: collections.Counter[str] = collections.Counter()
    examples: dict[str, str] = {}
    counted: collections.Counter[str] = collections.Counter()

    def on_bad(place: str, fault: BadPost) -> None:
        if not skip_bad:
            raise DataError(f"{place}: {fault}. Mend it, or skip and count such posts: --skip-bad.")
        skipped[fault.reason] += 1
        examples.setdefault(fault.reason, f"{place}: {fault}")

    posts: list[Post] = []
    seen: dict[str, str] = {}
    for post in READERS[source_format](path, on_bad, counted):
        if post.id in seen:
            fault = f"id {post.id!r} stood before, at {seen[post.id]}; expected each id once"
            on_bad(post.place, BadPost("duplicate id", fault))
            continue
        seen[post.id] = post.place
        posts.append(post if keep_hashtags_in_text else _without_own_hashtags(post))
    if not posts:
        raise DataError(f"{path}: no post is left; expected at least one good line.")
    without = sum(post.timestamp is None for post in posts)
    if 0 < without < len(posts):
        counted["posts without timestamp, which keep their place"] = without
    order = evaluation_users(path) if source_format == "howyoutag" else None
    corpus = corpus_of_posts(posts, name or path.stem, order)
    write_corpus(corpus, out)
    return ImportReport(len(posts), dict(skipped), examples, dict(counted))


def corpus_of_posts(
    posts: Iterable[Post], name: str, users_to_evaluate: list[str] | None = None
) -> Corpus:
    """A corpus of checked posts.

    Args:
        posts: in file order. Those with timestamps are put in time order among themselves; the
            corpus keeps timestamps only where all posts have one.
        name: of the corpus.
        users_to_evaluate: in this order; None for all, in order of first appearance.

    Raises:
        DataError: some posts have a split and others none, or a user to evaluate has no post or
            stands twice.
    """
    posts = _in_time_order(list(posts))
    with_split = sum(post.split is not None for post in posts)
    if 0 < with_split < len(posts):
        odd = next(post.id for post in posts if post.split is None)
        raise DataError(
            f"post {odd!r} has no split, {with_split} others have one; expected all or none."
        )
    users: dict[str, int] = {}
    messages: dict[str, int] = {}
    hashtags: dict[str, int] = {}
    user_of_post = np.array([users.setdefault(p.user, len(users)) for p in posts], np.int32)
    message_of_post = np.array(
        [messages.setdefault(p.text, len(messages)) for p in posts], np.int32
    )
    tags = [hashtags.setdefault(tag, len(hashtags)) for p in posts for tag in p.hashtags]
    if with_split:
        splits = np.array([post.split for post in posts], np.int8)
    else:
        splits = split_by_time(user_of_post)
    wanted = list(users) if users_to_evaluate is None else users_to_evaluate
    missing = [user for user in wanted if user not in users]
    if missing:
        raise DataError(f"user {missing[0]!r} of the list to evaluate has no post.")
    if len(set(wanted)) < len(wanted):
        twice = next(user for user, n in collections.Counter(wanted).items() if n > 1)
        raise DataError(f"user {twice!r} stands twice in the list to evaluate; expected once.")
    stamped = all(post.timestamp is not None for post in posts)
    images = [post.image for post in posts]
    return Corpus(
        name=name,
        post_ids=[post.id for post in posts],
        users=list(users),
        user_of_post=user_of_post,
        messages=list(messages),
        message_of_post=message_of_post,
        hashtags=list(hashtags),
        hashtag_offsets=np.cumsum([0, *(len(post.hashtags) for post in posts)]).astype(np.int64),
        hashtag_values=np.array(tags, np.int32),
        split_of_post=splits,
        evaluation_users=np.array([users[user] for user in wanted], np.int32),
        timestamps=np.array([post.timestamp for post in posts], np.int64) if stamped else None,
        images=images if any(images) else None,
        digest="",
    )


def _without_own_hashtags(post: Post) -> Post:
    if "#" not in post.text or not post.hashtags:
        return post
    own = "|".join(re.escape(tag) for tag in sorted(post.hashtags, key=len, reverse=True))
    text, found = re.subn(rf"\s*#(?:{own})(?!\w)", "", post.text, flags=re.IGNORECASE)
    return dataclasses.replace(post, text=text.strip()) if found else post


def _in_time_order(posts: list[Post]) -> list[Post]:
    """Posts with timestamps change places among themselves; the others stay where they are."""
    stamped = [place for place, post in enumerate(posts) if post.timestamp is not None]
    order = sorted(stamped, key=lambda place: posts[place].timestamp or 0)
    result = list(posts)
    for place, source in zip(stamped, order, strict=True):
        result[place] = posts[source]
    return result
