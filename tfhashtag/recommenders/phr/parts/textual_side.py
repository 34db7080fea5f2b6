"""The text of a post."""

from typing import Any

from tfhashtag.layers import BiLSTM, Placeholder, Segments
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.recommenders.phr.parts.side import Side
from tfhashtag.registration import public


@public
class TextualSide(Side):
    r"""\(T_i\): words through a `BiLSTM` (thesis 2024, equation 12), the encoder's vector, or both.

    Inputs: `tokens`, int `[B, W]`, 0 pads, with a vocabulary; `text`, float `[B, g]`, with a width;
    `has_text`, bool `[B]`. A learned matrix stands for a text that is not there.

    Args:
        proposals: int >= 1, m.
        features: even int >= 2, f.
        vocabulary_size: int >= 2, that of `WordIds`; None: no words are read.
        width: int >= 1, g; None: the encoder's vector is not read. With both the side is their sum.
        embedding_width: int >= 1, of word vectors.
        dropout: float in [0, 1), of word vectors.
        cudnn: of `BiLSTM`.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or nothing is to be read.
    """

    def __init__(
        self,
        proposals: int,
        features: int,
        vocabulary_size: int | None = None,
        width: int | None = None,
        embedding_width: int = 300,
        dropout: float = 0.0,
        cudnn: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__("textual", proposals, features, **kwargs)
        if vocabulary_size is None and width is None:
            raise ValueError("`vocabulary_size` or `width` must be given, found None for both.")
        self.vocabulary_size, self.width = vocabulary_size, width
        self.embedding_width, self.dropout, self.cudnn = embedding_width, dropout, cudnn
        policy = self.dtype_policy
        self.words = self.segments = None
        if vocabulary_size is not None:
            self.words = BiLSTM(
                vocabulary_size,
                proposals,
                features,
                embedding_width,
                dropout=dropout,
                cudnn=cudnn,
                dtype=policy,
                name="words",
            )
        if width is not None:
            check_sizes(width=width)
            self.segments = Segments(proposals, features, dtype=policy, name="segments")
        self.no_text = Placeholder(dtype=policy, name="no_text")

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        if self.words is not None:
            self.words.build((None, None))
        if self.segments is not None:
            self.segments.build((None, self.width))
        self.no_text.build((None, self.proposals, self.features), (None,))

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The side, float `[B, m, f]`, and None: it has no attention."""
        parts = []
        if self.words is not None:
            parts.append(self.words(inputs["tokens"], training=training))
        if self.segments is not None:
            parts.append(self.segments(inputs["text"]))
        return self.no_text(sum(parts), inputs["has_text"]), None
