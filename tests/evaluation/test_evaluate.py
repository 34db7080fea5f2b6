import numpy as np
import pytest

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.evaluation import averages_table, evaluate, metrics_table

LISTS = Candidates(
    np.array([0, 1, 2, 3]), Rows.from_lists([[0, 1], [], [4, 5, 6], [7]]), [0, 1, 1, 0, 0, 0]
)
SCORES = np.array([0.9, 0.1, 0.9, 0.5, 0.1, 0.3])


def test_both_averages():
    result = evaluate(LISTS, SCORES, cutoffs=(1, 5))
    assert result["users"] == 4
    every, answerable = result["averages"]["all"], result["averages"]["answerable"]
    assert list(every) == [
        "MAP", "MAP@1", "P@1", "nDCG@1", "Recall@1", "HitRate@1",
        "MAP@5", "P@5", "nDCG@5", "Recall@5", "HitRate@5", "MRR",
    ]  # fmt: skip
    assert every["MAP"] == pytest.approx((0.5 + 1) / 4)
    assert answerable["MAP"] == pytest.approx((0.5 + 1) / 2)
    assert every["P@5"] == pytest.approx(0.4 / 4)
    assert answerable["nDCG@5"] == pytest.approx((1 / np.log2(3) + 1) / 2)


def test_nobody_has_a_positive():
    nobody = Candidates(np.array([0]), Rows.from_lists([[1]]), [0])
    averages = evaluate(nobody, np.ones(1))["averages"]
    assert set(averages["all"].values()) == set(averages["answerable"].values()) == {0.0}


def test_no_user_at_all():
    with pytest.raises(DataError, match="holds no user"):
        evaluate(Candidates(np.array([]), Rows.from_lists([]), []), np.zeros(0))


def test_tables_show_every_figure():
    import io

    import rich.console

    result = evaluate(LISTS, SCORES)
    console = rich.console.Console(width=120, file=io.StringIO())
    console.print(metrics_table({"ours": result, "chance": result}, "answerable", "Title"))
    console.print(averages_table(result))
    text = console.file.getvalue()
    assert "Title" in text and "chance" in text and "nDCG@5" in text
    assert text.count("0.7500") >= 3 and "0.3750" in text
