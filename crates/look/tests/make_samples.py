"""Saves one small model in each format that is told apart.

Writes into `data/`. Run by hand when a format is added:

    python -m venv .venv && .venv/bin/pip install scikit-learn==1.9.1 joblib==1.6.0 numpy==2.4.6 lightgbm==4.7.0 \
        xgboost==3.2.0 keras==3.15.1 h5py==3.14.0 tensorflow-cpu==2.21.0 mlflow-skinny==3.17.2 pandas==3.1.1 \
        cloudpickle==3.1.3 safetensors==0.8.0
    .venv/bin/python crates/look/tests/make_samples.py

torch's own files are those of `crates/format/tests/data`; `legacy.pt` is five pickles as `torch.save` wrote them before
version 1.6, made without torch.
"""

import gzip
import io
import os
import pathlib
import pickle
import shutil
import struct
import warnings
import zipfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")

import cloudpickle
import h5py
import joblib
import keras
import lightgbm
import mlflow.models
import mlflow.sklearn
import numpy as np
import pandas
import tensorflow as tf
import xgboost
from safetensors.numpy import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import OneHotEncoder

DATA = pathlib.Path(__file__).parent / "data"
random = np.random.default_rng(13)
keras.utils.set_random_seed(13)
X = random.standard_normal((40, 3)).round(3)
y = (X[:, 0] + X[:, 1] > 0).astype(int)


def place(name):
    path = DATA / name
    if path.is_dir():
        shutil.rmtree(path)
    return path


def pickles():
    forest = RandomForestClassifier(n_estimators=2, max_depth=2, random_state=13).fit(X, y)
    for protocol in (0, 2, 5):
        place(f"forest-{protocol}.p").write_bytes(pickle.dumps(forest, protocol))
    joblib.dump(forest, place("forest.joblib"))
    joblib.dump(forest, place("forest.joblib.z"), compress=("zlib", 3))
    joblib.dump(forest, place("forest.joblib.gz"), compress=("gzip", 3))
    joblib.dump(forest, place("forest.joblib.bz2"), compress=("bz2", 3))
    # arrays of objects are pickles within
    words = np.array([["red"], ["blue"], ["green"]], dtype=object)
    joblib.dump(OneHotEncoder().fit(words), place("encoder.joblib"))
    joblib.dump({"weights": np.arange(6.0), "words": np.array(["a", "bc"])}, place("arrays.joblib"))
    weights = {"weights": np.arange(6.0).reshape(2, 3), "bias": np.float64(0.5), "classes": {"bad", "good"}, "rounds": 10**30}
    for protocol in (0, 2, 5):
        place(f"weights-{protocol}.p").write_bytes(pickle.dumps(weights, protocol))
    place("function.p").write_bytes(cloudpickle.dumps(lambda rows: [len(row) for row in rows]))


class Harm:
    def __reduce__(self):
        return os.system, ("touch it-was-run",)


def harm():
    place("harm-0.p").write_bytes(pickle.dumps({"model": Harm()}, 0))
    place("harm-5.p").write_bytes(pickle.dumps({"model": Harm()}, 5))
    with zipfile.ZipFile(place("harm.pt"), "w") as archive:
        archive.writestr(zipfile.ZipInfo("model/data.pkl"), pickle.dumps(Harm(), 2), zipfile.ZIP_DEFLATED)


def torch():
    buffer = io.BytesIO()
    for thing in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"weight": [1, 2]}, ["0"]):
        pickle.dump(thing, buffer, protocol=2)
    place("legacy.pt").write_bytes(buffer.getvalue() + struct.pack("<q4f", 4, 1, 2, 3, 4))
    with zipfile.ZipFile(place("script.pt"), "w") as archive:
        archive.writestr(zipfile.ZipInfo("net/data.pkl"), pickle.dumps({"weight": 1}, 2))
        archive.writestr(zipfile.ZipInfo("net/constants.pkl"), pickle.dumps((), 2))
        archive.writestr(zipfile.ZipInfo("net/code/__torch__.py"), "class Net(Module):\n  pass\n")


def boosting():
    model = lightgbm.LGBMClassifier(n_estimators=2, num_leaves=3, min_child_samples=2, verbose=-1, n_jobs=1).fit(X, y)
    model.booster_.save_model(place("lightgbm.txt"))
    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(X, y)
    model.save_model(place("xgboost.json"))
    model.save_model(place("xgboost.ubj"))


def networks():
    save_file({"weight": np.arange(6, dtype="<f4").reshape(2, 3)}, place("weights.safetensors"))

    def network(*layers):
        return keras.Sequential([keras.layers.Input((3,)), *layers, keras.layers.Dense(1, activation="sigmoid")])

    dense = network(keras.layers.Dense(2, activation="relu"))
    code = network(keras.layers.Lambda(lambda rows: rows * 2.0))
    for name, model in (("dense", dense), ("lambda", code)):
        model.save(place(f"{name}.keras"))
        model.save(place(f"{name}.h5"))
    with h5py.File(place("plain.h5"), "w") as file:
        file["weight"] = np.arange(6.0)
    with h5py.File(place("latest.h5"), "w", libver="latest") as file:
        with h5py.File(DATA / "lambda.h5") as earlier:
            file.attrs["model_config"] = earlier.attrs["model_config"]


class Doubled(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": 2.0 * x}


class Writing(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="text")])
    def __call__(self, text):
        tf.io.write_file("it-was-run", text)
        return {"y": text}


def saved_models():
    tf.saved_model.save(Doubled(), place("doubled"))
    tf.saved_model.save(Writing(), place("writing"))


def mlflow_models():
    frame = pandas.DataFrame(X, columns=["age", "amount", "months"]).astype({"months": "int64"})
    forest = RandomForestClassifier(n_estimators=2, max_depth=2, random_state=13).fit(frame, y)
    signature = mlflow.models.infer_signature(frame, forest.predict(frame))
    mlflow.sklearn.save_model(forest, place("mlflow-forest"), signature=signature, serialization_format="cloudpickle")
    forest = RandomForestClassifier(n_estimators=2, max_depth=2, random_state=13).fit(X, y)
    signature = mlflow.models.infer_signature(X, forest.predict_proba(X))
    mlflow.sklearn.save_model(forest, place("mlflow-tensor"), signature=signature, serialization_format="pickle")


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    pickles()
    harm()
    torch()
    boosting()
    networks()
    saved_models()
    mlflow_models()
