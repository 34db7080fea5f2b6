"""What a model takes and gives, as JSON in its version folder."""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from tfhashtag.export.signatures import Signature, TensorSignature
from tfhashtag.export.warmup import ALLOWED_BATCH_SIZES
from tfhashtag.files import write_json

SIGNATURE_CARD = pathlib.PurePath("assets.extra", "signatures.json")


def signature_card(
    signatures: Iterable[Signature], memory: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Name, type, shape, meaning and example of every input and output.

    Args:
        signatures: those of the model.
        memory: bytes that a run takes at its peak for a row, a value, ... of a request, see
            `Servable.memory`; None where nobody measured them.

    Example:

    >>> from tfhashtag.export.signatures import HASHTAGS
    >>> card = signature_card([Signature("best", (), (HASHTAGS,))])
    >>> card["signatures"]["best"]["outputs"]["hashtags"]["shape"]
    ['B', 'K']
    """
    return {
        "shapes": "one letter a dimension; equal letters are equal sizes within a request; [] is "
        "a scalar; B is the batch",
        "allowed_batch_sizes": list(ALLOWED_BATCH_SIZES),
        **({"memory": dict(memory)} if memory else {}),
        "signatures": {
            signature.name: {
                "inputs": {tensor.name: _tensor(tensor) for tensor in signature.inputs},
                "outputs": {tensor.name: _tensor(tensor) for tensor in signature.outputs},
            }
            for signature in signatures
        },
    }


def write_signature_card(
    folder: str | os.PathLike,
    signatures: Iterable[Signature],
    memory: Mapping[str, int] | None = None,
) -> None:
    """Writes `assets.extra/signatures.json` of a version folder that is not yet in place."""
    path = pathlib.Path(folder) / SIGNATURE_CARD
    path.parent.mkdir(exist_ok=True)
    write_json(path, signature_card(signatures, memory))


def signatures_of_card(card: dict[str, Any]) -> list[Signature]:
    """The signatures that a card names; what `signature_card` was made of.

    Raises:
        KeyError, TypeError, AttributeError: it is no such card.

    Example:

    >>> from tfhashtag.export.signatures import HASHTAGS
    >>> signatures = [Signature("best", (), (HASHTAGS,))]
    >>> signatures_of_card(signature_card(signatures)) == signatures
    True
    """
    return [
        Signature(name, *(_tensors(signature[kind]) for kind in ("inputs", "outputs")))
        for name, signature in card["signatures"].items()
    ]


def _tensors(tensors: dict[str, Any]) -> tuple[TensorSignature, ...]:
    return tuple(
        TensorSignature(
            name, tensor["dtype"], tuple(tensor["shape"]), tensor["meaning"], tensor["example"]
        )
        for name, tensor in tensors.items()
    )


def _tensor(tensor: TensorSignature) -> dict[str, Any]:
    return {
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "meaning": tensor.meaning,
        "example": tensor.example,
    }
