"""Import on Spark: a file a task; repeats, spellings, order and splits as groupings and sorts.

What is done with a row, a post or the posts of a user are the functions of `tfhashtag.corpus`.
"""

import collections
import copy
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.importing import (
    Collected,
    ImportReport,
    source_of_posts,
)
from tfhashtag.corpus.ordering import tie_key, told_ties
from tfhashtag.corpus.outcomes import OUTCOMES, UNKNOWN
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_columns import checked_users, mixed_splits
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.post_spool import repeated_id
from tfhashtag.corpus.readers import PUBLISHED
from tfhashtag.corpus.repeats import near_key, told_repeats
from tfhashtag.corpus.row_source import RowSource
from tfhashtag.corpus.splits import SPLITS, split_posts
from tfhashtag.corpus.store import write_pictures, write_rows
from tfhashtag.engines.spark import SparkEngine, raised_there
from tfhashtag.errors import DataError, TfHashtagError
from tfhashtag.files import atomic_directory, check_new_folder

_ROWS = 4096  # posts in a batch
_WRITTEN = 1 << 17  # posts in a row group
_OUTCOMES = [(name, pa.int64()) for name in OUTCOMES]
#: A post, a post that is left out, a fault, or a count, in the order of the source.
_READ = pa.schema(
    [
        ("kind", pa.string()),
        ("file", pa.int32()),
        ("row", pa.int64()),
        ("key", pa.string()),  # the id by which posts are told apart
        ("id", pa.string()),
        ("user", pa.string()),
        ("text", pa.string()),
        ("hashtags", pa.list_(pa.string())),
        ("split", pa.int32()),
        ("timestamp", pa.int64()),
        ("images", pa.list_(pa.string())),
        ("pictures", pa.list_(pa.string())),  # the file of each
        ("rewritten", pa.list_(pa.string())),
        ("numbered", pa.bool_()),
        ("place", pa.string()),
        ("counted", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("fault", pa.string()),
        ("number", pa.int64()),
        *_OUTCOMES,
    ]
)
_KEYS = pa.schema([("tie", pa.binary()), ("near", pa.binary()), ("said", pa.bool_())])
#: As `posts.parquet` has them.
_POSTS = pa.schema(
    [
        ("id", pa.string()),
        ("user", pa.string()),
        ("text", pa.string()),
        ("hashtags", pa.list_(pa.string())),
        ("split", pa.int8()),
        ("timestamp", pa.int64()),
        ("images", pa.list_(pa.string())),
        *_OUTCOMES,
    ]
)
_WRITTEN_AS = pa.schema([*(_READ.field(name) for name in _POSTS.names), *_KEYS])


def import_posts(
    engine: SparkEngine,
    source_format: str,
    path: str | os.PathLike,
    out: str | os.PathLike,
    *,
    name: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    **options: Any,
) -> ImportReport:
    """As `tfhashtag.corpus.importing.import_posts`, on the executors of Spark.

    A file is read by one task: many files are read at once, a single one by one executor. This
    process holds the names of hashtags and users, and one block of posts.

    Args:
        engine: of Spark. The source and the folder of `out` must be reachable under their paths by
            every executor.
        source_format, path, out, name, split, split_seed, options: as there.

    Raises:
        DataError: as there; posts that bring proposals are refused.
        EngineError: Spark gave up.
    """
    if split is not None and split not in SPLITS:
        raise DataError(f"split {split!r} is not known; expected {', '.join(SPLITS)}.")
    out = pathlib.Path(out).expanduser()
    check_new_folder(out, DataError)
    with atomic_directory(out) as folder:
        aside = folder.resolve() / ".parts"  # executors write here, too
        aside.mkdir()
        found = source_of_posts(source_format, path, aside, **options)
        return _Import(engine, found, aside, split, split_seed).run(folder, name)


class _Import:
    """One import: frames of Spark from rows to posts in their order."""

    def __init__(
        self,
        engine: SparkEngine,
        found: Collected,
        aside: pathlib.Path,
        split: str | None,
        split_seed: int,
    ) -> None:
        self.engine, self.found, self.aside = engine, found, aside
        self.split, self.split_seed = split, split_seed

    def run(self, folder: pathlib.Path, name: str | None) -> ImportReport:
        """Everything; writes the corpus into a folder that is being made."""
        found, moved = self.found, self.found.wishes.moved
        with self.engine.errors():
            moved("looking", 0)
            before = self._look()
            moved("reading", 0)
            marked = self._read(before)
            self._tell_faults(marked)
            posts = marked.filter("kind = 'post' and nth = 1")
            name_of = self._names(posts)
            posts = self._in_order(self._keyed(posts, name_of), self._stamped)
            self._count_pictures(marked)
            posts, with_split = self._repeats(posts), self._with_split
            moved("sorting", found.kept)
            if not with_split and (self.split or "own-time") == "own-time":
                posts = self._split_by_user(posts)
            self._write(posts)
            parts = _Parts(self.aside / "posts")
            splits = None
            if not with_split and self.split not in (None, "own-time"):
                splits = parts.splits(self.split, self.split_seed)
            parts.columns = self._count_repeats(parts.posts)
            found.report.counted.update(self._across_splits(parts, splits))
            found.report.counted.update(told_ties(self._ties() if self._stamped else 0))
            self._count_alike()
        users: dict[str, None] = {}
        record = {**found.record(), "split": self.split or "own-time"}
        write_pictures(self._pictures(), folder)
        write_rows(
            parts.tables(splits, users, moved),
            folder,
            name or found.name,
            lambda: self._evaluated(users),
            record,
        )
        parts.remove()
        return found.report

    # Rows

    def _look(self) -> list[int]:
        """Looks at all files; rows before each."""
        rows = self.found.rows
        before, self._files = [0], 1
        if rows is None:
            return before
        items = [(rows.part(n), self.found.wishes.skip_bad) for n in range(len(rows.files))]
        for part, fault, error in self.engine.each(_seen, items):
            if fault is not None:
                self.found.looked(fault[0], BadPost(*fault[1:]))
            if error is not None:
                raise error
            rows.add(part)
            before.append(rows.rows)
        rows.settle()
        self._files = len(before) - 1
        return before[:-1]

    def _read(self, before: list[int]) -> Any:
        """Rows as `_READ` says, with `nth`, how often an id stood, and `stood`, where first."""
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        found = self.found
        wishes = dataclasses.replace(found.wishes, skip_bad=True, moved=_moved)
        reader = _Reader(found.format, found.path, wishes, str(self.aside), found.rows)
        context = self.engine.session.sparkContext
        numbers = context.parallelize(list(enumerate(before)), len(before))
        frame = numbers.toDF("file int, before bigint").mapInArrow(
            _batches_of(reader), _spark(_READ)
        )
        by_id = Window.partitionBy("key").orderBy("file", "row")
        real = F.col("kind").isin("post", "out")
        frame = self._kept(frame, "read")
        posts = frame.filter(real)
        posts = posts.withColumn("nth", F.row_number().over(by_id))
        posts = posts.withColumn("stood", F.first("place").over(by_id))
        others = frame.filter(~real).withColumns({"nth": F.lit(1), "stood": F.lit(None)})
        return self._kept(posts.unionByName(others), "marked")

    def _kept(self, frame: Any, name: str) -> Any:
        """The same rows, written down: what hangs on them does not work them out again."""
        frame.write.parquet(str(self.aside / name))
        return self.engine.session.read.parquet(str(self.aside / name))

    def _tell_faults(self, marked: Any) -> None:
        """Faults and counts as if posts had been read one after the other; stops at the first."""
        from pyspark.sql import functions as F

        found = self.found
        twice = (F.col("nth") > 1).alias("twice")
        bad = marked.filter("nth > 1 or (reason is not null and kind != 'count')")
        first = F.min(F.struct("file", "row", "place", "fault", "key", "stood")).alias("first")
        reason = F.when(F.col("nth") > 1, F.lit("duplicate id")).otherwise(F.col("reason"))
        faults = bad.groupBy("kind", twice, reason.alias("why")).agg(F.count("*").alias("n"), first)
        for row in sorted(faults.collect(), key=lambda row: (row.first.file, row.first.row)):
            first_one = row.first
            fault = BadPost(row.why, first_one.fault or "")
            if row.twice:
                fault = repeated_id(first_one.key, first_one.stood)
            if row.kind == "post" and not row.twice:
                found.bad_picture(first_one.place, fault)
            else:
                found.on_bad(first_one.place, fault, row.n)
        read = marked.filter("kind = 'count'").selectExpr(
            "reason as name", "number as n", "struct(file, row, 0 as stage, 0 as pos) as at"
        )
        done = marked.filter("nth = 1 and kind in ('post', 'out')").selectExpr(
            "posexplode(counted) as (pos, name)", "file", "row"
        )
        done = done.selectExpr("name", "1L as n", "struct(file, row, 1 as stage, pos) as at")
        counts = read.unionByName(done).groupBy("name").agg(F.sum("n").alias("n"), F.min("at"))
        for row in counts.orderBy("min(at)").collect():
            found.counts[row.name] += row.n

    def _names(self, posts: Any) -> dict[str, str]:
        """Hashtags that get another name; checks what is left and how it is called."""
        from pyspark.sql import functions as F

        found = self.found
        left = posts.agg(
            F.count("*").alias("posts"), F.count("timestamp").alias("times"),
            F.count("split").alias("splits"),
        ).first()  # fmt: skip
        self._stamped, self._total = left.times, left.posts
        self._with_split = left.splits > 0 and self.split is None
        found.check_left(left.posts, left.posts - left.times)
        tags = posts.select("file", "row", F.posexplode("hashtags").alias("pos", "tag"))
        uses = tags.groupBy("tag").agg(
            F.count("*").alias("n"), F.min(F.struct("file", "row", "pos")).alias("at")
        )
        table = uses.orderBy("at").select("tag", "n").toArrow()
        counts = collections.Counter(
            dict(zip(table["tag"].to_pylist(), table["n"].to_pylist(), strict=True))
        )
        name_of = found.joined(counts) if found.joins else {tag: tag for tag in counts}
        found.check_names(set(name_of.values()))
        self._mixed = 0 < left.splits < left.posts and self.split is None
        return {tag: name for tag, name in name_of.items() if tag != name}

    def _count_pictures(self, marked: Any) -> None:
        from pyspark.sql import functions as F

        kept = marked.filter("kind = 'post' and nth = 1").selectExpr("explode(rewritten) as path")
        count = kept.agg(F.countDistinct("path").alias("n")).first().n
        if count:
            self.found.counts["pictures written anew as PNG"] = count

    # Order

    def _keyed(self, posts: Any, name_of: Mapping[str, str]) -> Any:
        """Posts with the names of their hashtags, and what they are ordered and compared by."""
        columns = ["file", "row", *_POSTS.names, "pictures", "numbered", "place"]
        schema = pa.schema([*(_READ.field(name) for name in columns), *_KEYS])
        work = _keys_of(dict(name_of), schema)
        return self._kept(posts.select(columns).mapInArrow(work, _spark(schema)), "keyed")

    def _in_order(self, posts: Any, stamped: int) -> Any:
        """Posts with `time` and the rest that they are ordered by, as `PostSpool` says."""
        from pyspark.sql import functions as F

        if 2 * stamped <= self._total:
            nothing = F.lit(None).cast("bigint")
            posts = posts.withColumns({"timestamp": nothing, "time": nothing, "side": F.lit(0)})
            posts = posts.withColumn("near_tie", F.lit(None).cast("binary"))
            self._order = ["file", "row"]
            return posts
        self._order = ["time", "near_tie", "side", "file", "row"]
        if stamped == self._total:
            return posts.withColumns(
                {"time": F.col("timestamp"), "near_tie": F.col("tie"), "side": F.lit(0)}
            )
        close = _neighbours(posts, self._files)
        side = (
            F.when(F.col("timestamp").isNotNull(), 0)
            .when(F.expr("struct(close.file, close.row) < struct(file, row)"), 1)
            .otherwise(-1)
        )
        return close.withColumns(
            {
                "time": F.col("close.timestamp"),
                "near_tie": F.col("close.tie"),
                "side": side,
                "timestamp": F.col("close.timestamp"),
            }
        ).drop("close")

    def _repeats(self, posts: Any) -> Any:
        """Marks posts that repeat an earlier one, or leaves them out."""
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        if self._mixed:
            odd = posts.orderBy(*self._order).filter("split is null").first()
            with_split = posts.filter("split is not null").count()
            raise mixed_splits(odd.place, odd.id, with_split, self._total)
        same = Window.partitionBy("user", "text", "hashtags").orderBy(*self._order)
        posts = posts.withColumn("repeat", F.row_number().over(same) > 1)
        return posts.filter("not repeat") if self.found.wishes.drop_duplicates else posts

    def _split_by_user(self, posts: Any) -> Any:
        from pyspark.sql.pandas.types import to_arrow_schema

        schema = to_arrow_schema(posts.schema)
        return posts.groupBy("user").applyInArrow(_splits_of(self._order, schema), _spark(schema))

    def _write(self, posts: Any) -> None:
        columns = [*_POSTS.names, "pictures", "near", "said", "repeat"]
        posts = self._kept(posts.select(*dict.fromkeys([*columns, *self._order])), "split")
        posts.orderBy(*self._order).select(columns).write.parquet(str(self.aside / "posts"))

    # What is told

    def _count_repeats(self, written: int) -> list[str]:
        """Counts repeats; gives the columns that the corpus has."""
        from pyspark.sql import functions as F

        frame = self.engine.session.read.parquet(str(self.aside / "posts"))
        found = frame.agg(
            F.sum(F.col("repeat").cast("bigint")).alias("repeats"), *map(F.count, OUTCOMES)
        ).first()
        drop = self.found.wishes.drop_duplicates
        self.found.count_repeats(self._total - written if drop else found.repeats)
        known = dict(zip(OUTCOMES, found[1:], strict=True))
        return [name for name in _POSTS.names if known.get(name, 1)]

    def _across_splits(self, parts: "_Parts", splits: np.ndarray | None) -> dict[str, int]:
        """As `repeats_across_splits`."""
        from pyspark.sql import functions as F

        session = self.engine.session
        posts = session.read.parquet(str(self.aside / "posts"))
        if splits is not None:
            names = ["user", "text", "near", "said", "split"]
            schema = pa.schema([_WRITTEN_AS.field(name) for name in names])
            files = session.sparkContext.parallelize(parts.places(), max(len(parts.files), 1))
            work = _with_splits(splits, schema)
            posts = files.toDF("file string, first bigint").mapInArrow(work, _spark(schema))
        other = F.col("split") != int(Split.TRAIN)
        counts = []
        for what, chosen in (("text", "said"), ("near", "said and near != no_word")):
            shown = posts.withColumn("no_word", F.lit(near_key(""))).withColumn(
                "shown", F.expr(chosen)
            )
            pairs = shown.groupBy("user", what).agg(
                F.max((~other).cast("int")).alias("train"),
                F.sum((other & F.col("shown")).cast("bigint")).alias("n"),
            )
            counts.append(int(pairs.filter("train = 1").agg(F.sum("n")).first()[0] or 0))
        return told_repeats(*counts)

    def _ties(self) -> int:
        """How many posts share their second with others."""
        frame = self.engine.session.read.parquet(str(self.aside / "posts"))
        of_second = frame.where("timestamp is not null").groupBy("timestamp").count()
        return int(of_second.where("count > 1").agg({"count": "sum"}).first()[0] or 0)

    def _count_alike(self) -> None:
        frame = self.engine.session.read.parquet(str(self.aside / "posts"))
        self.found.count_alike(frame.select("user").distinct().toArrow()["user"].to_pylist())

    def _pictures(self) -> dict[str, pathlib.Path]:
        """The file of each picture that a post names."""
        from pyspark.sql import functions as F

        frame = self.engine.session.read.parquet(str(self.aside / "posts"))
        pairs = frame.selectExpr("inline(arrays_zip(images, pictures))")
        with self.engine.errors():
            rows = pairs.groupBy("images").agg(F.min("pictures").alias("file")).collect()
        return {row.images: pathlib.Path(row.file) for row in rows}

    def _evaluated(self, users: Mapping[str, None]) -> list[str]:
        wanted = self.found.users_to_evaluate
        return list(users) if wanted is None else checked_users(wanted, users)


class _Parts:
    """The sorted posts as executors wrote them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.files = sorted(folder.glob("part-*.parquet"))
        self._counts = [pq.read_metadata(file).num_rows for file in self.files]
        self.posts = sum(self._counts)
        self.columns = _POSTS.names

    def places(self) -> list[tuple[str, int]]:
        """Each file and the number of posts before it."""
        first = np.cumsum([0, *self._counts]).tolist()
        return [(str(file), place) for file, place in zip(self.files, first[:-1], strict=True)]

    def splits(self, name: str | None, seed: int) -> np.ndarray:
        """Int8 `[posts]` of a split that looks at all posts, a byte or, with times, nine each."""
        times = [pq.read_table(file, columns=["timestamp"])["timestamp"] for file in self.files]
        column = pa.chunked_array([chunk for part in times for chunk in part.chunks], pa.int64())
        stamps = None if column.null_count else np.asarray(column, np.int64)
        return split_posts(str(name), np.zeros(self.posts, np.int32), seed, stamps)

    def tables(
        self,
        splits: np.ndarray | None,
        users: dict[str, None],
        moved: Callable[[str, int], None],
    ) -> Iterator[pa.Table]:
        """Posts as `posts.parquet` has them; `users` gets the users in order of appearance."""
        start = 0
        for file in self.files:
            for batch in pq.ParquetFile(file).iter_batches(_WRITTEN, columns=self.columns):
                table = pa.Table.from_batches([batch])
                if splits is not None:
                    part = pa.array(splits[start : start + len(table)], pa.int8())
                    table = table.set_column(table.column_names.index("split"), "split", part)
                start += len(table)
                users.update(dict.fromkeys(table["user"].unique().to_pylist()))
                moved("writing", start)
                schema = pa.schema([_POSTS.field(name) for name in self.columns])
                yield table.select(schema.names).cast(schema)

    def remove(self) -> None:
        """The corpus holds what they hold."""
        shutil.rmtree(self.folder.parent)


# On executors


class _Reader:
    """Reads one file of a source; what is needed for it, sent to executors."""

    def __init__(
        self,
        source_format: str,
        path: pathlib.Path,
        wishes: Any,
        aside: str,
        rows: RowSource | None,
    ) -> None:
        self.format, self.path, self.wishes, self.aside = source_format, path, wishes, aside
        self.rows = rows
        self.folder = os.getcwd()

    def read(self, file: int, before: int) -> Iterator[dict[str, Any]]:
        """What `_READ` says of a file."""
        found = _Noting(self.format, self.path, self.wishes, self.aside)
        found.rows = copy.deepcopy(self.rows)
        counts: collections.Counter[str] = collections.Counter()
        faults: list[tuple[str, BadPost]] = []

        def on_bad(place: str, fault: BadPost) -> None:
            faults.append((place, fault))

        if found.rows is None:
            posts = PUBLISHED[self.format](self.path, on_bad, counts)
        else:
            posts = found.rows.posts(on_bad, counts, file, before)
        row, first_at = 0, dict[str, int]()
        for post in _ended(posts):
            for place, fault in faults:
                row += 1
                told = {"place": place, "reason": fault.reason, "fault": str(fault)}
                yield {"kind": "fault", "file": file, "row": row, **told}
            faults.clear()
            row += 1
            for name in counts:
                first_at.setdefault(name, row)
            if post is not None:
                yield {"file": file, "row": row, **_row_of(post, found)}
        for name, number in counts.items():
            at = {"kind": "count", "file": file, "row": first_at[name]}
            yield {**at, "reason": name, "number": number}


class _Noting(Collected):
    """Notes the first picture that is left out of a post."""

    left_out: BadPost | None = None

    def without_picture(self, place: str, fault: BadPost) -> None:
        self.left_out = self.left_out or fault
        super().without_picture(place, fault)


def _ended(posts: Iterator[Post]) -> Iterator[Post | None]:
    """The posts, and None for what came after the last."""
    yield from posts
    yield None


def _moved(what: str, done: int) -> None:
    """Nobody looks there."""


def _row_of(post: Post, found: _Noting) -> dict[str, Any]:
    if post.proposals is not None:
        raise DataError(
            f"{post.place}: the post brings `proposals`, which the engine spark does not import; "
            "import with --engine local."
        )
    found.counts.clear()
    found.left_out = None
    kept = found.finished(post)
    common = {"key": post.id, "place": post.place, "counted": list(found.counts.elements())}
    if kept is None:
        return {"kind": "out", **common}
    fault = found.left_out
    return {
        "kind": "post",
        **common,
        "id": kept.id,
        "user": kept.user,
        "text": kept.text,
        "hashtags": list(kept.hashtags),
        "split": None if kept.split is None else int(kept.split),
        "timestamp": kept.timestamp,
        "images": list(kept.images),
        "pictures": [str(found.pictures.source_of_name[name]) for name in kept.images],
        "rewritten": [path for path in post.images if path in found.pictures.anew],
        "numbered": kept.numbered,
        **{
            name: None if value == UNKNOWN else value
            for name, value in zip(OUTCOMES, kept.outcomes, strict=False)
        },
        "reason": None if fault is None else fault.reason,
        "fault": None if fault is None else str(fault),
    }


def _seen(item: tuple[RowSource, bool]) -> tuple[RowSource, Any, TfHashtagError | None]:
    """A look at one file: what was seen, the fault that it ended with, or the error."""
    part, skip_bad = item

    class Stopped(Exception):
        pass

    fault: list[tuple[str, str, str]] = []

    def on_bad(place: str, bad: BadPost) -> None:
        if not skip_bad:
            fault.append((place, bad.reason, str(bad)))
            raise Stopped

    try:
        part.see(on_bad)
    except Stopped:
        return part, fault[0], None
    except TfHashtagError as error:
        return part, None, error
    return part, None, None


def _batches_of(reader: _Reader) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with raised_there(reader.folder):
            held: list[dict[str, Any]] = []
            for batch in batches:
                for task in batch.to_pylist():
                    for row in reader.read(task["file"], task["before"]):
                        held.append(row)
                        if len(held) == _ROWS:
                            yield pa.RecordBatch.from_pylist(held, _READ)
                            held = []
            if held:
                yield pa.RecordBatch.from_pylist(held, _READ)

    return work


def _keys_of(name_of: Mapping[str, str], schema: pa.Schema) -> Any:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            for row in rows:
                row["hashtags"] = [name_of.get(tag, tag) for tag in row["hashtags"]]
                post = Post(
                    row["id"], row["user"], row["text"], tuple(row["hashtags"]),
                    numbered=row["numbered"],
                )  # fmt: skip
                row["tie"], row["near"] = tie_key(post), near_key(post.text)
                row["said"] = bool(post.text.strip())
            yield pa.RecordBatch.from_pylist(rows, schema)

    return work


def _neighbours(posts: Any, files: int) -> Any:
    """Posts with `close`, the post whose time each has: itself, or one near to it in the source.

    As `PostSpool`: the one before it of the same user, else the one behind; else of anybody.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    stamped = F.struct("timestamp", "tie", "file", "row")
    posts = posts.withColumn("own", F.when(F.col("timestamp").isNotNull(), stamped))
    start, end = Window.unboundedPreceding, Window.unboundedFollowing
    columns = {}
    for group in ("user", "file"):
        order = Window.partitionBy(group).orderBy("file", "row")
        before, behind = order.rowsBetween(start, 0), order.rowsBetween(0, end)
        columns[f"{group}_before"] = F.last("own", ignorenulls=True).over(before)
        columns[f"{group}_behind"] = F.first("own", ignorenulls=True).over(behind)
    # Of other files the last time of those before, else the first of those behind.
    ends = posts.filter("own is not null").groupBy("file")
    ends = ends.agg(F.min_by("own", "row").alias("first"), F.max_by("own", "row").alias("last"))
    found = {row.file: row for row in ends.collect()}
    carried = [
        (file, max((n for n in found if n < file), default=None),
         min((n for n in found if n > file), default=None))
        for file in range(files)
    ]  # fmt: skip
    rows = [
        (file, before if before is None else found[before].last,
         behind if behind is None else found[behind].first)
        for file, before, behind in carried
    ]  # fmt: skip
    kind = posts.schema["own"].dataType.simpleString()
    schema = f"file int, carried_before {kind}, carried_behind {kind}"
    carried = posts.sparkSession.createDataFrame(rows, schema)
    posts = posts.withColumns(columns).join(F.broadcast(carried), "file")
    nearest = ("own", "user_before", "user_behind", "file_before", "carried_before", "file_behind",
             "carried_behind")  # fmt: skip
    return posts.withColumn("close", F.coalesce(*nearest)).drop(*nearest)


def _splits_of(order: list[str], schema: pa.Schema) -> Any:
    """The posts of one user, split by their time."""

    def work(table: pa.Table) -> pa.Table:
        table = table.sort_by([(name, "ascending") for name in order])
        stamps = table["timestamp"]
        times = None if stamps.null_count else np.asarray(stamps, np.int64)
        splits = split_posts("own-time", np.zeros(len(table), np.int32), 0, times)
        place = table.column_names.index("split")
        return table.set_column(place, "split", pa.array(splits, pa.int32())).cast(schema)

    return work


def _with_splits(splits: np.ndarray, schema: pa.Schema) -> Any:
    """The posts of written files with the splits of their places."""

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.to_pylist():
                start = task["first"]
                for part in pq.ParquetFile(task["file"]).iter_batches(_WRITTEN):
                    table = pa.Table.from_batches([part])
                    own = pa.array(splits[start : start + len(table)], pa.int32())
                    table = table.set_column(table.column_names.index("split"), "split", own)
                    start += len(table)
                    yield from table.select(schema.names).cast(schema).to_batches()

    return work


def _spark(schema: pa.Schema) -> Any:
    """The same columns for Spark."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)
