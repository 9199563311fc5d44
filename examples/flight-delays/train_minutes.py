"""Step 7: how many minutes late? `data/minutes-train.csv` becomes `minutes.onnx`, whose one output is `minutes`.

The metric is that of a cross-validation on the training file.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from modelling import ask, export, inputs_of, pipeline
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import cross_val_score

SEED = 13
EXPORT_DIFFERENCE_MAX_MINUTES = 0.01


def main() -> None:
    table = pd.read_csv("data/minutes-train.csv")
    inputs, target = inputs_of(table), table["delay_minutes"].astype(float)
    model = pipeline(inputs, GradientBoostingRegressor(n_estimators=80, max_depth=3, learning_rate=0.05, random_state=SEED))
    error = -float(cross_val_score(model, inputs, target, cv=5, scoring="neg_mean_absolute_error").mean())

    model.fit(inputs, target)
    exported = export(model, inputs, "late-minutes", [("minutes", FloatTensorType([None, 1]))])
    exported = exported.SerializeToString(deterministic=True)
    difference = np.median(np.abs(ask(exported, inputs, "minutes")[:, 0] - model.predict(inputs)))
    if difference > EXPORT_DIFFERENCE_MAX_MINUTES:
        raise SystemExit(f"the exported model differs by {difference:.2g} minutes from the trained one")
    Path("minutes.onnx").write_bytes(exported)
    Path("metrics.json").write_text(json.dumps({"cv_mae": error, "train_rows": len(table)}, indent=2) + "\n")
    print(f"off by {error:.1f} minutes on average in 5-fold cross-validation")


if __name__ == "__main__":
    main()
