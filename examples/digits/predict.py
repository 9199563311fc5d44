"""Answers for a pickled model: `predict.py MODEL ROWS ANSWERS`. The rows have no digit; each answer has the row's key."""

import pickle
import sys
from pathlib import Path

import pandas as pd


def main() -> None:
    model, rows, answers = map(Path, sys.argv[1:])
    table = pd.read_csv(rows)
    estimator = pickle.loads(model.read_bytes())
    inputs = table[list(estimator.feature_names_in_)]
    said = pd.DataFrame({"row": table["row"], "prediction": estimator.predict(inputs)})
    for digit, scores in zip(estimator.classes_, estimator.predict_proba(inputs).T):
        said[f"score_{digit}"] = scores
    said.to_csv(answers, index=False)


if __name__ == "__main__":
    main()
