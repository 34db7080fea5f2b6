"""From traced functions to a version folder with everything that a server and its users need."""

import contextlib
import errno
import logging
import os
import pathlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.framework import ops

from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.export.checks import check_saved_model, graph_ops
from tfhashtag.export.held_strings import personal_strings
from tfhashtag.export.model_card import model_card, write_model_card
from tfhashtag.export.servable import Servable
from tfhashtag.export.server_releases import check_release, newer_ops, release_of, server_note
from tfhashtag.export.serving_config import check_serving_config, write_serving_config
from tfhashtag.export.shape_checks import with_shape_checks
from tfhashtag.export.signature_card import write_signature_card
from tfhashtag.export.signatures import Signature
from tfhashtag.export.warmup import without_scalars, write_warmup
from tfhashtag.export.writer import write_saved_model

WARM_UP = ("all", "batchable")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def export_saved_model(
    servable: Servable,
    about: Mapping[str, Any],
    out: str | os.PathLike,
    *,
    warm_up: str = "all",
    check: bool = True,
    target: str | None = None,
    personal: tuple[Collection[str], Collection[str]] | None = None,
    placing: Callable[[pathlib.Path, pathlib.Path], object] = lambda written, version: None,
    step: Callable[[str], None] = lambda what: None,
) -> pathlib.Path:
    """Writes the next version of a model, whole or not at all, and the files of a stock server.

    Args:
        servable: the trained model.
        about: what the model card says of its training, see `model_card`.
        out: the model's folder, `MODELS/NAME`.
        warm_up: `all` writes requests for every signature, `batchable` leaves out those with a
            scalar input, which a stock server with `--enable_batching` refuses.
        check: load it in a bare process, allow only ops that TensorFlow Serving registers, answer
            the warm-up requests.
        target: version of the stock server that it shall run on; newer operations are avoided.
            None for any that knows the operations of the model, see its card.
        personal: names of users and texts of posts that it must not hold.
        placing: as of `write_saved_model`.
        step: called with what is being done.

    Raises:
        ArtifactError: the written model fails its check, it holds names or texts, an operation
            that the target lacks cannot be avoided, or `models.config` is damaged.
        ConfigError: `warm_up` is none of the two, or nothing is known of the target.
        OSError: the disk is full, or the folder cannot be written.
    """
    if warm_up not in WARM_UP:
        raise ConfigError(f"`warm_up` is {warm_up!r}; expected one of {', '.join(WARM_UP)}.")
    release = None if target is None else release_of(target)
    limits = () if release is None else servable.avoid(newer_ops(release))
    signatures, chosen = servable.signatures, list(servable.requests)
    if warm_up == "batchable":
        chosen = without_scalars(chosen, signatures)
    name = pathlib.Path(out).absolute().name
    card = model_card(about, name, servable)
    card["limits"] += limits
    check_serving_config(out)

    def write(folder: pathlib.Path) -> None:
        step("writing the signatures")
        write_signatures(servable, folder)
        step("writing warm-up requests and the model card")
        write_warmup(folder, name, chosen)
        write_signature_card(folder, signatures, servable.memory)
        ops = graph_ops(folder)
        write_model_card(folder, card | {"servers": server_note(ops)})
        lacking = [] if release is None else check_release(ops, release)
        if lacking:
            raise ArtifactError(
                f"{out}: nothing was exported. {' '.join(lacking)} Give a newer `--target`."
            )
        step("checking it" + (", in a process of its own" if check else " for names and texts"))
        problems = check_saved_model(folder, expected=signatures) if check else []
        problems += [] if personal is None else personal_strings(folder, *personal)
        if problems:
            raise ArtifactError(f"{out}: nothing was exported. " + " ".join(problems))
        write_serving_config(out)

    return write_saved_model(write, out, placing)


@contextlib.contextmanager
def _calls_are_not_looked_into() -> Iterator[None]:
    """Graphs take the shapes of what a function returns from its trace.

    TensorFlow works them out anew wherever it is called, with all in it that it calls in turn:
    of signatures, which share most of what they do, half of the time that an export takes.
    """
    create, traced = ops.Graph.create_op, attr_value_pb2.AttrValue(b=True)

    def create_op(self: Any, kind: str, *given: Any, **more: Any) -> Any:
        if kind in CALLS:
            more["attrs"]["_disable_call_shape_inference"] = traced
        return create(self, kind, *given, **more)

    ops.Graph.create_op = create_op  # nothing public sets an attribute of a call
    try:
        yield
    finally:
        ops.Graph.create_op = create


@_calls_are_not_looked_into()
def write_signatures(
    servable: Servable, folder: str | os.PathLike, only: Collection[str] | None = None
) -> None:
    """Writes signatures of a servable as a SavedModel, without the files of a server.

    Args:
        servable: the trained model.
        folder: an empty folder.
        only: names of the signatures to write; None for all.

    Raises:
        OSError: the disk is full.
    """
    signatures = {}
    for signature in servable.signatures:
        if only is None or signature.name in only:
            specs = _specs(signature, servable.shapes)
            checked = with_shape_checks(getattr(servable, signature.name), signature, specs)
            function = tf.function(checked, input_signature=specs, autograph=False)
            # TensorFlow would trace anew what it is given as a function, Keras' archive once more.
            signatures[signature.name] = function.get_concrete_function()
    held = tf.Module()
    # By themselves: outside of Python, nobody finds what only a layer of Keras holds.
    held.all_variables = list(
        {id(value): value for graph in signatures.values() for value in graph.variables}.values()
    )
    held.resources = [
        part
        for trackable in servable.trackables()
        for part in _WithTables(trackable).descendants()
        if isinstance(part, tf.saved_model.experimental.TrackableResource)
    ]
    # Nobody trains a served model: functions of gradients would only slow down its load.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with _full_disk_is_an_os_error(pathlib.Path(folder)), without_notices():
        tf.saved_model.save(held, str(folder), signatures=signatures, options=options)


class _WithTables(tf.train.TrackableView):
    """What hangs on an object when it is saved, in place of what its checkpoints hold."""

    @classmethod
    def children(cls, obj: Any, save_type: str = "savedmodel", **more: Any) -> Any:
        return super().children(obj, save_type, **more)


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Holds back what TensorFlow says of every SavedModel: where its assets are, that functions
    without gradients have none."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _full_disk_is_an_os_error(folder: pathlib.Path) -> Iterator[None]:
    """TensorFlow reports a full disk as it does a full memory; this tells one from the other."""
    reason = os.strerror(errno.ENOSPC)
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        if reason not in error.message:
            raise
        raise OSError(errno.ENOSPC, reason, str(folder)) from error


def _specs(signature: Signature, shapes: Mapping[str, Sequence[int | None]]) -> list[tf.TensorSpec]:
    return [
        tf.TensorSpec(
            shapes.get(tensor.name, [None] * tensor.rank), tf.as_dtype(tensor.dtype), tensor.name
        )
        for tensor in signature.inputs
    ]
