"""Image encoders: the grid, every kind of model, and what is said where one cannot be had."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfhashtag.encoders import (
    BackboneImageEncoder,
    SavedModelImageEncoder,
    decode_images,
    load_image_encoder,
)
from tfhashtag.encoders.backbone_image_encoder import seeded_weights
from tfhashtag.encoders.image_encoder import grid_side, pool_to_grid
from tfhashtag.errors import EncoderError


def png(seed=0, size=(20, 14)):
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = [png(0), b"", png(1), b"broken", png(2, (1, 1))]
VALID = [True, False, True, False, True]
SIZE = 24  # of all models here: the decoder of each size is traced for seconds


def small_backbone(channels=5, seed=0):
    model = keras.Sequential(
        [
            keras.Input([SIZE, SIZE, 3]),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(channels, 3, strides=2),
        ]
    )
    seeded_weights(model, seed)
    return model


@settings(max_examples=30)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    side=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_pooling_against_a_loop(height, width, side, seed):
    maps = np.random.default_rng(seed).normal(size=(2, height, width, 3))
    found = pool_to_grid(tf.constant(maps), side).numpy()
    fine = np.repeat(np.repeat(maps, side, 1), side, 2)  # now every cell has whole rows and columns
    for row in range(side):
        for column in range(side):
            cell = fine[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
            np.testing.assert_allclose(
                found[:, row * side + column], cell.mean(axis=(1, 2)), atol=1e-9
            )


@pytest.mark.parametrize("proposals", [0, -4, 2, 5, 8, 10])
def test_number_of_proposals_is_a_square(proposals):
    with pytest.raises(EncoderError, match=rf"square number.* proposals={proposals}\."):
        grid_side(proposals)


def test_backbone():
    backbone = small_backbone()
    encoder = BackboneImageEncoder(
        backbone, name="small", proposals=9, scale=[0.1, 0.2, 0.3], offset=[1, 2, 3],
        flip_channels=True,
    )  # fmt: skip
    vectors, valid = encoder.encode(PICTURES, batch_images=2)
    assert vectors.shape == (5, 9, 5) and vectors.dtype == np.float32
    assert valid.tolist() == VALID and not vectors[~valid].any() and np.isfinite(vectors).all()
    pixels = decode_images(PICTURES, SIZE)[0].numpy()[..., ::-1] * [0.1, 0.2, 0.3] + [1, 2, 3]
    maps = backbone(pixels).numpy()
    np.testing.assert_allclose(vectors.mean(1)[valid], maps.mean((1, 2))[valid], atol=1e-4)
    for row in (0, 3):
        alone, _ = encoder.encode([PICTURES[row]])
        np.testing.assert_allclose(alone[0], vectors[row], atol=1e-5)


def test_where_a_cell_is():
    backbone = keras.Sequential([keras.Input([24, 24, 3]), keras.layers.AveragePooling2D(2)])
    encoder = BackboneImageEncoder(backbone, name="mean", proposals=9)
    image = np.zeros((24, 24, 3), np.uint8)
    image[8:16, 16:] = (0, 250, 0)  # the second row, the third column
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    (vectors,), _ = encoder(tf.constant([buffer.getvalue()]))
    vectors = vectors.numpy()
    assert np.argwhere(vectors > 125).tolist() == [[5, 1]]
    assert vectors[5, 1] == 250


def test_fingerprint_follows_weights_and_settings():
    def print_of(seed=0, **options):
        backbone = small_backbone(seed=seed)
        return BackboneImageEncoder(backbone, name="small", **options).fingerprint

    prints = [
        print_of(), print_of(1), print_of(proposals=4), print_of(scale=2.0), print_of(offset=1.0),
        print_of(flip_channels=True),
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert print_of() == prints[0]


def test_backbones_that_do_not_fit():
    with pytest.raises(EncoderError, match="one input, pixels"):
        BackboneImageEncoder(
            keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]), name="dense"
        )
    with pytest.raises(EncoderError, match=r"a feature map .* was expected, it gives"):
        BackboneImageEncoder(
            keras.Sequential([keras.Input([4, 4, 3]), keras.layers.Flatten()]), name="flat"
        )
    with pytest.raises(EncoderError, match="`size` of image encoder `s` must be 24"):
        BackboneImageEncoder(small_backbone(), name="s", size=32)


def test_transformer_of_keras_hub():
    import keras_hub

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIZE, SIZE, 3),
        patch_size=6,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=8,
    )
    encoder = BackboneImageEncoder(backbone, name="vit", proposals=4)
    vectors, _ = encoder(tf.constant(PICTURES[:1]))
    tokens = backbone(decode_images(PICTURES[:1], SIZE)[0]).numpy()
    assert tokens.shape == (1, 17, 8)  # a class token and 4 x 4 patches
    patches = tokens[0, 1:].reshape(2, 2, 2, 2, 8).mean((1, 3)).reshape(4, 8)
    np.testing.assert_allclose(vectors[0], patches, atol=1e-5)


def test_preset_folder_of_keras_hub(tmp_path):
    import keras_hub

    backbone = keras_hub.models.DenseNetBackbone(
        stackwise_num_repeats=[1, 1], image_shape=(None, None, 3)
    )
    folder = str(tmp_path / "preset")
    backbone.save_to_preset(folder)
    with pytest.raises(EncoderError, match="no image converter"):
        load_image_encoder(folder)
    converter = keras_hub.layers.DenseNetImageConverter(
        image_size=(SIZE, SIZE), scale=[0.01, 0.02, 0.03], offset=[-1.0, 0.0, 1.0]
    )
    converter.save_to_preset(folder)
    encoder = load_image_encoder(folder, proposals=4)
    assert (encoder.size, encoder.proposals) == (SIZE, 4)
    vectors = encoder(tf.constant(PICTURES[:1]))[0].numpy()
    pixels = decode_images(PICTURES[:1], SIZE)[0].numpy() * [0.01, 0.02, 0.03] + [-1, 0, 1]
    maps = backbone(pixels).numpy()
    np.testing.assert_allclose(vectors[0].mean(0), maps[0].mean((0, 1)), atol=1e-4)
    backbone.save_weights(tmp_path / "other.weights.h5")
    same = load_image_encoder(folder, tmp_path / "other.weights.h5", 4)
    assert same.fingerprint == encoder.fingerprint
    assert load_image_encoder(folder, "random", 4).fingerprint != encoder.fingerprint
    for name in (folder, "resnet50"):
        with pytest.raises(EncoderError, match=r"nowhere\.h5: no such file of weights"):
            load_image_encoder(name, tmp_path / "nowhere.h5")
    (tmp_path / "bad.weights.h5").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match=r"bad\.weights\.h5: these are not weights of"):
        load_image_encoder(folder, tmp_path / "bad.weights.h5")


class Pixels(tf.Module):
    """What TF-Hub's image models look like: float pixels from 0 to 1."""

    def __init__(self, single):
        super().__init__()
        size = SIZE // 2 if single else SIZE
        self.weight = tf.Variable(tf.random.stateless_normal([3, 6], [1, 2]))
        spec = tf.TensorSpec([None, size, size, 3], tf.float32)

        @tf.function(input_signature=[spec])
        def call(pixels):
            axes = [1, 2] if single else []
            return {"default": tf.reduce_mean(pixels, axes) @ self.weight}

        self.__call__ = call


