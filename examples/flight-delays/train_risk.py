"""Step 5: will the flight arrive late? `data/train.csv` becomes `risk.onnx`.

The model answers with `label` (`late` or `on time`) and `probabilities` of both, in that order. The metrics are those
of a cross-validation on the training file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from modelling import ask, export, inputs_of, pipeline
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier

SEED = 13
# ONNX computes in single precision, scikit-learn in double; a row may sit on the threshold of a tree.
EXPORT_DIFFERENCE_MAX = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["tree", "boosting"], default="boosting")
    args = parser.parse_args()

    table = pd.read_csv("data/train.csv")
    inputs, target = inputs_of(table), table["arrival"]
    estimator = (
        DecisionTreeClassifier(max_depth=3, random_state=SEED)
        if args.model == "tree"
        else GradientBoostingClassifier(n_estimators=120, max_depth=3, learning_rate=0.08, subsample=0.8, random_state=SEED)
    )
    model = pipeline(inputs, estimator)
    scored = cross_val_predict(model, inputs, target, cv=5, method="predict_proba")[:, 0]
    auc = float(roc_auc_score(target == "late", scored))

    model.fit(inputs, target)
    outputs = [("label", StringTensorType([None])), ("probabilities", FloatTensorType([None, 2]))]
    exported = export(model, inputs, "late-risk", outputs, {"zipmap": False}).SerializeToString(deterministic=True)
    difference = np.abs(ask(exported, inputs, "probabilities") - model.predict_proba(inputs))
    if np.median(difference) > EXPORT_DIFFERENCE_MAX:
        raise SystemExit(f"the exported model differs by {np.median(difference):.2g} from the trained one")
    Path("risk.onnx").write_bytes(exported)
    Path("metrics.json").write_text(json.dumps({"cv_auc": auc, "train_rows": len(table)}, indent=2) + "\n")
    print(f"{args.model}: auc {auc:.4f} in 5-fold cross-validation")


if __name__ == "__main__":
    main()
