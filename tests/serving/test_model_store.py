import pytest
from tensorflow_serving.apis import model_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.model_store import ModelStore, State
from tfhashtag.serving.version_folders import find_versions


def test_versions_are_found_and_other_names_ignored(models):
    assert {n: p.name for n, p in find_versions(models / "toy").items()} == {1: "1", 2: "00000002"}


def test_the_newest_version_is_loaded_by_default(models):
    store = ModelStore(models)
    assert (store.names, store.available("toy"), store.available("none")) == (
        ["other", "toy"],
        [2],
        [],
    )
    with store.use(model_pb2.ModelSpec(name="toy")) as servable:
        assert (servable.name, servable.version) == ("toy", 2)
    store.close()
    assert store.available("toy") == []


def test_a_version_that_does_not_load_ends_with_its_status(tmp_path, models):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "1").symlink_to(models / "toy" / "1")
    (tmp_path / "toy" / "2").mkdir()
    (tmp_path / "toy" / "2" / "saved_model.pb").write_bytes(b"\xff damaged")
    store = ModelStore(tmp_path, {"toy": [1, 2]})
    newest, older = store.statuses(model_pb2.ModelSpec(name="toy"))
    assert (newest.version, newest.state, older.state) == (2, State.END, State.AVAILABLE)
    assert newest.status.error_code and "does not load" in newest.status.error_message
    store.close()
    with pytest.raises(ServingError, match=r"toy/2` does not load"):
        ModelStore(tmp_path)


def test_folders_without_models_are_clear_errors(tmp_path, models):
    with pytest.raises(ServingError, match="is not a folder"):
        ModelStore(tmp_path / "none")
    with pytest.raises(ServingError, match="no model found"):
        ModelStore(tmp_path)
    with pytest.raises(ServingError, match="give the folder above it"):
        ModelStore(models / "toy")
    with pytest.raises(ServingError, match=r"version 5 was asked for.*\[1, 2\]"):
        ModelStore(models, {"toy": [5]})
    with pytest.raises(ServingError, match="does not exist"):
        ModelStore(models, {"nope": [1]})
