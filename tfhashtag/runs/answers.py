"""What answers questions from outside: the servable of a run, built once and kept with it."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfhashtag.files import atomic_directory, in_turn, scratch_directory
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.runs.states import check_unchanged
from tfhashtag.settings import RecommenderSettings

if TYPE_CHECKING:
    from tfhashtag.recommenders.base import Recommender

SIGNATURE = "top_k"
FOLDER = "servable"


def can_answer(settings: RecommenderSettings) -> bool:
    """Whether a run of these settings can be asked about texts that are not in its corpus."""
    from tfhashtag.recommenders.base import Recommender  # what is kept answers without Keras

    kind = recommender_class(settings.model)
    return kind.servable is not Recommender.servable and not settings.text_encoder.endswith(".npy")


def keep_answers(run: Any) -> pathlib.Path:
    """Writes the signature that answers questions into the run, in the form of an export.

    A run that has it answers without its corpus, its tables and Keras; what it answers is what an
    export answers, since it is one.

    Raises:
        ConfigError: the recommender ranks the lists of evaluations alone.
        EncoderError: the text encoder cannot be loaded.
    """
    folder: pathlib.Path = run.place / FOLDER
    with _one_at_a_time(run):
        if folder.exists():
            shutil.rmtree(folder)
        write_answers(run.recommender, folder)
    return folder


def write_answers(recommender: "Recommender", folder: pathlib.Path) -> None:
    """Writes the signature of a recommender that answers questions as a new folder."""
    from tfhashtag.export.saved_model import write_signatures

    servable = recommender.servable()
    with atomic_directory(folder) as temporary:
        write_signatures(servable, temporary, only=(SIGNATURE,))


class Answers:
    """The kept signature of a run, loaded; what `Task.answer` calls.

    Args:
        folder: that `keep_answers` wrote.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        import tensorflow as tf

        from tfhashtag.export.saved_model import without_notices
        from tfhashtag.export.text_ops import load_text_ops

        load_text_ops()
        with without_notices():  # holds the variables of the signatures
            self._loaded = tf.saved_model.load(str(folder))
        self._signatures = dict(self._loaded.signatures)

    def __call__(self, name: str, **inputs: Any) -> Mapping[str, Any]:
        """Outputs of a signature by name, NumPy arrays."""
        import tensorflow as tf

        function = self._signatures[name]
        specs = function.structured_input_signature[1]
        tensors = {
            key: tf.constant(value, specs[key].dtype, shape=None) for key, value in inputs.items()
        }
        with clock_allowed():
            return {key: value.numpy() for key, value in function(**tensors).items()}


@contextlib.contextmanager
def clock_allowed() -> Iterator[None]:
    """Lets a graph ask for the time in a process that has trained.

    Training makes TensorFlow refuse all that does not depend on seeds alone, for the whole process.
    """
    from tensorflow.python.framework import config  # nothing public takes it back

    refused = config.is_op_determinism_enabled()
    if refused:
        config.disable_op_determinism()
    try:
        yield
    finally:
        if refused:
            config.enable_op_determinism()


def answers_of(run: Any) -> Answers:
    """The answers of a run; built, and kept where the folder can be written, if it has none yet."""
    run.settings.check_answers()
    folder = run.place / FOLDER
    if folder.is_dir():
        return Answers(folder)
    if not os.access(run.place, os.W_OK):
        with scratch_directory() as scratch:
            write_answers(run.recommender, scratch / FOLDER)
            return Answers(scratch / FOLDER)
    with _one_at_a_time(run):
        if not folder.is_dir():
            write_answers(run.recommender, folder)
        return Answers(folder)


@contextlib.contextmanager
def _one_at_a_time(run: Any) -> Iterator[None]:
    """Whoever asks first builds, the others wait and find it."""
    with in_turn(run.weights):  # a training holds the lock of its run already
        check_unchanged(run)  # what was forgotten must not come back out of this process
        yield
