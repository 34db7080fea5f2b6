"""The corpus folder, read and written whole.

    corpus.json      format, name, number of posts, digest, users to evaluate
    posts.parquet    id, user, text, hashtags, split, timestamp, images (list of string);
                     proposal_row (int32, -1 for none) where the source gives proposals; likes,
                     shares, replies, views, followers (int64, null for unknown), those that the
                     source gives
    posts-00000.parquet, ...   in its place where there are more than `PART_POSTS` posts: these many
                     in each, in order; `parts` of corpus.json says how many files
    images/          each distinct picture once, as `tfhashtag.corpus.pictures` names it
    proposals.npy    float32 [rows, m, a], the given proposals; only where the source has them

Format 4. Up to format 3 a post had one picture, the string `image`; format 2 had another digest and
format 1 neither pictures nor proposals. All are read as before.
"""

import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.digests import CorpusDigest, old_corpus_digest
from tfhashtag.corpus.outcomes import OUTCOMES, UNKNOWN
from tfhashtag.corpus.pictures import FOLDER, picture_name_of_file
from tfhashtag.corpus.texts import Texts
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import atomic_directory, check_new_folder, sha256_of, write_json
from tfhashtag.memory import let_go

FORMAT = 4
_OLD_DIGEST = 2  # up to this format
PART_POSTS = 1 << 18
_BLOCK = 1 << 14  # posts that are made a table at a time
_COLUMNS = ("id", "user", "text", "hashtags", "split", "timestamp")
_PICTURES = ("images", "image")  # now, and up to format 3
_PROPOSALS = "proposals.npy"


def write_corpus(
    corpus: Corpus,
    folder: str | os.PathLike,
    pictures: Mapping[str, str | os.PathLike | bytes] | None = None,
    source: Mapping[str, Any] | None = None,
) -> None:
    """Writes a corpus as a new folder, whole or not at all.

    Args:
        corpus: the posts; its `digest` is worked out anew.
        folder: must not exist.
        pictures: content of every path in `corpus.images`: the encoded bytes, or a file to copy.
        source: where it comes from and how that was read, for `corpus.json`.

    Raises:
        DataError: the folder exists, a picture is missing, or proposals have the wrong shape.
    """
    folder = pathlib.Path(folder).expanduser()
    check_new_folder(folder, DataError)
    _check_proposals(corpus)
    pictures = _wanted_pictures(corpus, pictures or {})
    with atomic_directory(folder) as temporary:
        write_pictures(pictures, temporary)
        write_posts(corpus, temporary, source)


def write_pictures(
    pictures: Mapping[str, str | os.PathLike | bytes], folder: str | os.PathLike
) -> None:
    """Writes pictures under their names into a corpus folder that is being made.

    Args:
        pictures: name to the encoded bytes, or to a file to copy.
        folder: exists.

    Raises:
        DataError: a name is not that of its picture's content.
    """
    folder = pathlib.Path(folder)
    if pictures:
        (folder / FOLDER).mkdir()
    for name, content in pictures.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            shutil.copyfile(content, folder / name)
        right = picture_name_of_file(folder / name)
        if right != name:
            raise DataError(
                f"image {name!r}: its content's name is {right!r}. Name pictures by "
                "`tfhashtag.corpus.pictures.picture_name`, and do not change them meanwhile."
            )


def write_posts(
    corpus: Corpus, folder: str | os.PathLike, source: Mapping[str, Any] | None = None
) -> str:
    """Writes what a corpus folder holds besides its pictures into a folder that is being made.

    Args:
        corpus: the posts.
        folder: exists.
        source: where they come from and how that was read, for `corpus.json`.

    Returns:
        The digest of the posts.
    """
    folder = pathlib.Path(folder)
    users = [corpus.users[user] for user in corpus.evaluation_users]
    if corpus.proposals is not None:
        _write_proposals(folder / _PROPOSALS, corpus.proposals)
    return write_rows(_tables(corpus), folder, corpus.name, lambda: users, source)


def write_rows(
    tables: Iterable[pa.Table],
    folder: str | os.PathLike,
    name: str,
    evaluation_users: Callable[[], list[str]],
    source: Mapping[str, Any] | None = None,
) -> str:
    """Writes posts as they come, and what `corpus.json` says of them; memory is that of a table.

    Args:
        tables: posts in order of time, with the columns of `posts.parquet`.
        folder: exists; `proposals.npy` lies there where the posts have such.
        name: of the corpus.
        evaluation_users: called when all posts are written.
        source: as `write_posts`.

    Returns:
        The digest of the posts.
    """
    folder = pathlib.Path(folder)
    digest, files = CorpusDigest(), _PostsFiles(folder)
    for table in tables:
        files.add(table)
        digest.add(table.select(_columns_of(table.column_names)))
    parts = files.close()
    if parts is None:
        raise DataError(f"{name}: there is no post to write.")
    given = folder / _PROPOSALS
    proposals = sha256_of(given) if given.is_file() else None
    users = evaluation_users()
    info = {
        "format": FORMAT,
        "name": name,
        "posts": files.posts,
        "digest": digest.of(users, proposals),
        "proposals": proposals,
        "evaluation_users": users,
        **({"parts": parts} if parts else {}),
        **({} if source is None else {"source": dict(source)}),
    }
    write_json(folder / "corpus.json", info)
    return str(info["digest"])


