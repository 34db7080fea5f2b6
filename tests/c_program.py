"""Runs a SavedModel from C, through the libraries that a model server is made of."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.export.bare_process import text_libraries

_LIBRARY = "libtensorflow_cc.so.2"

# Reads from standard input, one item a line:
#   load PATH | model PATH | out OP INDEX | in OP INDEX TYPE RANK DIMS..., then one value a line
# Strings are written in hexadecimal behind an `x`. Answers one `TYPE RANK DIMS...` line an output
# and then one value a line.
SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static TF_Status* status;

static void check(const char* what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: code %d: %s\n", what, TF_GetCode(status), TF_Message(status));
  exit(3);
}

static char* line(void) {
  static char* text = NULL;
  static size_t size = 0;
  ssize_t n = getline(&text, &size, stdin);
  if (n < 0) return NULL;
  if (n > 0 && text[n - 1] == '\n') text[n - 1] = 0;
  return text;
}

static TF_Output find(TF_Graph* graph, const char* name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (!output.oper) {
    fprintf(stderr, "no operation %s\n", name);
    exit(2);
  }
  return output;
}

static TF_Tensor* read_tensor(int type, int rank, const char* rest) {
  int64_t dims[16], count = 1;
  for (int i = 0; i < rank; ++i) {
    char* end;
    dims[i] = strtoll(rest, &end, 10);
    rest = end;
    count *= dims[i];
  }
  size_t width = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
  TF_Tensor* tensor = TF_AllocateTensor(type, dims, rank, count * width);
  for (int64_t i = 0; i < count; ++i) {
    char* text = line();
    void* data = (char*)TF_TensorData(tensor) + i * width;
    if (type == TF_STRING) {
      size_t size = strlen(text + 1) / 2;
      char* bytes = malloc(size + 1);
      for (size_t j = 0; j < size; ++j) {
        unsigned value;
        sscanf(text + 1 + 2 * j, "%2x", &value);
        bytes[j] = (char)value;
      }
      TF_StringInit(data);
      TF_StringCopy(data, bytes, size);
      free(bytes);
    } else if (type == TF_FLOAT) {
      *(float*)data = strtof(text, NULL);
    } else if (type == TF_INT32) {
      *(int32_t*)data = (int32_t)strtol(text, NULL, 10);
    } else if (type == TF_INT64) {
      *(int64_t*)data = strtoll(text, NULL, 10);
    } else if (type == TF_BOOL) {
      *(unsigned char*)data = text[0] == '1';
    } else {
      fprintf(stderr, "type %d is not for this program\n", type);
      exit(2);
    }
  }
  return tensor;
}

static void print_tensor(TF_Tensor* tensor) {
  int type = TF_TensorType(tensor);
  int64_t count = TF_TensorElementCount(tensor);
  printf("%d %d", type, TF_NumDims(tensor));
  for (int i = 0; i < TF_NumDims(tensor); ++i) printf(" %lld", (long long)TF_Dim(tensor, i));
  printf("\n");
  void* data = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; ++i) {
    if (type == TF_STRING) {
      TF_TString* string = (TF_TString*)data + i;
      const char* bytes = TF_StringGetDataPointer(string);
      printf("x");
      for (size_t j = 0; j < TF_StringGetSize(string); ++j) printf("%02x", (unsigned char)bytes[j]);
      printf("\n");
    } else if (type == TF_FLOAT) {
      printf("%.9g\n", ((float*)data)[i]);
    } else if (type == TF_INT32) {
      printf("%d\n", ((int32_t*)data)[i]);
    } else if (type == TF_INT64) {
      printf("%lld\n", (long long)((int64_t*)data)[i]);
    } else if (type == TF_BOOL) {
      printf("%d\n", ((unsigned char*)data)[i]);
    } else {
      fprintf(stderr, "type %d is not for this program\n", type);
      exit(2);
    }
  }
}

int main(void) {
  static TF_Output inputs[64], outputs[64];
  static TF_Tensor *fed[64], *fetched[64];
  int n_in = 0, n_out = 0;
  status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_Session* session = NULL;
  char *text, name[4096];
  while ((text = line())) {
    int index, type, rank, used;
    if (!strncmp(text, "load ", 5)) {
      TF_LoadLibrary(text + 5, status);
      check("load library");
    } else if (!strncmp(text, "model ", 6)) {
      const char* tags[] = {"serve"};
      TF_SessionOptions* options = TF_NewSessionOptions();
      session = TF_LoadSessionFromSavedModel(options, NULL, text + 6, tags, 1, graph, NULL, status);
      check("load model");
    } else if (sscanf(text, "in %4095s %d %d %d%n", name, &index, &type, &rank, &used) == 4) {
      inputs[n_in] = find(graph, name, index);
      fed[n_in] = read_tensor(type, rank, text + used);
      ++n_in;
    } else if (sscanf(text, "out %4095s %d", name, &index) == 2) {
      outputs[n_out++] = find(graph, name, index);
    } else {
      fprintf(stderr, "cannot read %s\n", text);
      return 2;
    }
  }
  TF_SessionRun(session, NULL, inputs, fed, n_in, outputs, fetched, n_out, NULL, 0, NULL, status);
  check("run");
  for (int i = 0; i < n_out; ++i) print_tensor(fetched[i]);
  return 0;
}
"""


