"""One system with one seed, in a process of its own: train, rank, look at its attention."""

import dataclasses
import os
import pathlib
import time
from typing import Any

import numpy as np

from tfhashtag.comparison.own_process import work_on
from tfhashtag.files import atomic_writer, write_json


def train_and_rank(job: dict[str, Any]) -> None:
    """Leaves in the job's folder a complete run and what the figures need of it.

    ```
    training/                the run folder
    scores-PROTOCOL.npy      float32, aligned with the lists of the protocol
    attended.npz             of a model with attention, see `AttendedMessages`
    cases.json               explanations of pairs for Figure 6, where the job asks for them
    timing.json              seconds by step
    ```

    Args:
        job: `data`, `folder`, `minimum_contexts`, `cases`.
    """
    started = time.monotonic()
    from tfhashtag.comparison.engagement_attention import attended_messages, has_attention
    from tfhashtag.comparison.engagement_cases import explained_cases
    from tfhashtag.comparison.engagement_task import LISTS_SEED, SPLIT
    from tfhashtag.runs.train import train
    from tfhashtag.tasks.users.episode import PROTOCOLS, evaluation_episode
    from tfhashtag.training.options import TrainingOptions

    timing: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal started
        now = time.monotonic()
        timing[name] = round(now - started, 2)
        started = now

    folder = pathlib.Path(job["folder"])
    options = TrainingOptions(progress=False)
    lap("start")
    run = train(
        folder / "settings.yaml", job["data"], folder / "training", resume=True, options=options
    )
    lap("train")
    recommender = run.recommender
    lap("load")
    for protocol in PROTOCOLS:
        episode = evaluation_episode(
            run.corpus, SPLIT, protocol, LISTS_SEED, job["minimum_contexts"]
        )
        scores = np.asarray(recommender.score_episode(episode), np.float32)
        with atomic_writer(folder / f"scores-{protocol}.npy", "wb") as file:
            np.save(file, scores)
        if protocol == "sampled":
            if has_attention(recommender):
                attended = attended_messages(recommender, episode)
                with atomic_writer(folder / "attended.npz", "wb") as file:
                    np.savez(file, **dataclasses.asdict(attended))
            if job["cases"]:
                cases = explained_cases(recommender, episode, scores)
                write_json(folder / "cases.json", cases)
        lap(f"rank {protocol}")
    write_json(folder / "timing.json", timing)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    work_on(train_and_rank)