def _tables(corpus: Corpus) -> Iterator[pa.Table]:
    """The posts as `posts.parquet` has them, some at a time."""
    users, hashtags = np.array(corpus.users, object), np.array(corpus.hashtags, object)
    ids, texts = Texts.of(corpus.post_ids), Texts.of(corpus.messages)
    for start in range(0, max(len(corpus), 1), _BLOCK):
        posts = slice(start, min(start + _BLOCK, len(corpus)))
        offsets = corpus.hashtag_offsets[start : posts.stop + 1]
        tags = hashtags[corpus.hashtag_values[offsets[0] : offsets[-1]]]
        images = corpus.images[posts] if corpus.images else [()] * (posts.stop - start)
        times = None if corpus.timestamps is None else corpus.timestamps[posts]
        columns = {
            "id": ids[posts].column.cast(pa.string()),
            "user": pa.array(users[corpus.user_of_post[posts]], pa.string()),
            "text": texts.take(corpus.message_of_post[posts]).column.cast(pa.string()),
            "hashtags": pa.ListArray.from_arrays(
                pa.array(offsets - offsets[0], pa.int32()), pa.array(tags, pa.string())
            ),
            "split": pa.array(corpus.split_of_post[posts], pa.int8()),
            "timestamp": pa.nulls(len(images), pa.int64())
            if times is None
            else pa.array(times, pa.int64()),
            "images": pa.array(images, pa.list_(pa.string())),
        }
        if corpus.proposal_rows is not None:
            columns["proposal_row"] = pa.array(corpus.proposal_rows[posts], pa.int32())
        for name, values in (corpus.outcomes or {}).items():
            columns[name] = pa.array(values[posts], pa.int64(), mask=values[posts] < 0)
        yield pa.table(columns)
        for held in (ids, texts):
            let_go(held)


def read_corpus(folder: str | os.PathLike) -> Corpus:
    """Reads a corpus folder.

    Raises:
        ArtifactError: the folder is not a corpus, a file is missing or damaged, or the posts are
            not the ones that `corpus.json` speaks of.
    """
    folder = pathlib.Path(folder).expanduser()
    posts = _PostsReader(folder)
    try:
        return _corpus_of(posts, folder)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ArtifactError(
            f"{folder}: a column of its posts is of another type than it was written: "
            f"{str(error).splitlines()[0]}. Import again."
        ) from error


def _corpus_of(posts: "_PostsReader", folder: pathlib.Path) -> Corpus:
    info, names = posts.info, posts.names
    post_ids = Texts(posts.read("id").combine_chunks().cast(pa.large_string()))
    users, user_of_post = _distinct(posts.read("user"))
    messages, message_of_post = _distinct(posts.read("text"))
    lists = posts.read("hashtags")
    lengths = np.asarray(pc.list_value_length(lists), np.int64)
    hashtags, values = _distinct(pa.chunked_array([part.flatten() for part in lists.chunks]))
    del lists
    splits, timestamps = np.asarray(posts.read("split"), np.int8), posts.read("timestamp")
    images, *_ = [_images_of(posts.read(name)) for name in _PICTURES if name in names]
    rows = vectors = None
    if "proposal_row" in names:
        rows = np.asarray(posts.read("proposal_row"), np.int32)
        vectors = _read_proposals(folder / _PROPOSALS, rows)
    outcomes = {
        name: np.asarray(posts.read(name).fill_null(UNKNOWN), np.int64)
        for name in OUTCOMES
        if name in names
    }
    posts.check()
    if info["format"] == 1 and images:
        raise ArtifactError(
            f"{folder / 'corpus.json'}: format 1 names pictures and does not hold them. Import "
            "again: pictures are kept in the corpus folder now."
        )
    place = {user: index for index, user in enumerate(users)}
    return Corpus(
        name=info["name"],
        post_ids=post_ids,
        users=list(users),
        user_of_post=user_of_post,
        messages=messages,
        message_of_post=message_of_post,
        hashtags=list(hashtags),
        hashtag_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        hashtag_values=values,
        split_of_post=splits,
        evaluation_users=np.array([place[user] for user in info["evaluation_users"]], np.int32),
        timestamps=None if timestamps.null_count else np.asarray(timestamps, np.int64),
        images=images,
        digest=info["digest"],
        proposals=vectors,
        proposal_rows=rows,
        outcomes=outcomes or None,
        folder=folder,
    )


