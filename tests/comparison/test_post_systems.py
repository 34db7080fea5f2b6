import dataclasses

import pytest

from tfhashtag.comparison.names import chosen_names
from tfhashtag.comparison.outcome import flat
from tfhashtag.comparison.post_systems import (
    NAMES,
    RULES,
    TABLES,
    VARIANTS,
    PostSettingsOf,
)
from tfhashtag.comparison.run_data import tidy
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings


@pytest.fixture(scope="module")
def corpus(encoded_posts):
    return read_corpus(encoded_posts)


@pytest.fixture(scope="module")
def without_images(corpus):
    return dataclasses.replace(corpus, images=None)


def changed(settings, base):
    ours, theirs = flat(settings.model_dump()), flat(base.model_dump())
    return {key: ours[key] for key in ours if ours[key] != theirs[key]}


def test_a_variant_is_one_switch(corpus):
    settings = PostSettingsOf("phr_thesis", corpus)
    expected = {
        "PHR-MN": {"network.memory": False},
        "PHR-PTA": {"network.post_tag_attention": False},
        "PHR-SCA": {"network.pairing": "none"},
        "PHR-V": {"network.sides": ["textual", "own", "others"]},
        "PHR-T": {"network.sides": ["visual", "own", "others"]},
        "PHR-U": {"network.sides": ["visual", "textual", "others"]},
        "PHR-O": {"network.sides": ["visual", "textual", "own"]},
        "PHR-TR": {"network.relations": ["visual"]},
        "PHR-VR": {"network.relations": ["textual"]},
    }
    for name, change in expected.items():
        assert settings.not_applicable(name) == ""
        assert changed(settings.of(name), settings.phr) == change
    assert settings.not_applicable("PHR-CR") == "PHR is configured without it"
    counts = PostSettingsOf("phr_thesis", corpus, ["network.residual=true"])
    assert changed(counts.of("PHR-CR"), counts.phr) == {"network.residual": False}
    assert {variant.name for variant in VARIANTS} == {*expected, "PHR-CR"}


@pytest.mark.parametrize(
    "override, missing",
    [
        ("network.graph=none", {"PHR-TR", "PHR-VR"}),
        ("network.relations=[visual]", {"PHR-TR"}),
        ("network.sides=[textual, own, others]", {"PHR-V", "PHR-MN", "PHR-VR"}),
        ("network.sides=[visual, textual]", {"PHR-U", "PHR-O", "PHR-PTA"}),
        ("network.pairing=none", {"PHR-SCA"}),
    ],
)
def test_a_variant_without_what_phr_has_not_is_not_applicable(corpus, override, missing):
    settings = PostSettingsOf("phr_thesis", corpus, [override])
    found = {
        name for name in NAMES if settings.not_applicable(name) == "PHR is configured without it"
    }
    assert found == missing | {"PHR-CR"}


def test_without_images_visual_systems_are_not_applicable(without_images):
    settings = PostSettingsOf("phr_thesis", without_images)
    assert settings.phr.image_encoder == "none"
    missing = {name for name in NAMES if settings.not_applicable(name) == "no images"}
    assert missing == {"PHR-V", "PHR-MN", "PHR-VR", "Nearest by image"}
    tagnet = settings.of("TAGNet")
    assert tagnet.network.relations == ["textual"] and tagnet.image_encoder == "none"
    assert settings.of("MaCon").image_encoder == "none"


def test_images_that_nobody_reads_are_told(corpus):
    settings = PostSettingsOf("phr_thesis", corpus, ["image_encoder=none"])
    assert "image_encoder" in settings.not_applicable("PHR-V")


def test_peers_read_what_phr_reads(corpus):
    settings = PostSettingsOf(
        "phr_thesis",
        corpus,
        ['text_encoder="some: folder"', "image_encoder=pixels", "network.proposals=4",
         "data.minimum_posts=3", "network.text=both"],
    )  # fmt: skip
    for name in ("MaCon", "TAGNet"):
        found = settings.of(name)
        assert (found.text_encoder, found.image_encoder) == ("some: folder", "pixels")
        assert (found.network.proposals, found.data.minimum_posts) == (4, 3)
    assert settings.of("TAGNet").network.text == "both"


def test_settings_go_to_those_who_have_them(corpus):
    settings = PostSettingsOf(
        "phr_thesis",
        corpus,
        ["training.epochs=7", "network.hidden=9", "network.attention=11", "network.residual=true",
         "MaCon:network.dropout=0.5", "phr-mn:training.learning_rate=0.5"],
    )  # fmt: skip
    macon, tagnet, phr = settings.of("MaCon"), settings.of("TAGNet"), settings.phr
    assert macon.training.epochs == tagnet.training.epochs == phr.training.epochs == 7
    assert (phr.network.hidden, tagnet.network.hidden, macon.network.attention) == (9, 9, 11)
    assert phr.network.residual and not tagnet.network.residual  # a switch tells them apart
    assert macon.network.dropout == 0.5 and phr.network.dropout == 0.0
    assert settings.of("PHR-MN").training.learning_rate == 0.5
    assert phr.training.learning_rate == 0.05


@pytest.mark.parametrize(
    "override, message",
    [
        ("network.hiden=1", "Did you mean `network.hidden`"),
        ("Popularity:seed=1", "rule without settings"),
        ("MaCon:network.proposals=4", "the same for all systems"),
        ("Nobody:seed=1", "`Nobody` is unknown"),
        ("network.hidden", "expected `key=value`"),
    ],
)
def test_wrong_settings(corpus, override, message):
    with pytest.raises(ConfigError, match=message):
        PostSettingsOf("phr_thesis", corpus, [override])


def test_another_model_is_refused(corpus):
    with pytest.raises(ConfigError, match="expected 'phr'"):
        PostSettingsOf("macon", corpus)


def test_names():
    assert chosen_names(None, NAMES) == list(NAMES)
    assert chosen_names(["own+nearest", "PHRMN", "phr-mn"], NAMES) == ["Own + nearest", "PHR-MN"]
    assert {name for _, _, names in TABLES for name in names} == set(NAMES)
    assert set(RULES) < set(NAMES)
    with pytest.raises(ConfigError, match="names no system"):
        chosen_names([], NAMES)


def test_tagnet_is_phr_with_switches():
    network = load_settings("tagnet").network
    assert (network.pairing, network.own_side, network.graph) == (
        "triplet",
        "hashtags",
        "aggregated",
    )
    assert network.relations == ["visual"] and network.activation == "relu"


def test_tidy_links_equal_files_and_drops_checkpoints(tmp_path):
    for run in ("a", "b"):
        (tmp_path / run / "data" / "deep").mkdir(parents=True)
        (tmp_path / run / "data" / "deep" / "same").write_text("same")
        (tmp_path / run / "data" / "other").write_text(run)
        (tmp_path / run / "checkpoints").mkdir()
        (tmp_path / run / "checkpoints" / "last.npz").write_text("x")
    tidy(tmp_path / "b", [tmp_path / "a" / "data", tmp_path / "b" / "data"])
    assert not (tmp_path / "b" / "checkpoints").exists()
    assert (tmp_path / "a" / "checkpoints").exists()
    one, other = (tmp_path / run / "data" / "deep" / "same" for run in ("a", "b"))
    assert one.samefile(other) and other.read_text() == "same"
    assert (tmp_path / "b" / "data" / "other").read_text() == "b"
    assert {path.name for path in (tmp_path / "b" / "data").rglob("*")} == {"deep", "same", "other"}
