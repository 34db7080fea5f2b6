"""What rivals are told, and what is made of their answers."""

import json
import shutil
import sys

import numpy as np
import pytest

from benchmarks.rivals import __main__ as rivals
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.evaluation.trec import read_run
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks import USERS

SCRIPT = """
import numpy as np
from shared import Job

job = Job()
job.lap("fit")
counts = np.bincount(job.taggings[:, 1], minlength=len(job.hashtags))
job.write(counts[job.asked[:, 1]] * job.settings["sign"])
"""


@pytest.mark.parametrize("split", [Split.VALID, Split.TEST])
def test_a_script_counts_the_train_posts_alone_and_ranks_the_lists(tmp_path, monkeypatch, split):
    corpus = synthetic_corpus(300, 20, 3)
    queries = USERS.queries(corpus, load_settings("engagement").data, split)
    shutil.copy(rivals.HERE / "shared.py", tmp_path)
    (tmp_path / "popular.py").write_text(SCRIPT)
    monkeypatch.setattr(rivals, "HERE", tmp_path)
    rivals.write_task(tmp_path / "data", queries)
    rival = rivals.Rival("none", (), "popular.py", {"sign": 1}, ())
    for point in ({}, {}, {"sign": -1}):  # the second is there, the third takes the place of both
        before = sorted((tmp_path / "out").rglob("*"))
        rivals.run_script(rival, sys.executable, tmp_path / "data", tmp_path / "out", point, 0)
        path = tmp_path / "out" / "sampled" / "run.trec"
        scores = queries.scores_of(read_run(path, *queries.names))
        posts, tags = corpus.taggings()
        counts = np.bincount(
            tags[corpus.split_of_post[posts] == Split.TRAIN], minlength=len(corpus.hashtags)
        )
        wanted = counts[queries.truth.hashtags.values] * point.get("sign", 1)
        assert len(scores) > 100 and scores.tolist() == wanted.tolist()
        assert not before or before == sorted((tmp_path / "out").rglob("*"))
    assert json.loads((tmp_path / "out" / "memory.json").read_text())["peak_mib"] > 10
    assert set(json.loads((tmp_path / "out" / "timing.json").read_text())) == {"fit", "rank"}
