"""The corpus folder: `corpus.json` and `posts.parquet`, read and written whole."""

import hashlib
import json
import os
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.data.corpus import Corpus
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import atomic_directory, write_json

FORMAT = 1
_COLUMNS = ("id", "user", "text", "hashtags", "split", "timestamp", "image")


def write_corpus(corpus: Corpus, folder: str | os.PathLike) -> None:
    """Writes a corpus as a new folder, whole or not at all.

    Args:
        corpus: the posts; its `digest` is worked out anew.
        folder: must not exist.

    Raises:
        DataError: the folder exists.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise DataError(f"{folder}: exists already. Give another folder, or delete it first.")
    count = len(corpus)
    timestamps = [None] * count if corpus.timestamps is None else corpus.timestamps.tolist()
    table = pa.table(
        {
            "id": pa.array(corpus.post_ids, pa.string()),
            "user": pa.array(np.array(corpus.users, object)[corpus.user_of_post], pa.string()),
            "text": pa.array(
                np.array(corpus.messages, object)[corpus.message_of_post], pa.string()
            ),
            "hashtags": pa.ListArray.from_arrays(
                pa.array(corpus.hashtag_offsets, pa.int32()),
                pa.array(np.array(corpus.hashtags, object)[corpus.hashtag_values], pa.string()),
            ),
            "split": pa.array(corpus.split_of_post, pa.int8()),
            "timestamp": pa.array(timestamps, pa.int64()),
            "image": pa.array(corpus.images or [""] * count, pa.string()),
        }
    )
    users = [corpus.users[user] for user in corpus.evaluation_users]
    with atomic_directory(folder) as temporary:
        pq.write_table(table, temporary / "posts.parquet", compression="zstd")
        info = {
            "format": FORMAT,
            "name": corpus.name,
            "posts": count,
            "digest": _digest(table, users),
            "evaluation_users": users,
        }
        write_json(temporary / "corpus.json", info)


def read_corpus(folder: str | os.PathLike) -> Corpus:
    """Reads a corpus folder.

    Raises:
        ArtifactError: the folder is not a corpus, a file is missing or damaged, or the posts are
            not the ones that `corpus.json` speaks of.
    """
    folder = pathlib.Path(folder)
    for name in ("corpus.json", "posts.parquet"):
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{folder}: no `{name}`; not a corpus folder. Make one: `tfhashtag data import`."
            )
    try:
        info = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        version, users_to_evaluate = info["format"], info["evaluation_users"]
        name, digest = info["name"], info["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / 'corpus.json'}: not readable: {error!r}.") from error
    if version != FORMAT:
        raise ArtifactError(
            f"{folder / 'corpus.json'}: format {version}, expected {FORMAT}. Import again."
        )
    try:
        table = pq.read_table(folder / "posts.parquet")
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"{folder / 'posts.parquet'}: not readable: {str(error).splitlines()[0]} Import again."
        ) from error
    lacking = [column for column in _COLUMNS if column not in table.column_names]
    if lacking:
        raise ArtifactError(f"{folder / 'posts.parquet'}: no column `{lacking[0]}`. Import again.")
    if _digest(table, users_to_evaluate) != digest:
        raise ArtifactError(
            f"{folder}: `posts.parquet` does not fit the digest in `corpus.json`; one of them was "
            "changed. Import again."
        )
    users, user_of_post = _distinct(table["user"])
    messages, message_of_post = _distinct(table["text"])
    lists = table["hashtags"].combine_chunks()
    hashtags, values = _distinct(lists.flatten())
    place = {user: index for index, user in enumerate(users)}
    timestamps = table["timestamp"]
    images = table["image"].to_pylist()
    return Corpus(
        name=name,
        post_ids=table["id"].to_pylist(),
        users=users,
        user_of_post=user_of_post,
        messages=messages,
        message_of_post=message_of_post,
        hashtags=hashtags,
        hashtag_offsets=np.concatenate(
            [[0], np.cumsum(np.asarray(lists.value_lengths(), np.int64))]
        ).astype(np.int64),
        hashtag_values=values,
        split_of_post=np.asarray(table["split"], np.int8),
        evaluation_users=np.array([place[user] for user in users_to_evaluate], np.int32),
        timestamps=None if timestamps.null_count else np.asarray(timestamps, np.int64),
        images=images if any(images) else None,
        digest=digest,
    )


def _distinct(column) -> tuple[list[str], np.ndarray]:
    """Distinct strings in order of first appearance, and the place of each value among them."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if len(array) == 0:
        return [], np.zeros(0, np.int32)
    encoded = array.dictionary_encode()
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices, np.int32)


def _digest(table: pa.Table, users: list[str]) -> str:
    """SHA-256 of the posts' content, whatever the compression or the version of the writer."""
    digest = hashlib.sha256()
    for batch in table.select(list(_COLUMNS)).combine_chunks().to_batches(max_chunksize=8192):
        digest.update(json.dumps(batch.to_pylist(), ensure_ascii=True).encode())
    digest.update(json.dumps(users).encode())
    return digest.hexdigest()
