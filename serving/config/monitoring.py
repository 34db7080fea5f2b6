"""Where the metrics are found, from the file that a stock server reads."""

import os
from dataclasses import dataclass

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.private_message import make_message, read_message

DEFAULT_PATH = "/monitoring/prometheus/metrics"

_MONITORING_CONFIG = make_message(
    "MonitoringConfig", {"prometheus_config": {"enable": bool, "path": str}}
)


@dataclass(frozen=True)
class Monitoring:
    """Whether and where Prometheus finds the metrics.

    Args:
        path: on the REST port; None for nowhere.
    """

    path: str | None = DEFAULT_PATH

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "Monitoring":
        """What a `--monitoring-config-file` says: a MonitoringConfig in protobuf's text format.

        Raises:
            ServingError: the file cannot be read or is no MonitoringConfig.
        """
        prometheus = read_message(
            path, _MONITORING_CONFIG, "prometheus_config { enable: true }"
        ).prometheus_config
        if not prometheus.enable:
            return cls(None)
        found = prometheus.path or DEFAULT_PATH
        if not found.startswith("/"):
            raise ServingError(f"`{path}`: `path` is `{found}`; expected one that starts with `/`.")
        return cls(found)
