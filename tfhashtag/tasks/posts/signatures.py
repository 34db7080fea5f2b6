"""What an exported model of posts takes and gives: the names are public."""

from tfhashtag.export.signatures import (
    DEFAULT_SIGNATURE,
    HASHTAGS,
    PARTS,
    TRENDING,
    Signature,
    TensorSignature,
)

TEXT = TensorSignature(
    "text",
    "string",
    ("B",),
    "the post's text without its hashtags, UTF-8, then, after an empty line, what is spoken or "
    "heard in it; an empty string for none",
    ["what a match tonight", "", "off to the stadium"],
)
IMAGES = TensorSignature(
    "images",
    "string",
    ("B", "P"),
    "the post's pictures, each the bytes of a JPEG, PNG, WebP, GIF or BMP file, of a clip some "
    "frames; an empty string, which pads, or what cannot be decoded is no picture; not read by a "
    "model without an image encoder",
    [["", "no picture"], ["", ""], ["", ""]],
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
    "image proposals in place of the pictures, those of the first, then those of the second, zeros "
    "for none; not read by a model without images",
    [[[0.0]], [[1.0]], [[0.5]]],
)
SCORES = TensorSignature(
    "scores", "float32", ("B", "K"), "share of the softmax over all labels, same order"
)

SERVING_DEFAULT = Signature(DEFAULT_SIGNATURE, (TEXT, IMAGES, USER), (HASHTAGS, SCORES))
TOP_K = Signature(
    "top_k",
    (
        TEXT,
        IMAGES,
        USER,
        TensorSignature("k", "int32", (), "hashtags wanted, cut to 1 .. labels", 3),
    ),
    (HASHTAGS, SCORES),
)
VECTORS = Signature("vectors", (TEXT, PROPOSALS, USER), (HASHTAGS, SCORES))
EMBED_POST = Signature(
    "embed_post",
    (TEXT, IMAGES, USER),
    (TensorSignature("embedding", "float32", ("B", "E"), "the post before graph and MLP"),),
)

EXPLAIN = Signature(
    "explain",
    (
        TEXT,
        IMAGES,
        USER,
        TensorSignature(
            "hashtag", "string", ("B",), "the one to explain, without `#`", ["football", "", "sea"]
        ),
    ),
    (
        *PARTS,
        TensorSignature(
            "similar", "string", ("B", "N"), "hashtags of others' closest posts that have it"
        ),
        TensorSignature("similar_by", "string", ("B", "N"), "`text` or `picture`; empty for none"),
        TensorSignature("similarity", "float32", ("B", "N"), "cosine of that post with this one"),
        TensorSignature("place", "int32", ("B", "N"), "1 for the closest of all posts; 0 for none"),
    ),
)

#: Of every model of posts; one that explains has `EXPLAIN`, too.
SIGNATURES = (SERVING_DEFAULT, TOP_K, VECTORS, EMBED_POST, TRENDING)
