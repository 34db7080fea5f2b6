"""Import: from files of a format to a corpus folder, with every bad line named or counted."""

import collections
import dataclasses
import functools
import itertools
import os
import pathlib
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from tfhashtag.corpus.alike_users import ALIKE, alike_users
from tfhashtag.corpus.cells import look_listed, pieces_among, says_nothing
from tfhashtag.corpus.clips import FRAMES
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.hashtag import hashtag_key, shown_spellings
from tfhashtag.corpus.import_options import said_options
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.corpus.ordering import told_ties
from tfhashtag.corpus.own_hashtags import holds_hashtag, take_hashtags_out
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_columns import PostColumns
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.post_spool import PostSpool
from tfhashtag.corpus.readers import FORMATS, PUBLISHED
from tfhashtag.corpus.readers.files import check_not_ours
from tfhashtag.corpus.readers.howyoutag import evaluation_users
from tfhashtag.corpus.repeats import repeats_across_splits
from tfhashtag.corpus.row_source import STEP, Reading, RowSource
from tfhashtag.corpus.source_pictures import SourcePictures
from tfhashtag.corpus.splits import SPLITS
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.errors import DataError
from tfhashtag.files import check_new_folder, scratch_directory

_FLAGS = ("true", "false")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_RECORDED = 100  # file names and joined spellings that `corpus.json` keeps


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do.

    Attributes:
        posts: number of posts in the corpus.
        skipped: number of bad posts by reason, with `skip_bad`.
        examples: the first fault of each reason, `place: fault`; also of pictures.
        counted: what was found and is no fault, such as empty hashtag fields.
        told: how the source is read, a line each, where it was recognised and not said.
    """

    posts: int
    skipped: dict[str, int]
    examples: dict[str, str]
    counted: dict[str, int]
    told: list[str] = dataclasses.field(default_factory=list)

    @property
    def counted_lines(self) -> list[str]:
        """What was counted, a line each, with the first of its kind where that is known."""
        first = {what: f", first {example}" for what, example in self.examples.items()}
        return [f"{what}: {count:,}{first.get(what, '')}" for what, count in self.counted.items()]


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What a person wants of an import, besides how the files are read.

    Attributes:
        skip_bad: count and report bad posts instead of stopping at the first; of a post with bad
            pictures only these are left out.
        keep_hashtags_in_text: leave `#tag` words where they stand.
        drop_duplicates: leave out posts that repeat an earlier one: same user, text and hashtags.
        drop_retweets: leave out posts that repeat somebody else's, `RT @user: ...`.
        images: the folder of pictures and clips; None for that of the source.
        frames: of a clip, evenly spaced, which stand for it as pictures.
        hash_users: file of a key; keyed hashes stand in place of user names, also in texts,
            hashtags and ids, see `tfhashtag.corpus.named_users`.
        known_users: hashes of users of a corpus that the posts come into.
        moved: called with what is being done and the number of posts done, for people who wait.
    """

    skip_bad: bool = False
    keep_hashtags_in_text: bool = False
    drop_duplicates: bool = False
    drop_retweets: bool = False
    images: str | os.PathLike | None = None
    frames: int = FRAMES
    hash_users: str | os.PathLike | None = None
    known_users: Collection[str] = ()
    moved: Callable[[str, int], None] = lambda what, done: None


def import_posts(
    source_format: str,
    path: str | os.PathLike,
    out: str | os.PathLike,
    *,
    name: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    recorded: str | None = None,
    **options: Any,
) -> ImportReport:
    """Reads, checks and writes a corpus.

    Posts with timestamps are put in time order (`tfhashtag.corpus.ordering`). Where the source has
    no splits, each user's posts are split 80/10/10 by time, and no moment is cut in two. A post's
    own hashtags are taken out of its text in whatever form they stand there, as in the paper: else
    a model reads the answer.

    Images are paths relative to the folder of `path`; their files are copied into the corpus
    folder, equal pictures once, and of clips a few frames. Files that are missing, lie elsewhere or
    are neither picture nor clip are faults.

    Args:
        source_format: one of `tfhashtag.corpus.readers.FORMATS`.
        path: a file, a folder or a pattern such as `part-*.jsonl.gz`.
        out: corpus folder to make.
        name: of the corpus; default the name of `path`.
        split: one of `tfhashtag.corpus.splits.SPLITS`, in place of the source's own splits; None
            for the source's, and `"own-time"` where it has none.
        split_seed: of the split `"random-90-10"`.
        recorded: what `corpus.json` calls the format; None for its name.
        options: fields of `Wishes` and of `tfhashtag.corpus.row_source.Reading`.

    Raises:
        DataError: with file and line, what was found and what was expected.
    """
    if split is not None and split not in SPLITS:
        raise DataError(f"split {split!r} is not known; expected {', '.join(SPLITS)}.")
    out = pathlib.Path(out).expanduser()
    check_new_folder(out, DataError)
    with scratch_directory() as aside:
        how = {"name": name, "split": split, "split_seed": split_seed, **options}
        source, corpus = read_posts(source_format, path, aside, **how)
        record = {**source.record(), "split": split or "own-time"}
        record["format"] = recorded or source_format
        write_corpus(corpus, out, source.pictures.source_of_name, record)
    return source.report


