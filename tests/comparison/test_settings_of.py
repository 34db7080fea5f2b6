"""Names, settings and what overrides may not touch."""

import dataclasses

import pytest

from tfhashtag.comparison.settings_of import SettingsOf
from tfhashtag.comparison.studies import study_of
from tfhashtag.comparison.system import find_system
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.settings import flat

USERS, POSTS = study_of("engagement"), study_of("phr")
VARIANTS = {
    "PHR-MN": {"network.memory": False},
    "PHR-PTA": {"network.post_tag_attention": False},
    "PHR-SCA": {"network.pairing": "none"},
    "PHR-CR": {"network.residual": False},
    "PHR-V": {"network.sides": ["textual", "own", "others"]},
    "PHR-T": {"network.sides": ["visual", "own", "others"]},
    "PHR-U": {"network.sides": ["visual", "textual", "others"]},
    "PHR-O": {"network.sides": ["visual", "textual", "own"]},
    "PHR-TR": {"network.relations": ["visual"]},
    "PHR-VR": {"network.relations": ["textual"]},
}
IMAGES = "image_encoder=pixels"


@pytest.fixture(scope="module")
def corpus(encoded_posts):
    return read_corpus(encoded_posts)


@pytest.fixture(scope="module")
def of_users(user_data):
    corpus = read_corpus(user_data[0])

    def resolve(overrides=(), systems=None):
        return SettingsOf(USERS, systems, corpus, overrides)

    return resolve


@pytest.fixture(scope="module")
def of_posts(corpus):
    def resolve(overrides=(), systems=None, posts=corpus):
        return SettingsOf(study_of("phr", "phr_thesis"), systems, posts, overrides)

    return resolve


@pytest.mark.parametrize("study", [USERS, POSTS])
def test_every_system_has_a_configuration_and_a_table(study):
    for system in study.systems:
        assert find_system(system.name.lower(), study.systems) is system
        assert load_settings(system.config).text_encoder == "minilm"
    names = {name for table in study.tables for name in table.systems}
    assert names == {system.name for system in study.systems}


def test_names_are_understood(of_users, of_posts):
    assert [s.name for s in of_users().systems] == [s.name for s in USERS.systems]
    found = of_users(systems=["W/o joint", "mlp", "without-joint"]).systems
    assert [system.name for system in found] == ["MLP", "W/O JOINT"]
    found = of_posts(systems=["own+nearest", "PHRMN", "phr-mn"]).systems
    assert [system.name for system in found] == ["PHR-MN", "Own + nearest"]
    with pytest.raises(ConfigError, match="Did you mean `LSTM-ATT`"):
        of_users(systems=["lstmat"])
    with pytest.raises(ConfigError, match="names no system"):
        of_users(systems=[])


def test_the_papers_figures():
    published = {system.name: system.published for system in USERS.systems}
    assert published["FULL MODEL"] == {"MAP": 0.3114, "P@5": 0.1148, "nDCG@5": 0.3257}
    assert not published["RECOMMENDED"]


def test_any_configuration_of_the_task_joins(of_users, tmp_path):
    (tmp_path / "mine.yaml").write_text("model: scorer\nscore_by: random\n")
    found = of_users(["seed=3"], ["full", "engagement_paper", str(tmp_path / "mine.yaml")])
    assert [system.name for system in found.systems] == [
        "FULL MODEL", "engagement_paper", str(tmp_path / "mine.yaml"),
    ]  # fmt: skip
    assert found[str(tmp_path / "mine.yaml")].seed == 3
    with pytest.raises(ConfigError, match="ranks for posts, not for users"):
        of_users(systems=["full", "phr"])
    with pytest.raises(ConfigError, match="no such file"):
        of_users(systems=["none.yaml"])


def test_a_value_for_all_does_not_give_a_system_what_it_is_without(of_users):
    found = of_users(["network.topics=7", "training.epochs.joint=2", "training.epochs.topics=3"])
    assert found["FULL MODEL"].network.topics == found["+ TOPICS"].network.topics == 7
    assert found["MLP"].network.topics is None
    assert found["W/O JOINT"].training.epochs.joint == 0
    assert found["LSTM"].training.epochs.topics == 0
    assert found["FULL MODEL"].training.epochs.joint == 2


def test_a_value_for_one_is_for_one(of_users):
    found = of_users(["lstm:network.hidden=5"], ["LSTM", "LSTM-ATT"])
    assert found["LSTM"].network.hidden == 5
    assert found["LSTM-ATT"].network.hidden == load_settings("lstm_att").network.hidden


def test_what_all_are_asked_is_set_for_all(of_users):
    found = of_users(["data.minimum_contexts=3", "seed=4"])
    assert found.reference.data.minimum_contexts == 3
    for system in USERS.systems:
        assert found[system.name].data.minimum_contexts == 3 and found[system.name].seed == 4


