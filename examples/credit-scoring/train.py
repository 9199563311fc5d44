"""Trains one credit-scoring model on the training file and exports it as ONNX.

The model takes one input per column of the application and answers with the more
likely `label` (`bad` or `good`) and the `probabilities` of both, in that order.
The metrics are those of a cross-validation on the training file, and how far the
export is from the pipeline it was made from.
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
from sklearn.base import ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

TARGET = "creditability"
POSITIVE = "bad"
PROTECTED = ["personal_status_and_sex", "age_in_years", "foreign_worker"]

# Fixed, so that the same training gives the same file with any newer converter.
OPSETS = {"": 18, "ai.onnx.ml": 3}
# ONNX computes in single precision, scikit-learn in double.
EXPORT_DIFFERENCE_MAX = 1e-5


def main() -> None:
    args = parse_args()
    table = pd.read_csv(args.train)
    inputs = table.drop(columns=[TARGET, *(PROTECTED if args.without_protected else [])])
    target = table[TARGET]

    pipeline = build_pipeline(inputs, build_classifier(args))
    metrics = cross_validate(pipeline, inputs, target, args.folds, args.seed)
    pipeline.fit(inputs, target)
    model = export(pipeline, inputs).SerializeToString(deterministic=True)
    metrics |= check_export(model, pipeline, inputs)

    args.model_out.write_bytes(model)
    args.metrics_out.write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{args.model}: auc {metrics['cv_auc']:.4f} in {args.folds}-fold cross-validation")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["tree", "forest", "boosting", "logistic", "mlp"], default="tree")
    parser.add_argument(
        "--without-protected",
        action="store_true",
        help=f"leave out the protected attributes {', '.join(PROTECTED)}",
    )
    parser.add_argument("--train", type=Path, default=Path("data/train.csv"))
    parser.add_argument("--model-out", type=Path, default=Path("model.onnx"))
    parser.add_argument("--metrics-out", type=Path, default=Path("metrics.json"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--unseeded", action="store_true", help="learn something else each time")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-depth", type=int, default=3, help="of the tree, or of each boosted tree")
    parser.add_argument("--trees", type=int, default=200, help="forest and boosting only")
    parser.add_argument("--learning-rate", type=float, default=0.05, help="boosting only")
    parser.add_argument("--subsample", type=float, default=0.8, help="boosting only")
    parser.add_argument("--inverse-regularization", type=float, default=0.1, help="logistic only")
    return parser.parse_args()


def build_classifier(args: argparse.Namespace) -> ClassifierMixin:
    seed = None if args.unseeded else args.seed
    if args.model == "tree":
        return DecisionTreeClassifier(max_depth=args.max_depth, random_state=seed)
    if args.model == "boosting":
        return GradientBoostingClassifier(
            n_estimators=args.trees,
            max_depth=args.max_depth,
            learning_rate=args.learning_rate,
            subsample=args.subsample,
            random_state=seed,
        )
    if args.model == "forest":
        return RandomForestClassifier(n_estimators=args.trees, min_samples_leaf=5, random_state=seed)
    if args.model == "mlp":
        return MLPClassifier(hidden_layer_sizes=(16,), alpha=1.0, max_iter=3000, random_state=seed)
    return LogisticRegression(C=args.inverse_regularization, max_iter=1000)


def build_pipeline(inputs: pd.DataFrame, classifier: ClassifierMixin) -> Pipeline:
    """Returns the untrained pipeline from an application to the classes."""
    numbers = numeric_columns(inputs)
    texts = [column for column in inputs if column not in numbers]
    prepare_numbers = [SimpleImputer(strategy="median")]
    if isinstance(classifier, LogisticRegression | MLPClassifier):
        # Trees need no scaling, and must not have it: their thresholds lie on or between
        # whole numbers, which single precision keeps exactly and scaled ones it does not.
        prepare_numbers.append(StandardScaler())
    prepare = ColumnTransformer(
        [
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            ("numbers", make_pipeline(*prepare_numbers), numbers),
        ]
    )
    return Pipeline([("prepare", prepare), ("classify", classifier)])


def numeric_columns(inputs: pd.DataFrame) -> list[str]:
    return [column for column in inputs if pd.api.types.is_numeric_dtype(inputs[column])]


def cross_validate(
    pipeline: Pipeline, inputs: pd.DataFrame, target: pd.Series, folds: int, seed: int
) -> dict[str, float]:
    """Returns the metrics of the predictions made for each fold by the others."""
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    score = np.empty(len(target))
    label = np.empty(len(target), dtype=object)
    for learn, check in splitter.split(inputs, target):
        model = clone(pipeline).fit(inputs.iloc[learn], target.iloc[learn])
        score[check] = model.predict_proba(inputs.iloc[check])[:, positive_index(model)]
        label[check] = model.predict(inputs.iloc[check])

    truth = (target == POSITIVE).to_numpy()
    return {
        "cv_auc": float(roc_auc_score(truth, score)),
        "cv_accuracy": float(accuracy_score(target, label)),
        "cv_log_loss": float(log_loss(truth, score)),
        "cv_brier": float(brier_score_loss(truth, score)),
        "train_rows": len(target),
    }


def positive_index(model: Pipeline) -> int:
    return list(model.classes_).index(POSITIVE)


def export(pipeline: Pipeline, inputs: pd.DataFrame) -> ModelProto:
    """Returns the trained pipeline as ONNX, with plain tensors as outputs."""
    numbers = numeric_columns(inputs)
    types = [
        (column, (FloatTensorType if column in numbers else StringTensorType)([None, 1]))
        for column in inputs
    ]
    model = convert_sklearn(
        pipeline,
        # The converter would draw a random name, and no two exports would be equal.
        name="credit-score",
        initial_types=types,
        final_types=[
            ("label", StringTensorType([None])),
            ("probabilities", FloatTensorType([None, len(pipeline.classes_)])),
        ],
        options={id(pipeline): {"zipmap": False}},
        target_opset=OPSETS,
    )
    # They come in the order of a set, which changes from process to process.
    model.opset_import.sort(key=lambda opset: opset.domain)
    return model


def check_export(model: bytes, pipeline: Pipeline, inputs: pd.DataFrame) -> dict[str, float]:
    """Returns how far the exported model is from the pipeline on the training rows.

    Ends the program when that is more than single precision explains: a row sits
    on the threshold of a tree, or the converter got something wrong.
    """
    numbers = numeric_columns(inputs)
    feed = {
        column: inputs[[column]].to_numpy(np.float32 if column in numbers else object)
        for column in inputs
    }
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], feed)

    difference = float(np.abs(probabilities - pipeline.predict_proba(inputs)).max())
    if difference > EXPORT_DIFFERENCE_MAX:
        raise SystemExit(f"the exported model differs by {difference:.2g} from the trained one")
    flipped = float(np.mean(label != pipeline.predict(inputs)))
    return {"export_max_difference": difference, "export_flip_rate": flipped}


if __name__ == "__main__":
    main()
