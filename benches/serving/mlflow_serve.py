"""Serves the credit-scoring model with MLflow, as the server to measure against.

Trains the example's pipeline, saves it with MLflow and becomes `mlflow models serve`,
so that the process id of this script is the root of the server's process tree.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import mlflow.onnx
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "credit-scoring"
sys.path.insert(0, str(EXAMPLE))
import train  # noqa: E402
import train_limit  # noqa: E402


def main() -> None:
    args, training_flags = parse_args()
    folder = Path(tempfile.gettempdir()) / f"mlflow-serve-{args.port}"
    shutil.rmtree(folder, ignore_errors=True)
    if args.limit:
        save_limit(folder, training_flags)
    else:
        save_model(folder, args.flavor, training_flags)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/unused.db"
    serve(folder, args)


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Every other flag goes to the example's train.py, --model for instance.",
    )
    parser.add_argument("--limit", action="store_true", help="serve the limit model instead of the scoring model")
    parser.add_argument("--flavor", choices=["sklearn", "onnx"], default="sklearn")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_known_args()


def save_model(folder: Path, flavor: str, training_flags: list[str]) -> None:
    sys.argv = ["train.py", "--train", str(EXAMPLE / "data" / "train.csv"), *training_flags]
    args = train.parse_args()
    if not args.train.exists():
        raise SystemExit(f"`{args.train}` is missing: run split.py in {EXAMPLE}")
    table = pd.read_csv(args.train)
    inputs = table.drop(
        columns=[train.TARGET, *(train.PROTECTED if args.without_protected else [])]
    )
    pipeline = train.build_pipeline(inputs, train.build_classifier(args))
    pipeline.fit(inputs, table[train.TARGET])

    if flavor == "sklearn":
        mlflow.sklearn.save_model(
            pipeline,
            folder,
            signature=column_signature(inputs),
            serialization_format="cloudpickle",
            # Probabilities, as the other server answers; the default would be labels only.
            pyfunc_predict_fn="predict_proba",
        )
    else:
        mlflow.onnx.save_model(
            train.export(pipeline, inputs), folder, signature=tensor_signature(inputs)
        )


def save_limit(folder: Path, training_flags: list[str]) -> None:
    sys.argv = ["train_limit.py", *training_flags]
    args = train_limit.parse_args()
    table = pd.read_csv(args.train)
    inputs = table.drop(columns=[train_limit.TARGET, train_limit.OUTCOME])
    pipeline = train_limit.build_pipeline(inputs, train_limit.build_regressor(args))
    pipeline.fit(inputs, table[train_limit.TARGET].astype(float))
    kinds = {name: "long" if kind.kind == "i" else "double" for name, kind in inputs.dtypes.items() if kind.kind in "if"}
    columns = [ColSpec(kinds.get(name, "string"), name) for name in inputs]
    signature = ModelSignature(inputs=Schema(columns))
    mlflow.sklearn.save_model(pipeline, folder, signature=signature, serialization_format="cloudpickle")


def column_signature(inputs: pd.DataFrame) -> ModelSignature:
    numbers = train.numeric_columns(inputs)
    return ModelSignature(
        inputs=Schema(
            [ColSpec("long" if column in numbers else "string", column) for column in inputs]
        )
    )


def tensor_signature(inputs: pd.DataFrame) -> ModelSignature:
    """Returns the signature of one tensor per column.

    MLflow hands the columns of a data frame to ONNX without their second dimension
    and the texts in a type that ONNX Runtime refuses, so data frames do not work here.
    """
    numbers = train.numeric_columns(inputs)
    return ModelSignature(
        inputs=Schema(
            [
                TensorSpec(np.dtype(np.float32 if column in numbers else str), (-1, 1), column)
                for column in inputs
            ]
        )
    )


def serve(folder: Path, args: argparse.Namespace) -> None:
    """Replaces this process by MLflow's own server."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", str(folder), "--host", args.host, "--port", str(args.port)]
    command += ["--workers", str(args.workers)]
    # MLflow starts `uvicorn` by its name.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