def changed(settings, base):
    ours, theirs = flat(settings.model_dump()), flat(base.model_dump())
    return {key: ours[key] for key in ours if ours[key] != theirs[key]}


def test_a_variant_is_one_switch(of_posts):
    found = of_posts([IMAGES, "network.residual=true"])
    assert not found.missing
    for name, change in VARIANTS.items():
        assert changed(found[name], found.reference) == change


@pytest.mark.parametrize(
    "override, missing",
    [
        ("network.residual=false", set()),
        ("network.graph=none", {"PHR-TR", "PHR-VR"}),
        ("network.relations=[visual]", {"PHR-TR"}),
        ("network.sides=[textual, own, others]", {"PHR-V", "PHR-MN", "PHR-VR"}),
        ("network.sides=[visual, textual]", {"PHR-U", "PHR-O", "PHR-PTA"}),
        ("network.pairing=none", {"PHR-SCA"}),
    ],
)
def test_a_variant_without_what_phr_has_not_is_not_applicable(of_posts, override, missing):
    found = of_posts([IMAGES, override])
    assert set(found.missing) == missing | {"PHR-CR"}
    assert set(found.missing.values()) == {"PHR is configured without it"}


def test_without_images_visual_systems_are_not_applicable(of_posts, corpus):
    posts = dataclasses.replace(corpus, images=None)
    for found in (of_posts([IMAGES], posts=posts), of_posts(["image_encoder=none"])):
        told = {name for name, why in found.missing.items() if "no images" in why}
        assert told == {"PHR-V", "PHR-MN", "PHR-VR", "Nearest by image"}
        assert found.reference.image_encoder == found["MaCon"].image_encoder == "none"
        assert found["TAGNet"].network.relations == ["textual"]
        assert found["TAGNet"].image_encoder == "none"


def test_peers_read_what_phr_reads(of_posts):
    found = of_posts(
        ['text_encoder="some: folder"', IMAGES, "network.proposals=4", "data.minimum_posts=3",
         "network.text=both"],
    )  # fmt: skip
    for name in ("MaCon", "TAGNet", "Nearest by image"):
        assert (found[name].text_encoder, found[name].image_encoder) == ("some: folder", "pixels")
        assert found[name].data.minimum_posts == 3
        assert found[name].encoders["proposals"] == 4
    assert found["TAGNet"].network.text == "both"


def test_settings_go_to_those_who_have_them(of_posts):
    found = of_posts(
        ["training.epochs=7", "network.hidden=9", "network.attention=11", "network.residual=true",
         "MaCon:network.dropout=0.5", "phr-mn:training.learning_rate=0.5", IMAGES],
    )  # fmt: skip
    macon, tagnet, phr = found["MaCon"], found["TAGNet"], found.reference
    assert macon.training.epochs == tagnet.training.epochs == phr.training.epochs == 7
    assert (phr.network.hidden, tagnet.network.hidden, macon.network.attention) == (9, 9, 11)
    assert phr.network.residual and not tagnet.network.residual  # a switch tells them apart
    assert macon.network.dropout == 0.5 and phr.network.dropout == 0.0
    assert found["PHR-MN"].training.learning_rate == 0.5
    assert phr.training.learning_rate == 0.05


@pytest.mark.parametrize(
    "override, message",
    [
        ("network.user=mean", "tells systems apart"),
        ("LSTM:text_encoder=minilm", "the same for all"),
        ("cf:data.minimum_contexts=3", "the same for all"),
        ("netwrok.topics=5", "Did you mean `network"),
        ("LSTN:training.patience=3", "Did you mean `LSTM`"),
        ("seed", r"expected .*KEY=VALUE"),
    ],
)
def test_wrong_settings_of_users(of_users, override, message):
    with pytest.raises(ConfigError, match=message):
        of_users([override])


@pytest.mark.parametrize(
    "override, message",
    [
        ("network.hiden=1", "Did you mean `network.hidden`"),
        ("Popularity:network.hidden=1", "unknown key"),
        ("MaCon:network.proposals=4", "the same for all systems"),
        ("Nobody:network.hidden=1", "`Nobody` is unknown"),
        ("network.hidden", r"expected .*KEY=VALUE"),
    ],
)
def test_wrong_settings_of_posts(of_posts, override, message):
    with pytest.raises(ConfigError, match=message):
        of_posts([override])


def test_another_model_is_refused():
    with pytest.raises(ConfigError, match="expected 'phr'"):
        study_of("phr", "macon")


def test_tagnet_is_phr_with_switches():
    network = load_settings("tagnet").network
    assert (network.pairing, network.own_side, network.graph) == (
        "triplet",
        "hashtags",
        "aggregated",
    )
    assert network.relations == ["visual"] and network.activation == "relu"
