"""The store with real models: what it loads, when it lets go, and what it never touches."""

import concurrent.futures
import functools
import gc
import shutil
import threading
import time
import weakref

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import model_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_config import ModelServerConfig
from tfhashtag.serving.versions.model_store import ModelStore
from tfhashtag.serving.versions.version_folders import fingerprint
from tfhashtag.serving.versions.version_record import State

TOY = model_pb2.ModelSpec(name="toy")
X = np.ones([1, 2], np.float32)


@pytest.fixture
def add(tmp_path, models):
    """Puts a version of `toy` in place: `add(2)`, `add(2, name="other")`."""

    def put(version, name="toy"):
        aside = tmp_path / name / f".{version}"
        shutil.copytree(models / "toy" / "1", aside)
        return aside.rename(tmp_path / name / str(version))

    return put


@pytest.fixture
def opened():
    """`opened(config, ...)`: a store that looks often and is closed at the end."""
    stores = []

    def make(config, load=Servable, **options):
        store = ModelStore(config, Watching(poll_seconds=0.01, **options), load)
        stores.append(store)
        store.start()
        return store

    yield make
    for store in stores:
        store.close(0)


def config(folder, *names, labels=None, **policy):
    made = ModelServerConfig()
    made.model_config_list.SetInParent()
    for name in names:
        model = made.model_config_list.config.add(
            name=name,
            base_path=str(folder / name),
            model_platform="tensorflow",
            version_labels=labels,
        )
        if "specific" in policy:
            model.model_version_policy.specific.versions.extend(policy["specific"])
        if "all" in policy:
            model.model_version_policy.all.SetInParent()
    return made


def spec(version=None, label=None):
    made = model_pb2.ModelSpec(name="toy")
    if version is not None:
        made.version.value = version
    if label is not None:
        made.version_label = label
    return made


def states(store, name="toy"):
    return {
        status.version: status.state for status in store.statuses(model_pb2.ModelSpec(name=name))
    }


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def answer(store, **chosen):
    with store.use(spec(**chosen)) as servable:
        return servable.version, float(servable.predict({"x": X})["y"][0, 0])


class CountedLoads:
    """Makes real servables and remembers which."""

    def __init__(self):
        self.versions = []
        self.servables = []

    def __call__(self, folder, name, version):
        self.versions.append(version)
        servable = Servable(folder, name, version)
        self.servables.append(weakref.ref(servable))
        return servable


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
    store = ModelStore(tmp_path, Watching({"toy": [1, 2]}))
    newest, older = store.statuses(model_pb2.ModelSpec(name="toy"))
    assert (newest.version, newest.state, older.state) == (2, State.END, State.AVAILABLE)
    assert newest.status.error_code and "does not load" in newest.status.error_message
    store.close()
    with pytest.raises(ServingError, match=r"toy/2` does not load"):
        ModelStore(tmp_path)


def test_folders_without_models_are_clear_errors(tmp_path, models):
    with pytest.raises(ServingError, match="is not a folder"):
        ModelStore(tmp_path / "none")
    with pytest.raises(ServingError, match=f"is one version of a model; .*`{models}`"):
        ModelStore(models / "toy" / "1")
    with pytest.raises(ServingError, match="no model found"):
        ModelStore(tmp_path)
    with pytest.raises(ServingError, match="give the folder above it"):
        ModelStore(models / "toy")
    with pytest.raises(ServingError, match=r"version 5 was asked for.*\[1, 2\]"):
        ModelStore(models, Watching({"toy": [5]}))
    with pytest.raises(ServingError, match="does not exist"):
        ModelStore(models, Watching({"nope": [1]}))


def test_a_half_written_version_fails_and_loads_when_it_is_complete(add, opened, tmp_path):
    add(1)
    load = CountedLoads()
    store = opened(tmp_path, load=load)
    whole = add(2, name=".aside")
    aside, half = tmp_path / "toy" / ".2", tmp_path / "toy" / "2"
    aside.mkdir()
    shutil.copy(whole / "saved_model.pb", aside)
    aside.rename(half)
    wait_for(lambda: states(store) == {2: State.END, 1: State.AVAILABLE})
    newest = store.statuses(spec(version=2))[0]
    assert newest.status.error_code and "does not load" in newest.status.error_message
    assert answer(store) == (1, 2.0)
    # Ten looks at the same files: a version that failed is not tried in a loop.
    for _ in range(10):
        store.look()
    assert load.versions == [1, 2]
    shutil.copytree(whole / "assets", half / "assets")
    shutil.copytree(whole / "variables", half / "variables")
    wait_for(lambda: states(store) == {2: State.AVAILABLE, 1: State.END})
    assert not store.statuses(spec(version=2))[0].status.error_code
    assert answer(store) == (2, 2.0)


def test_a_version_folder_that_is_removed_gives_way_to_the_one_before(add, opened, tmp_path):
    add(1)
    newest = add(2)
    store = opened(tmp_path)
    with store.use(TOY) as servable:
        shutil.rmtree(newest)
        wait_for(lambda: states(store).get(1) == State.AVAILABLE)
        wait_for(lambda: states(store)[2] == State.UNLOADING)
        assert servable.predict({"x": X})["y"][0, 0] == 2.0
    wait_for(lambda: states(store)[2] == State.END)
    assert answer(store) == (1, 2.0)