def read_posts(
    source_format: str,
    path: str | os.PathLike,
    aside: str | os.PathLike,
    *,
    name: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    odd: list[str] | None = None,
    **options: Any,
) -> tuple["Collected", Corpus]:
    """All of an import but the writing: what refuses it does so here, for a mere check, too.

    Args:
        source_format, path, name, split, split_seed, options: as of `import_posts`.
        aside, odd: as of `collect`.

    Returns:
        The source and the corpus that its posts make.
    """
    source = collect(source_format, path, aside, odd, **options)
    posts: Iterable[Post] = source.posts
    if split is not None:
        posts = (dataclasses.replace(post, split=None) for post in posts)
    corpus = corpus_of_posts(
        posts,
        name or source.name,
        source.users_to_evaluate,
        split=split or "own-time",
        split_seed=split_seed,
        in_order=True,
    )
    source.report.counted.update(repeats_across_splits(corpus))
    if corpus.timestamps is not None:
        _, shared = np.unique(corpus.timestamps, return_counts=True)
        source.report.counted.update(told_ties(int(shared[shared > 1].sum())))
    source.count_alike(corpus.users)
    return source, corpus


def _decided(rows: RowSource) -> dict[str, Any]:
    """How texts are read, which an update does alike."""
    return {"hashtags_from": rows.hashtags_from, "escaped": rows.escaped}


