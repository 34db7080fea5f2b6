"""One Spark with two executors for all tests: a real master, real processes."""

import os

import pytest

from tfhashtag.engines.spark import SparkEngine

MASTER = "local-cluster[2,1,1024]"
# Each JVM lives for a minute or two: to compile it well takes longer than what that saves.
SHORT = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark():
    small = {
        "spark.ui.enabled": "false",
        "spark.task.maxFailures": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.executor.extraJavaOptions": SHORT,
    }
    os.environ["SPARK_SUBMIT_OPTS"] = SHORT  # of the driver, and of commands that tests start
    os.environ["PYTEST_SPARK"] = str(os.getpid())  # tells our executors from others'
    with SparkEngine(MASTER, small) as engine:
        yield engine
