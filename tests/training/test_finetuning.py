"""Encoders that are trained on: pairs, the loss by a loop, what is learned and what is not read."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.fixtures.bert import write_hugging_face_bert
from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.encoders import PixelImageEncoder, load_text_encoder
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.training.finetuning import Finetuning, PairDrawer, contrastive_loss, finetune

WORDS = {"tea": "aab", "rain": "ccd", "code": "eef", "sun": "ggh"}


def made(posts=300, seed=0):
    """Texts whose letters tell their hashtag; some posts have two, some none."""
    random = np.random.default_rng(seed)
    names = list(WORDS)
    texts, tags = [], []
    for _ in range(posts):
        chosen = sorted(random.choice(4, random.choice([0, 1, 1, 1, 2]), replace=False).tolist())
        letters = "".join(WORDS[names[tag]] for tag in chosen) or "zyx"
        texts.append(" ".join(random.permutation(list(letters * 2)).tolist()))
        tags.append(chosen)
    messages = list(dict.fromkeys(texts))
    split = np.repeat([Split.TRAIN, Split.VALID, Split.TEST], [posts - 120, 80, 40])
    return Corpus(
        name="made",
        post_ids=[str(post) for post in range(posts)],
        users=["u"],
        user_of_post=np.zeros(posts, np.int32),
        messages=messages,
        message_of_post=np.array([messages.index(text) for text in texts], np.int32),
        hashtags=names,
        hashtag_offsets=np.r_[0, np.cumsum([len(each) for each in tags])].astype(np.int64),
        hashtag_values=np.concatenate(tags).astype(np.int32),
        split_of_post=split.astype(np.int8),
        evaluation_users=np.zeros(1, np.int32),
        timestamps=None,
        images=None,
        digest="0",
    )


def test_pairs_share_a_hashtag_of_the_train_split_and_masks_are_those_that_do():
    corpus = made()
    of = {split: {} for split in Split}
    for post, split in enumerate(corpus.split_of_post):
        message = corpus.message_of_post[post]
        of[Split(split)].setdefault(message, set()).update(corpus.hashtags_of_post(post).tolist())
    for split in (Split.TRAIN, Split.VALID):
        drawer = PairDrawer(corpus, split, 0.3)
        pairs = drawer.draw(np.random.default_rng(1))
        assert sorted(pairs[:, 0]) == sorted(message for message in of[split] if of[split][message])
        assert {*pairs[:, 2]} > {-1}
        sides = []
        for message, tag, other in pairs.tolist():
            assert tag in of[split][message] and message != other
            sides.append({tag} if other < 0 else of[Split.TRAIN][other])
            assert tag in sides[-1]
        together = drawer.together(pairs)
        for row, (message, *_) in enumerate(pairs.tolist()):
            for column, side in enumerate(sides):
                same = message == pairs[column, 2]
                assert together[row, column] == (bool(of[split][message] & side) or same)
        texts = drawer.texts(pairs)
        named = np.flatnonzero(pairs[:, 2] < 0)
        assert [texts[1][row] for row in named] == [corpus.hashtags[pairs[row, 1]] for row in named]


def test_the_loss_is_that_of_a_loop_and_false_negatives_count_nothing():
    random = np.random.default_rng(0)
    first, other = random.normal(size=(2, 5, 3)).astype(np.float32)
    together = np.eye(5, dtype=bool)
    together[0, 3] = together[4, 1] = True
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (first, other)]
    cosine = unit[0] @ unit[1].T
    total, right = 0.0, 0
    for row in range(5):
        across = [cosine[row, c] for c in range(5) if c == row or not together[row, c]]
        down = [cosine[r, row] for r in range(5) if r == row or not together[r, row]]
        for line in (across, down):
            total += (np.log(np.sum(np.exp(np.array(line) / 0.2))) - cosine[row, row] / 0.2) / 2
        right += cosine[row, row] >= max(across)
    loss, accuracy = contrastive_loss(first, other, tf.constant(together), 0.2)
    assert float(loss) == pytest.approx(total / 5, rel=1e-5)
    assert float(accuracy) == pytest.approx(right / 5)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetuning") / "bert"
    write_hugging_face_bert(folder)
    return folder


HOW = Finetuning(epochs=2, batch=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def tuned(base, tmp_path_factory):
    """What the command tells, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("finetuning")
    write_corpus(made(), folder / "corpus")
    out = folder / "out" / "tuned"
    how = ("--epochs", HOW.epochs, "--batch", HOW.batch, "--learning-rate", HOW.learning_rate)
    command = ("finetune", folder / "corpus", "--out", out, "--text-encoder", base, *how)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        main([*map(str, command), "--quiet", "--json"])
    result = json.loads(told.getvalue())
    assert result.pop("encoder") == str(out)
    return result, out


