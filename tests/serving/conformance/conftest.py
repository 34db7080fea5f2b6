"""The models of the conformance cases and the servers that answer them.

The cases run against the embedded server, started in this process:

    pytest tests/serving/conformance --serving-models DIR

and, with the same models, against a TensorFlow Serving that is already running:

    tensorflow_model_server --port=8500 --rest_api_port=8501 --model_config_file=DIR/models.config \
        --allow_version_labels_for_unavailable_models
    tensorflow_model_server --port=8510 --model_config_file=DIR/models.config \
        --allow_version_labels_for_unavailable_models \
        --enable_batching --batching_parameters_file=DIR/batching.txt
    pytest tests/serving/conformance --serving-models DIR --serving-address HOST:8500 \
        --serving-rest-address HOST:8501 --serving-batching-address HOST:8510

The first command writes DIR (without `--serving-models`, a temporary folder); a server inside a
container wants it under the same path. A case whose server was not given is skipped. The cases of
versions and of warm-up change the configuration of the server (without the label of models.config,
which needs the flag above) and put it back.
"""

import pathlib
import shutil
import time

import grpc
import pytest
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from tests.serving import asking

ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
CONFIG = """\
model_config_list {{
  config {{
    name: "toy"
    base_path: "{base}/toy"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
  }}
}}
"""
BATCHING = """\
max_batch_size { value: 16 }
batch_timeout_micros { value: 20000 }
max_enqueued_batches { value: 5 }
num_batch_threads { value: 1 }
allowed_batch_sizes: 4
allowed_batch_sizes: 16
"""


def pytest_addoption(parser):
    group = parser.getgroup("serving")
    group.addoption("--serving-models", help="folder of the models; written where there is none")
    group.addoption("--serving-address", help="HOST:PORT of a server with DIR/models.config")
    group.addoption("--serving-rest-address", help="HOST:PORT of its REST API")
    group.addoption("--serving-batching-address", help="HOST:PORT of one with DIR/batching.txt")