@pytest.mark.parametrize("single, callable_", [(False, True), (True, False)])
def test_saved_model(tmp_path, single, callable_):
    module = Pixels(single)
    if callable_:
        tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    else:
        bare = tf.Module()
        bare.module = module.weight
        tf.saved_model.save(bare, str(tmp_path), signatures=module.__call__)
    encoder = load_image_encoder(str(tmp_path), proposals=4)
    assert (encoder.width, encoder.size) == (6, SIZE)
    vectors, valid = (part.numpy() for part in encoder(tf.constant(PICTURES)))
    assert valid.tolist() == VALID and not vectors[~valid].any()
    side = encoder.size // 2
    pixels = decode_images(PICTURES, encoder.size)[0].numpy() / 255
    cells = pixels.reshape(5, 2, side, 2, side, 3).mean((2, 4)).reshape(5, 4, 3)
    np.testing.assert_allclose(vectors[valid], (cells @ module.weight.numpy())[valid], atol=1e-5)
    assert encoder.fingerprint != load_image_encoder(str(tmp_path), proposals=9).fingerprint
    with pytest.raises(EncoderError, match="has its own weights"):
        load_image_encoder(str(tmp_path), "random")


def test_saved_models_that_do_not_fit(tmp_path, bert_folder):
    with pytest.raises(EncoderError, match="cannot be loaded as a SavedModel"):
        SavedModelImageEncoder(str(bert_folder), name="bert")
    module = tf.Module()
    module.__call__ = tf.function(
        tf.strings.length, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path / "text"))
    with pytest.raises(EncoderError, match="cannot take float32 pixels"):
        load_image_encoder(str(tmp_path / "text"))
    tf.saved_model.save(tf.Module(), str(tmp_path / "nothing"))
    with pytest.raises(EncoderError, match="`serving_default` with one input"):
        load_image_encoder(str(tmp_path / "nothing"))