def test_a_folder_out_of_reach_takes_no_model_away(add, opened, tmp_path, caplog):
    add(1)
    store = opened(config(tmp_path, "toy"))
    (tmp_path / "toy").rename(tmp_path / "elsewhere")
    for _ in range(5):
        store.look()
    assert answer(store) == (1, 2.0)
    assert caplog.text.count("cannot be read") == 1
    (tmp_path / "elsewhere").rename(tmp_path / "toy")
    add(2)
    wait_for(lambda: states(store) == {2: State.AVAILABLE, 1: State.END})


def test_models_come_to_a_folder_and_leave_it(add, opened, tmp_path):
    add(1)
    store = opened(tmp_path, unload_missing=True)
    add(5, name="more")
    wait_for(lambda: store.available("more") == [5])
    assert store.names == ["more", "toy"]
    shutil.rmtree(tmp_path / "toy")
    wait_for(lambda: store.names == ["more"] and states(store) == {1: State.END})
    with pytest.raises(RequestError, match=r"Latest\(toy\)"), store.use(TOY):
        pass


@pytest.mark.parametrize("how", ["folder", "configuration"])
def test_a_model_folder_that_vanishes_for_a_while_takes_no_model_away(add, opened, tmp_path, how):
    models, aside = tmp_path / "models", tmp_path / "aside"
    models.mkdir()
    add(1).parent.rename(models / "toy")
    shutil.copytree(models / "toy", models / "more")
    load = CountedLoads()
    store = opened(models if how == "folder" else config(models, "toy", "more"), load=load)
    for gone in (models, models / "toy"):
        gone.rename(aside)
        for _ in range(5):
            store.look()
        assert store.names == ["more", "toy"]
        assert answer(store) == (1, 2.0)
        aside.rename(gone)
    store.look()
    assert answer(store) == (1, 2.0) and load.versions == [1, 1]


@pytest.mark.parametrize("unload_missing", [False, True])
def test_a_configured_model_without_folder_leaves_where_that_is_asked_for(
    add, opened, tmp_path, unload_missing
):
    add(1)
    store = opened(config(tmp_path, "toy"), unload_missing=unload_missing)
    shutil.rmtree(tmp_path / "toy")
    for _ in range(3):
        store.look()
    if unload_missing:
        wait_for(lambda: states(store) == {1: State.END})
    else:
        assert answer(store) == (1, 2.0)


def test_a_model_whose_last_version_is_deleted_leaves(add, opened, tmp_path):
    newest = add(1)
    add(1, name="more")
    store = opened(tmp_path)
    shutil.rmtree(newest)
    wait_for(lambda: store.names == ["more"] and states(store) == {1: State.END})


def test_a_policy_that_changes_loads_and_unloads(add, opened, tmp_path):
    for version in (1, 2, 3):
        add(version)
    load = CountedLoads()
    store = opened(config(tmp_path, "toy"), load=load)
    assert store.available("toy") == [3]
    store.reload(config(tmp_path, "toy", all=True))
    assert store.available("toy") == [3, 2, 1]
    store.reload(config(tmp_path, "toy", specific=[1, 2]))
    assert store.available("toy") == [2, 1]
    wait_for(lambda: states(store)[3] == State.END)
    store.reload(config(tmp_path, "toy"))
    assert store.available("toy") == [3]
    assert load.versions == [3, 2, 1, 3]


def test_labels_are_checked_at_the_start_and_in_a_reload(add, opened, tmp_path):
    add(1)
    add(2)
    with pytest.raises(ServingError, match=r"label to version 2 .*at the start none is"):
        ModelStore(config(tmp_path, "toy", labels={"stable": 2}))
    store = opened(config(tmp_path, "toy", labels={"stable": 2}), allow_unavailable_labels=True)
    assert answer(store, label="stable")[0] == 2
    assert [status.version for status in store.statuses(spec(label="stable"))] == [2]
    strict = opened(config(tmp_path, "toy"))
    with pytest.raises(RequestError, match="version 1 of model toy, which is not") as error:
        strict.reload(config(tmp_path, "toy", specific=[1], labels={"stable": 1}))
    assert error.value.code == grpc.StatusCode.FAILED_PRECONDITION
    assert strict.available("toy") == [2]
    strict.reload(config(tmp_path, "toy", labels={"stable": 2}))
    assert answer(strict, label="stable")[0] == 2


def test_a_configuration_that_loads_nothing_is_a_clear_error(add, tmp_path):
    add(1)
    with pytest.raises(ServingError, match=r"`none` has no version|none` cannot be read"):
        ModelStore(config(tmp_path, "toy", "none"))
    with pytest.raises(ServingError, match=r"`toy` has no version that `specific { versions: 9"):
        ModelStore(config(tmp_path, "toy", specific=[9]))
    with pytest.raises(ServingError, match="multiple times"):
        ModelStore(config(tmp_path, "toy", "toy"))


