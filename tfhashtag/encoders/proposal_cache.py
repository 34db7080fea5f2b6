"""Proposals of all pictures of a corpus on disk: each made once, kept through kills.

    CORPUS/image_proposals/<encoder>-<fingerprint>/<digest of the pictures' names>/
        vectors.npy   float32 [pictures, m, width]; zeros for a picture that cannot be decoded
        keys.npy      uint8 [pictures, 16]; the first 16 bytes of SHA-256 of each picture's name
        meta.json     encoder, fingerprint, proposals (m), width, images, broken

A picture's name is made of its content, so equal pictures have one row. `broken` maps the names of
pictures that cannot be decoded to their rows. `tfhashtag.encoders.journal_table` makes the table.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.store import check_proposals
from tfhashtag.encoders.finished_tables import find_table
from tfhashtag.encoders.image_encoder import BATCH_IMAGES, ImageEncoder
from tfhashtag.encoders.journal_table import (
    JournalTable,
    digest_of,
    home_of,
    keys_of,
    open_table,
    progress_bar,
    write_at,
)
from tfhashtag.errors import ArtifactError, DataError

FOLDER = "image_proposals"
GIVEN = "given"
_CHUNK_IMAGES = 64
_META = ("encoder", "fingerprint", "proposals", "width", "images", "broken")


@dataclasses.dataclass(frozen=True)
class Proposals:
    """Image proposals of the posts of a corpus.

    Attributes:
        vectors: float32 `[rows, m, width]`, memory-mapped, read-only, all finite.
        row_of_post: int32 `[posts]`, the row of each post's proposals, -1 where the post has no
            picture or one that cannot be decoded.
        broken: names of the pictures that cannot be decoded.
        folder: where the vectors lie.
        encoded: int, pictures that were encoded by this call.
        reused: int, pictures whose proposals were there already.
    """

    vectors: np.ndarray
    row_of_post: np.ndarray
    broken: tuple[str, ...] = ()
    folder: pathlib.Path = pathlib.Path()
    encoded: int = 0
    reused: int = 0


def encode_images(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: ImageEncoder,
    *,
    progress: bool = True,
    batch_images: int = BATCH_IMAGES,
    chunk_images: int = _CHUNK_IMAGES,
) -> Proposals:
    """Encodes every distinct picture of a corpus that this encoder has not encoded yet.

    It can be killed at any point: the next call goes on, and at most the pictures of one chunk are
    encoded twice. Proposals of an earlier state of the corpus are taken over; pictures that could
    not be decoded then are tried again.

    Args:
        corpus_folder: folder of the corpus, with its pictures; the table goes into
            `image_proposals/` in it.
        corpus: the corpus in that folder.
        encoder: the encoder.
        progress: bool, whether to show a progress bar with pictures a second on stderr.
        batch_images: int, most pictures in a batch.
        chunk_images: int, pictures between two entries in the journal.

    Returns:
        `Proposals`; a picture that cannot be decoded is in `broken`, and its posts have row -1.

    Raises:
        ArtifactError: the disk is full, another process is at it, or a picture's file is missing.
        DataError: the encoder gives a proposal that is not finite, or the corpus has no picture.
    """
    folder = pathlib.Path(corpus_folder)
    names = _names(corpus)
    if not names:
        raise DataError(
            f"{folder}: no post of the corpus has an image. Import posts with the field `image`, "
            f"or leave the image encoder out."
        )
    if chunk_images < 1 or batch_images < 1:
        raise DataError(
            f"`chunk_images` and `batch_images` must be at least 1. "
            f"Received: {chunk_images}, {batch_images}."
        )
    home = home_of(folder / FOLDER, encoder.name, encoder.fingerprint)
    keys = keys_of(name.encode("utf-8") for name in names)
    table = JournalTable(home, keys, (encoder.proposals, encoder.width), chunk_images)

    def fill(todo):
        for start in range(0, len(todo), batch_images):
            rows = todo[start : start + batch_images]
            vectors, valid = encoder.encode([_content(folder, names[row]) for row in rows])
            finite = np.isfinite(vectors).all(axis=(1, 2))
            if not finite.all():
                raise _not_finite(names[rows[np.argmin(finite)]], f"encoder `{encoder.name}`")
            vectors[~valid] = np.nan  # until the table is whole; then zeros
            yield rows, vectors

    def broken_rows():
        vectors = np.load(table.partial / "vectors.npy", mmap_mode="r")
        rows = set(np.flatnonzero(np.isnan(vectors[:, 0, 0])).tolist())
        if (table.partial / "meta.json").is_file():  # a kill while the zeros were written
            rows |= set(_read_meta(table.partial / "meta.json")["broken"].values())
        return sorted(rows)

    def meta():
        return {
            "encoder": encoder.name,
            "fingerprint": encoder.fingerprint,
            "proposals": encoder.proposals,
            "width": encoder.width,
            "images": len(names),
            "broken": {names[row]: row for row in broken_rows()},
        }

    def zero_broken(partial):
        rows = _read_meta(partial / "meta.json")["broken"].values()
        zeros = bytes(4 * encoder.proposals * encoder.width)
        with open(partial / "vectors.npy", "r+b", buffering=0) as file:
            start = os.fstat(file.fileno()).st_size - len(names) * len(zeros)
            for row in rows:
                write_at(file.fileno(), zeros, start + row * len(zeros))
            os.fsync(file.fileno())

    def spoilt(old):
        path = old / "meta.json"
        return _read_meta(path)["broken"].values() if path.is_file() else ()

    with table.locked():
        encoded = 0
        if not table.finished:
            encoded = table.fill(
                fill,
                meta,
                progress=lambda done: progress_bar(
                    progress, encoder.name, "images", len(names), done
                ),
                finish=zero_broken,
                spoilt=spoilt,
            )
    return dataclasses.replace(
        _opened(table.folder, corpus, names), encoded=encoded, reused=len(names) - encoded
    )


def load_proposals(
    corpus_folder: str | os.PathLike, corpus: Corpus, image_encoder: str, m: int | None = None
) -> Proposals:
    """The proposals of a corpus's posts, as `encode_images` left them or as the posts brought them.

    Args:
        corpus_folder: folder of the corpus; its pictures are not needed.
        corpus: the corpus in that folder.
        image_encoder: str, name of the encoder as given to `tfhashtag encode`, or its fingerprint
            (or the first 8 or more characters of it), or `"given"` for the posts' own vectors.
        m: int, proposals of a picture; None for what is there.

    Returns:
        `Proposals`.

    Raises:
        ArtifactError: the corpus is not encoded so, or has changed since, or the table is damaged.
        DataError: `"given"`, and the posts bring no vectors, or another number of them.
    """
    folder = pathlib.Path(corpus_folder)
    if image_encoder == GIVEN:
        return _given(folder, corpus, m)
    root = folder / FOLDER
    wanted = "" if m is None else f" --proposals {m}"
    again = f"run `tfhashtag encode {folder} --image-encoder {image_encoder}{wanted}`"
    names = _names(corpus)
    digest = digest_of(keys_of(name.encode("utf-8") for name in names))
    number = "" if m is None else f"{m} "
    found, _ = find_table(
        root,
        image_encoder,
        digest,
        _read_meta,
        what=f"{number}proposals of image encoder",
        again=again,
        choice="one of these fingerprints, or the number of proposals",
        label=lambda meta: f"{meta['encoder']} with {meta['proposals']} proposals",
        fits=lambda meta: m in (None, meta["proposals"]),
    )
    return _opened(found, corpus, names)


def _opened(folder: pathlib.Path, corpus: Corpus, names: Sequence[str]) -> Proposals:
    meta = _read_meta(folder / "meta.json")
    shape = (len(names), meta["proposals"], meta["width"])
    vectors = open_table(folder / "vectors.npy", shape)
    _check_finite(vectors, folder / "vectors.npy", lambda row: names[row])
    broken = meta["broken"]
    place = {name: row for row, name in enumerate(names) if name not in broken}
    rows = [place.get(name, -1) for name in corpus.images or []]
    return Proposals(vectors, np.array(rows, np.int32), tuple(broken), folder, 0, len(names))


def _given(folder: pathlib.Path, corpus: Corpus, m: int | None) -> Proposals:
    if corpus.proposals is None or corpus.proposal_rows is None:
        raise DataError(
            f"{folder}: the posts bring no proposals. Import posts with the field `proposals`, or "
            f"name an image encoder in place of `{GIVEN}`."
        )
    if m not in (None, corpus.proposals.shape[1]):
        raise DataError(
            f"{folder}: the posts bring {corpus.proposals.shape[1]} proposals each, expected {m}. "
            f"Set the number of proposals to {corpus.proposals.shape[1]}."
        )
    check_proposals(folder, corpus)
    _check_finite(corpus.proposals, folder / "proposals.npy", lambda row: f"row {row}")
    rows = np.asarray(corpus.proposal_rows, np.int32)
    return Proposals(corpus.proposals, rows, (), folder, 0, len(corpus.proposals))


def _names(corpus: Corpus) -> list[str]:
    """Names of the distinct pictures, in order of first appearance."""
    return list(dict.fromkeys(name for name in corpus.images or [] if name))


def _content(folder: pathlib.Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{folder / name}: cannot be read ({error.strerror}); expected the picture that a post "
            f"names. Import the corpus again."
        ) from error


def _check_finite(vectors, path, name_of) -> None:
    for start in range(0, len(vectors), 256):
        finite = np.isfinite(vectors[start : start + 256]).all(axis=(1, 2))
        if not finite.all():
            raise _not_finite(name_of(start + int(np.argmin(finite))), str(path))


def _not_finite(name: str, where: str) -> DataError:
    return DataError(
        f"{where}: the proposals of image {name!r} are not finite. Every value must be a number: "
        f"mend the table or the encoder's weights and encode again."
    )


def _read_meta(path: pathlib.Path) -> dict:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        result = {key: meta[key] for key in _META}
        result["broken"] = {str(name): int(row) for name, row in meta["broken"].items()}
        return result
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path}: not the description of a table of proposals ({error!r}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error
