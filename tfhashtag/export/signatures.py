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


HASHTAGS = TensorSignature("hashtags", "string", ("B", "K"), "hashtags without `#`, best first")
