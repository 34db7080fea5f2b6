"""What the page tells of the models: versions, states, cards, signatures."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from tfhashtag.serving.runtime.memory import CARD as SIGNATURE_CARD
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_store import ModelStore

MODEL_CARD = SIGNATURE_CARD.with_name("model_card.json")

_STATES = get_model_status_pb2.ModelVersionStatus.State


def model_list(store: ModelStore) -> dict[str, Any]:
    """Models and their versions, newest first, ready for JSON.

    A version has `version` (text, as in the status of the REST API), `state` and `error`. One that
    is AVAILABLE has besides `card`, the model card of its folder or None, `signatures`, by name the
    inputs and outputs as its SavedModel has them, with the letters, meanings and examples of its
    signature card, and `problems`, why a card could not be read.

    Args:
        store: the loaded models.
    """
    return {"models": [{"name": name, "versions": _versions(store, name)} for name in store.names]}


def _versions(store: ModelStore, name: str) -> list[dict[str, Any]]:
    spec = model_pb2.ModelSpec(name=name)
    try:
        statuses = store.statuses(spec)
    except RequestError:  # it has no version as yet
        return []
    return [
        {
            "version": str(status.version),
            "state": _STATES.Name(status.state),
            "error": status.status.error_message,
            **(_loaded(store, name, status.version) if status.state == _STATES.AVAILABLE else {}),
        }
        for status in statuses
    ]


def _loaded(store: ModelStore, name: str, version: int) -> dict[str, Any]:
    spec = model_pb2.ModelSpec(name=name)
    spec.version.value = version
    problems: list[str] = []
    try:
        with store.use(spec) as servable:
            card = _read(servable.folder / MODEL_CARD, problems)
            signatures = _read(servable.folder / SIGNATURE_CARD, problems)
            found = _described(servable.signatures)
            told = (signatures or {}).get("signatures", {})
    except RequestError:  # it left between the two questions
        return {}
    for key in found.keys() & told.keys():
        found[key] = _with_meaning(found[key], told[key])
    return {"card": card, "signatures": found, "problems": problems}


def _read(path: pathlib.Path, problems: list[str]) -> dict[str, Any] | None:
    """A card, or None where there is none or it cannot be read."""
    try:
        # A browser reads no NaN.
        card = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
        if not isinstance(card, dict):
            raise ValueError("expected an object")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return None
    return card


def _with_meaning(found: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A signature of the SavedModel with what its card says; sizes stand in place of letters."""
    merged: dict[str, Any] = {}
    for kind, tensors in found.items():
        merged[kind] = {}
        for name in sorted(tensors, key=list(told[kind]).index):
            tensor, more = tensors[name], told[kind][name]
            sizes = zip(tensor["shape"] or more["shape"], more["shape"], strict=True)
            shape = [letter if size == "?" else size for size, letter in sizes]
            merged[kind][name] = {**tensor, **more, "shape": shape}
    return merged


def _described(signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> dict[str, Any]:
    """As a signature card, of what a SavedModel without one tells."""
    return {
        key: {
            kind: {
                name: {
                    "dtype": tf.as_dtype(info.dtype).name,
                    "shape": _shape(info.tensor_shape),
                    "meaning": "",
                    "example": None,
                }
                for name, info in sorted(tensors.items())
            }
            for kind, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
        }
        for key, signature in sorted(signatures.items())
        if not key.startswith("__")
    }


def _shape(shape: tensor_shape_pb2.TensorShapeProto) -> list[int | str] | None:
    if shape.unknown_rank:
        return None
    return ["?" if dim.size < 0 else dim.size for dim in shape.dim]
