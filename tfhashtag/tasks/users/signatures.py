"""What an exported model of users takes and gives: the names are public."""

from tfhashtag.export.signatures import (
    DEFAULT_SIGNATURE,
    HASHTAGS,
    PARTS,
    TRENDING,
    Signature,
    TensorSignature,
)

HISTORY = TensorSignature(
    "history",
    "string",
    ("B", "H"),
    "messages of a user, oldest first, that may carry their #hashtags; an empty string pads",
    [["what a match tonight #football", "off to the stadium", ""], ["", "", ""]],
)
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

EXPLAIN = Signature(
    "explain",
    (
        HISTORY,
        TensorSignature(
            "hashtag", "string", ("B",), "the one to explain, without `#`", ["football", "books"]
        ),
    ),
    PARTS,
)

#: Of every model of users; one that explains has `EXPLAIN`, too.
SIGNATURES = (SERVING_DEFAULT, TOP_K, SCORE, SCORE_CONTEXTS, EMBED_USER, TRENDING)
