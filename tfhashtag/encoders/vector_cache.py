"""Vectors of a corpus's texts, hashtags and pictures on disk: each made once, kept through kills.

    CORPUS/<kind>/<encoder>-<fingerprint>/<digest of what is encoded>/
        vectors.npy   float32 [rows, width] or, of pictures, [rows, m, width]; of messages that
                      are kept in fewer bits, codes.npy and scales.npy stand in its place
        keys.npy      uint8 [rows, 16]; the first 16 bytes of SHA-256 of each text or picture's name
        meta.json     encoder, fingerprint, broken, and dtype where it is not float32

The kinds are `embeddings` (row i belongs to message i of the corpus), `hashtag_embeddings` (to
hashtag i) and `image_proposals` (to the i-th distinct picture: a picture's name is made of its
content, so equal pictures have one row). `broken` maps the names of pictures that cannot be decoded
to their rows, which are zeros. `tfhashtag.encoders.journal_table` makes the table.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.store import check_proposals
from tfhashtag.corpus.texts import Texts
from tfhashtag.encoders.batches import BATCH_IMAGES, BATCH_TOKENS
from tfhashtag.encoders.elsewhere import Elsewhere, content_of
from tfhashtag.encoders.journal_table import (
    CHUNK_ROWS,
    JournalTable,
    digest_of,
    home_of,
    keys_of,
    open_table,
    open_vectors,
    progress_bar,
)
from tfhashtag.encoders.vector_table import write_codes
from tfhashtag.errors import ArtifactError, ConfigError, DataError, NotEncodedError
from tfhashtag.files import write_at
from tfhashtag.memory import let_go
from tfhashtag.vector_codes import CODE_TYPES, CodeType

if TYPE_CHECKING:
    from tfhashtag.encoders.image_encoder import ImageEncoder
    from tfhashtag.encoders.text_encoder import TextEncoder

GIVEN = "given"
PICTURES = 8  # of a post that are read, where nothing is said
_CHUNK_IMAGES = 64
_BLOCK_TEXTS = 1 << 16  # read at a time
_CHECKED_VALUES = 2**22  # at a time, when a table is opened
_SHORTEST_FINGERPRINT = 8

#: Gives for rows that are to be made some of them, int `[n]`, their values, and which of these can
#: be encoded at all, bool `[n]` or None for all.
Batches = Callable[[np.ndarray], Iterable[tuple[np.ndarray, np.ndarray, np.ndarray | None]]]


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """A finished table and how it came about.

    Attributes:
        vectors: float32 `[rows, width]` or `[rows, m, width]`, memory-mapped, read-only, all
            finite; a `VectorTable` where they are kept in fewer bits.
        folder: where it lies.
        encoded: int, rows that were made by this call.
        reused: int, rows that were there already.
    """

    vectors: np.ndarray
    folder: pathlib.Path
    encoded: int
    reused: int


@dataclasses.dataclass(frozen=True)
class Proposals(Embeddings):
    """Image proposals `[rows, m, width]` of the posts of a corpus.

    Attributes:
        rows_of_post: int32 `[posts, P]`, the rows of each post's pictures in their order, -1 pads;
            a picture that cannot be decoded is left out.
        broken: names of the pictures that cannot be decoded.
    """

    rows_of_post: np.ndarray
    broken: tuple[str, ...] = ()


def encode_corpus(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: "TextEncoder",
    *,
    progress: bool = True,
    batch_tokens: int = BATCH_TOKENS,
    chunk_rows: int = CHUNK_ROWS,
    dtype: CodeType | None = None,
    elsewhere: Elsewhere | None = None,
) -> Embeddings:
    """Encodes every distinct message of a corpus that this encoder has not encoded yet.

    It can be killed at any point: the next call goes on, and at most the messages of one chunk are
    encoded twice. Vectors of an earlier state of the corpus are taken over by content. Memory does
    not grow with the corpus beyond the corpus itself and 16 bytes a message.

    Args:
        corpus_folder: folder of the corpus; the table goes into `embeddings/` in it.
        corpus: the corpus in that folder.
        encoder: the encoder.
        progress: bool, whether to show a progress bar with messages a second on stderr.
        batch_tokens: int, most tokens in a batch.
        chunk_rows: int, messages between two entries in the journal.
        dtype: what the vectors are kept in: float32, float16, or int8 with a scale a vector; None
            for what an earlier table of this encoder is kept in, or float32. A finished table in
            more bits is narrowed without encoding; in fewer, it is encoded anew.
        elsewhere: other processes that encode in place of this one.

    Returns:
        `Embeddings`.

    Raises:
        ArtifactError: the disk is full, or another process is at it.
        DataError: the encoder gives a vector that is not finite, or the corpus has no message.
        ConfigError: another `dtype`.
    """
    if dtype is not None and dtype not in CODE_TYPES:
        raise ConfigError(f"`dtype` must be one of {', '.join(CODE_TYPES)}, found {dtype!r}.")
    cache = _texts(corpus_folder, corpus)
    return cache.encode_texts(encoder, progress, batch_tokens, chunk_rows, elsewhere, dtype)


def encode_hashtags(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: "TextEncoder",
    *,
    progress: bool = True,
    batch_tokens: int = BATCH_TOKENS,
    chunk_rows: int = CHUNK_ROWS,
    elsewhere: Elsewhere | None = None,
) -> Embeddings:
    """Encodes the names of a corpus's hashtags, as `encode_corpus` does its messages.

    Models that read the names find them by `load_hashtag_embeddings` and need not embed them in
    each training.

    Raises:
        ArtifactError: the disk is full, or another process is at it.
        DataError: the encoder gives a vector that is not finite, or the corpus has no hashtag.
    """
    cache = _names(corpus_folder, corpus)
    return cache.encode_texts(encoder, progress, batch_tokens, chunk_rows, elsewhere)


def encode_images(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: "ImageEncoder",
    *,
    progress: bool = True,
    batch_images: int = BATCH_IMAGES,
    chunk_rows: int = _CHUNK_IMAGES,
    broken_again: bool = True,
    elsewhere: Elsewhere | None = None,
) -> Proposals:
    """Encodes every distinct picture of a corpus that this encoder has not encoded yet.

    As `encode_corpus`; pictures that could not be decoded in an earlier state are tried again.

    Args:
        corpus_folder: folder of the corpus, with its pictures; the table goes into
            `image_proposals/` in it.
        corpus: the corpus in that folder.
        encoder: the encoder.
        progress: bool, whether to show a progress bar with pictures a second on stderr.
        batch_images: int, most pictures in a batch.
        chunk_rows: int, pictures between two entries in the journal.
        broken_again: try again what could not be decoded; else the files of pictures that an
            earlier table has are not looked at.
        elsewhere: other processes that encode in place of this one.

    Returns:
        `Proposals`; a picture that cannot be decoded is in `broken`, and is none to its posts.

    Raises:
        ArtifactError: the disk is full, another process is at it, or a picture's file is missing.
        DataError: the encoder gives a proposal that is not finite, or the corpus has no picture.
    """
    if batch_images < 1:
        raise DataError(f"`batch_images` must be at least 1. Received: {batch_images}.")
    cache = _pictures(corpus_folder, corpus)

    def batches(todo: Any) -> Any:
        if elsewhere is not None:
            yield from elsewhere.pictures(cache.corpus, cache.items, todo, batch_images)
            return
        for start in range(0, len(todo), batch_images):
            rows = todo[start : start + batch_images]
            yield (
                rows,
                *encoder.encode([content_of(cache.corpus, cache.items[row]) for row in rows]),
            )

    shape = (encoder.proposals, encoder.width)
    made = cache.make(encoder, shape, batches, progress, chunk_rows, broken_again)
    return _of_posts(corpus, cache, *made)


def load_embeddings(corpus_folder: str | os.PathLike, corpus: Corpus, text_encoder: str) -> Any:
    """The vectors of a corpus's messages, as `encode_corpus` left them.

    Args:
        corpus_folder: folder of the corpus.
        corpus: the corpus in that folder.
        text_encoder: str, name of the encoder as given to `tfhashtag encode`, or its fingerprint
            (or the first 8 or more characters of it), or the path of a `.npy` file with a row for
            each message of the corpus.

    Returns:
        float32 `[messages, width]`, memory-mapped, read-only; a `VectorTable` where they are kept
        in fewer bits.

    Raises:
        ArtifactError: the corpus is not encoded, or has changed since.
        DataError: a vector is not finite, or a given file does not fit the corpus.
    """
    cache = _texts(corpus_folder, corpus)
    if text_encoder.endswith(".npy"):
        return _given_table(pathlib.Path(text_encoder), cache)
    return cache.open(cache.find(text_encoder))[0]


def load_hashtag_embeddings(
    corpus_folder: str | os.PathLike, corpus: Corpus, text_encoder: str
) -> np.ndarray | None:
    """The vectors of hashtags' names, as `encode_hashtags` left them; None where it did not run.

    Args:
        corpus_folder: folder of the corpus.
        corpus: the corpus in that folder.
        text_encoder: str, as for `load_embeddings`; a `.npy` table has no names.

    Returns:
        float32 `[hashtags, width]`, memory-mapped, read-only, or None.

    Raises:
        ArtifactError: the table is damaged.
    """
    cache = _names(corpus_folder, corpus)
    fitting = [path for path in cache.tables(text_encoder) if path.name == cache.digest]
    return cache.open(fitting[0])[0] if fitting else None


def load_proposals(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    image_encoder: str,
    m: int | None = None,
    pictures: int = PICTURES,
) -> Proposals:
    """The proposals of a corpus's posts, as `encode_images` left them or as the posts brought them.

    Args:
        corpus_folder: folder of the corpus; its pictures are not needed.
        corpus: the corpus in that folder.
        image_encoder: str, name of the encoder as given to `tfhashtag encode`, or its fingerprint
            (or the first 8 or more characters of it), or `"given"` for the posts' own vectors.
        m: int, proposals of a picture; None for what is there.
        pictures: how many of a post, at most; the first.

    Returns:
        `Proposals`.

    Raises:
        ArtifactError: the corpus is not encoded so, or has changed since, or the table is damaged.
        DataError: `"given"`, and the posts bring no vectors, or another number of them.
    """
    folder = pathlib.Path(corpus_folder)
    if image_encoder == GIVEN:
        return _given_proposals(folder, corpus, m)
    cache = _pictures(folder, corpus)
    return _of_posts(corpus, cache, cache.find(image_encoder, m), 0, pictures)


class VectorCache:
    """The tables of one kind in a corpus folder.

    Args:
        corpus_folder: folder of the corpus.
        kind: folder of the tables in it.
        items: the texts, or the names of the pictures, distinct.
        unit: what one of them is, for messages.
        encoder: what encodes them: `text` or `image`.
    """

    def __init__(
        self, corpus_folder: Any, kind: str, items: Sequence[str], unit: str, encoder: str
    ) -> None:
        self.corpus, self.root = pathlib.Path(corpus_folder), pathlib.Path(corpus_folder) / kind
        self.items, self.unit, self.encoder = items, unit, encoder
        self.column = Texts.of(items).digest
        self.keys = self._known_keys()
        self.digest = digest_of(self.keys)

    def encode_texts(
        self,
        encoder: "TextEncoder",
        progress: bool,
        batch_tokens: int,
        chunk_rows: int,
        elsewhere: Elsewhere | None = None,
        dtype: CodeType | None = None,
    ) -> Embeddings:
        """The vectors of all items, which are texts; `dtype` as in `encode_corpus`."""

        def batches(todo: Any) -> Any:
            if elsewhere is not None:
                yield from elsewhere.texts(self.items, todo, batch_tokens)
                return
            for start in range(0, len(todo), _BLOCK_TEXTS):
                part = todo[start : start + _BLOCK_TEXTS]
                texts = [self.items[row] for row in part]
                for rows, values in encoder.encode_batches(texts, batch_tokens):
                    yield part[rows], values, None

        shape = (encoder.width,)
        folder, encoded = self.make(encoder, shape, batches, progress, chunk_rows, dtype=dtype)
        return Embeddings(self.open(folder)[0], folder, encoded, len(self.items) - encoded)

    def make(
        self,
        encoder: "TextEncoder | ImageEncoder",
        row_shape: tuple[int, ...],
        batches: Batches,
        progress: bool,
        chunk_rows: int,
        broken_again: bool = True,
        dtype: CodeType | None = None,
    ) -> tuple[pathlib.Path, int]:
        """Makes the rows that are not there; `broken_again` as in `encode_images`.

        `dtype` is what they are kept in, None as `encode_corpus` has it.

        Returns:
            The table's folder, and how many rows were made.
        """
        if not self.items:
            raise DataError(
                f"{self.corpus}: the corpus has no {self.unit} to encode. Import posts that have "
                "some with `tfhashtag data import`, or leave the encoder out."
            )
        if chunk_rows < 1:
            raise DataError(f"`chunk_rows` must be at least 1. Received: {chunk_rows}.")
        home = home_of(self.root, encoder.name, encoder.fingerprint)
        table = JournalTable(home, self.keys, row_shape, chunk_rows)

        def fill(todo: Any) -> Any:
            for rows, values, valid in batches(todo):
                self._check_finite(values, rows, f"encoder `{encoder.name}`")
                if valid is not None:
                    values[~valid] = np.nan  # until the table is whole; then zeros
                yield rows, values

        known_broken = set() if broken_again else _broken_names(home)
        kept = dtype or _kept_in(home, table.folder)

        def meta() -> Any:
            broken = {self.items[row]: row for row in _broken_rows(table.partial)}
            if known_broken:
                place = {item: row for row, item in enumerate(self.items)}
                broken |= {name: place[name] for name in known_broken & place.keys()}
            told = {"encoder": encoder.name, "fingerprint": encoder.fingerprint, "broken": broken}
            return {**told, "column": self.column, **({} if kept == "float32" else {"dtype": kept})}

        def bar(done: Any) -> Any:
            return progress_bar(progress, encoder.name, f"{self.unit}s", len(self.items), done)

        def spoilt(old: pathlib.Path) -> Iterable[int]:
            if CODE_TYPES.index(kept) < CODE_TYPES.index(_dtype_of(old)):
                return range(open_vectors(old).shape[0])  # what they were rounded from is gone
            return _rows_to_try_again(old) if broken_again else ()

        def finish(partial: pathlib.Path) -> None:
            _zero_broken(partial)
            narrow(partial, kept)

        if self._is_done(table, kept) and (
            not os.access(home, os.W_OK) or not table.leftovers
        ):  # nobody may need to write there
            return table.folder, 0
        encoded = 0
        with table.locked():
            while not self._is_done(table, kept):  # twice where a kill left one in other bits
                encoded += table.fill(fill, meta, progress=bar, finish=finish, spoilt=spoilt)
            table.clear()
        return table.folder, encoded

    def _known_keys(self) -> np.ndarray:
        """The keys of the items; a table of the same column has them, or they are worked out."""
        for folder, meta in self._all().items():
            if meta.get("column") == self.column:
                keys = np.load(folder / "keys.npy")
                if digest_of(keys) == folder.name:
                    if isinstance(self.items, Texts):
                        self.items.digests = keys
                    return keys
        return keys_of(self.items)

    @staticmethod
    def _is_done(table: JournalTable, kept: CodeType) -> bool:
        return table.finished and _dtype_of(table.folder) == kept

    def tables(self, encoder: str) -> dict[pathlib.Path, dict]:
        """Folder and description of the finished tables of an encoder.

        Args:
            encoder: its name, or 8 or more characters of its fingerprint.
        """

        def is_of(meta: Any) -> Any:
            by_print = len(encoder) >= _SHORTEST_FINGERPRINT
            by_print = by_print and meta["fingerprint"].startswith(encoder)
            return meta["encoder"] == encoder or by_print

        return {path: meta for path, meta in self._all().items() if is_of(meta)}

    def find(self, encoder: str, m: int | None = None) -> pathlib.Path:
        """Folder of the one table of an encoder that fits the corpus.

        Args:
            encoder: its name, or 8 or more characters of its fingerprint.
            m: proposals of a picture; None for any.

        Raises:
            NotEncodedError: no table of the encoder, or none of the corpus as it is.
            ArtifactError: several tables.
        """
        what, option = f"vectors of {self.encoder} encoder", ""
        choice = "one of these fingerprints instead of the name"
        if self.encoder == "image":
            choice = "one of these fingerprints, or the number of proposals"
        if m is not None:
            what, option = f"{m} proposals of {self.encoder} encoder", f" --proposals {m}"
        again = f"run `tfhashtag encode {self.corpus} --{self.encoder}-encoder {encoder}{option}`"
        found = {
            path: meta
            for path, meta in self.tables(encoder).items()
            if m in (None, _shape_of(path)[1])
        }
        if not found:
            known = ", ".join(sorted({self._label(*pair) for pair in self._all().items()}))
            there = f"it has: {known}" if known else "it has none"
            raise NotEncodedError(
                f"{self.root}: no finished {what} `{encoder}` ({there}); {again}."
            )
        fitting = [path for path in found if path.name == self.digest]
        if not fitting:
            raise NotEncodedError(
                f"{self.root}: the corpus has changed since it was encoded with `{encoder}`; "
                f"{again} (only what is new is encoded)."
            )
        if len(fitting) > 1:
            prints = ", ".join(sorted(found[path]["fingerprint"][:16] for path in fitting))
            raise ArtifactError(
                f"{self.root}: several tables of {what} `{encoder}` with different settings "
                f"({prints}); give {choice}."
            )
        return fitting[0]

    def open(self, folder: pathlib.Path) -> tuple[Any, dict[str, int]]:
        """The vectors of a finished table, memory-mapped, and the rows of broken items.

        Raises:
            ArtifactError: the table is damaged.
            DataError: a vector is not finite.
        """
        broken = read_meta(folder / "meta.json")["broken"]
        vectors = open_vectors(folder, (len(self.items), *_shape_of(folder)[1:]))
        self.check(vectors, folder / "vectors.npy")
        return vectors, broken

    def check(self, vectors: Any, path: pathlib.Path) -> None:
        """Refuses vectors of the items that are not finite; `path` is named."""
        rows = max(1, _CHECKED_VALUES // max(1, int(np.prod(vectors.shape[1:]))))
        for start in range(0, len(vectors), rows):
            part = vectors[start : start + rows]
            self._check_finite(part, np.arange(start, start + len(part)), str(path))
            let_go(vectors)

    def _all(self) -> dict[pathlib.Path, dict]:
        paths = sorted(self.root.glob("*/[!.]*/meta.json"))
        return {path.parent: read_meta(path) for path in paths}

    def _label(self, folder: Any, meta: Any) -> str:
        if self.encoder == "text":
            return meta["encoder"]
        return f"{meta['encoder']} with {_shape_of(folder)[1]} proposals"

    def _check_finite(self, values: Any, rows: Any, where: Any) -> None:
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if finite.all():
            return
        row = int(rows[np.argmin(finite)])
        item = self.items[row] if len(self.items[row]) <= 60 else self.items[row][:57] + "..."
        raise DataError(
            f"{where}: the vector of {self.unit} {row} ({item!r}) is not finite. Every value must "
            "be a number: mend the table or the encoder's weights and encode again."
        )


def _texts(folder: Any, corpus: Corpus) -> VectorCache:
    return VectorCache(folder, "embeddings", corpus.messages, "message", "text")


def _names(folder: Any, corpus: Corpus) -> VectorCache:
    return VectorCache(folder, "hashtag_embeddings", corpus.hashtags, "hashtag", "text")


def _pictures(folder: Any, corpus: Corpus) -> VectorCache:
    """Of the distinct pictures, in order of first appearance."""
    return VectorCache(folder, "image_proposals", corpus.pictures, "image", "image")


def _of_posts(
    corpus: Corpus,
    cache: VectorCache,
    folder: pathlib.Path,
    encoded: int,
    pictures: int = PICTURES,
) -> Proposals:
    vectors, broken = cache.open(folder)
    place = {name: row for row, name in enumerate(cache.items) if name not in broken}
    found = [[place[name] for name in names if name in place] for names in corpus.images or []]
    width = max(1, min(pictures, max(map(len, found), default=0)))
    rows = np.full((len(found), width), -1, np.int32)
    for post, some in enumerate(found):
        rows[post, : len(some)] = some[:width]
    return Proposals(vectors, folder, encoded, len(vectors) - encoded, rows, tuple(broken))


def _given_table(path: pathlib.Path, cache: VectorCache) -> np.ndarray:
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a NumPy array: {error}") from error
    count = len(cache.items)
    if table.ndim != 2 or table.shape[0] != count or table.dtype != np.float32:
        raise DataError(
            f"{path}: float32 [{count}, width] was expected, a row for each distinct message of "
            f"the corpus in its order; found {table.dtype} {list(table.shape)}."
        )
    cache.check(table, path)
    return table


def _given_proposals(folder: pathlib.Path, corpus: Corpus, m: int | None) -> Proposals:
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
    rows = np.asarray(corpus.proposal_rows, np.int32)[:, None]
    return Proposals(corpus.proposals, folder, 0, len(corpus.proposals), rows)


def read_meta(path: pathlib.Path) -> dict:
    """Encoder, fingerprint and broken pictures of a table of vectors, and what else it says.

    `column` is the digest of the strings whose keys it has, see `Texts.digest`.

    Raises:
        ArtifactError: the file is no such description.
    """
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        broken = {str(name): int(row) for name, row in meta.get("broken", {}).items()}
        told = {key: meta[key] for key in ("encoder", "fingerprint")} | {"broken": broken}
        return told | {key: meta[key] for key in ("dtype", "column") if key in meta}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path}: not the description of a table of vectors ({error!r}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error


def _shape_of(folder: pathlib.Path) -> tuple[int, ...]:
    return open_vectors(folder).shape


def narrow(folder: pathlib.Path, dtype: CodeType) -> None:
    """Writes codes of a table that is whole, beside its vectors, unless these are to stay."""
    if dtype != "float32":
        write_codes(open_table(folder / "vectors.npy"), folder, dtype)


def _dtype_of(folder: pathlib.Path) -> CodeType:
    """What a table is kept in; float32 while it is made."""
    path = folder / "meta.json"
    return read_meta(path).get("dtype", "float32") if path.is_file() else "float32"


def _kept_in(home: pathlib.Path, folder: pathlib.Path) -> CodeType:
    """What the finished table is kept in, or an older one beside it."""
    found = [path.parent for path in sorted(home.glob("[!.]*/meta.json"))]
    return _dtype_of(folder if folder in found or not found else found[-1])


def _broken_rows(partial: pathlib.Path) -> list[int]:
    """Rows that cannot be encoded: NaN, or zeros already where a kill came after the zeros."""
    vectors = open_table(partial / "vectors.npy")
    rows: set[int] = set()
    if vectors.ndim > 2:  # no text is broken
        rows = set(np.flatnonzero(np.isnan(vectors[:, 0, 0])).tolist())
    if (partial / "meta.json").is_file():
        rows |= set(read_meta(partial / "meta.json")["broken"].values())
    return sorted(rows)


def _zero_broken(partial: pathlib.Path) -> None:
    shape = _shape_of(partial)
    zeros = bytes(4 * int(np.prod(shape[1:])))
    with open(partial / "vectors.npy", "r+b", buffering=0) as file:
        start = os.fstat(file.fileno()).st_size - shape[0] * len(zeros)  # the partial one is last
        for row in read_meta(partial / "meta.json")["broken"].values():
            write_at(file.fileno(), zeros, start + row * len(zeros))
        os.fsync(file.fileno())


def _broken_names(home: pathlib.Path) -> set[str]:
    """Pictures that could not be decoded when the tables of an encoder were made."""
    return {name for path in home.glob("[!.]*/meta.json") for name in read_meta(path)["broken"]}


def _rows_to_try_again(old: pathlib.Path) -> Iterable[int]:
    path = old / "meta.json"
    return read_meta(path)["broken"].values() if path.is_file() else ()