def source_of(folder: str | os.PathLike) -> dict[str, Any]:
    """Where a corpus folder's posts come from and how they were read; empty for made corpora."""
    path = pathlib.Path(folder).expanduser() / "corpus.json"
    return json.loads(path.read_text(encoding="utf-8")).get("source", {})


class _PostsFiles:
    """Writes posts as they come, `PART_POSTS` into a file."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.posts = 0
        self._folder = folder
        self._files = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        """Writes more posts; the first table is written where it has none, too."""
        while len(table) or self._writer is None:
            room = self._files * PART_POSTS - self.posts
            if room == 0:
                if self._writer is not None:
                    self._writer.close()
                path = self._folder / f"posts-{self._files:05d}.parquet"
                self._writer = pq.ParquetWriter(path, table.schema, compression="zstd")
                self._files, room = self._files + 1, PART_POSTS
            assert self._writer is not None
            self._writer.write_table(table.slice(0, room))
            self.posts += min(room, len(table))
            table = table.slice(room)

    def close(self) -> int | None:
        """How many parts there are, 0 for one file that is none; None where nothing was added."""
        if self._writer is None:
            return None
        self._writer.close()
        if self._files > 1:
            return self._files
        (self._folder / "posts-00000.parquet").rename(self._folder / "posts.parquet")
        return 0


def _posts_files(parts: int) -> list[str]:
    """Names of the files of posts, in order; 0 parts: one file that is none."""
    return [f"posts-{place:05d}.parquet" for place in range(parts)] or ["posts.parquet"]


def _check_there(folder: pathlib.Path, names: Sequence[str]) -> None:
    for name in names:
        if not (folder / name).is_file():
            whole = "" if name == "corpus.json" else "whole "
            of = f" ({len(names)} parts are listed in corpus.json)" if len(names) > 1 else ""
            mend = "Make one: `tfhashtag data import`."
            if (folder / "run.json").is_file():
                mend = f"It is a run, whose corpus as it was trained is {folder / 'data'}."
            raise ArtifactError(f"{folder}: no `{name}`{of}; not a {whole}corpus folder. {mend}")


class _PostsReader:
    """Reads the posts of a corpus folder column by column, so that memory is that of a column.

    Attributes:
        info: what `corpus.json` says.
        names: the columns, in the order in which they are to be read.

    Raises:
        ArtifactError: a file is missing, damaged or lacks a column.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self.info, self._content, self._files = _read_info(folder)
        schemas = [_read(pq.read_schema, folder / name) for name in self._files]
        if any(schema.remove_metadata() != schemas[0].remove_metadata() for schema in schemas):
            raise ArtifactError(
                f"{folder}: the parts of its posts do not fit together: their columns differ. "
                "Import again."
            )
        there = schemas[0].names
        lacking = [column for column in _COLUMNS if column not in there]
        lacking += () if set(_PICTURES) & set(there) else ("images",)
        if lacking:
            raise ArtifactError(
                f"{folder / self._files[0]}: no column `{lacking[0]}`. Import again."
            )
        self.names = _columns_of(there)
        self._digest = CorpusDigest() if self.info["format"] > _OLD_DIGEST else None

    def read(self, name: str) -> pa.ChunkedArray:
        """A column of all posts; what the one before took is given back."""
        pa.default_memory_pool().release_unused()
        parts = [
            _read(pq.read_table, self._folder / file, columns=[name], memory_map=True)
            for file in self._files
        ]
        table = pa.concat_tables(parts)
        if self._digest is not None:
            self._digest.add(table)
        return table[name]

    def check(self) -> None:
        """Compares what was read, all columns in their order, with the digest of `corpus.json`.

        Raises:
            ArtifactError: they are other posts.
        """
        if self._digest is not None:
            found = self._digest.of(*self._content)
        else:
            table = pa.concat_tables(pq.read_table(self._folder / name) for name in self._files)
            found = old_corpus_digest(table.select(self.names), *self._content)
        if found != self.info["digest"]:
            more = " and what follows" if self._files[1:] else ""
            raise ArtifactError(
                f"{self._folder}: `{self._files[0]}`{more} does not fit the digest in "
                "`corpus.json`; one of them was changed. Import again."
            )


def _read(reader: Callable[..., Any], path: pathlib.Path, **how: Any) -> Any:
    try:
        return reader(path, **how)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"{path}: not readable: {str(error).splitlines()[0]} Import again."
        ) from error


