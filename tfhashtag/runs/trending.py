"""What rises in a run, with the evidence."""

from typing import Any

from tfhashtag.corpus.trends import DAY, rising
from tfhashtag.errors import ConfigError
from tfhashtag.records import Records

_MOST_DAYS = 10**9  # seconds of so many are whole numbers of 64 bits
_LOOKED_AT = 500  # recommendations of a user among which the rising ones are looked for


def trending(
    run: Any, user: str | None = None, *, k: int = 10, days: float | None = None, least: int = 3
) -> Records:
    """Hashtags whose share of all uses has surely risen, what rises most surely first.

    Args:
        run: a `Run`.
        user: only those among what `recommend` gives this user, in that order of sureness, too.
        k: how many, at least 1.
        days: how long now is, compared with the four times as long before; None for a week, or a
            tenth of all time where that is shorter. Where the corpus has no times, posts.
        least: fewer users now are left out.

    Returns:
        Rows of `hashtag`, uses `now` and `before` (a span), `users` now, the smoothed `ratio` of
        shares and its 95 % interval `low` to `high`, all of them with `low` above 1; with `user`
        also `rank`, that of `recommend`.

    Raises:
        ConfigError: `user` with a recommender of posts, or a number out of range.
        DataError: nothing to compare, or an unknown user.
    """
    if days is not None and not 0 < days <= _MOST_DAYS:
        raise ConfigError(f"`days` is {days}; expected a number above 0, at most 10^9.")
    if k < 1:
        raise ConfigError(f"`k` must be at least 1, found {k}.")
    corpus = run.corpus
    unit = 1 if corpus.timestamps is None else DAY
    span = None if days is None else max(1, int(days * unit))
    ranks = _ranks(run, user) if user is not None else {}
    rows: list[dict[str, Any]] = []
    for name, said in rising(corpus, span, least):
        if user is None:
            rows.append({"hashtag": name, **said})
        elif name in ranks:
            rows.append({"hashtag": name, **said, "rank": ranks[name]})
    who = "" if user is None else f" for {user}"
    return Records(rows[:k], f"Rising hashtags{who}", {"hashtag": "#"})


def _ranks(run: Any, user: str) -> dict[str, int]:
    if run.task.query != "user":
        raise ConfigError(
            f"{run.folder}: `{run.settings.model}` ranks hashtags for posts; leave `user` out."
        )
    found = run.recommend(user=user, k=_LOOKED_AT)
    return {row["hashtag"]: row["rank"] for row in found}
