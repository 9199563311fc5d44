"""Trains the limit model, which says how much credit is usual for an applicant, and exports it as ONNX.

A regression of `credit_amount` on everything else of the application and on the `score` of
the scoring model. Its one output is `limit`. The metrics are those of a cross-validation.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TARGET = "credit_amount"
OUTCOME = "creditability"

# Fixed, so that the same training gives the same file with any newer converter.
OPSETS = {"": 18, "ai.onnx.ml": 3}
# ONNX computes in single precision, scikit-learn in double; relative to the amount.
EXPORT_DIFFERENCE_MAX = 1e-4


def main() -> None:
    args = parse_args()
    table = pd.read_csv(args.train)
    # Nobody knows the outcome when the limit is set.
    inputs, target = table.drop(columns=[TARGET, OUTCOME]), table[TARGET].astype(float)

    pipeline = build_pipeline(inputs, build_regressor(args))
    folds = KFold(args.folds, shuffle=True, random_state=args.seed)
    predicted = cross_val_predict(pipeline, inputs, target, cv=folds)
    metrics = {
        "cv_rmse": float(root_mean_squared_error(target, predicted)),
        "cv_mae": float(mean_absolute_error(target, predicted)),
        "cv_r2": float(r2_score(target, predicted)),
        "train_rows": len(target),
    }
    pipeline.fit(inputs, target)
    model = export(pipeline, inputs).SerializeToString(deterministic=True)
    metrics["export_max_difference"] = check_export(model, pipeline, inputs)

    args.model_out.write_bytes(model)
    args.metrics_out.write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{args.model}: mae {metrics['cv_mae']:.0f} in {args.folds}-fold cross-validation")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["ridge", "boosting"], default="boosting")
    parser.add_argument("--train", type=Path, default=Path("data/limit-train.csv"))
    parser.add_argument("--model-out", type=Path, default=Path("limit.onnx"))
    parser.add_argument("--metrics-out", type=Path, default=Path("metrics.json"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--trees", type=int, default=150, help="boosting only")
    parser.add_argument("--learning-rate", type=float, default=0.05, help="boosting only")
    parser.add_argument("--regularization", type=float, default=1.0, help="ridge only")
    return parser.parse_args()


def build_regressor(args: argparse.Namespace) -> RegressorMixin:
    if args.model == "ridge":
        return Ridge(alpha=args.regularization)
    return GradientBoostingRegressor(
        n_estimators=args.trees,
        learning_rate=args.learning_rate,
        max_depth=3,
        subsample=0.8,
        random_state=args.seed,
    )


def build_pipeline(inputs: pd.DataFrame, regressor: RegressorMixin) -> Pipeline:
    numbers = numeric_columns(inputs)
    texts = [column for column in inputs if column not in numbers]
    # Trees must not have scaled numbers: see `build_pipeline` of train.py.
    prepare_numbers = StandardScaler() if isinstance(regressor, Ridge) else "passthrough"
    prepare = ColumnTransformer(
        [
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            ("numbers", prepare_numbers, numbers),
        ]
    )
    return Pipeline([("prepare", prepare), ("estimate", regressor)])


def numeric_columns(inputs: pd.DataFrame) -> list[str]:
    return [column for column in inputs if pd.api.types.is_numeric_dtype(inputs[column])]


def export(pipeline: Pipeline, inputs: pd.DataFrame) -> ModelProto:
    numbers = numeric_columns(inputs)
    types = [
        (column, (FloatTensorType if column in numbers else StringTensorType)([None, 1]))
        for column in inputs
    ]
    model = convert_sklearn(
        pipeline,
        name="credit-limit",
        initial_types=types,
        final_types=[("limit", FloatTensorType([None, 1]))],
        target_opset=OPSETS,
    )
    model.opset_import.sort(key=lambda opset: opset.domain)
    return model


def check_export(model: bytes, pipeline: Pipeline, inputs: pd.DataFrame) -> float:
    """Returns how far the export is from the pipeline; ends the program when that is too far.

    The median over the rows: a score that sits on the threshold of a tree may change
    branches in single precision.
    """
    numbers = numeric_columns(inputs)
    feed = {
        column: inputs[[column]].to_numpy(np.float32 if column in numbers else object)
        for column in inputs
    }
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (limit,) = session.run(["limit"], feed)
    expected = pipeline.predict(inputs)
    difference = float(np.median(np.abs(limit[:, 0] - expected) / np.abs(expected)))
    if difference > EXPORT_DIFFERENCE_MAX:
        raise SystemExit(f"the exported model differs by {difference:.2g} from the trained one")
    return difference


if __name__ == "__main__":
    main()
