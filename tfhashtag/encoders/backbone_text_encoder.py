"""A transformer of KerasHub as text encoder: tokens, backbone, pooling."""

import hashlib
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.encoders.packed_transformer import PackedTransformer
from tfhashtag.encoders.text_encoder import TextEncoder, clean_utf8
from tfhashtag.errors import EncoderError

POOLINGS = ("mean", "cls")


class BackboneTextEncoder(TextEncoder):
    """Tokenises in the graph, runs a KerasHub backbone and pools its token vectors.

    The vector of a message is the mean over its tokens (special tokens included, as in
    Sentence-BERT) or the vector of its first token, divided by its Euclidean length where
    `normalize` is set.

    Args:
        backbone: a `keras_hub.models.Backbone` that takes `token_ids`, `padding_mask` and perhaps
            `segment_ids`.
        tokenizer: callable from string `[batch]` to ragged int32 `[batch, tokens]`, without
            special tokens, made of TensorFlow and TF Text operations.
        name: str, what to call the encoder.
        special_ids: the ids that start, end and pad a message; None for no start or no end.
        vocabulary: anything with a stable `str` that determines the tokens; it enters the
            fingerprint.
        max_length: int, most tokens of a message, special tokens included.
        pooling: `"mean"` or `"cls"`.
        normalize: bool, whether vectors get length one.

    Attributes:
        save: writes a folder that `load_text_encoder` takes, with the weights as they are now; None
            where the encoder is of no checkpoint.

    Raises:
        EncoderError: an argument is out of range.

    Example:

    >>> import keras_hub
    >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "morning"]
    >>> encoder = BackboneTextEncoder(
    ...     keras_hub.models.BertBackbone(
    ...         vocabulary_size=7, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8
    ...     ),
    ...     keras_hub.tokenizers.BertTokenizer(words),
    ...     name="tiny",
    ...     special_ids=(2, 3, 0),
    ...     vocabulary=words,
    ...     max_length=16,
    ... )
    >>> ids, lengths = encoder.read(["good morning", ""])
    >>> ids.to_list(), lengths.numpy().tolist()
    ([[2, 5, 6, 3], [2, 3]], [4, 2])
    >>> encoder.encode(["good morning", ""]).shape
    (2, 8)
    """

    save: Callable[[pathlib.Path], None] | None = None

    def __init__(
        self,
        backbone: keras.Model,
        tokenizer: Callable[[tf.Tensor], tf.RaggedTensor],
        *,
        name: str,
        special_ids: tuple[int | None, int | None, int],
        vocabulary: Any,
        max_length: int,
        pooling: str = "mean",
        normalize: bool = False,
    ) -> None:
        self.name = name
        self.backbone = backbone
        self.max_length: int = max_length
        self.pooling = pooling
        self.normalize = normalize
        self._tokenizer = tokenizer
        self._start, self._end, self._pad = special_ids
        specials = (self._start is not None) + (self._end is not None)
        limit = getattr(backbone, "max_sequence_length", None)
        if max_length <= specials or (limit is not None and max_length > limit):
            raise EncoderError(
                f"`max_length` of text encoder `{name}` must be from {specials + 1} to {limit} "
                f"tokens. Received: max_length={max_length}."
            )
        if pooling not in POOLINGS:
            raise EncoderError(f"`pooling` must be one of {POOLINGS}. Received: {pooling!r}.")
        self._backbone_inputs = {tensor.name for tensor in backbone.inputs}
        unknown = self._backbone_inputs - {"token_ids", "padding_mask", "segment_ids"}
        if unknown or "token_ids" not in self._backbone_inputs:
            raise EncoderError(
                f"Text encoder `{name}`: a backbone that takes `token_ids`, `padding_mask` and "
                f"perhaps `segment_ids` was expected, this one takes "
                f"{sorted(self._backbone_inputs)}. Choose an encoder such as BERT or RoBERTa."
            )
        self.backbone.trainable = False
        self._packed = PackedTransformer(backbone) if PackedTransformer.can_pack(backbone) else None
        self.skips_padding = self._packed is not None
        hidden = self._hidden(tf.fill([1, specials + 1], self._pad), tf.ones([1, specials + 1]))
        self.width = int(hidden.shape[-1])
        self.fingerprint = self._fingerprint(vocabulary)
        strings, ids = [tf.TensorSpec([None], tf.string)], [tf.TensorSpec([None, None], tf.int32)]
        self._ragged = tf.function(self._ragged_ids, strings, autograph=False)
        self._lengths = tf.function(self._uncut_lengths, strings, autograph=False)
        self._pooled = tf.function(self._pooled_vectors, ids, autograph=False)

    def read(self, strings: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Token ids, ragged int32 `[batch, tokens]`, and their numbers, int32 `[batch]`."""
        ids = self._ragged(tf.convert_to_tensor(strings))
        return ids, tf.cast(ids.row_lengths(), tf.int32)

    def vectors(self, messages: tf.RaggedTensor) -> tf.Tensor:
        """Vectors float32 `[batch, width]` of token ids as `read` gives them."""
        ids = messages.to_tensor(self._pad)
        lengths = tf.cast(messages.row_lengths(), tf.int32)
        rows = tf.shape(ids)[0]
        # An empty batch runs as one row of padding: not every operation takes zero rows.
        fill = tf.cast(tf.equal(tf.size(ids), 0), tf.int32)
        ids = tf.pad(ids, [[0, fill], [0, fill]], constant_values=self._pad)
        lengths = tf.pad(lengths, [[0, fill]], constant_values=1)
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1], tf.int32)
        if self._packed is None:
            return self._vectors(ids, mask)[:rows]
        hidden = self._packed(self._inputs(ids, mask), lengths)
        return self._pooled_rows(hidden, lengths)[:rows]

    def count_cut(self, messages: Sequence[str]) -> int:
        """See `TextEncoder.count_cut`."""
        room = self.max_length - sum(edge is not None for edge in (self._start, self._end))
        # No tokenizer makes more tokens than bytes and marks of words.
        long = [text for text in messages if 2 * len(text.encode()) > room]
        cut = 0
        for start in range(0, len(long), 4096):
            lengths = self._lengths(tf.constant(long[start : start + 4096], tf.string))
            cut += int(np.sum(lengths.numpy() > room))
        return cut

    def trackables(self) -> list[Any]:
        """The backbone; the vocabulary is a constant of the graph."""
        return [self.backbone]

    def _uncut_lengths(self, strings: Any) -> Any:
        return self._tokenizer(clean_utf8(strings)).row_lengths()

    def _ragged_ids(self, strings: Any) -> Any:
        ids = tf.cast(self._tokenizer(clean_utf8(strings)), tf.int32)
        edges = [(self._start, 0), (self._end, 1)]
        ids = ids[:, : self.max_length - sum(edge is not None for edge, _ in edges)]
        for edge, after in edges:
            if edge is not None:
                column = tf.RaggedTensor.from_tensor(tf.fill([tf.size(strings), 1], edge))
                ids = tf.concat([ids, column] if after else [column, ids], axis=1)
        return ids

    def _inputs(self, ids: Any, mask: Any) -> Any:
        inputs = {"token_ids": ids, "padding_mask": tf.cast(mask, tf.int32)}
        if "segment_ids" in self._backbone_inputs:
            inputs["segment_ids"] = tf.zeros_like(ids)
        return {key: inputs[key] for key in self._backbone_inputs}

    def _hidden(self, ids: Any, mask: Any) -> Any:
        outputs = self.backbone(self._inputs(ids, mask), training=False)
        if isinstance(outputs, dict):
            outputs = outputs["sequence_output"]
        return tf.cast(outputs, tf.float32)

    def _vectors(self, ids: Any, mask: Any) -> Any:
        hidden = self._hidden(ids, mask)
        if self.pooling == "cls":
            vectors = hidden[:, 0]
        else:
            weights = tf.cast(mask, tf.float32)[..., None]
            # A tokenizer without special tokens gives the empty message no token: a zero vector.
            vectors = tf.math.divide_no_nan(
                tf.reduce_sum(hidden * weights, axis=1), tf.reduce_sum(weights, axis=1)
            )
        return self._normalized(vectors)

    def _pooled_rows(self, hidden: Any, lengths: Any) -> Any:
        """The same of tokens of all messages, `[tokens, d]`; zeros for a message without any."""
        if self.pooling == "cls":
            first = tf.minimum(tf.cumsum(lengths, exclusive=True), tf.shape(hidden)[0] - 1)
            vectors = tf.where(lengths[:, None] > 0, tf.gather(hidden, first), 0.0)
        else:
            row = tf.repeat(tf.range(tf.size(lengths)), lengths)
            vectors = tf.math.unsorted_segment_sum(hidden, row, tf.size(lengths))
            vectors = tf.math.divide_no_nan(vectors, tf.cast(lengths, tf.float32)[:, None])
        return self._normalized(vectors)

    def _normalized(self, vectors: Any) -> Any:
        return tf.math.l2_normalize(vectors, axis=-1) if self.normalize else vectors

    def _pooled_vectors(self, ids: Any) -> Any:
        return self._vectors(ids, tf.ones_like(ids))

    def _block_vectors(
        self, messages: Sequence[str], batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        values, lengths = [], []
        for start in range(0, len(messages), 4096):
            ragged = self._ragged(tf.constant(list(messages[start : start + 4096]), tf.string))
            values.append(ragged.values.numpy())
            lengths.append(ragged.row_lengths().numpy())
        tokens, length = np.concatenate(values), np.concatenate(lengths)
        offsets = np.concatenate([[0], np.cumsum(length)])
        order = np.argsort(-length, kind="stable")
        cuts = np.flatnonzero(np.diff(length[order])) + 1
        for rows in np.split(order, cuts):
            size = int(length[rows[0]])
            if size == 0:
                yield rows, np.zeros((len(rows), self.width), np.float32)
                continue
            count = max(1, batch_tokens // size)
            for start in range(0, len(rows), count):
                batch = rows[start : start + count]
                ids = tokens[offsets[batch][:, None] + np.arange(size)]
                yield batch, self._pooled(ids).numpy()

    def _fingerprint(self, vocabulary: Any) -> str:
        digest = hashlib.sha256()
        settings = {
            "class": type(self.backbone).__name__,
            "config": json.loads(json.dumps(self.backbone.get_config(), default=str)),
            "special_ids": [self._start, self._end, self._pad],
            "max_length": self.max_length,
            "pooling": self.pooling,
            "normalize": self.normalize,
        }
        # Names count up within a process and say nothing about the vectors.
        settings["config"].pop("name", None)
        digest.update(json.dumps(settings, sort_keys=True).encode())
        digest.update(hashlib.sha256(str(vocabulary).encode("utf-8")).digest())
        for weight in self.backbone.weights:
            array = np.ascontiguousarray(weight.numpy())
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()
