"""A corpus with the vectors that a recommender reads: texts, names of hashtags, pictures."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag import __version__
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError

if TYPE_CHECKING:
    from tfhashtag.encoders.image_encoder import ImageEncoder
    from tfhashtag.encoders.text_encoder import TextEncoder
    from tfhashtag.encoders.vector_cache import Proposals

PARTS = ("texts", "names", "images")


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """Posts and their frozen vectors.

    Attributes:
        corpus: the posts.
        texts: float32 `[messages, width]`, row `i` embeds message `i`; may be memory-mapped; None
            where they are not read.
        names: float32 `[hashtags, width]`, vectors of the hashtags' names; None where they were
            not encoded or are not read.
        proposals: image proposals, None without images.
        text_encoder_name: that embedded the texts, as `load_text_encoder` takes it.
        image_encoder_name: the same for pictures, or `"none"` or `"given"`.
        pictures: how many of a post are read, at most.
    """

    corpus: Corpus
    texts: np.ndarray | None
    names: np.ndarray | None = None
    proposals: "Proposals | None" = None
    text_encoder_name: str = "minilm"
    image_encoder_name: str = "none"
    pictures: int = 8

    @classmethod
    def read(
        cls,
        folder: str | os.PathLike,
        corpus: Corpus,
        text_encoder: str,
        image_encoder: str = "none",
        proposals: int = 9,
        pictures: int = 8,
        parts: Sequence[str] = PARTS,
    ) -> "EncodedCorpus":
        """The vectors that `tfhashtag encode` left in a corpus folder.

        Args:
            folder: of the corpus.
            corpus: what `read_corpus` gave of it.
            text_encoder: name of the encoder of texts and names.
            image_encoder: name of the encoder of pictures, `none` or `given`.
            proposals: vectors of a picture.
            pictures: how many of a post are read, at most; the first.
            parts: what is read, out of `texts`, `names` and `images`; the others may be missing.

        Raises:
            DataError: texts or pictures are not encoded so.
        """
        from tfhashtag.encoders import load_embeddings, load_hashtag_embeddings, load_proposals

        read = "images" in parts and image_encoder != "none"
        found = load_proposals(folder, corpus, image_encoder, proposals, pictures) if read else None
        return cls(
            corpus,
            load_embeddings(folder, corpus, text_encoder) if "texts" in parts else None,
            load_hashtag_embeddings(folder, corpus, text_encoder) if "names" in parts else None,
            found,
            text_encoder,
            image_encoder,
            pictures,
        )

    @property
    def tables(self) -> list[pathlib.Path]:
        """Folders of the memory-mapped tables."""
        files = [getattr(table, "filename", None) for table in (self.texts, self.names)]
        folders = [pathlib.Path(file).parent for file in files if file]
        return folders + ([] if self.proposals is None else [self.proposals.folder])

    @property
    def identity(self) -> dict[str, Any]:
        """What decides a result beside settings and seed, JSON values.

        The version of this library, the posts, the tables, and the numbers that texts are kept in.
        """
        tables = sorted(f"{path.parent.name}/{path.name}" for path in self.tables)
        kept = getattr(self.texts, "kept", "float32")
        vectors = {"tables": tables, "texts": kept}
        return {"tfhashtag": __version__, "data": self.corpus.digest, "vectors": vectors}

    @functools.cached_property
    def text_encoder(self) -> "TextEncoder":
        """The encoder of texts, for texts that are not in the corpus.

        Raises:
            EncoderError: it cannot be loaded.
            ArtifactError: it has other weights or settings than the one that encoded the corpus.
        """
        from tfhashtag.encoders import load_text_encoder

        encoder = load_text_encoder(self.text_encoder_name)
        filename = getattr(self.texts, "filename", None)
        if filename:
            _check_same_encoder(encoder, pathlib.Path(filename).parent)
        return encoder

    @functools.cached_property
    def image_encoder(self) -> "ImageEncoder | None":
        """The encoder of pictures; None where none are read as such. Errors as `text_encoder`."""
        from tfhashtag.encoders import load_image_encoder

        if self.proposals is None or self.image_encoder_name == "given":
            return None
        encoder = load_image_encoder(
            self.image_encoder_name, proposals=self.proposals.vectors.shape[1]
        )
        _check_same_encoder(encoder, self.proposals.folder)
        return encoder


def _check_same_encoder(encoder: "TextEncoder | ImageEncoder", folder: pathlib.Path) -> None:
    """Refuses an encoder with other weights or settings than the vectors in a folder."""
    path = folder / "meta.json"
    if not path.is_file():  # a table that somebody made
        return
    meta = json.loads(path.read_text(encoding="utf-8"))
    if meta["fingerprint"] != encoder.fingerprint:
        raise ArtifactError(
            f"{folder}: made by {meta['encoder']!r} with fingerprint {meta['fingerprint'][:12]}, "
            f"but {encoder.name!r} has {encoder.fingerprint[:12]} here: other weights or settings. "
            "Encode the corpus with the encoder as it is and train again."
        )