class Collected:
    """The posts of a source, checked, and what there is to say about them; see `collect`."""

    def __init__(
        self, source_format: str, path: pathlib.Path, wishes: Wishes, aside: str | os.PathLike
    ) -> None:
        self.format = source_format
        self.path = path
        self.wishes = wishes
        self.posts = PostSpool()
        self.rows: RowSource | None = None
        self.users_to_evaluate: list[str] | None = None
        self.spellings: dict[str, list[str]] = {}
        self._skipped: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, str] = {}
        self.counts: collections.Counter[str] = collections.Counter()
        self.odd: list[str] = []
        self.kept = 0
        self._aside = aside

    @functools.cached_property
    def hashes(self) -> UserHashes | None:
        """Of the users, where that is wished."""
        key = self.wishes.hash_users
        return None if key is None else UserHashes(key)

    @functools.cached_property
    def named(self) -> NamedUsers | None:
        """Of the users, where they are hashed; once all rows were looked at."""
        if self.hashes is None:
            return None
        return NamedUsers(self.hashes, self._names, self.wishes.known_users)

    @functools.cached_property
    def _names(self) -> set[str]:
        """Of all users, where they are hashed."""
        if self.rows is not None:
            return self.rows.users
        posts = PUBLISHED[self.format](self.path, lambda *_: None, collections.Counter())
        return {post.user for post in posts}

    @property
    def name(self) -> str:
        """What the corpus is called where nothing is said: files may be called after a user."""
        if self.hashes is not None:
            return self.format
        return self.path.name.split(".")[0] or self.path.name

    @functools.cached_property
    def pictures(self) -> SourcePictures:
        """Of the folder in which they lie."""
        found = self.rows.folder if self.rows else self.path
        folder = pathlib.Path(self.wishes.images or found).expanduser()
        folder = folder if folder.is_dir() else folder.parent
        return SourcePictures(folder, self._aside, self.wishes.frames)

    @functools.cached_property
    def report(self) -> ImportReport:
        """What is told at the end."""
        counted = {what: count for what, count in self.counts.items() if count}
        told = [] if self.rows is None else self.rows.told
        return ImportReport(self.kept, dict(self._skipped), self._examples, counted, list(told))

    def record(self) -> dict[str, Any]:
        """What `corpus.json` keeps of how the corpus came about."""
        told = self.report.told
        files = [self.path.name] if self.rows is None else [f.name for f in self.rows.files]
        return {
            "format": self.format,
            "files": [] if self.hashes else files[:_RECORDED],
            "told": [line if self.named is None else self._nameless(line) for line in told],
            "counted": self.report.counted,
            "skipped": self.report.skipped,
            "spellings": dict(itertools.islice(self.spellings.items(), _RECORDED)),
            **({} if self.hashes is None else {"hashed_users": self.hashes.proof}),
            "frames": self.wishes.frames,
            "options": said_options(self._said, self.hashes is not None),
            **({} if self.rows is None else _decided(self.rows)),
        }

    def _nameless(self, line: str) -> str:
        """A line that is told, without names of users, and of files, which may be called so."""
        assert self.named is not None
        for file in [] if self.rows is None else self.rows.files:
            line = line.replace(str(file), "a file").replace(file.name, "a file")
        return self.named.in_text(line)

    @property
    def _said(self) -> dict[str, Any]:
        reading = {} if self.rows is None else vars(self.rows.reading)
        return {**vars(self.wishes), **reading}

    @property
    def joins(self) -> bool:
        """Whether spellings of a hashtag are joined."""
        return self.rows is not None and not self.rows.reading.keep_spelling

    def looked(self, place: str, fault: BadPost) -> None:
        """As `on_bad` while rows are looked at: what is skipped is told when they are read."""
        if not self.wishes.skip_bad:
            self.on_bad(place, fault)

    def on_bad(self, place: str, fault: BadPost, times: int = 1) -> None:
        """Stops at a bad post, or counts it and others of its kind."""
        if not self.wishes.skip_bad:
            raise DataError(f"{place}: {fault}. Mend it, or skip and count such posts: --skip-bad.")
        self._skipped[fault.reason] += times
        self._first(fault.reason, f"{place}: {fault}")

    def _first(self, reason: str, fault: str) -> None:
        self._examples.setdefault(reason, fault)
        if len(self.odd) < _RECORDED:
            self.odd.append(fault)

    def finished(self, post: Post) -> Post | None:
        """A checked post as the corpus has it; None for one that is left out."""
        wishes, counts = self.wishes, self.counts
        if post.retweet:
            counts["retweets" + (", left out" if wishes.drop_retweets else "")] += 1
            if wishes.drop_retweets:
                return None
        place, paths = post.place, post.images
        post = self.pictures.named(post, lambda fault: self.without_picture(place, fault))
        if paths:
            clips = sum(path in self.pictures.clips for path in paths)
            counts[f"clips, of each of which at most {wishes.frames} frames are read"] += clips
        if not wishes.keep_hashtags_in_text:
            post = _without_own_hashtags(post, counts)
        if self.named is not None:
            post = _hashed(post, self.named, counts)
        if not post.text.strip():
            counts["posts without text"] += 1
        return post

    def check_left(self, posts: int, without: int) -> None:
        """Refuses a source of which no post is left; counts posts without timestamp."""
        self.kept = posts
        if not posts:
            skipped, examples = self._skipped, self._examples
            told = ", ".join(f"{reason} ({skipped[reason]:,})" for reason in skipped)
            told = f" Skipped: {told}, first {next(iter(examples.values()))}." if told else ""
            fault = f"{self.path}: no post is left; expected at least one good line.{told}"
            raise DataError(fault)
        if 0 < without < posts:
            few = 2 * without >= posts
            kept = "which take that of their neighbour" if not few else "so that no times are kept"
            self.counts[f"posts without timestamp, {kept}"] = without

    def joined(self, counts: collections.Counter[str]) -> dict[str, str]:
        """The name of each hashtag, its most used spelling; counts those that have several.

        Args:
            counts: hashtags as they stand in posts, in order of first appearance, and their uses.
        """
        shown = shown_spellings(counts)
        name_of = {tag: shown[hashtag_key(tag)] for tag in counts}
        for tag, name in name_of.items():
            if tag != name:
                self.spellings.setdefault(name, []).append(tag)
        if self.spellings:
            told = "hashtags of several spellings, of which the most used is kept"
            self.counts[told] = len(self.spellings)
        return name_of

    def check_names(self, names: Collection[str]) -> None:
        """Refuses hashtags that are pieces of lists; tells where all are numbers."""
        if self.rows is None or not names:
            return
        if flags := [name for name in names if name.lower() in _FLAGS]:
            self.rows.told.append(
                f"hashtags: {len(flags):,} are `{min(flags)}` and the like; if they say whether "
                "there are any: --hashtags-from text"
            )
        if numbers := list(filter(_NUMBER.fullmatch, names)):
            many = "all" if len(numbers) == len(names) else f"{len(numbers):,}"
            self.rows.told.append(
                f"hashtags: {many} are numbers, such as `{min(numbers)}`; if they are counts: "
                "--hashtags-from text"
            )
        if words := sorted(filter(says_nothing, names)):
            self.rows.told.append(
                f"hashtags: `{words[0]}` is one, as programs write where there is none; if it is "
                "none, take it out of the file"
            )
        if look_listed(names):
            some = ", ".join(f"`{name}`" for name in sorted(names)[:3])
            raise DataError(
                f"{self.path}: the hashtags look like pieces of lists, or several names each: "
                f"{some}. Say what stands between them: --hashtag-separator ';'."
            )
        if pieces := pieces_among(names):
            self.rows.told.append(
                f"hashtags: {len(pieces):,} look like several names, a piece of a list, an escape "
                f"or a date, such as `{pieces[0]}`; mend them, or say --hashtag-separator"
            )

    def count_repeats(self, repeats: int) -> None:
        """Tells how many posts repeat an earlier one; they are gone where that is wished."""
        drop = self.wishes.drop_duplicates
        how = ", left out" if drop else " (--drop-duplicates)"
        self.counts[f"posts that repeat an earlier one{how}"] = repeats
        if drop:
            self.kept -= repeats

    def alike(self, users: Collection[str], known: Collection[str] = ()) -> tuple[int, str]:
        """How many users may be one with another, as `alike_users`; names that are hashed are none.

        Args:
            users: of the corpus, or of new posts.
            known: users who were there before.
        """
        if self.named is None:
            return alike_users(users, known)
        before = set(known)
        new = set(users) - before
        names = [name for name in self._names if self.named.of_user(name) in new]
        there = [name for name in self._names if self.named.of_user(name) in before]
        return alike_users(names, {*there, *self.named.known_forms(names)})[0], ""

    def count_alike(self, users: Collection[str]) -> None:
        """Counts users of the corpus who may be one."""
        count, example = self.alike(users)
        if count:
            self.report.counted[ALIKE] = count
        if example:
            self.report.examples[ALIKE] = example

    def without_picture(self, place: str, fault: BadPost) -> None:
        """The post stays; the picture that is left out is counted."""
        self.counts[self.bad_picture(place, fault)] += 1

    def bad_picture(self, place: str, fault: BadPost) -> str:
        """Stops at a bad picture, or gives the name under which such are counted."""
        if not self.wishes.skip_bad:
            mend = "Mend it, or leave such pictures out and count them: --skip-bad"
            raise DataError(f"{place}: {fault}. {mend}.")
        reason = f"pictures left out, {fault.reason}"
        self._first(reason, f"{place}: {fault}")
        return reason


