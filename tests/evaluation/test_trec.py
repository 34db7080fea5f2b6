"""The written files: an independent library reads our ranking and our metrics from them."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.evaluation import evaluate, per_user, write_qrels, write_run
from tfhashtag.evaluation.trec import read_run, strictly_falling
from tfhashtag.metrics import default_metrics, parse_metric, rank

THEIRS = {
    "MAP": "AP", "MAP@5": "AP@5", "P@5": "P@5", "nDCG@5": "nDCG@5", "Recall@5": "R@5",
    "HitRate@5": "Success@5", "MRR": "RR", "nDCG": "nDCG", "P@3": "P@3", "Recall@3": "R@3",
    "MAP@3": "AP@3", "nDCG@3": "nDCG@3", "HitRate@3": "Success@3",
}  # fmt: skip

TIES = st.sampled_from([0.0, -0.0, 1.0, 1 + 1e-12, 1e-45, -1e-45, -3.5, 1e30])
SCORES = st.one_of(TIES, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6, width=32))
LISTS = st.lists(
    st.lists(st.tuples(st.integers(0, 1), SCORES), max_size=12), min_size=1, max_size=6
)


@pytest.fixture(scope="module")
def corpus(make_corpus):
    """Names in an order of their own: tools that break ties by name must not get their way."""
    rng = np.random.default_rng(0)
    tags = [f"tag{i}" for i in rng.permutation(12)]
    return make_corpus([(f"user {i}%", "text", tags, 0) for i in rng.permutation(6)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trec")


@given(LISTS, st.integers(0, 9), st.booleans())
@settings(max_examples=150, deadline=None)
def test_metrics_equal_those_of_ir_measures_on_the_files(corpus, folder, lists, seed, single):
    candidates = Candidates(
        np.arange(len(lists)),
        Rows.from_lists([np.arange(len(row)) for row in lists]),
        [label for row in lists for label, _ in row],
    )
    scores = np.array([score for row in lists for _, score in row], "float32" if single else float)
    write_run(folder / "run.trec", corpus.users, corpus.hashtags, candidates, scores, seed)
    write_qrels(folder / "qrels.trec", corpus.users, corpus.hashtags, candidates)
    metrics = [*default_metrics((3, 5)), parse_metric("ndcg")]
    ours = per_user(candidates, scores, metrics, seed)
    averages = evaluate(candidates, scores, seed=seed, metrics=metrics)["averages"]
    if len(scores) == 0:
        assert set(averages["all"].values()) == {0.0}
        return
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    run = list(ir_measures.read_trec_run(str(folder / "run.trec")))
    lines = read_run(folder / "run.trec", corpus.users, corpus.hashtags)
    ranking = rank(candidates, scores, seed)
    np.testing.assert_array_equal(lines.queries, ranking.row)
    np.testing.assert_array_equal(lines.hashtags, candidates.hashtags.values[ranking.order])
    assert lines.scores.tolist() == [scored.score for scored in run]
    row_of = {f"user%20{name.split()[1][:-1]}%25": row for row, name in enumerate(corpus.users)}
    answerable = max(sum(any(label for label, _ in row) for row in lists), 1)
    for name, theirs in THEIRS.items():
        found = np.zeros(len(lists))
        for value in ir_measures.iter_calc([ir_measures.parse_measure(theirs)], qrels, run):
            found[row_of[value.query_id]] = value.value
        np.testing.assert_allclose(ours[name], found, atol=1e-9, err_msg=name)
        assert averages["all"][name] == pytest.approx(found.sum() / len(lists), abs=1e-9)
        assert averages["answerable"][name] == pytest.approx(found.sum() / answerable, abs=1e-9)


@pytest.mark.parametrize(
    "line, said",
    [
        ("user%200%25 Q0 tag1 1 0.5", "2: expected .* found 5 fields"),
        ("ann Q0 tag1 1 0.5 x", "2: query 'ann' is not asked about"),
        ("user%200%25 Q0 tag99 1 0.5 x", "2: hashtag 'tag99' is not asked about"),
        ("user%200%25 Q0 tag2 1 nan x", "2: the score must be a finite number, found 'nan'"),
        ("user%200%25 Q0 tag1 1 0.5 x", "2: the pair stands above already"),
    ],
)
def test_a_bad_line_of_a_run_is_named(corpus, tmp_path, line, said):
    path = tmp_path / "run.trec"
    path.write_text(f"user%200%25 Q0 tag1 1 0.5 x\n{line}\n")
    with pytest.raises(DataError, match=f"{path}:{said}"):
        read_run(path, corpus.users, corpus.hashtags)


@given(st.lists(SCORES, min_size=1, max_size=30), st.integers(0, 5))
@settings(deadline=None)
def test_written_scores_fall_strictly_and_stay_close(scores, seed):
    scores = np.array(scores)
    lists = Candidates(np.array([0]), Rows.from_lists([np.arange(len(scores))]), 0 * scores)
    ranking = rank(lists, scores, seed)
    written = strictly_falling(ranking, scores[ranking.order])
    assert written.dtype == np.float32 and np.all(np.diff(written) < 0)
    spacing = np.spacing(np.abs(scores[ranking.order]).astype(np.float32))
    assert np.all(np.abs(written - scores[ranking.order]) <= (len(scores) + 1) * spacing * 1.001)


def test_lines_of_the_files(make_corpus, tmp_path):
    corpus = make_corpus([("u 1", "a", ["x", "y"], 0)])
    lists = Candidates(np.array([0]), Rows.from_lists([[0, 1]]), [1, 0])
    write_run(
        tmp_path / "run", corpus.users, corpus.hashtags, lists, np.float32([0.1, 0.25]), tag="mine"
    )
    write_qrels(tmp_path / "qrels", corpus.users, corpus.hashtags, lists)
    assert (tmp_path / "run").read_text().splitlines() == [
        "u%201 Q0 y 1 0.25 mine",
        "u%201 Q0 x 2 0.100000001 mine",
    ]
    assert (tmp_path / "qrels").read_text().splitlines() == ["u%201 0 x 1", "u%201 0 y 0"]


@pytest.mark.parametrize("score", [1e39, -1e39, -np.finfo(np.float32).max])
def test_scores_that_float32_cannot_hold(make_corpus, tmp_path, score):
    corpus = make_corpus([("u", "a", ["x", "y"], 0)])
    lists = Candidates(np.array([0]), Rows.from_lists([[0, 1]]), [1, 0])
    with pytest.raises(DataError, match="float32"):
        write_run(tmp_path / "run", corpus.users, corpus.hashtags, lists, np.array([score, score]))
    assert list(tmp_path.iterdir()) == []
