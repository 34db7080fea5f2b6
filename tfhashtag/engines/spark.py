"""Apache Spark: a session that says nothing on the screen, and functions over its executors."""

import base64
import contextlib
import functools
import importlib.util
import itertools
import logging
import os
import pathlib
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfhashtag.engines.engine import Item, Result
from tfhashtag.errors import ConfigError, EngineError, TfHashtagError

_JAVA = 17
_MASTER = re.compile(
    r"local(\[(\d+|\*)(,\s*\d+)?\])?|local-cluster\[\d+,\s*\d+,\s*\d+\]|yarn"
    r"|spark://[^/:,]+:\d+(,[^/:,]+:\d+)*|k8s://\S+"
)
_EXPECTED = "spark://HOST:7077, k8s://https://HOST:6443, yarn, local[4] or local-cluster[2,1,1024]"
_LOG4J = """rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""
_MARK = "tfhashtag-error:"
_FOUND = re.compile(_MARK + r"([A-Za-z0-9+/=]+)")
_WAVE = 256  # items whose results are fetched at once, at most
_AT_A_TIME = 4  # ... for each slot


class SparkEngine:
    """A session of Spark. What runs on it gives the rows that the local engine gives.

    Folders and files that are named must lie under the same path on every machine, and every
    machine needs this package with the extra `spark`.

    Args:
        master: address of its master; None where `spark-submit` started this process, or where a
            session is at work in it, such as that of a notebook: it is used, and stays.
        conf: settings of Spark, `{"spark.executor.memory": "4g"}`.

    Attributes:
        session: `pyspark.sql.SparkSession`.
        log: file with what Spark's own processes say; gone when the engine is closed without error.

    Raises:
        ConfigError: there is no master, or it is no address of one.
        EngineError: pyspark or Java is missing, nobody answers, or Spark does not start.
    """

    def __init__(self, master: str | None = None, conf: Mapping[str, Any] | None = None) -> None:
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ
        self._lent = _session_at_work()
        if self._lent is not None and (master is not None or conf):
            raise ConfigError(
                "a session of Spark is at work in this process, at "
                f"{self._lent.sparkContext.master}: leave `master` and `spark_conf` out to work in "
                "it, or end it before (`spark.stop()`)."
            )
        _check_master(master, submitted or self._lent is not None)
        if importlib.util.find_spec("pyspark") is None:
            raise EngineError("--engine spark needs pyspark: pip install 'tfhashtag[spark]'.")
        if not submitted and self._lent is None:
            _check_java()
        for address in _addresses(master or ""):
            _check_answers(address, str(master))
        for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # their errors are raised, too
        self._folder = tempfile.mkdtemp(prefix="tfhashtag-spark-")
        self.log = pathlib.Path(self._folder) / "spark.log"
        try:
            self.session = self._lent or self._started(master, dict(conf or {}), submitted)
        except Exception as error:
            raise EngineError(
                f"Spark does not start at {master or 'the given master'}: {_cause(error)}. Its "
                f"log: {self.log}."
            ) from error

    def __enter__(self) -> "SparkEngine":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session and its processes; one that was there before stays."""
        from pyspark import SparkContext

        if self._lent is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        gateway: Any = SparkContext._gateway
        self.session.stop()
        process = getattr(gateway, "proc", None)
        if process is not None:  # the JVM would stay, and with it what it says
            gateway.shutdown()
            process.stdin.close()
            process.wait()
            SparkContext._gateway = SparkContext._jvm = None
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def slots(self) -> int:
        """How many items are worked on at once."""
        return max(1, int(self.session.sparkContext.defaultParallelism))

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.each`; a few items for each slot are sent, worked on and fetched at once.

        What ran on an executor that was lost runs again on another.
        """
        remaining = iter(items)
        size = min(_AT_A_TIME * self.slots, _WAVE)
        task = functools.partial(_done, work, os.getcwd())
        context = self.session.sparkContext
        while wave := list(itertools.islice(remaining, size)):
            with self.errors():
                found = context.parallelize(wave, len(wave)).map(task).collect()
            for result, error in found:
                if error is not None:
                    raise error
                yield result

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """What our code raised on an executor is raised here; Spark's own errors are a line."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
            try:
                yield
            except TfHashtagError:
                raise
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in ("pyspark", "py4j"):
                    raise
                if found := _FOUND.search(str(error)):
                    raise pickle.loads(base64.b64decode(found[1])) from None
                raise EngineError(
                    f"Spark gave up: {_cause(error)}. Nothing that was finished is lost; run the "
                    "command again."
                ) from error

    def _started(self, master: str | None, conf: dict[str, Any], submitted: bool) -> Any:
        from pyspark.sql import SparkSession

        log4j = pathlib.Path(self._folder) / "log4j2.properties"
        log4j.write_text(_LOG4J, encoding="utf-8")
        settings = {
            "spark.app.name": "tfhashtag",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log4j}",
            "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
            # An executor has a process for each of its slots: each takes the cores of one.
            "spark.executorEnv.TF_NUM_INTRAOP_THREADS": str(conf.get("spark.task.cpus", 1)),
            "spark.executorEnv.OMP_NUM_THREADS": str(conf.get("spark.task.cpus", 1)),
        }
        if master is not None and master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            if path := os.environ.get("PYTHONPATH"):
                settings["spark.executorEnv.PYTHONPATH"] = path
        builder = SparkSession.builder
        if master is not None:
            builder = builder.master(master)
        for name, value in {**settings, **conf}.items():
            builder = builder.config(name, str(value))
        with contextlib.nullcontext() if submitted else _stderr_to(self.log):
            session = builder.getOrCreate()
            if session.conf.get("spark.sql.shuffle.partitions") == "200":  # nobody chose it
                cores = session.sparkContext.defaultParallelism
                session.conf.set("spark.sql.shuffle.partitions", str(max(2 * cores, 2)))
        return session


def _done(
    work: Callable[[Item], Result], folder: str, item: Item
) -> tuple[Any, TfHashtagError | None]:
    """On an executor: the result, or an expected error, which no second try would mend."""
    with contextlib.suppress(OSError):
        os.chdir(folder)  # relative paths are those of the command
    try:
        return work(item), None
    except TfHashtagError as error:
        return None, error


@contextlib.contextmanager
def raised_there(folder: str) -> Iterator[None]:
    """Around what runs on an executor: its expected errors can be raised where it was asked for.

    Args:
        folder: the working folder of the command; the process changes to it where it is there.
    """
    with contextlib.suppress(OSError):
        os.chdir(folder)
    try:
        yield
    except TfHashtagError as error:
        packed = base64.b64encode(pickle.dumps(error)).decode()
        raise RuntimeError(_MARK + packed) from None


def _session_at_work() -> Any:
    """The session that this process has already, in whatever thread; None without one."""
    if "pyspark" not in sys.modules:
        return None
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    there = SparkContext._active_spark_context is not None
    return SparkSession.builder.getOrCreate() if there else None


def _check_master(master: str | None, submitted: bool) -> None:
    if master is None and not submitted:
        raise ConfigError(f"--engine spark needs --master URL, such as {_EXPECTED}.")
    if master is not None and not _MASTER.fullmatch(master):
        raise ConfigError(f"--master {master}: no address of a master; expected {_EXPECTED}.")
    if master == "yarn" and not os.environ.keys() & {"HADOOP_CONF_DIR", "YARN_CONF_DIR"}:
        raise ConfigError(
            "--master yarn: HADOOP_CONF_DIR names no folder; set it to that of the cluster's "
            "yarn-site.xml."
        )


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    path = os.path.join(home, "bin", "java") if home else shutil.which("java")
    where = f" (JAVA_HOME is {home})" if home else ""
    need = f"--engine spark needs Java {_JAVA} or newer"
    if path is None or not os.access(path, os.X_OK):
        raise EngineError(f"{need}, found none{where}: install it, or set JAVA_HOME.")
    done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    if version is None or int(version[1]) < _JAVA:
        told = (done.stderr.splitlines() or ["no version"])[0]
        raise EngineError(f"{need}, found {told}{where}: install it, or set JAVA_HOME.")


def _addresses(master: str) -> list[tuple[tuple[str, int], ...]]:
    """Of a master that is reached over the network: several stand in for one another."""
    if master.startswith("spark://"):
        pairs = [pair.rsplit(":", 1) for pair in master.removeprefix("spark://").split(",")]
        return [tuple((host, int(port)) for host, port in pairs)]
    if master.startswith("k8s://"):
        address = master.removeprefix("k8s://")
        url = urllib.parse.urlsplit(address if "://" in address else f"https://{address}")
        port = url.port or (80 if url.scheme == "http" else 443)
        return [((url.hostname or "", port),)]
    return []


def _check_answers(addresses: tuple[tuple[str, int], ...], master: str) -> None:
    faults = []
    for host, port in addresses:
        try:
            socket.create_connection((host, port), timeout=10).close()
            return
        except OSError as error:
            faults.append(f"{host}:{port}: {error.strerror or error}")
    raise EngineError(
        f"--master {master}: nobody answers ({'; '.join(faults)}). Check the address."
    )


def _cause(error: Exception) -> str:
    """The line of an error of Spark that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if re.search(r"Exception|Error|[Ff]ailure|aborted", line)]
    return f"{(told or lines or [type(error).__name__])[0]:.300}".rstrip(".")


@contextlib.contextmanager
def _stderr_to(path: pathlib.Path) -> Iterator[None]:
    """Processes that are started in the block write their errors into a file."""
    sys.stderr.flush()
    try:
        shown = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(shown, 2)
        os.close(shown)
