"""Import: from files of a format to a corpus folder, with every bad line named or counted."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.pictures import picture_name_of_file
from tfhashtag.corpus.post import BadPost, Post
from tfhashtag.corpus.readers import READERS
from tfhashtag.corpus.readers.howyoutag import evaluation_users
from tfhashtag.corpus.splits import SPLITS, split_posts
from tfhashtag.corpus.store import write_corpus
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
    split: str | None = None,
    split_seed: int = 0,
) -> ImportReport:
    """Reads, checks and writes a corpus.

    Posts with timestamps are put in time order; a post without keeps its place in the file. Where
    the source has no splits, each user's posts are split 80/10/10 by time. A post's own hashtags
    are taken out of its text wherever they stand as `#tag`, as in the paper: else a model reads the
    answer there.

    An image is a path relative to the folder of `path`; its file is copied into the corpus folder,
    equal pictures once. A missing file is a fault of the post. Whether a picture can be decoded is
    seen when it is encoded.

    Args:
        source_format: a key of `READERS`.
        path: file, or folder for `howyoutag` and `macon`.
        out: corpus folder to make.
        skip_bad: count and report bad posts instead of stopping at the first.
        keep_hashtags_in_text: leave `#tag` words where they stand.
        name: of the corpus; default the name of `path`.
        split: one of `tfhashtag.corpus.splits.SPLITS`, in place of the source's own splits; None
            for the source's, and `"own-time"` where it has none.
        split_seed: of the split `"random-90-10"`.

    Raises:
        DataError: with file and line, what was found and what was expected.
    """
    if source_format not in READERS:
        raise DataError(f"format {source_format!r} is not known; expected {', '.join(READERS)}.")
    if split is not None and split not in SPLITS:
        raise DataError(f"split {split!r} is not known; expected {', '.join(SPLITS)}.")
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
    pictures = _Pictures(path if path.is_dir() else path.parent)
    first: Post | None = None
    for post in READERS[source_format](path, on_bad, counted):
        if post.id in seen:
            fault = f"id {post.id!r} stood before, at {seen[post.id]}; expected each id once"
            on_bad(post.place, BadPost("duplicate id", fault))
            continue
        seen[post.id] = post.place
        try:
            post = pictures.named(post)  # noqa: PLW2901
            first = _same_shape(post, first)
        except BadPost as fault:
            on_bad(post.place, fault)
            continue
        posts.append(post if keep_hashtags_in_text else _without_own_hashtags(post))
    if not posts:
        counts = ", ".join(f"{reason} ({skipped[reason]:,})" for reason in skipped)
        told = f" Skipped: {counts}, first {next(iter(examples.values()))}." if counts else ""
        raise DataError(f"{path}: no post is left; expected at least one good line.{told}")
    without = sum(post.timestamp is None for post in posts)
    if 0 < without < len(posts):
        counted["posts without timestamp, which keep their place"] = without
    order = evaluation_users(path) if source_format == "howyoutag" else None
    if split is not None:
        posts = [dataclasses.replace(post, split=None) for post in posts]
    corpus = corpus_of_posts(
        posts, name or path.stem, order, split=split or "own-time", split_seed=split_seed
    )
    write_corpus(corpus, out, pictures.source_of_name)
    return ImportReport(len(posts), dict(skipped), examples, dict(counted))


def corpus_of_posts(
    posts: Iterable[Post],
    name: str,
    users_to_evaluate: list[str] | None = None,
    *,
    split: str = "own-time",
    split_seed: int = 0,
) -> Corpus:
    """A corpus of checked posts.

    Args:
        posts: in file order. Those with timestamps are put in time order among themselves; the
            corpus keeps timestamps only where all posts have one.
        name: of the corpus.
        users_to_evaluate: in this order; None for all, in order of first appearance.
        split: how posts without split are split, one of `tfhashtag.corpus.splits.SPLITS`.
        split_seed: of the split `"random-90-10"`.

    Raises:
        DataError: some posts have a split and others none, a user to evaluate has no post or
            stands twice, or proposals of different posts have different shapes.
    """
    posts = _in_time_order(list(posts))
    with_split = sum(post.split is not None for post in posts)
    if 0 < with_split < len(posts):
        odd = next(post for post in posts if post.split is None)
        place = f"{odd.place}: " if odd.place else ""
        raise DataError(
            f"{place}post {odd.id!r} has no split, {with_split} of {len(posts)} posts have one; "
            "expected all or none. Mend it, or split anew: `--split own-time`."
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
        splits = split_posts(split, user_of_post, split_seed)
    wanted = list(users) if users_to_evaluate is None else users_to_evaluate
    missing = [user for user in wanted if user not in users]
    if missing:
        raise DataError(f"user {missing[0]!r} of the list to evaluate has no post.")
    if len(set(wanted)) < len(wanted):
        twice = next(user for user, n in collections.Counter(wanted).items() if n > 1)
        raise DataError(f"user {twice!r} stands twice in the list to evaluate; expected once.")
    stamped = all(post.timestamp is not None for post in posts)
    images = [post.image for post in posts]
    proposals, proposal_rows = _proposals_of(posts)
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
        proposals=proposals,
        proposal_rows=proposal_rows,
    )


class _Pictures:
    """Pictures that posts name, each content once: its name in the corpus, a file that has it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.source_of_name: dict[str, pathlib.Path] = {}
        self._folder = folder
        self._name_of_path: dict[str, str] = {}

    def named(self, post: Post) -> Post:
        """The post with the name of its picture in the corpus in place of the file's path."""
        if not post.image:
            return post
        if post.image not in self._name_of_path:
            path = self._folder / post.image
            try:
                name = picture_name_of_file(path)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                fault = f"image {str(path)!r} cannot be read ({reason}); expected a file there"
                raise BadPost("missing image", fault) from None
            self._name_of_path[post.image] = name
            self.source_of_name.setdefault(name, path)
        return dataclasses.replace(post, image=self._name_of_path[post.image])


def _same_shape(post: Post, first: Post | None) -> Post | None:
    """The first post with proposals; a later one of another shape is a fault."""
    if post.proposals is None:
        return first
    if first is None or first.proposals is None or first.proposals.shape == post.proposals.shape:
        return first or post
    found, expected = post.proposals.shape, first.proposals.shape
    fault = f"`proposals` are {found[0]} x {found[1]}; expected {expected[0]} x {expected[1]} as at"
    raise BadPost("proposals of another shape", f"{fault} {first.place or first.id}")


def _proposals_of(posts: list[Post]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Distinct proposals `[rows, m, a]` and each post's row, -1 for none."""
    shapes = {post.proposals.shape: post.id for post in posts if post.proposals is not None}
    if not shapes:
        return None, None
    if len(shapes) > 1:
        raise DataError(f"proposals of posts have different shapes (shape: post): {shapes}.")
    row_of_content: dict[bytes, int] = {}
    vectors: list[np.ndarray] = []
    rows = np.full(len(posts), -1, np.int32)
    for place, post in enumerate(posts):
        if post.proposals is None:
            continue
        content = hashlib.sha256(np.ascontiguousarray(post.proposals).tobytes()).digest()
        rows[place] = row_of_content.setdefault(content, len(vectors))
        if rows[place] == len(vectors):
            vectors.append(post.proposals)
    return np.stack(vectors).astype(np.float32, copy=False), rows


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