def collect(
    source_format: str,
    path: str | os.PathLike,
    aside: str | os.PathLike,
    odd: list[str] | None = None,
    **options: Any,
) -> Collected:
    """Reads and checks posts without writing anything but pictures in `aside`.

    Args:
        source_format: one of `tfhashtag.corpus.readers.FORMATS`.
        path: a file, a folder or a pattern.
        aside: a folder for pictures that are written anew.
        odd: gets the first hundred faults that are skipped, `place: fault`.
        options: fields of `Wishes` and of `tfhashtag.corpus.row_source.Reading`.

    Raises:
        DataError: with file and line, what was found and what was expected.
    """
    found = source_of_posts(source_format, path, aside, **options)
    found.odd = found.odd if odd is None else odd
    if found.rows is None:
        posts = PUBLISHED[source_format](found.path, found.on_bad, found.counts)
    else:
        found.rows.look(found.looked, found.wishes.moved)
        posts = found.rows.posts(found.on_bad, found.counts)
    _take(found, posts)
    if found.joins:
        name_of = found.joined(found.posts.hashtags)
        found.posts.name_of = {tag: name for tag, name in name_of.items() if tag != name}
    found.check_names({found.posts.name_of.get(tag, tag) for tag in found.posts.hashtags})
    if found.pictures.anew:
        found.counts["pictures written anew as PNG"] = len(found.pictures.anew)
    found.count_repeats(found.posts.repeats(found.wishes.drop_duplicates))
    return found


