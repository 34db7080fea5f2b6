"""Where work runs: in this process, or on the executors of Apache Spark."""