def test_a_reload_tries_again_what_failed(add, opened, tmp_path):
    add(1)
    (tmp_path / "toy" / "2").mkdir()
    (tmp_path / "toy" / "2" / "saved_model.pb").write_bytes(b"\xff")
    load = CountedLoads()
    store = opened(config(tmp_path, "toy", all=True), load=load)
    assert load.versions == [2, 1]
    store.reload(config(tmp_path, "toy", all=True))
    assert load.versions == [2, 1, 2]


def test_a_version_that_is_used_is_closed_after_its_last_request(add, opened, tmp_path):
    add(1)
    add(2)
    load = CountedLoads()
    store = opened(config(tmp_path, "toy"), load=load)
    with store.use(TOY) as first, store.use(TOY):
        store.reload(config(tmp_path, "toy", specific=[1]))
        assert states(store) == {2: State.UNLOADING, 1: State.AVAILABLE}
        assert first.predict({"x": X})["y"][0, 0] == 2.0
        with pytest.raises(RequestError, match=r"Specific\(toy, 2\)"), store.use(spec(version=2)):
            pass
    del first
    wait_for(lambda: states(store)[2] == State.END)


def test_what_is_wanted_again_while_it_leaves_is_loaded_anew(add, opened, tmp_path):
    add(1)
    add(2)
    store = opened(config(tmp_path, "toy", specific=[1]))
    again = threading.Thread(
        target=store.reload, args=[config(tmp_path, "toy", specific=[1])], daemon=True
    )
    with store.use(TOY) as old:
        store.reload(config(tmp_path, "toy", specific=[2]))
        again.start()
        assert old.predict({"x": X})["y"][0, 0] == 2.0
        assert states(store)[1] == State.UNLOADING
    again.join(60)
    assert store.available("toy") == [1]
    with store.use(TOY) as new:
        assert new is not old and new.version == 1


def test_an_unloaded_version_leaves_no_memory(add, opened, tmp_path):
    add(1)
    add(2)
    load = CountedLoads()
    store = opened(config(tmp_path, "toy", specific=[1]), load=load)
    assert answer(store) == (1, 2.0)
    gc.disable()
    try:
        store.reload(config(tmp_path, "toy", specific=[2]))
        wait_for(lambda: states(store)[1] == State.END)
        wait_for(lambda: load.servables[0]() is None)
    finally:
        gc.enable()


def test_close_lets_running_requests_end(add, opened, tmp_path):
    add(1)
    store = opened(tmp_path)
    entered, leave = threading.Event(), threading.Event()

    def ask():
        with store.use(TOY) as servable:
            entered.set()
            assert leave.wait(60)
            return float(servable.predict({"x": X})["y"][0, 0])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = pool.submit(ask)
        assert entered.wait(60)
        closing = pool.submit(store.close)
        wait_for(lambda: states(store) == {1: State.UNLOADING})
        with pytest.raises(RequestError, match=r"Latest\(toy\)"), store.use(TOY):
            pass
        leave.set()
        assert running.result(60) == 2.0
        closing.result(60)
    assert states(store) == {1: State.END}
    with pytest.raises(RequestError, match="being stopped"):
        store.reload(config(tmp_path, "toy"))


@pytest.mark.parametrize("batching", [None, BatchingParameters()])
def test_close_cuts_off_requests_that_do_not_end(add, opened, tmp_path, batching):
    add(1)
    store = opened(tmp_path, load=functools.partial(Servable, batching=batching))
    entered = threading.Event()

    def ask():
        with store.use(TOY) as servable:
            entered.set()
            servable.predict({"steps": np.int32(2**30)}, "spin")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask)
        assert entered.wait(60)
        store.close(0.2)
        with pytest.raises(RequestError) as error:
            running.result(60)
    assert error.value.code == grpc.StatusCode.CANCELLED
    assert states(store) == {1: State.END}


def test_requests_and_reloads_from_many_threads(add, opened, tmp_path):
    for version in (1, 2, 3):
        add(version)
    store = opened(config(tmp_path, "toy", specific=[1]))
    stopped = threading.Event()

    def ask():
        count = 0
        while not stopped.is_set():
            assert answer(store)[1] == 2.0
            store.statuses(TOY)
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        changing = [
            pool.submit(store.reload, config(tmp_path, "toy", specific=[version]))
            for version in (2, 3, 1, 2, 1, 3)
        ]
        try:
            for change in changing:
                change.result(60)
        finally:
            stopped.set()
        assert all(call.result(60) for call in asking)
    assert len(store.available("toy")) == 1
    wait_for(lambda: State.UNLOADING not in states(store).values())


def test_nothing_is_written_to_the_model_folder(add, opened, tmp_path):
    add(1)
    add(2)
    before = fingerprint(tmp_path)
    store = opened(config(tmp_path, "toy", all=True))
    assert answer(store, version=1) == (1, 2.0)
    store.reload(config(tmp_path, "toy"))
    store.close()
    assert fingerprint(tmp_path) == before