def source_of_posts(
    source_format: str, path: str | os.PathLike, aside: str | os.PathLike, **options: Any
) -> Collected:
    """A source of which nothing is read yet; arguments and errors as `collect`."""
    if source_format not in FORMATS:
        raise DataError(f"format {source_format!r} is not known; expected {', '.join(FORMATS)}.")
    known = [field.name for kind in (Wishes, Reading) for field in dataclasses.fields(kind)]
    for name in options:
        if name not in known:
            raise TypeError(
                f"an import has no option {name!r}; expected one of {', '.join(sorted(known))}."
            )
    wished = {field.name for field in dataclasses.fields(Wishes)} & options.keys()
    reading = Reading(**{name: value for name, value in options.items() if name not in wished})
    path = pathlib.Path(path).expanduser()
    check_not_ours(path)
    found = Collected(
        source_format, path, Wishes(**{name: options[name] for name in wished}), aside
    )
    if source_format not in PUBLISHED:
        hashed = found.wishes.hash_users is not None
        found.rows = RowSource(source_format, path, reading, note_users=hashed)
    elif source_format == "howyoutag":
        found.users_to_evaluate = evaluation_users(path)
    if found.hashes is not None and found.users_to_evaluate is not None:
        found.users_to_evaluate = [found.hashes.of_user(name) for name in found.users_to_evaluate]
    return found


def _take(found: Collected, posts: Iterable[Post]) -> None:
    first: Post | None = None
    for number, post in enumerate(posts, 1):
        if number % STEP == 0:
            found.wishes.moved("reading", number)
        try:
            found.posts.note(post.id, post.place)
            first = _same_shape(post, first)
        except BadPost as fault:
            found.on_bad(post.place, fault)
            continue
        kept = found.finished(post)
        if kept is not None:
            found.posts.add(kept)
    found.check_left(len(found.posts), len(found.posts) - found.posts.timed)


def _without_own_hashtags(post: Post, counts: collections.Counter[str]) -> Post:
    text = take_hashtags_out(post.text, post.hashtags)
    if holds_hashtag(text, post.hashtags):
        counts["posts whose text still holds a hashtag of theirs, in an address or a word"] += 1
    return post if text == post.text else dataclasses.replace(post, text=text)


def _hashed(post: Post, named: NamedUsers, counts: collections.Counter[str]) -> Post:
    tags, held = tuple(map(named.of_hashtag, post.hashtags)), named.held
    done = dataclasses.replace(
        post,
        id=post.id if post.numbered else named.of_id(post.id, post.user),
        user=named.of_user(post.user),
        text=named.in_text(post.text),
        hashtags=tuple(dict.fromkeys(tags)),
    )
    if tags != post.hashtags:
        counts["posts with hashtags that are names of users, which are hashed"] += 1
    if named.held > held:
        counts["posts whose text has a word that is the name of a user, too, and stays"] += 1
    return done


def corpus_of_posts(
    posts: Iterable[Post],
    name: str,
    users_to_evaluate: list[str] | None = None,
    *,
    split: str = "own-time",
    split_seed: int = 0,
    in_order: bool = False,
) -> Corpus:
    """A corpus of checked posts, whose texts and ids lie in files.

    Args:
        posts: in file order; they are put in order of time, see `PostSpool`.
        name: of the corpus.
        users_to_evaluate: in this order; None for all, in order of first appearance.
        split: how posts without split are split, one of `tfhashtag.corpus.splits.SPLITS`.
        split_seed: of the split `"random-90-10"`.
        in_order: whether the posts are in order of time already.

    Raises:
        DataError: some posts have a split and others none, a user to evaluate has no post or
            stands twice, or proposals of different posts have different shapes.
    """
    found = PostColumns()
    for post in posts if in_order else PostSpool(posts):
        found.add(post)
    return found.corpus(name, users_to_evaluate, split, split_seed)


def _same_shape(post: Post, first: Post | None) -> Post | None:
    """The first post with proposals; a later one of another shape is a fault."""
    if post.proposals is None:
        return first
    if first is None or first.proposals is None or first.proposals.shape == post.proposals.shape:
        return first or post
    found, expected = post.proposals.shape, first.proposals.shape
    fault = f"`proposals` are {found[0]} x {found[1]}; expected {expected[0]} x {expected[1]} as at"
    raise BadPost("proposals of another shape", f"{fault} {first.place or first.id}")
