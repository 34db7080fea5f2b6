"""MLflow: a server, a database, or a folder of this machine."""

import contextlib
import logging
import os
import pathlib
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.errors import ConfigError, TrackingError, required
from tfhashtag.files import scratch_directory
from tfhashtag.tracking.tracker import Tracked, Tracker

_FOLDER = "mlruns"
_EXPERIMENT = "tfhashtag"
_AT_ONCE = 100  # parameters that a server takes at once
_LONGEST = 500  # characters of a parameter


class MlflowTracker(Tracker):
    """Runs of the experiment `tfhashtag`, models in the registry.

    A target without a scheme is a folder, which is made: a SQLite file and the artefacts lie in it,
    and nothing leaves the machine. Without a target `MLFLOW_TRACKING_URI` says where, and without
    that the folder `mlruns`. `MLFLOW_EXPERIMENT_NAME` names another experiment.

    MLflow's own reports of its use are switched off.
    """

    def __init__(self, target: str = "") -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # of 7, which take minutes
        what = "`--track mlflow` needs MLflow"
        required("sqlalchemy", what, "track", ConfigError)
        mlflow = required("mlflow", what, "track", ConfigError)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        uri = target or os.environ.get("MLFLOW_TRACKING_URI", "") or _FOLDER
        self.name = f"mlflow:{uri}"
        artifacts = None
        if "://" not in uri and not uri.startswith("databricks"):
            folder = pathlib.Path(uri.removeprefix("file:")).absolute()
            with _told(self.name):
                folder.mkdir(parents=True, exist_ok=True)
            uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        self._experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        with _told(self.name):
            self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            found = self._client.get_experiment_by_name(self._experiment)
            if found is None:
                self._id = self._client.create_experiment(self._experiment, artifacts)
            else:
                self._id = found.experiment_id

    def start(
        self,
        name: str,
        folder: pathlib.Path,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        key: str = "",
        parent: Tracked | None = None,
    ) -> "MlflowTracked":
        """See `Tracker.start`."""
        from mlflow.entities import Param, RunTag

        with _told(self.name):
            if not key:
                more = {} if parent is None else {"mlflow.parentRunId": parent.key}
                run = self._client.create_run(self._id, tags={**tags, **more}, run_name=name)
                key = run.info.run_id
                given = [Param(k, _short(value)) for k, value in parameters.items()]
                for at in range(0, len(given), _AT_ONCE):
                    self._client.log_batch(key, params=given[at : at + _AT_ONCE])
            else:
                self._client.log_batch(key, tags=[RunTag(k, str(v)) for k, v in tags.items()])
                self._client.update_run(key, status="RUNNING")
        return MlflowTracked(self._client, key, self.name)


class MlflowTracked(Tracked):
    """A run of MLflow.

    Args:
        client: of MLflow.
        key: id of the run.
        place: for messages.
    """

    def __init__(self, client: Any, key: str, place: str) -> None:
        self._client, self.key, self._place = client, key, place
        with _told(place):
            kept = urllib.parse.urlsplit(client.get_run(key).info.artifact_uri)
        if kept.scheme in ("", "file"):
            self.kept_in = urllib.request.url2pathname(kept.path)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """See `Tracked.metrics`; what MLflow's names may not hold is written in words."""

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [
            Metric(metric_name(name), float(value), now, step) for name, value in values.items()
        ]
        with _told(self._place):
            self._client.log_batch(self.key, metrics=found)

    def files(self, paths: Iterable[pathlib.Path], folder: str = "") -> None:
        """See `Tracked.files`."""
        with _told(self._place):
            for path in paths:
                if path.is_dir():
                    self._client.log_artifacts(self.key, str(path), f"{folder}/{path.name}")
                elif path.is_file():
                    self._client.log_artifact(self.key, str(path), folder or None)

    def model(self, run: Any) -> None:
        """Registers the model as `tfhashtag-<model>`, a SavedModel with its signature."""
        from tfhashtag.tracking.mlflow_model import write_mlflow_model

        name = f"tfhashtag-{run.settings.model}"
        with scratch_directory() as folder:
            model = write_mlflow_model(run, folder)
            self.files([model / "saved_model" / "assets.extra" / "model_card.md"])
            with _told(self._place):
                self._client.log_artifacts(self.key, str(model), "model")
        with _told(self._place):
            if not self._client.search_registered_models(f"name = '{name}'"):
                self._client.create_registered_model(name)
            source = f"{self._client.get_run(self.key).info.artifact_uri}/model"
            self._client.create_model_version(name, source, self.key)

    def vectors(self, names: Sequence[str], vectors: np.ndarray, about: Sequence[int]) -> None:
        """MLflow shows none."""

    def end(self, complete: bool = True) -> None:
        """See `Tracked.end`."""
        with _told(self._place):
            self._client.set_terminated(self.key, "FINISHED" if complete else "KILLED")


def metric_name(name: str) -> str:
    """A metric as MLflow can name it.

    >>> metric_name("valid_F1@9")
    'valid_F1_at_9'
    """
    return re.sub(r"[^\w\-./ :]", "_", name.replace("@", "_at_"))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    """Failures of MLflow and of its database in a line that names the place."""
    import mlflow.exceptions
    import sqlalchemy.exc

    try:
        yield
    except (mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TrackingError(
            f"`--track {place}`: {reason}. What was computed is kept; without `--track` nothing is "
            "sent."
        ) from error