def write_version(folder: pathlib.Path, version: int) -> None:
    """A model whose answers tell the version, and which run of the graph they come from."""
    import tensorflow as tf

    class Toy(tf.Module):
        def __init__(self):
            super().__init__()
            self.offset = tf.Variable(float(version))

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def add(self, x):
            rows = tf.shape(x)[0]
            run = tf.random.uniform([], maxval=tf.int64.max, dtype=tf.int64)
            return {
                "y": x + self.offset,
                "rows": tf.fill([rows], rows),
                "run": tf.fill([rows], run),
            }

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def negate(self, x):
            return {"y": -x}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def product(self, x):
            return {"y": x @ tf.ones([2, 3])}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, "text"),
                tf.TensorSpec([None], tf.string, "user"),
            ]
        )
        def words(self, text, user):
            return {"text": tf.identity(text), "user": tf.identity(user)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image")])
        def picture(self, image):
            return {"image_bytes": tf.identity(image)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def slow(self, x):
            value = tf.fill([300, 300], tf.reduce_sum(x))
            for _ in tf.range(200):
                value = value @ tf.ones([300, 300]) / 300.0
            return {"y": x + 0.0 * value[0, 0]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def fail(self, text):
            with tf.control_dependencies([tf.debugging.Assert(text[0] == "", [text], 5000)]):
                return {"text": tf.identity(text)}

    toy = Toy()
    names = ("negate", "product", "words", "picture", "slow", "fail")
    tf.saved_model.save(
        toy,
        str(folder),
        signatures={"serving_default": toy.add, **{name: getattr(toy, name) for name in names}},
    )


@pytest.fixture(scope="session")
def conformance_models(request, tmp_path_factory):
    """DIR with `toy/1`, `toy/2`, models.config and batching.txt."""
    given = request.config.getoption("--serving-models", None)
    folder = pathlib.Path(given).absolute() if given else tmp_path_factory.mktemp("conformance")
    if not (folder / "models.config").is_file():
        for version in (1, 2):
            write_version(folder / "toy" / str(version), version)
        (folder / "batching.txt").write_text(BATCHING)
        (folder / "models.config").write_text(CONFIG.format(base=folder))
    return folder


def embedded(folder, poll_seconds=1.0, transport=None, **options):
    from tfhashtag.serving.config.watching import Watching
    from tfhashtag.serving.server import ModelServer
    from tfhashtag.serving.versions.model_config import read_model_config

    config = read_model_config(folder / "models.config")
    watching = Watching(poll_seconds=poll_seconds, allow_unavailable_labels=True)
    return ModelServer(config, port=0, watching=watching, transport=transport, **options)


@pytest.fixture(scope="session")
def addresses(request, conformance_models):
    """Of gRPC and of REST."""
    address = request.config.getoption("--serving-address", None)
    rest = request.config.getoption("--serving-rest-address", None)
    if address:
        yield address, f"http://{rest}" if rest else None
        return
    from tfhashtag.serving.config.transport import Transport

    with embedded(conformance_models, rest_port=0, transport=Transport(message_mib=16)) as server:
        yield server.address, server.rest_address


@pytest.fixture
def label():
    """The label of version 1 in models.config."""
    return "stable"


@pytest.fixture(scope="session")
def batching_address(request, conformance_models):
    """Of a server that gathers requests to batches."""
    address = request.config.getoption("--serving-batching-address", None)
    if address:
        yield address
        return
    if request.config.getoption("--serving-address", None):
        pytest.skip("no --serving-batching-address")
    from tfhashtag.serving.batching.parameters import read_batching_parameters

    parameters = read_batching_parameters(conformance_models / "batching.txt")
    from tfhashtag.serving.config.transport import Transport

    with embedded(
        conformance_models, batching=parameters, transport=Transport(workers=96)
    ) as server:
        yield server.address


@pytest.fixture(scope="session")
def channel(addresses):
    with grpc.insecure_channel(addresses[0], options=ANY_SIZE) as channel:
        yield channel


class WithoutDeadline:
    """A stub whose calls carry none, whatever the caller gives."""

    def __init__(self, stub):
        self._stub = stub

    def __getattr__(self, name):
        method = getattr(self._stub, name)

        def call(request, timeout):
            return method(request)

        call.future = lambda request, timeout: method.future(request)
        return call


@pytest.fixture(scope="session", params=["deadline", "no deadline"])
def stub(channel, request):
    made = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return made if request.param == "deadline" else WithoutDeadline(made)


@pytest.fixture(scope="session", params=["deadline", "no deadline"])
def batching_stub(batching_address, request):
    with grpc.insecure_channel(batching_address, options=ANY_SIZE) as channel:
        made = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield made if request.param == "deadline" else WithoutDeadline(made)


@pytest.fixture(scope="session")
def rest(addresses):
    if addresses[1] is None:
        pytest.skip("no --serving-rest-address")
    return addresses[1]


@pytest.fixture(scope="session")
def predict():
    """Makes a request: `predict(x=array, signature=.., version=.., label=.., outputs=[..])`."""
    return asking.predict


@pytest.fixture(scope="session")
def refused():
    """Code and words of a call that fails."""
    return asking.refused


class ChangingServer:
    """A server whose configuration and folders the test changes, through its API alone.

    Args:
        address: of gRPC.
        folder: where the test makes its models; the server sees it under the same path.
        originals: folder with versions 1 and 2 to copy.
    """

    def __init__(self, address, folder, originals):
        self.folder = folder
        self._originals = originals
        self.channel = grpc.insecure_channel(address, options=ANY_SIZE)
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def add(self, name, version, original=1, extra=None):
        """Puts a version in place at once; `extra(folder)` writes into it before."""
        aside = self.folder / name / f".{version}.aside"
        shutil.copytree(self._originals / str(original), aside)
        if extra is not None:
            extra(aside)
        return aside.rename(self.folder / name / str(version))

    def config(self, *names, labels=None, **policy):
        """The request that serves these models, e.g. `latest={"num_versions": 2}`."""
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.SetInParent()
        for name in names:
            model = request.config.model_config_list.config.add(
                name=name,
                base_path=str(self.folder / name),
                model_platform="tensorflow",
                version_labels=labels,
            )
            for kind, fields in policy.items():
                chosen = getattr(model.model_version_policy, kind)
                chosen.SetInParent()
                for key, value in fields.items():
                    if isinstance(value, list):
                        getattr(chosen, key).extend(value)
                    else:
                        setattr(chosen, key, value)
        return request

    def reload(self, *names, **options):
        """Serves these models and no other."""
        request = self.config(*names, **options)
        return self.models.HandleReloadConfigRequest(request, timeout=60)

    def status(self, name, version=None):
        """What GetModelStatus says."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        return self.models.GetModelStatus(request, timeout=60).model_version_status

    def states(self, name):
        """Version to the name of its state."""
        kind = get_model_status_pb2.ModelVersionStatus.State
        return {entry.version: kind.Name(entry.state) for entry in self.status(name)}

    def wait(self, name, **expected):
        """Waits until the versions are in these states: `v2="END"`."""
        wanted = {int(version[1:]): state for version, state in expected.items()}
        until = time.monotonic() + 60
        while not wanted.items() <= (found := self.states(name)).items():
            assert time.monotonic() < until, f"{name}: {found}, expected {wanted}"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def changing_address(request, conformance_models):
    address = request.config.getoption("--serving-address", None)
    if address:
        yield address
        return
    with embedded(conformance_models, poll_seconds=0.05) as server:
        yield server.address


@pytest.fixture
def name():
    """Of a model that the server never heard of: it remembers the versions of every model."""
    return f"m{time.time_ns()}"


@pytest.fixture
def changing(name, changing_address, conformance_models):
    """A `ChangingServer`; afterwards it serves `toy` again."""
    folder = conformance_models / "cases" / name
    server = ChangingServer(changing_address, folder, conformance_models / "toy")
    yield server
    server.folder = conformance_models
    server.reload("toy", specific={"versions": [1, 2]})
    server.channel.close()
    shutil.rmtree(folder)
