"""Names, types, shapes and meanings of everything that an exported model takes and gives.

Plain Python: the server, the client, the checks and the documents read the names from here.
"""

from dataclasses import dataclass
from typing import Any

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class TensorSignature:
    """One input or output of a signature.

    Args:
        name: the name that requests and answers use.
        dtype: NumPy-like name: `"string"`, `"int32"`, `"float32"`, `"bool"`.
        shape: one letter a dimension; equal letters are equal sizes within a signature.
        meaning: what it holds, and what pads it.
        example: for inputs, a value as nested lists; None for outputs.
    """

    name: str
    dtype: str
    shape: tuple[str, ...]
    meaning: str
    example: Any = None

    @property
    def rank(self) -> int:
        """Number of dimensions; 0 is a scalar."""
        return len(self.shape)


@dataclass(frozen=True)
class Signature:
    """One callable of a SavedModel.

    Args:
        name: key in the SavedModel's signature map.
        inputs: what a request holds.
        outputs: what an answer holds.

    Example:

    >>> TOP_K.name, [tensor.name for tensor in TOP_K.inputs], TOP_K.example["k"]
    ('top_k', ['history', 'k'], 3)
    """

    name: str
    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]

    @property
    def example(self) -> dict[str, Any]:
        """A request that every model with this signature answers: input name to nested lists."""
        return {tensor.name: tensor.example for tensor in self.inputs}


HISTORY = TensorSignature(
    "history",
    "string",
    ("B", "H"),
    "messages of a user, oldest first, that may carry their #hashtags; an empty string pads",
    [["what a match tonight #football", "off to the stadium", ""], ["", "", ""]],
)
HASHTAGS = TensorSignature("hashtags", "string", ("B", "K"), "hashtags without `#`, best first")
SCORES = TensorSignature("scores", "float32", ("B", "K"), "engagement in (0, 1), same order")

SERVING_DEFAULT = Signature(DEFAULT_SIGNATURE, (HISTORY,), (HASHTAGS, SCORES))
TOP_K = Signature(
    "top_k",
    (HISTORY, TensorSignature("k", "int32", (), "hashtags wanted, cut to 1 .. catalogue", 3)),
    (HASHTAGS, SCORES),
)
SCORE = Signature(
    "score",
    (
        HISTORY,
        TensorSignature(
            "hashtags",
            "string",
            ("B", "C"),
            "hashtags to score, without `#`; an empty string pads",
            [["football", "never seen before"], ["football", ""]],
        ),
    ),
    (
        TensorSignature("scores", "float32", ("B", "C"), "engagement; 0 where not known"),
        TensorSignature("known", "bool", ("B", "C"), "whether the catalogue holds the hashtag"),
    ),
)
SCORE_CONTEXTS = Signature(
    "score_contexts",
    (
        HISTORY,
        TensorSignature(
            "contexts",
            "string",
            ("B", "C", "M"),
            "messages that carry each hashtag; an empty string pads",
            [[["a goal in the last minute", "derby day"]], [["", ""]]],
        ),
    ),
    (
        TensorSignature("scores", "float32", ("B", "C"), "engagement in (0, 1)"),
        TensorSignature("attention", "float32", ("B", "C", "M"), "weights over the messages"),
    ),
)
EMBED_USER = Signature(
    "embed_user",
    (HISTORY,),
    (TensorSignature("embedding", "float32", ("B", "E"), "the user's representation"),),
)

ENGAGEMENT = (SERVING_DEFAULT, TOP_K, SCORE, SCORE_CONTEXTS, EMBED_USER)

TEXT = TensorSignature(
    "text",
    "string",
    ("B",),
    "the post's text without its hashtags, UTF-8; an empty string for none",
    ["what a match tonight", "", "off to the stadium"],
)
IMAGE = TensorSignature(
    "image",
    "string",
    ("B",),
    "the post's picture as the bytes of a JPEG, PNG, WebP, GIF or BMP file; an empty string or "
    "what cannot be decoded is no picture; not read by a model without an image encoder",
    ["", "no picture", ""],
)
USER = TensorSignature(
    "user",
    "string",
    ("B",),
    "who posts, as in the training data; an empty string or somebody unknown has no history",
    ["", "nobody", ""],
)
PROPOSALS = TensorSignature(
    "proposals",
    "float32",
    ("B", "M", "A"),
    "image proposals in place of the picture, zeros for none; not read by a model without images",
    [[[0.0]], [[1.0]], [[0.5]]],
)
POST_SCORES = TensorSignature(
    "scores", "float32", ("B", "K"), "share of the softmax over all labels, same order"
)

POST_DEFAULT = Signature(DEFAULT_SIGNATURE, (TEXT, IMAGE, USER), (HASHTAGS, POST_SCORES))
POST_TOP_K = Signature(
    "top_k",
    (
        TEXT,
        IMAGE,
        USER,
        TensorSignature("k", "int32", (), "hashtags wanted, cut to 1 .. labels", 3),
    ),
    (HASHTAGS, POST_SCORES),
)
VECTORS = Signature("vectors", (TEXT, PROPOSALS, USER), (HASHTAGS, POST_SCORES))
EMBED_POST = Signature(
    "embed_post",
    (TEXT, IMAGE, USER),
    (TensorSignature("embedding", "float32", ("B", "E"), "the post before graph and MLP"),),
)

POSTS = (POST_DEFAULT, POST_TOP_K, VECTORS, EMBED_POST)
