import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfhashtag.errors import ArtifactError
from tfhashtag.export.serving_config import check_serving_config, write_serving_config
from tfhashtag.serving.batching.parameters import read_batching_parameters
from tfhashtag.serving.config.monitoring import Monitoring


def models(folder):
    text = (folder / "models.config").read_text(encoding="utf-8")
    return text, text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def test_models_are_added_and_edits_stay(tmp_path):
    folder = write_serving_config(tmp_path / "users")
    text, config = models(folder)
    assert [c.base_path for c in config.model_config_list.config] == [str(tmp_path / "users")]
    edited = text.replace(
        'model_platform: "tensorflow"',
        'model_platform: "tensorflow"\n    # keep } two\n'
        "    model_version_policy { latest { num_versions: 2 } }",
    )
    edited += "# the end }\n"
    (folder / "models.config").write_text(edited, encoding="utf-8")
    (folder / "batching.config").write_text("# mine\n", encoding="utf-8")
    write_serving_config(tmp_path / "users")
    assert models(folder)[0] == edited
    write_serving_config(tmp_path / 'od"d é')
    text, config = models(folder)
    first, second = config.model_config_list.config
    assert first.model_version_policy.latest.num_versions == 2
    assert (second.name, second.base_path) == ('od"d é', str(tmp_path / 'od"d é'))
    assert "# keep } two" in text and text.endswith("# the end }\n")
    assert (folder / "batching.config").read_text(encoding="utf-8") == "# mine\n"


def test_damaged_lists_are_refused_and_stay(tmp_path):
    folder = write_serving_config(tmp_path / "users")
    for damaged in ("model_config_list {", "custom_model_config {}"):
        (folder / "models.config").write_text(damaged, encoding="utf-8")
        with pytest.raises(ArtifactError, match=r"models\.config"):
            check_serving_config(tmp_path / "posts")
        with pytest.raises(ArtifactError, match=r"models\.config"):
            write_serving_config(tmp_path / "posts")
        assert (folder / "models.config").read_text(encoding="utf-8") == damaged


def test_the_server_reads_the_other_files(tmp_path):
    folder = write_serving_config(tmp_path / "users")
    parameters = read_batching_parameters(folder / "batching.config")
    assert parameters.allowed_batch_sizes[-1] == parameters.max_batch_size == 32
    assert not parameters.pad_variable_length_inputs
    assert Monitoring.from_file(folder / "monitoring.config").path is not None
