"""Recomputes the metrics of an evaluation from its predictions, with scikit-learn.

Reads a CSV or Parquet file with one prediction a row and prints the metrics as JSON,
with every digit, for whoever wants to compare them with numbers computed elsewhere.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)


def main() -> None:
    args = parse_args()
    table = read_table(args.predictions, args.score_column)
    label = table[args.label_column].astype(str)
    predicted = table[args.predicted_column].astype(str)
    # Double precision, or the log loss would be clipped at single precision's epsilon.
    score = table[args.score_column].to_numpy(np.float64)
    print(json.dumps(measure(label, predicted, score, args.positive), indent=2))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--positive", default="bad")
    parser.add_argument("--label-column", default="label", help="what was true")
    parser.add_argument("--predicted-column", default="predicted", help="what the model said")
    parser.add_argument("--score-column", default="score", help="probability of the positive class")
    return parser.parse_args()


def read_table(path: Path, score_column: str) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    # Python's own `float` is exact; a faster parser may miss the last bit.
    return pd.read_csv(path, converters={score_column: float}, keep_default_na=False)


def measure(label: pd.Series, predicted: pd.Series, score: np.ndarray, positive: str) -> dict:
    truth = (label == positive).to_numpy()
    said = (predicted == positive).to_numpy()
    classes = sorted(set(label) | set(predicted))
    counts = confusion_matrix(label, predicted, labels=classes)
    return {
        "rows": len(label),
        "accuracy": float(accuracy_score(label, predicted)),
        "auc": float(roc_auc_score(truth, score)),
        "log_loss": float(log_loss(truth, score)),
        "brier": float(brier_score_loss(truth, score)),
        "precision": float(precision_score(truth, said, zero_division=0)),
        "recall": float(recall_score(truth, said, zero_division=0)),
        "f1": float(f1_score(truth, said, zero_division=0)),
        "confusion": {
            actual: {guess: int(counts[i, j]) for j, guess in enumerate(classes)}
            for i, actual in enumerate(classes)
        },
    }


if __name__ == "__main__":
    main()