def test_it_learns_and_the_folder_is_an_encoder(tuned, base):
    result, out = tuned
    assert result["after"] > result["before"] + 0.1
    loaded = load_text_encoder(str(out))
    texts = ["a a b", "Good mörning!", ""]
    before = load_text_encoder(str(base))
    assert loaded.fingerprint != before.fingerprint
    assert np.abs(loaded.encode(texts) - before.encode(texts)).max() > 1e-3
    about = json.loads((out / "finetuning.json").read_text())
    assert about["after"] == result["after"] and about["epochs"] == 2
    assert [path.name for path in out.parent.iterdir()] == ["tuned"]


def test_the_test_split_is_not_read_and_what_was_stopped_goes_on(tuned, base, tmp_path):
    result, out = tuned
    corpus = read_corpus(out.parent.parent / "corpus")
    values = corpus.hashtag_values.copy()
    first = corpus.hashtag_offsets[np.flatnonzero(corpus.split_of_post == Split.TEST)[0]]
    values[first:] = 0
    other = dataclasses.replace(corpus, hashtag_values=values)
    encoder = load_text_encoder(str(base))

    class Stopped(Exception):
        pass

    def stop(*args, **kwargs):
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        from tfhashtag.training import finetuning

        kept = finetuning._Job.epoch
        patch.setattr(
            finetuning._Job,
            "epoch",
            lambda job, epoch, *more: kept(job, epoch, *more) if epoch == 0 else stop(),
        )
        with pytest.raises(Stopped):
            finetune(other, encoder, tmp_path / "out", HOW, progress=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ArtifactError, match="Go on with it by `resume`"):
        finetune(other, encoder, tmp_path / "out", HOW, progress=False)
    encoder = load_text_encoder(str(base))
    again = finetune(other, encoder, tmp_path / "out", HOW, progress=False, resume=True)
    assert again == result
    texts = ["a a b", "Good mörning!", ""]
    written = load_text_encoder(str(tmp_path / "out")).encode(texts)
    assert np.abs(written - encoder.encode(texts)).max() < 1e-5
    with pytest.raises(ArtifactError, match="exists already"):
        finetune(other, encoder, tmp_path / "out", HOW)


def test_what_cannot_be_trained_is_said(base, tmp_path):
    encoder = load_text_encoder(str(base))
    bare = dataclasses.replace(
        made(), hashtag_offsets=np.zeros(301, np.int64), hashtag_values=np.zeros(0, np.int32)
    )
    with pytest.raises(DataError, match="0 train texts have a hashtag"):
        finetune(bare, encoder, tmp_path / "a", progress=False)
    with pytest.raises(ConfigError, match="no weights that can be trained on"):
        finetune(made(), PixelImageEncoder(4), tmp_path / "b")
    for wrong in ({"epochs": 0}, {"batch": 1}, {"temperature": 0}, {"names": 2}):
        with pytest.raises(ConfigError, match=f"`{next(iter(wrong))}` must be from"):
            Finetuning(**wrong)
