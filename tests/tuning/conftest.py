"""A recommender whose trainings take no time: its figures follow from its settings."""

import pathlib
from typing import ClassVar, Literal

import numpy as np
import pytest

from tfhashtag.errors import DataError
from tfhashtag.recommenders import registry
from tfhashtag.recommenders.base import Recommender
from tfhashtag.settings import RecommenderSettings, Section, setting
from tfhashtag.tasks import USERS


class StubData(Section):
    minimum_contexts: int = setting(5, "as all have it", ge=1)


class StubNetwork(Section):
    height: float = setting(0.5, "the figure of the last epoch", ge=-1, le=1)
    width: int = setting(8, "kilobytes of the files", ge=1)
    kind: Literal["good", "broken", "silent"] = setting("good", "what becomes of it")


class StubSettings(RecommenderSettings):
    model: Literal["stub"]
    epochs: int = setting(3, "of the training", ge=1)
    data: StubData = StubData()
    network: StubNetwork = StubNetwork()


class StubRecommender(Recommender):
    Settings = StubSettings
    task = USERS
    fits: ClassVar[list[float]] = []

    def fit(self, data, monitor=None):
        network, epochs = self.settings.network, self.settings.epochs
        self.fits.append(network.height)
        self.data = data
        if network.kind == "broken":
            raise DataError("nothing to learn from.")
        for epoch in range(epochs):
            figures = {"valid_MAP": network.height * (epoch + 1) / epochs}
            if network.kind == "silent":
                figures = {"loss": 1.0}
            monitor.report("epochs", epoch, epoch, figures)

    def score(self, queries):
        return np.zeros(len(queries.truth.hashtags.values), np.float32)

    def save(self, folder):
        path = pathlib.Path(folder) / "weights"
        path.write_bytes(bytes(1000 * self.settings.network.width))

    def restore(self, data, folder):
        self.data = data

    @classmethod
    def parts_of(cls, settings):
        return ()


class _Point:
    """What an installed package's entry point is to the registry."""

    dist = None
    value = "stub"

    def load(self):
        return StubRecommender


@pytest.fixture
def stub(monkeypatch):
    """The class, registered as `model: stub`."""
    monkeypatch.setattr(registry, "_others", lambda: {"stub": _Point()})
    monkeypatch.setattr(StubRecommender, "fits", [])
    return StubRecommender


@pytest.fixture
def config_of(tmp_path):
    """Writes a configuration; gives its path."""

    def write(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