class CProgramError(Exception):
    """The C program ended with an error; its message holds the code and words of TensorFlow."""


def can_compile() -> bool:
    """Whether there is a C compiler, `gcc`."""
    return shutil.which("gcc") is not None


@functools.cache
def compiled_program() -> pathlib.Path:
    """Compiles the program against the installed TensorFlow, once a process.

    Raises:
        CProgramError: there is no compiler, or it refuses.
    """
    import tensorflow as tf

    if not can_compile():
        raise CProgramError("no `gcc` found; install it to run SavedModels from C.")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tfhashtag-c-"))
    source, program, library = folder / "run.c", folder / "run", folder / _LIBRARY
    source.write_text(SOURCE, encoding="utf-8")
    # To read a gigabyte of TensorFlow takes a linker ten seconds: it gets the names alone, and the
    # program finds the library itself when it starts.
    names = sorted(set(re.findall(r"\bTF_\w+(?=\()", SOURCE)))
    (folder / "names.c").write_text("".join(f"void {name}(void) {{}}\n" for name in names))
    run_path, include = f"-Wl,-rpath,{tf.sysconfig.get_lib()}", f"-I{tf.sysconfig.get_include()}"
    for command in (
        (folder / "names.c", "-shared", "-fPIC", f"-Wl,-soname,{_LIBRARY}", "-o", library),
        (source, library, include, run_path, "-o", program),
    ):
        gcc = ["gcc", *map(str, command)]
        done = subprocess.run(gcc, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CProgramError(f"gcc: {done.stderr}")
    return program


def run_in_c(
    folder: str | os.PathLike,
    inputs: Mapping[str, np.ndarray],
    signature: str = "serving_default",
    timeout: float = 120.0,
) -> dict[str, np.ndarray]:
    """Loads a SavedModel in a C program with the TF Text libraries and runs a signature.

    What works here works in a model server; Python takes no part in it.

    Args:
        folder: a version folder.
        inputs: every input of the signature, with the declared type: string (object array),
            float32, int32, int64 or bool.
        signature: which callable.
        timeout: seconds for the whole program.

    Returns:
        Output name to array.

    Raises:
        CProgramError: the model does not load or run; the message is that of the C library.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString(
        (pathlib.Path(folder) / "saved_model.pb").read_bytes()
    )
    definition = model.meta_graphs[0].signature_def[signature]
    lines = [f"load {path}" for path in text_libraries()]
    lines.append(f"model {pathlib.Path(folder).absolute()}")
    for name, value in inputs.items():
        info = definition.inputs[name]
        array = np.asarray(value, tf.as_dtype(info.dtype).as_numpy_dtype)
        operation, index = info.name.rsplit(":", 1)
        shape = " ".join(str(size) for size in array.shape)
        lines.append(f"in {operation} {index} {info.dtype} {array.ndim} {shape}")
        lines += [_written(item) for item in array.reshape(-1).tolist()]
    names = sorted(definition.outputs)
    for name in names:
        operation, index = definition.outputs[name].name.rsplit(":", 1)
        lines.append(f"out {operation} {index}")
    done = subprocess.run(
        [str(compiled_program())],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    if done.returncode:
        raise CProgramError(done.stderr.strip()[-2000:])
    answer = iter(done.stdout.splitlines())
    outputs = {}
    for name in names:
        kind, _, *sizes = (int(part) for part in next(answer).split())
        dtype = tf.as_dtype(kind)
        items = [_read(next(answer), dtype) for _ in range(int(np.prod(sizes)))]
        array = np.empty(len(items), dtype.as_numpy_dtype)
        array[:] = items
        outputs[name] = array.reshape(sizes)
    return outputs


def _written(item: Any) -> str:
    if isinstance(item, bool):
        return str(int(item))
    if isinstance(item, bytes | str):
        return "x" + (item if isinstance(item, bytes) else item.encode()).hex()
    return repr(item)


def _read(text: str, dtype: Any) -> Any:
    if dtype.name == "string":
        return bytes.fromhex(text[1:])
    if dtype.name == "bool":
        return text == "1"
    return float(text) if dtype.is_floating else int(text)