def _read_info(folder: pathlib.Path) -> tuple[dict, tuple[Any, Any], list[str]]:
    """What `corpus.json` says, what of it the digest is of, and the names of the posts' files."""
    _check_there(folder, ["corpus.json"])
    try:
        info = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        version, _, _ = info["format"], info["name"], info["digest"]
        content = info["evaluation_users"], info.get("proposals")
        names = _posts_files(int(info.get("parts", 0)))
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / 'corpus.json'}: not readable: {error!r}.") from error
    if version not in (1, 2, 3, FORMAT):
        raise ArtifactError(
            f"{folder / 'corpus.json'}: format {version}, expected {FORMAT}. Import again."
        )
    _check_there(folder, names)
    return info, content, names


def check_proposals(folder: str | os.PathLike, corpus: Corpus) -> None:
    """Reads the given proposals of a corpus folder whole and compares them with their digest.

    Raises:
        ArtifactError: `proposals.npy` is not the file that was written with the posts.
    """
    folder = pathlib.Path(folder).expanduser()
    info = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    if corpus.digest != info["digest"] or sha256_of(folder / _PROPOSALS) != info["proposals"]:
        raise ArtifactError(
            f"{folder / _PROPOSALS}: does not fit the digest in `corpus.json`; it was changed. "
            "Import again."
        )


def _check_proposals(corpus: Corpus) -> None:
    vectors, rows = corpus.proposals, corpus.proposal_rows
    if vectors is None and rows is None:
        return
    if vectors is None or rows is None:
        raise DataError("`proposals` and `proposal_rows` of a corpus belong together; one is None.")
    if vectors.ndim != 3 or 0 in vectors.shape or not np.isfinite(vectors).all():
        raise DataError(
            f"`proposals` must be finite, [rows, m, a]; found shape {vectors.shape}"
            f"{'' if np.isfinite(vectors).all() else ' with NaN or infinity'}."
        )
    if rows.shape != (len(corpus),) or rows.min() < -1 or rows.max() >= len(vectors):
        raise DataError(
            f"`proposal_rows` must have a row from -1 to {len(vectors) - 1} for each of "
            f"{len(corpus)} posts; found shape {rows.shape}, {rows.min()} to {rows.max()}."
        )


def _wanted_pictures(corpus: Any, pictures: Any) -> Any:
    """The pictures that the corpus names; a name that leaves the folder is refused."""
    wanted = {}
    named = zip(corpus.post_ids, corpus.images or [], strict=bool(corpus.images))
    for post, name in ((post, name) for post, names in named for name in names):
        parts = pathlib.PurePosixPath(name).parts
        if len(parts) != 2 or parts[0] != FOLDER or parts[1] == "..":
            raise DataError(
                f"post {post!r}: image {name!r} is not in `{FOLDER}/`; expected a path as "
                "`tfhashtag.corpus.pictures.picture_name` gives it."
            )
        if name not in pictures:
            raise DataError(f"post {post!r}: no content is given for its image {name!r}.")
        wanted[name] = pictures[name]
    return wanted


def _write_proposals(path: pathlib.Path, vectors: np.ndarray) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": vectors.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for row in vectors:  # `np.save` hides that the disk is full
            file.write(np.ascontiguousarray(row, "<f4").tobytes())


def _read_proposals(path: pathlib.Path, rows: np.ndarray) -> np.ndarray:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: not readable: {error}. Import again.") from error
    if vectors.ndim != 3 or vectors.dtype != np.float32 or rows.max(initial=-1) >= len(vectors):
        raise ArtifactError(
            f"{path}: float32 [at least {rows.max(initial=-1) + 1}, m, a] was expected, found "
            f"{vectors.dtype} {vectors.shape}. Import again."
        )
    return vectors


def _distinct(column: pa.ChunkedArray) -> tuple[Texts, np.ndarray]:
    """Distinct strings in order of first appearance, and the place of each value among them."""
    array = column.combine_chunks()
    del column
    if len(array) == 0:
        return Texts.of([]), np.zeros(0, np.int32)
    encoded = array.dictionary_encode()
    return Texts(encoded.dictionary.cast(pa.large_string())), np.asarray(encoded.indices, np.int32)


def _columns_of(there: Sequence[str]) -> list[str]:
    """Those of the columns of posts that are there, in the order of their digest."""
    known = (*_COLUMNS, *_PICTURES, "proposal_row", *OUTCOMES)
    return [name for name in known if name in there]


def _images_of(column: pa.ChunkedArray) -> list[tuple[str, ...]] | None:
    """Of each post; None where none has any."""
    if pa.types.is_list(column.type):
        there = pc.any(pc.greater(pc.list_value_length(column), 0)).as_py()
        return [tuple(names) for names in column.to_pylist()] if there else None
    images: list[tuple[str, ...]] = [(name,) if name else () for name in column.to_pylist()]
    return images if any(images) else None
