"""What describes the inputs and outputs of an exported model: name, type, shape, meaning.

Plain Python, which the server reads, too. What the models of a task take and give stands with the
task, in `tfhashtag.tasks.users.signatures` and `tfhashtag.tasks.posts.signatures`.
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

    >>> k = TensorSignature("k", "int32", (), "hashtags wanted", 3)
    >>> best = Signature("best", (k,), (HASHTAGS,))
    >>> best.example, HASHTAGS.rank
    ({'k': 3}, 2)
    """

    name: str
    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]

    @property
    def example(self) -> dict[str, Any]:
        """A request that every model with this signature answers: input name to nested lists."""
        return {tensor.name: tensor.example for tensor in self.inputs}


_S = ("B", "S")
#: What every `explain` signature says of a hashtag.
PARTS = (
    TensorSignature("known", "bool", ("B",), "whether the hashtag was ranked; zeros where not"),
    TensorSignature("logit", "float32", ("B",), "its logit: the baseline and all parts"),
    TensorSignature("baseline", "float32", ("B",), "the logit where every signal has its mean"),
    TensorSignature("signals", "string", _S, "names of the signals, the largest parts first"),
    TensorSignature("words", "string", _S, "the same in words"),
    TensorSignature("values", "float32", _S, "values of the signals"),
    TensorSignature("parts", "float32", _S, "what each adds to the logit"),
    TensorSignature("errors", "float32", _S, "standard errors of how the parts are shared out"),
)
TRENDING = Signature(
    "trending",
    (TensorSignature("k", "int32", (), "hashtags wanted; fewer where fewer rise", 3),),
    (
        TensorSignature("hashtags", "string", ("R",), "what rises, most surely first"),
        TensorSignature("now", "int32", ("R",), "uses in the last span"),
        TensorSignature("before", "float32", ("R",), "uses in a span before it, on average"),
        TensorSignature("users", "int32", ("R",), "people who used it in the last span"),
        TensorSignature("ratio", "float32", ("R",), "its share of all uses now to that before"),
        TensorSignature("low", "float32", ("R",), "lower end of the ratio's 95 % interval"),
        TensorSignature("high", "float32", ("R",), "upper end"),
    ),
)

HASHTAGS = TensorSignature("hashtags", "string", ("B", "K"), "hashtags without `#`, best first")