def test_names_that_are_nothing(tmp_path):
    for name, message in (
        ("given", "nothing to encode"),
        ("no-such-encoder", "is unknown and no such folder"),
        (str(tmp_path), "neither `config.json`"),
        (str(tmp_path / "none.keras"), "cannot be loaded as a Keras model"),
    ):
        with pytest.raises(EncoderError, match=message):
            load_image_encoder(name)


def test_keras_file(tmp_path):
    path = str(tmp_path / "small.keras")
    small_backbone().save(path)
    encoder = load_image_encoder(path, proposals=4)
    direct = BackboneImageEncoder(small_backbone(), name="x", proposals=4)
    pixels, _ = decode_images(PICTURES[:1], SIZE)
    np.testing.assert_allclose(encoder.pooled(pixels), direct.pooled(pixels), atol=1e-5)


def test_resnet():
    encoder = load_image_encoder("resnet50", "random")
    assert (encoder.proposals, encoder.width, encoder.size) == (9, 2048, 224)
    pixels = tf.image.resize(decode_images(PICTURES[:1], SIZE)[0], [224, 224]).numpy()
    vectors = encoder.pooled(tf.constant(pixels)).numpy()
    assert vectors.shape == (1, 9, 2048)
    # The published preprocessing of these weights, and the map of 7 x 7.
    pixels = keras.applications.resnet.preprocess_input(pixels)
    maps = encoder.backbone(pixels).numpy()
    assert maps.shape == (1, 7, 7, 2048)
    np.testing.assert_allclose(vectors[0].mean(0), maps[0].mean((0, 1)), rtol=1e-3, atol=1e-2)


def test_weights_that_cannot_be_had(tmp_path, monkeypatch):
    """The real loading code, with an empty cache and a network that refuses."""

    def refused(*arguments):
        raise ConnectionRefusedError("no way out")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # Keras has read it when it was imported
    with pytest.raises(EncoderError, match="not in the Keras cache") as found:
        load_image_encoder("resnet50")
    for word in ("no way out", str(tmp_path / "models"), "--image-weights", "random"):
        assert word in str(found.value)


def test_in_an_export(tmp_path):
    encoder = BackboneImageEncoder(small_backbone(), name="small", proposals=4)
    archive = keras.export.ExportArchive()
    for trackable in encoder.trackables():
        archive.track(trackable)
    archive.add_endpoint(
        "serve", lambda image: encoder(image)[0], [tf.TensorSpec([None], tf.string)]
    )
    archive.write_out(str(tmp_path / "model"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    found = loaded.serve(tf.constant(PICTURES))
    np.testing.assert_allclose(found, encoder(tf.constant(PICTURES))[0], atol=1e-5)
