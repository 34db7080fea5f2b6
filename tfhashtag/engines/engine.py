"""What an engine does: a function over many items, wherever they are worked on."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tfhashtag.errors import ConfigError

if TYPE_CHECKING:
    from tfhashtag.engines.spark import SparkEngine

ENGINES = ("local", "spark")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs functions over items; what is done with an item does not depend on where."""

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of `work` for each item, in the order of the items.

        Args:
            work: a function of a module, or a partial of one; what it needs for many items (an
                encoder, a model) it keeps with `functools.cache`, once a process.
            items: that can be pickled; read a few at a time.

        Raises:
            TfHashtagError: what `work` raised.
        """


@contextlib.contextmanager
def spark_of(
    engine: "str | SparkEngine", master: str | None = None, conf: Mapping[str, Any] | None = None
) -> "Iterator[SparkEngine | None]":
    """The Spark engine that is asked for, ended with the block; None for the local one.

    Args:
        engine: `local`, `spark`, or a `SparkEngine` that stays open.
        master: address of Spark's master, such as `spark://host:7077`.
        conf: settings of Spark.

    Raises:
        ConfigError: another engine, or a master without Spark.
        EngineError: Spark cannot be started.
    """
    if not isinstance(engine, str):
        yield engine
        return
    if engine not in ENGINES:
        raise ConfigError(f"engine {engine!r} is not known; expected {', '.join(ENGINES)}.")
    if engine == "local":
        if master is not None or conf:
            raise ConfigError("a master and settings of Spark are for the engine `spark`.")
        yield None
        return
    from tfhashtag.engines.spark import SparkEngine

    with SparkEngine(master, conf) as spark:
        yield spark
