"""What a corpus is good for, on corpora with one thing amiss each."""

import re

import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks.suitability import nothing_to_learn, uses_of

TRAIN, VALID, TEST = Split


def posts(users, tags, splits=(TRAIN,) * 8 + (VALID, TEST)):
    """Posts of each user, one a split, tagged by `tags(user, place)`."""
    return [
        (f"u{user}", f"text {user} {place}", tags(user, place), split)
        for user in range(users)
        for place, split in enumerate(splits)
    ]


@pytest.mark.parametrize(
    "made, faults",
    [
        (
            posts(20, lambda u, p: ["a"] if u < 12 else ["b"], (TRAIN,))
            + [(f"v{u}", f"x{u}", ["a"], split) for u, split in enumerate([VALID, TEST])],
            ["No user has two train posts", ""],
        ),
        (posts(6, lambda u, p: ["a"] if u < 3 else ["b"]), ["nobody takes up", ""]),
        (
            posts(8, lambda u, p: ["a"] if u < 6 or p == 9 else ["b"]),
            ["", ""],
        ),
        (
            posts(20, lambda u, p: ["a"], (TRAIN,)),
            ["No post is in valid or test; users have 1.0"] * 2,
        ),
        (
            posts(3, lambda u, p: [f"t{u}{p}"]),
            ["the most used one has 1.*data.minimum_contexts=1", "data.minimum_posts=1"],
        ),
    ],
)
def test_faults_name_their_mend(make_corpus, made, faults):
    for use, fault in zip(uses_of(make_corpus(made)), faults, strict=True):
        assert re.search(fault, use.fault) if fault else use.fault == "", (use.task, use.fault)
        assert use.queries > 0 or use.fault


@pytest.mark.parametrize(
    "made, why",
    [
        (posts(20, lambda u, p: ["a"], (TRAIN,)), "No user has two train posts.*train phr"),
        (posts(3, lambda u, p: [f"t{u}{p}"]), "data.minimum_contexts=1"),
        (posts(6, lambda u, p: ["a"]), "1 hashtags have 5 train messages, and nobody takes up"),
    ],
)
def test_why_there_is_nothing_to_learn(make_corpus, made, why):
    assert re.search(why, nothing_to_learn(make_corpus(made)))


def test_one_post_a_user_has_no_side_of_own_posts(make_corpus):
    of_users, of_posts = uses_of(make_corpus(posts(20, lambda u, p: ["a"], (TRAIN,))))
    assert of_users.advice == ""
    advised = re.search(r"--set (network.sides=\S+)`", of_posts.advice)[1]
    assert load_settings("phr", [advised]).network.sides == ["visual", "textual", "others"]
    assert uses_of(make_corpus(posts(6, lambda u, p: ["a"])))[1].advice == ""
