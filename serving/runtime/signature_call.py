"""What is known of a signature before any request, and what a request is checked against."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tfhashtag.serving.batching.rows import batch_rows
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import MemoryCost, check_memory
from tfhashtag.serving.runtime.tensors import parse_tensor
from tfhashtag.serving.status import RequestError, failed_precondition, invalid

Input: TypeAlias = tensor_pb2.TensorProto | np.ndarray
Inputs: TypeAlias = Mapping[str, Input]
_CHECKED = re.compile("not compatible with expected shape|must have equal numbers of rows")


class Feed(NamedTuple):
    """What a request feeds.

    Args:
        arrays: by the names of tensors.
        needed: bytes of memory that the run will take; 0 where there are no limits.
        is_even: whether requests beside it in a batch would not grow by what it holds.
    """

    arrays: dict[str, np.ndarray]
    needed: int = 0
    is_even: bool = True


class SignatureCall:
    """The names, defaults and shapes of a signature.

    Args:
        signature: from the SavedModel.
        tensors: names of the tensors that can be fed and fetched.
        cost: memory of a run.
    """

    def __init__(
        self, signature: meta_graph_pb2.SignatureDef, tensors: Collection[str], cost: MemoryCost
    ) -> None:
        self.defaults = signature.defaults
        self.inputs = {alias: signature.inputs[alias].name for alias in sorted(signature.inputs)}
        self.outputs = {alias: signature.outputs[alias].name for alias in sorted(signature.outputs)}
        self._shapes = {
            info.name: None
            if info.tensor_shape.unknown_rank
            else [dim.size for dim in info.tensor_shape.dim]
            for info in signature.inputs.values()
        }
        self._tensors = tensors
        self._cost = cost

    def read(self, inputs: Inputs, limits: Limits | None) -> "Feed":
        """What is fed, by the names of tensors.

        Nothing is made of an input before the shapes of all of them are found small enough.

        Args:
            inputs: by the aliases of the signature; those with a default may be missing.
            limits: what the inputs may hold; None for no limits.

        Raises:
            RequestError: INVALID_ARGUMENT, names, values or sizes are wrong.
        """
        self._check_names(inputs)
        given = {
            alias: inputs[alias] if alias in inputs else self.defaults[alias]
            for alias in self.inputs
        }
        if limits is None:
            return Feed({self.inputs[alias]: _parse(alias, given[alias]) for alias in given})
        shapes, strings = {}, {}
        for alias, value in given.items():
            shapes[alias], strings[alias] = _shape(value)
            limits.check_shape(alias, shapes[alias])
        needed = self._cost.of_shapes(shapes, strings)
        check_memory(needed, limits.memory)
        arrays, is_even = {}, True
        for alias, value in given.items():
            array = _parse(alias, value)
            limits.check_values(alias, array)
            more, fits = self._cost.of_values(alias, array, limits.memory)
            needed += more
            is_even = is_even and fits
            arrays[self.inputs[alias]] = array
        check_memory(needed, limits.memory)
        return Feed(arrays, needed, is_even)

    def fetch_names(self, output_filter: Sequence[str]) -> list[str]:
        """The outputs that a request wants; an empty filter wants all.

        Raises:
            RequestError: INVALID_ARGUMENT, one is unknown or asked for twice.
        """
        names: list[str] = []
        for alias in output_filter:
            if alias not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} Outputs expected to be "
                    f"in the set {_set(self.outputs)}."
                )
            if alias in names:
                raise invalid(f"duplicate output tensor alias: {alias}")
            names.append(alias)
        names = names or list(self.outputs)
        for name in names:
            if self.outputs[name] not in self._tensors:
                raise failed_precondition(f"Output {name} of the signature has no tensor to fetch.")
        return names

    def is_batchable(self, feed: "Feed") -> bool:
        """Whether a request goes through the queues.

        Raises:
            RequestError: INVALID_ARGUMENT, it should but cannot.
        """
        arrays = feed.arrays
        if not arrays or not feed.is_even or any(shape == [] for shape in self._shapes.values()):
            return False
        if batch_rows(arrays) == 0:
            return False
        return all(_fits(arrays[name].shape, shape) for name, shape in self._shapes.items())

    def explained(self, error: RequestError, arrays: Mapping[str, np.ndarray]) -> RequestError:
        """The failure of a run by the input whose shape contradicts the signature, if there is one.

        Args:
            error: what the run said.
            arrays: what was fed.
        """
        if error.code != grpc.StatusCode.INVALID_ARGUMENT:
            return error
        for alias, name in self.inputs.items():
            declared = self._shapes[name]
            if declared is not None and not _fits(arrays[name].shape, declared):
                sizes = ", ".join("?" if size < 0 else str(size) for size in declared)
                wanted = f"[{sizes}]" if declared else "a single value"
                # Our exports check shapes themselves, which says the same in names of the graph.
                own = "" if _CHECKED.search(error.message) else f" {error.message}"
                return invalid(
                    f"Input `{alias}` has the shape {list(arrays[name].shape)}; expected "
                    f"{wanted}{', any size for `?`' if '?' in sizes else ''}.{own}"
                )
        return error

    def _check_names(self, inputs: Inputs) -> None:
        """Each input is there or has a default, and nothing else is."""
        if len(inputs) == len(self.inputs) and all(alias in inputs for alias in self.inputs):
            return
        wanted, given, defaults = set(self.inputs), set(inputs), set(self.defaults)
        if len(given) > len(wanted) or len(given | defaults) < len(wanted):
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(wanted)} "
                f"len({_set(given)}) != len({_set(wanted)}). Sent extra: {_set(given - wanted)}. "
                f"Missing but required: {_set(wanted - given - defaults)}."
            )
        for alias in sorted(wanted - given - defaults):
            raise invalid(
                f"Signature input alias: {alias}(feed name: {self.inputs[alias]}) not found in "
                f"request and no default value provided. Inputs expected to be in the request "
                f"{_set(given)}, or default input alias set: {_set(defaults)}"
            )
        if given - wanted:
            raise invalid(f"Inputs contains invalid name: {_set(given - wanted)}")


def _parse(alias: str, value: Input) -> np.ndarray:
    if not isinstance(value, tensor_pb2.TensorProto):
        return value
    try:
        return parse_tensor(value)
    except ValueError as error:
        raise invalid(f"tensor parsing error: {alias}") from error


def _shape(value: Input) -> tuple[Sequence[int], bool]:
    """What an input claims, and whether it holds strings."""
    if not isinstance(value, tensor_pb2.TensorProto):
        return value.shape, value.dtype.kind == "O"
    # A negative size is refused when the tensor is parsed.
    shape = [max(dim.size, 0) for dim in value.tensor_shape.dim]
    return shape, value.dtype == types_pb2.DT_STRING


def _fits(shape: tuple[int, ...], declared: list[int] | None) -> bool:
    if declared is None:
        return True
    return len(shape) == len(declared) and all(
        wanted in (-1, size) for size, wanted in zip(shape, declared, strict=True)
    )


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
