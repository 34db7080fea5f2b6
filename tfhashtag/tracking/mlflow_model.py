"""An exported model in the form that MLflow loads, serves and registers."""

import importlib.metadata
import json
import pathlib
import shutil
from typing import Any

import numpy as np

from tfhashtag.export.signatures import DEFAULT_SIGNATURE, TensorSignature

_TYPES = {"string": "str", "int32": "int32", "float32": "float32", "bool": "bool"}
_LOADER = "tfhashtag_served"
_PICTURES = "images"


def write_mlflow_model(run: Any, folder: pathlib.Path) -> pathlib.Path:
    """Exports a complete run and lays `MLmodel` and its loader beside the SavedModel.

    It needs TensorFlow and TF Text where it is loaded, and neither Keras nor this package.

    Args:
        run: a complete `Run`.
        folder: an empty one.

    Returns:
        The folder of the model: `MLmodel`, `saved_model/`, `code/`, `requirements.txt`.
    """
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import add_to_model
    from mlflow.types import Schema

    version = run.export(folder / "export" / run.settings.model, check=False)
    model = folder / "model"
    model.mkdir()
    version.rename(model / "saved_model")
    (model / "code").mkdir()
    shutil.copyfile(
        pathlib.Path(__file__).with_name("mlflow_loader.py"), model / "code" / f"{_LOADER}.py"
    )
    default = next(
        one for one in run.recommender.servable().signatures if one.name == DEFAULT_SIGNATURE
    )
    packed = [one.name for one in default.inputs if one.name == _PICTURES]
    (model / "inputs.json").write_text(json.dumps({"base64": packed}), encoding="utf-8")
    card = Model(
        signature=ModelSignature(
            inputs=Schema([_spec(one) for one in default.inputs]),
            outputs=Schema([_spec(one) for one in default.outputs]),
        ),
        metadata={"model": run.settings.model, "data_digest": run.info["data_digest"]},
    )
    card.add_flavor(
        "tensorflow",
        saved_model_dir="saved_model",
        model_type="tf1-estimator",  # MLflow's word for a SavedModel by signatures
        meta_graph_tags=["serve"],
        signature_def_key=DEFAULT_SIGNATURE,
    )
    add_to_model(card, _LOADER, data=".", code="code", python_env="python_env.yaml")
    card.save(str(model / "MLmodel"))
    _write_environment(model)
    return model


def _spec(tensor: TensorSignature) -> Any:
    from mlflow.types import TensorSpec

    kind = np.dtype(_TYPES[tensor.dtype])
    return TensorSpec(kind, tuple(-1 for _ in tensor.shape), tensor.name)


def _write_environment(model: pathlib.Path) -> None:
    from mlflow.utils.environment import _PythonEnv

    names = ("mlflow-skinny", "pandas", "tensorflow", "tensorflow-text")
    lines = [f"{name}=={importlib.metadata.version(name)}\n" for name in names]
    (model / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    _PythonEnv.current().to_yaml(str(model / "python_env.yaml"))
