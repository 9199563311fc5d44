"""What both trainings share: the pipeline in front of the estimator, and the way to ONNX."""

import numpy as np
import onnxruntime
import pandas as pd
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

OUTCOME = ["delay_minutes", "arrival"]

# Fixed, so that the same training gives the same file with any newer converter.
OPSETS = {"": 18, "ai.onnx.ml": 3}


def inputs_of(table: pd.DataFrame) -> pd.DataFrame:
    """What is known before a flight leaves, numbers in the precision of the exported model."""
    inputs = table.drop(columns=OUTCOME)
    numbers = numeric_columns(inputs)
    return inputs.astype({column: np.float32 for column in numbers})


def numeric_columns(inputs: pd.DataFrame) -> list[str]:
    return [column for column in inputs if pd.api.types.is_numeric_dtype(inputs[column])]


def pipeline(inputs: pd.DataFrame, estimator) -> Pipeline:
    """Texts become indicators, a missing number the median."""
    numbers = numeric_columns(inputs)
    texts = [column for column in inputs if column not in numbers]
    prepare = ColumnTransformer(
        [
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            ("numbers", SimpleImputer(strategy="median"), numbers),
        ]
    )
    return Pipeline([("prepare", prepare), ("estimate", estimator)])


def export(trained: Pipeline, inputs: pd.DataFrame, name: str, outputs: list, options: dict | None = None) -> ModelProto:
    """The pipeline as ONNX: one input of shape [N, 1] per column."""
    numbers = numeric_columns(inputs)
    types = [
        (column, (FloatTensorType if column in numbers else StringTensorType)([None, 1]))
        for column in inputs
    ]
    model = convert_sklearn(
        trained,
        # The converter would draw a random name, and no two exports would be equal.
        name=name,
        initial_types=types,
        final_types=outputs,
        options={id(trained): options} if options else None,
        target_opset=OPSETS,
    )
    # They come in the order of a set, which changes from process to process.
    model.opset_import.sort(key=lambda opset: opset.domain)
    return model


def ask(model: bytes, inputs: pd.DataFrame, output: str) -> np.ndarray:
    """What the exported model answers."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    numbers = numeric_columns(inputs)
    feed = {
        tensor.name: inputs[[tensor.name]].to_numpy(np.float32 if tensor.name in numbers else object)
        for tensor in session.get_inputs()
    }
    (answer,) = session.run([output], feed)
    return answer
