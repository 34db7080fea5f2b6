import pytest

from tfhashtag.errors import ServingError
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_config import (
    ModelServerConfig,
    check_model_config,
    config_of_folder,
    read_model_config,
)

GOOD = """\
# models of this machine { config
model_config_list {
  config {
    name: "users" base_path: "/models/users" model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 3 } }
    version_labels { key: "stable" value: 1 }
  }
  config {
    name: "posts" base_path: "/models/posts {config" model_type: TENSORFLOW
  }
}
"""


def written(folder, text):
    path = folder / "models.config"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path):
    users, posts = read_model_config(written(tmp_path, GOOD)).model_config_list.config
    assert (users.name, users.base_path) == ("users", "/models/users")
    assert list(users.model_version_policy.specific.versions) == [1, 3]
    assert dict(users.version_labels) == {"stable": 1}
    assert posts.name == "posts"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('name: "posts"', 'name: "users"', 8, "Illegal to list model users multiple times"),
        ('name: "posts"', "", 8, "Expected a model to have a name"),
        ('"/models/posts {config"', '"models/posts"', 8, "absolute path.*base_path..=models/posts"),
        ('"/models/posts {config"', '"gs://m/posts"', 8, "local folders only.*gs://m/posts"),
        ("model_type: TENSORFLOW", "", 8, "neither ModelServerConfig::model_type"),
        ("model_type: TENSORFLOW", "model_type: OTHER", 8, "choice 2 not supported"),
        ('"tensorflow"', '"tensorflow" model_type: TENSORFLOW', 3, "setting both"),
        ('"tensorflow"', '"xgboost"', 3, "users requests unsupported platform xgboost"),
        ("versions: 1 versions", "versions: 1 version", 5, "not a ModelServerConfig"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, old, new, line, words):
    assert GOOD.count(old) == 1
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ServingError, match=rf"`{path}:{line}`?.*{words}") as error:
        read_model_config(path)
    assert len(str(error.value).splitlines()) == 1


def test_files_without_a_list(tmp_path):
    with pytest.raises(ServingError, match=r"models\.config` lists no models"):
        read_model_config(written(tmp_path, ""))
    with pytest.raises(ServingError, match="cannot be read"):
        read_model_config(tmp_path / "none")


def test_a_configuration_without_a_list_is_refused():
    with pytest.raises(RequestError, match="Only ModelConfigList"):
        check_model_config(ModelServerConfig())
    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    check_model_config(config)


def test_a_folder_as_configuration(tmp_path):
    for name in ("b/1", "a/2", ".hidden/1", "serving-config"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
    config = config_of_folder(tmp_path, {"a": [2]})
    check_model_config(config)
    a, b = config.model_config_list.config
    assert (a.name, a.base_path) == ("a", str(tmp_path / "a"))
    assert list(a.model_version_policy.specific.versions) == [2]
    assert b.name == "b"
    assert not b.HasField("model_version_policy")
