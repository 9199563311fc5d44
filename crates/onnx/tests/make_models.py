"""Trains small models, exports them to ONNX and records what ONNX Runtime answers.

Writes `data/NAME.onnx` with `data/NAME.json` for each model, and `data/operators.json` with models of one operator
each. Run by hand when an operator is added:

    python -m venv .venv && .venv/bin/pip install scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 \
        onnxruntime==1.31.1 pandas==3.1.1 numpy==2.4.6 onnxmltools==1.16.0 lightgbm==4.7.0 xgboost==3.2.0
    PYTHONHASHSEED=0 .venv/bin/python crates/onnx/tests/make_models.py
"""

import json
import pathlib
import warnings

import lightgbm
import numpy as np
import onnx
import onnxruntime
import pandas
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as BoostedFloatTensorType
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
DATA = pathlib.Path(__file__).parent / "data"
random = np.random.default_rng(20260714)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def as_json(array):
    """Datatype, shape and elements; what JSON cannot say of numbers is text."""
    array = np.asarray(array)
    names = {
        "float32": "FP32",
        "float64": "FP64",
        "int64": "INT64",
        "int32": "INT32",
        "bool": "BOOL",
        "uint8": "UINT8",
        "int8": "INT8",
    }
    flat = array.reshape(-1)
    if array.dtype.kind in "OUS":
        datatype, elements = "BYTES", [str(element) for element in flat]
    elif array.dtype.kind == "f":
        datatype = names[str(array.dtype)]
        elements = [float(str(x)) if np.isfinite(x) else str(x) for x in flat]
    elif array.dtype.kind == "b":
        datatype, elements = "BOOL", [bool(x) for x in flat]
    else:
        datatype, elements = names[str(array.dtype)], [int(x) for x in flat]
    return {"datatype": datatype, "shape": list(array.shape), "data": elements}


def answers(model, inputs):
    """What ONNX Runtime answers; maps become matrices with the classes in the order of the scores."""
    classes = [
        helper.get_attribute_value(attribute)
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == "ZipMap"
    ]
    runtime = session(model)
    outputs = {}
    for declared, value in zip(runtime.get_outputs(), runtime.run(None, inputs)):
        if isinstance(value, list):
            names = [c.decode() if isinstance(c, bytes) else c for c in classes[0]]
            value = np.array([[row[name] for name in names] for row in value], np.float32)
            value = value.reshape(-1, len(names))
        outputs[declared.name] = as_json(value)
    return outputs


def thresholds(model):
    """The float32 thresholds of all trees of a model, by feature of the trees' input."""
    found = {}
    for node in model.graph.node:
        attributes = {a.name: a for a in node.attribute}
        if "nodes_featureids" in attributes:
            modes = attributes["nodes_modes"].strings
            features = attributes["nodes_featureids"].ints
            values = attributes["nodes_values"].floats
            for mode, feature, value in zip(modes, features, values):
                if mode != b"LEAF":
                    found.setdefault(feature, []).append(np.float32(value))
    return found


def write(name, model, batches):
    model.doc_string = ""
    model.graph.name = name
    for node in model.graph.node:
        node.doc_string = ""
    cases = []
    for inputs in batches:
        try:
            outputs = answers(model, inputs)
        except Exception as error:  # what ONNX Runtime refuses is nothing to compare with
            rows = {len(v) for v in inputs.values()}
            print(f"{name}: ONNX Runtime refuses {rows} rows: {str(error).splitlines()[0][:100]}")
            continue
        cases.append(
            {
                "inputs": {name: as_json(value) for name, value in inputs.items()},
                "outputs": outputs,
            }
        )
    (DATA / f"{name}.onnx").write_bytes(model.SerializeToString())
    (DATA / f"{name}.json").write_text(compact({"cases": cases}))
    operators = [node.op_type for node in model.graph.node]
    print(f"{name}: {len(model.SerializeToString())} bytes, {len(cases)} cases, {operators}")


def compact(value):
    return json.dumps(value, separators=(",", ":")).replace('{"inputs"', '\n{"inputs"') + "\n"


# Models of numbers


def matrix_batches(model, columns, rows=12):
    """No row, one, many; values on split thresholds; missing values."""
    plain = random.normal(size=(rows, columns)).astype(np.float32) * 2
    edges = random.normal(size=(rows, columns)).astype(np.float32)
    for feature, values in thresholds(model).items():
        picked = random.choice(values, rows)
        nudged = np.nextafter(picked, np.float32(np.inf))
        edges[:, feature] = np.where(random.random(rows) < 0.5, picked, nudged)
    batches = [plain, plain[:1], plain[:0], edges]
    if thresholds(model):
        missing = plain.copy()
        missing[random.random(plain.shape) < 0.2] = np.nan
        batches.append(missing)
        batches.append(np.array([[np.inf] * columns, [-np.inf] * columns], np.float32))
    return [{"X": batch} for batch in batches]


def numbers(name, estimator, classes=None, targets=None, columns=5, options=None, rows=400, opset=None):
    x = random.normal(size=(rows, columns))
    signal = x[:, 0] + np.sin(2 * x[:, 1]) - 0.5 * x[:, 2] * x[:, 3]
    noise = random.normal(size=rows) * 0.2
    if classes:
        edges = np.quantile(signal, np.linspace(0, 1, len(classes) + 1)[1:-1])
        y = np.array(classes)[np.searchsorted(edges, signal + noise)]
    elif targets:
        y = np.stack([signal * (i + 1) + noise for i in range(targets)], axis=1)
    else:
        y = 100 * signal + noise
    estimator.fit(x, y)
    model = convert_sklearn(
        estimator,
        initial_types=[("X", FloatTensorType([None, columns]))],
        options=options,
        target_opset=opset,
    )
    write(name, model, matrix_batches(model, columns))


no_zip = {"zipmap": False}
two, three = ["bad", "good"], ["high", "low", "middle"]


def numeric_models():
    forest = dict(n_estimators=15, max_depth=5, random_state=1)
    boosting = dict(n_estimators=25, max_depth=3, random_state=1)
    scaled = lambda estimator: make_pipeline(StandardScaler(), estimator)
    numbers("logistic", scaled(LogisticRegression()), [0, 1])
    numbers("logistic_zip_off", scaled(LogisticRegression()), two, options=no_zip)
    numbers("logistic_three", scaled(LogisticRegression()), three)
    numbers("logistic_min_max", make_pipeline(MinMaxScaler(), LogisticRegression()), [0, 1])
    numbers("logistic_robust", make_pipeline(RobustScaler(), LogisticRegression()), two)
    numbers("logistic_normalized", make_pipeline(Normalizer("l2"), LogisticRegression()), [3, 7])
    numbers("logistic_binarized", make_pipeline(Binarizer(), LogisticRegression()), two)
    numbers("sgd", scaled(SGDClassifier(loss="log_loss", random_state=1)), three)
    numbers("bayes", GaussianNB(), three)
    numbers("tree", DecisionTreeClassifier(max_depth=6, random_state=1), [0, 1])
    numbers("tree_three", DecisionTreeClassifier(max_depth=6, random_state=1), three)
    numbers("forest", RandomForestClassifier(**forest), two)
    numbers("forest_zip_off", RandomForestClassifier(**forest), [0, 1], options=no_zip)
    numbers("forest_three", RandomForestClassifier(**forest), three, options=no_zip)
    numbers("forest_hundred", RandomForestClassifier(100, max_depth=6, max_leaf_nodes=16, random_state=1), two, options=no_zip)
    numbers("boosting", GradientBoostingClassifier(**boosting), two)
    numbers("boosting_three", GradientBoostingClassifier(**boosting), three, options=no_zip)
    numbers("mlp", scaled(MLPClassifier((16, 8), random_state=1, max_iter=150)), [0, 1])
    numbers("mlp_three", scaled(MLPClassifier((16,), activation="tanh", random_state=1, max_iter=150)), three, options=no_zip)
    numbers("mlp_logistic", scaled(MLPClassifier((8,), activation="logistic", random_state=1, max_iter=150)), three, opset=12)
    numbers("linear_regression", scaled(LinearRegression()))
    numbers("ridge_two", scaled(Ridge()), targets=2)
    numbers("tree_regression", DecisionTreeRegressor(max_depth=6, random_state=1))
    numbers("forest_regression", RandomForestRegressor(**forest))
    numbers("forest_regression_two", ExtraTreesRegressor(**forest), targets=2)
    numbers("boosting_regression", GradientBoostingRegressor(**boosting))
    numbers("mlp_regression", scaled(MLPRegressor(hidden_layer_sizes=(16,), random_state=1, max_iter=150)))


# Models of tables: one input of shape [rows, 1] for each column


def table(rows):
    age = random.integers(18, 80, rows)
    amount = random.lognormal(7, 1, rows)
    purpose = random.choice(["car", "house", "études", "other"], rows)
    housing = random.choice(["own", "rent"], rows)
    score = 0.02 * age - 0.3 * np.log(amount) + (purpose == "car") - (housing == "rent")
    frame = pandas.DataFrame(
        {"age": age, "amount": amount, "purpose": purpose, "housing": housing}
    )
    frame["age"] = frame["age"].astype("int64")
    return frame, np.where(score + random.normal(size=rows) > np.median(score), "good", "bad")


def table_inputs(frame):
    return {
        name: frame[[name]].to_numpy().astype(
            np.float32 if name in ("age", "amount") else object
        )
        for name in frame
    }


def tables(name, estimator, encoder, options=None, imputed="median"):
    frame, y = table(500)
    numeric = make_pipeline(SimpleImputer(strategy=imputed), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", numeric, ["age", "amount"]), ("texts", encoder, ["purpose", "housing"])]
    )
    pipeline = make_pipeline(columns, estimator).fit(frame, y)
    types = [
        (name, (FloatTensorType if name in ("age", "amount") else StringTensorType)([None, 1]))
        for name in frame
    ]
    model = convert_sklearn(pipeline, initial_types=types, options=options)
    many = table_inputs(table(12)[0])
    one = {name: value[:1] for name, value in many.items()}
    none = {name: value[:0] for name, value in many.items()}
    odd = {name: value.copy() for name, value in many.items()}
    odd["amount"][::3] = np.nan
    odd["age"][1::3] = np.nan
    batches = [many, one, none, odd]
    if getattr(encoder, "handle_unknown", None) == "ignore":
        unseen = {name: value.copy() for name, value in many.items()}
        unseen["purpose"][::2] = "spaceship"
        unseen["housing"][1::2] = ""
        batches.append(unseen)
    write(name, model, batches)


def table_models():
    one_hot = lambda: OneHotEncoder(handle_unknown="ignore")
    tables("table_logistic", LogisticRegression(), one_hot())
    tables("table_forest", RandomForestClassifier(15, max_depth=5, random_state=1), one_hot(), options=no_zip)
    tables("table_boosting", GradientBoostingClassifier(n_estimators=15, random_state=1), one_hot(), imputed="mean")
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    tables("table_ordinal", DecisionTreeClassifier(max_depth=5, random_state=1), ordinal)
    tables("table_dropped", LogisticRegression(), OneHotEncoder(drop="first"))


# Models of other libraries, which know where missing values go


def boosted(name, estimator, convert, classes):
    columns = 4
    x = random.normal(size=(500, columns)).astype(np.float32)
    signal = x[:, 0] + np.sin(2 * x[:, 1]) + random.normal(size=500) * 0.2
    x[random.random(x.shape) < 0.1] = np.nan
    edges = np.quantile(signal, np.linspace(0, 1, (classes or 1) + 1)[1:-1])
    estimator.fit(x, np.searchsorted(edges, signal) if classes else signal)
    types = [("X", BoostedFloatTensorType([None, columns]))]
    model = convert(estimator, initial_types=types, target_opset=15)
    write(name, model, matrix_batches(model, columns))


def boosted_models():
    small = dict(n_estimators=15, max_depth=3)
    boosted("lightgbm", lightgbm.LGBMClassifier(**small, verbose=-1), convert_lightgbm, 2)
    boosted("lightgbm_three", lightgbm.LGBMClassifier(**small, verbose=-1), convert_lightgbm, 3)
    boosted("lightgbm_regression", lightgbm.LGBMRegressor(**small, verbose=-1), convert_lightgbm, None)
    boosted("xgboost", xgboost.XGBClassifier(**small), convert_xgboost, 2)
    boosted("xgboost_three", xgboost.XGBClassifier(**small), convert_xgboost, 3)
    boosted("xgboost_regression", xgboost.XGBRegressor(**small), convert_xgboost, None)


# Models whose right answers are those of the trained model, not of ONNX Runtime


def trained(name, estimator, convert, share_positive, classes=2, rows=60):
    """Writes `data/trained/NAME.onnx` with what the estimator itself predicts."""
    columns = 3
    x = random.normal(size=(400, columns)).astype(np.float32)
    signal = x[:, 0] + random.normal(size=400) * 0.8
    edges = [np.quantile(signal, 1 - share_positive)] if classes == 2 else np.quantile(signal, [1 / 3, 2 / 3])
    estimator.fit(x, np.searchsorted(edges, signal))
    model = convert(estimator)
    model.doc_string, model.graph.name = "", name
    asked = x[:rows]
    is_probability = hasattr(estimator, "predict_proba")
    scores = estimator.predict_proba(asked) if is_probability else estimator.decision_function(asked)
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    found = {
        "input": as_json(asked),
        "labels": as_json(np.asarray(estimator.predict(asked), np.int64)),
        "scores": as_json(np.asarray(scores, np.float64)),
    }
    (DATA / "trained").mkdir(exist_ok=True)
    (DATA / "trained" / f"{name}.onnx").write_bytes(model.SerializeToString())
    (DATA / "trained" / f"{name}.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
    ours, theirs = estimator.predict(asked), session(model).run(None, {"X": asked})[0].reshape(-1)
    print(f"{name}: ONNX Runtime answers {np.sum(ours != theirs)} of {rows} labels wrongly")


def trained_models():
    boosted_type = [("X", BoostedFloatTensorType([None, 3]))]
    plain_type = [("X", FloatTensorType([None, 3]))]
    of_lightgbm = lambda model: convert_lightgbm(model, initial_types=boosted_type, target_opset=15)
    of_xgboost = lambda model: convert_xgboost(model, initial_types=boosted_type, target_opset=15)
    # boosters write the base score into their leaves: with one tree no weight is negative
    one = dict(n_estimators=1, learning_rate=0.1)
    trained("lightgbm_nonnegative", lightgbm.LGBMClassifier(**one, num_leaves=6, verbose=-1), of_lightgbm, 0.6)
    trained("lightgbm_signed", lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, verbose=-1), of_lightgbm, 0.5)
    xgb = xgboost.XGBClassifier(n_estimators=1, max_depth=2, base_score=0.5, learning_rate=0.1)
    trained("xgboost_nonnegative", xgb, of_xgboost, 0.95)
    for name, estimator in [("svc", LinearSVC()), ("perceptron", Perceptron()), ("hinge", SGDClassifier(random_state=1))]:
        zip_map = {} if name == "svc" else {id(estimator): no_zip}
        convert = lambda model: convert_sklearn(model, initial_types=plain_type, options=zip_map, target_opset=15)
        trained(name, estimator, convert, 0.5)
        trained(f"{name}_three", estimator, convert, 0.5, classes=3)


# Models of one operator


def declared(name, value):
    """An input all of whose sizes are open, each by itself."""
    sizes = [f"{name}_{axis}" for axis in range(value.ndim)]
    text = value.dtype.kind in "OUS"
    kind = TensorProto.STRING if text else helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_value_info(name, kind, sizes)


class Operators:
    def __init__(self):
        self.cases = []

    def add(self, operator, inputs, outputs=("Y",), domain="", opset=21, ml=3, **attributes):
        """`inputs` are the values; `None` is an input left out."""
        names = ["" if value is None else f"I{i}" for i, value in enumerate(inputs)]
        node = helper.make_node(operator, names, list(outputs), domain=domain, **attributes)
        given = [(n, np.asarray(v)) for n, v in zip(names, inputs) if v is not None]
        feeds = {n: v.astype(object) if v.dtype.kind in "OUS" else v for n, v in given}
        try:
            model = self.model(node, given, outputs, opset, ml)
            recorded = answers(model, feeds)
        except Exception as error:  # what ONNX Runtime does not have is nothing to compare with
            print(f"{operator}: {str(error).splitlines()[0][:120]}")
            return
        self.cases.append(
            {
                "operator": operator,
                "attributes": {k: str(v)[:80] for k, v in attributes.items() if k in SHOWN},
                "model": model.SerializeToString().hex(),
                "inputs": {n: as_json(v) for n, v in given},
                "outputs": recorded,
            }
        )

    def model(self, node, given, outputs, opset, ml):
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
        graph = helper.make_graph(
            [node],
            "one",
            [declared(n, v) for n, v in given],
            [helper.make_empty_tensor_value_info(n) for n in outputs],
        )
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        # the runtime knows the types of the outputs
        shapes = onnx.shape_inference.infer_shapes(model)
        known = {v.name: v for v in [*shapes.graph.output, *shapes.graph.value_info]}
        types = {"tensor(float)": 1, "tensor(double)": 11, "tensor(int64)": 7, "tensor(int32)": 6,
                 "tensor(string)": 8, "tensor(bool)": 9, "tensor(uint8)": 2, "tensor(int8)": 3}
        del model.graph.output[:]
        for name in outputs:
            kind = known[name].type.tensor_type.elem_type if name in known else 0
            if kind == 0:
                probe = onnx.ModelProto()
                probe.CopyFrom(model)
                for other in outputs:
                    probe.graph.output.append(helper.make_empty_tensor_value_info(other))
                found = {o.name: o.type for o in session(probe).get_outputs()}
                kind = types[found[name]]
            model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
        return model

    def ml(self, operator, inputs, outputs=("Y",), **attributes):
        self.add(operator, inputs, outputs, domain="ai.onnx.ml", **attributes)


SHOWN = ("post_transform", "aggregate_function", "axis", "norm", "to", "base_values", "n_targets", "nodes_modes")


def random_trees(count, depth, features, modes, missing, values):
    """The node columns of trees whose branches have random modes, features and values."""
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values",
                                 "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    leaves = []
    for tree in range(count):
        pending = [(0, 0)]
        next_id = 1
        while pending:
            node, level = pending.pop(0)
            leaf = level == depth or (level > 1 and random.random() < 0.25)
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(0 if leaf else int(random.integers(features)))
            nodes["modes"].append("LEAF" if leaf else str(random.choice(modes)))
            nodes["values"].append(0.0 if leaf else float(random.choice(values)))
            nodes["truenodeids"].append(0 if leaf else next_id)
            nodes["falsenodeids"].append(0 if leaf else next_id + 1)
            nodes["missing_value_tracks_true"].append(int(missing and random.random() < 0.5))
            if leaf:
                leaves.append((tree, node))
            else:
                pending += [(next_id, level + 1), (next_id + 1, level + 1)]
                next_id += 2
    if not missing:
        del nodes["missing_value_tracks_true"]
    return {f"nodes_{key}": value for key, value in nodes.items()}, leaves


def weights(prefix, leaves, targets, low, high):
    """One random weight for each leaf and target."""
    columns = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for tree, node in leaves:
        for target in targets:
            columns["treeids"].append(tree)
            columns["nodeids"].append(node)
            columns["ids"].append(target)
            columns["weights"].append(float(np.float32(random.uniform(low, high))))
    return {f"{prefix}_{key}": value for key, value in columns.items()}


ALL_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
GRID = [float(x) for x in np.arange(-2, 2.5, 0.5)]


def tree_inputs(features=4, rows=12, dtype=np.float32):
    x = random.choice(GRID, (rows, features)).astype(dtype)
    x[random.random(x.shape) < 0.15] = np.nan
    return x


def tree_operators(add):
    mode_sets = [[mode] for mode in ALL_MODES] + [ALL_MODES]
    for modes in mode_sets:
        for missing in (False, True):
            nodes, leaves = random_trees(2, 3, 4, modes, missing, GRID)
            add("TreeEnsembleRegressor", [tree_inputs()], n_targets=1, **nodes,
                **weights("target", leaves, [0], -1, 1))
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for targets, base in ((1, None), (1, [0.5]), (3, None), (3, [0.25, -0.5, 1.0])):
            nodes, leaves = random_trees(3, 2, 4, ["BRANCH_LEQ"], False, GRID)
            more = {"base_values": base} if base else {}
            add("TreeEnsembleRegressor", [tree_inputs()], n_targets=targets, aggregate_function=aggregate,
                **nodes, **weights("target", leaves, range(targets), -1, 1), **more)
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"):
        nodes, leaves = random_trees(2, 2, 4, ["BRANCH_LT"], False, GRID)
        add("TreeEnsembleRegressor", [tree_inputs()], n_targets=3, post_transform=transform, **nodes,
            **weights("target", leaves, range(3), 0.05, 0.3))
    nodes, leaves = random_trees(2, 2, 4, ["BRANCH_LT"], False, GRID)
    add("TreeEnsembleRegressor", [tree_inputs()], n_targets=1, post_transform="PROBIT", **nodes,
        **weights("target", leaves, [0], 0.05, 0.3))
    for dtype in (np.float64,):
        nodes, leaves = random_trees(2, 3, 4, ["BRANCH_LEQ"], False, GRID)
        x = random.choice([-2, -1, 0, 1, 2], (9, 4)).astype(dtype)
        add("TreeEnsembleRegressor", [x], n_targets=1, **nodes, **weights("target", leaves, [0], -1, 1))
    classifiers(add)


def classifiers(add):
    outputs = ("label", "scores")
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"):
        for base in (None, [0.05, 0.1, 0.15]):
            nodes, leaves = random_trees(2, 2, 4, ["BRANCH_LEQ"], True, GRID)
            add("TreeEnsembleClassifier", [tree_inputs()], outputs, post_transform=transform,
                classlabels_strings=["a", "b", "c"], **nodes,
                **weights("class", leaves, range(3), 0.05, 0.2), **({"base_values": base} if base else {}))
    # each leaf speaks for one class only
    nodes, leaves = random_trees(4, 3, 4, ["BRANCH_LEQ"], False, GRID)
    columns = weights("class", leaves, [0], -0.5, 0.5)
    columns["class_ids"] = [int(x) for x in random.integers(0, 4, len(leaves))]
    add("TreeEnsembleClassifier", [tree_inputs()], outputs, classlabels_int64s=[3, 7, 9, 11], **nodes, **columns)
    # two classes, one column of weights
    for target, bases in ((0, (None, [0.25])), (1, (None,))):
        for low in (0.05, -0.4):
            for base in bases:
                for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
                    nodes, leaves = random_trees(2, 2, 4, ["BRANCH_LEQ"], False, GRID)
                    add("TreeEnsembleClassifier", [tree_inputs()], outputs, post_transform=transform,
                        classlabels_int64s=[3, 7], **nodes, **weights("class", leaves, [target], low, 0.4),
                        **({"base_values": base} if base else {}))
    for dtype in (np.float64, np.int64):
        nodes, leaves = random_trees(2, 3, 4, ["BRANCH_LEQ"], False, GRID)
        x = random.choice([-2, -1, 0, 1, 2], (9, 4)).astype(dtype)
        add("TreeEnsembleClassifier", [x], outputs, classlabels_int64s=[0, 1, 2], **nodes,
            **weights("class", leaves, range(3), 0, 1))


def new_trees(operators):
    """`TreeEnsemble` of version 5: x0 <= 0.5 ? (x1 in {1, 3, 40} ? leaf : leaf) : (x2 > 1 ? leaf : leaf)."""
    for dtype in (np.float32, np.float64):
        tensor = lambda name, values, kind=dtype: numpy_helper.from_array(np.array(values, kind), name)
        x = random.choice([0, 0.5, 1, 2, 3, 40], (16, 3)).astype(dtype)
        for aggregate in range(4):
            operators.add(
                "TreeEnsemble", [x], domain="ai.onnx.ml", ml=5, n_targets=2, aggregate_function=aggregate,
                tree_roots=[0, 2], nodes_featureids=[0, 1, 2], nodes_modes=tensor("m", [0, 6, 3], np.uint8),
                nodes_splits=tensor("s", [0.5, 0, 1]), nodes_truenodeids=[1, 0, 2], nodes_falsenodeids=[2, 1, 3],
                nodes_trueleafs=[0, 1, 1], nodes_falseleafs=[0, 1, 1],
                membership_values=tensor("v", [1, 3, 40, np.nan]),
                leaf_targetids=[0, 1, 0, 1], leaf_weights=tensor("w", [0.5, -1.25, 2, 0.125]))


def ml_operators(operators):
    ml = operators.ml
    x = (random.normal(size=(6, 3)) * 3).astype(np.float32)
    for dtype in (np.float32, np.float64, np.int64, np.int32):
        ml("Scaler", [(x * 4).astype(dtype)], offset=[0.5, 1.0, -2.0], scale=[2.0, 0.1, 3.0])
        ml("Normalizer", [(x * 4).astype(dtype)], norm="L1")
    ml("Scaler", [x], offset=[0.5], scale=[2.0])
    ml("Scaler", [x[0]], offset=[0.5, 1.0, -2.0], scale=[2.0, 0.1, 3.0])
    for norm in ("MAX", "L1", "L2"):
        ml("Normalizer", [np.concatenate([x, np.zeros((1, 3), np.float32)])], norm=norm)
    gaps = x.copy()
    gaps[::2, 1] = np.nan
    gaps[1, 2] = 7
    ml("Imputer", [gaps], imputed_value_floats=[1.0, 2.0, 3.0], replaced_value_float=float("nan"))
    ml("Imputer", [gaps], imputed_value_floats=[9.0], replaced_value_float=7.0)
    ml("Imputer", [np.array([[1, -1], [-1, 3]])], imputed_value_int64s=[5, 6], replaced_value_int64=-1)
    ml("Binarizer", [x], threshold=0.25)
    words = np.array([["a"], ["b"], ["?"], ["a"]])
    ml("OneHotEncoder", [words], cats_strings=["b", "a", "c"], zeros=1)
    ml("OneHotEncoder", [np.array([4, 1, 9])], cats_int64s=[1, 4], zeros=1)
    ml("OneHotEncoder", [np.array([[4.9], [1.0], [np.nan]], np.float32)], cats_int64s=[1, 4], zeros=1)
    ml("LabelEncoder", [words], keys_strings=["a", "b"], values_int64s=[5, 6], default_int64=-7)
    ml("LabelEncoder", [words], keys_strings=["a", "b"], values_floats=[5.5, 6.5], default_float=float("nan"))
    ml("LabelEncoder", [words], keys_strings=["a", "b"], values_strings=["A", "B"])
    ml("LabelEncoder", [np.array([3, 1, 2])], keys_int64s=[1, 2], values_strings=["x", "y"], default_string="z")
    ml("LabelEncoder", [np.array([3, 1, 2])], keys_int64s=[1, 2], values_int64s=[10, 20])
    # before version 4 ONNX Runtime finds no NaN, though the format wants it
    ml("LabelEncoder", [np.array([np.nan, 1.5, 2], np.float32)], ml=4, keys_floats=[float("nan"), 1.5], values_floats=[1.0, 2.0])
    ml("LabelEncoder", [words], ml=1, classes_strings=["a", "b"], default_int64=-3)
    ml("CategoryMapper", [words], cats_strings=["a", "b"], cats_int64s=[7, 8], default_int64=-3)
    ml("ArrayFeatureExtractor", [x, np.array([2, 0])])
    ml("ArrayFeatureExtractor", [np.array(["a", "b", "c"]), np.array([[2, 0]])])
    ml("FeatureVectorizer", [x, x[:, :1]], inputdimensions=[2, 2])
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        linear = dict(post_transform=transform, domain="ai.onnx.ml")
        operators.add("LinearClassifier", [x], ("label", "scores"), coefficients=[0.3, -0.2, 0.1] * 3,
                      intercepts=[0.4, 0.2, 0.0], classlabels_strings=["a", "b", "c"], **linear)
        operators.add("LinearClassifier", [x], ("label", "scores"), coefficients=[0.3, -0.2, 0.1],
                      intercepts=[0.4], classlabels_ints=[3, 7], **linear)
        operators.add("LinearRegressor", [x], coefficients=[0.3, -0.2, 0.1, 1.0, 1.5, -1.0],
                      intercepts=[0.4, 0.2], targets=2, **linear)
    ml("LinearClassifier", [(x * 4).astype(np.int64)], ("label", "scores"), coefficients=[0.3, -0.2, 0.1],
       intercepts=[0.4], classlabels_ints=[0, 1])
    ml("LinearRegressor", [x], coefficients=[0.3, -0.2, 0.1], targets=1)
    ml("LinearRegressor", [x], coefficients=[0.03, 0.02, 0.01], intercepts=[0.5], targets=1, post_transform="PROBIT")


def tensor_operators(operators):
    add = operators.add
    x = (random.normal(size=(3, 4)) * 2).astype(np.float32)
    y = (random.normal(size=(3, 4)) * 2).astype(np.float32)
    positive = np.abs(x) + np.float32(0.1)
    for operator in ("Abs", "Neg", "Exp", "Relu", "Sigmoid", "Tanh", "Erf", "Floor", "Ceil", "Round", "Sign",
                     "Reciprocal", "Softplus"):
        add(operator, [x])
    for operator in ("Sqrt", "Log"):
        add(operator, [positive])
        add(operator, [positive.astype(np.float64)])
    add("Round", [np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)])
    for operator in ("Add", "Sub", "Mul", "Div"):
        add(operator, [x, y])
        add(operator, [x, y[0]])
        add(operator, [x[:, :1], y[:1]])
        add(operator, [np.array([7, -7, 9]), np.array([2, 2, -4])])
    add("Pow", [positive, np.array(2, np.float32)])
    add("Pow", [positive, y[0]])
    add("Pow", [positive, np.array([3])])
    for operator in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"):
        add(operator, [np.round(x), np.round(y)])
    add("Equal", [np.array(["a", "b"]), np.array(["b"])])
    add("IsNaN", [np.array([1, np.nan], np.float32)])
    truths = np.array([True, False, True, False]), np.array([True, True, False, False])
    for operator in ("And", "Or", "Xor"):
        add(operator, list(truths))
    add("Not", [truths[0]])
    add("Where", [truths[0], x, y])
    add("Where", [truths[0], np.array(["a", "b", "c", "d"]), np.array(["-"])])
    nan = x.copy()
    nan[0, 0] = np.nan
    for operator in ("Sum", "Max", "Min"):
        add(operator, [x, y[0], y])
    for operator in ("Max", "Min"):
        add(operator, [nan, y])
    add("Clip", [x, np.array(-1, np.float32), np.array(1, np.float32)])
    add("Clip", [x, None, np.array(1, np.float32)])
    add("Clip", [x], opset=10, min=-0.5)
    cube = random.normal(size=(2, 3, 4)).astype(np.float32)
    for operator in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                     "ReduceSumSquare", "ReduceLogSumExp"):
        for axes in ([-1], [0], [1], [0, 2]):
            add(operator, [cube, np.array(axes)], keepdims=0)
        add(operator, [cube])
    add("ReduceSum", [cube], opset=12, axes=[1], keepdims=1)
    add("ReduceSum", [np.array([[1, 2], [3, 4]]), np.array([1])])
    for operator in ("ArgMax", "ArgMin"):
        for axis in (0, 1, -1):
            add(operator, [np.round(cube)], axis=axis, keepdims=0)
        add(operator, [np.round(cube)], axis=1, select_last_index=1)
    for operator in ("Softmax", "LogSoftmax"):
        for axis in (0, 1, -1):
            add(operator, [cube], axis=axis)
            add(operator, [cube], opset=11, axis=max(axis, 0))
    weights = random.normal(size=(4, 5)).astype(np.float32)
    add("MatMul", [x, weights])
    add("MatMul", [cube, weights])
    add("MatMul", [x[0], weights])
    add("MatMul", [x, weights[:, 0]])
    add("MatMul", [cube, random.normal(size=(2, 4, 2)).astype(np.float32)])
    add("Gemm", [x, weights, weights[0]])
    add("Gemm", [x, weights.T.copy()], transB=1, alpha=0.5)
    add("Gemm", [x.T.copy(), weights, np.ones((3, 1), np.float32)], transA=1, beta=2.0)
    add("Concat", [x, y], axis=1)
    add("Concat", [np.array([["a"]]), np.array([["b"]])], axis=-1)
    add("Reshape", [cube, np.array([0, -1])])
    add("Flatten", [cube], axis=2)
    add("Squeeze", [cube[:, :1], np.array([1])])
    add("Unsqueeze", [x, np.array([0, 3])])
    add("Unsqueeze", [x], opset=11, axes=[1])
    add("Transpose", [cube], perm=[2, 0, 1])
    add("Shape", [cube], start=1)
    add("Expand", [x[:, :1], np.array([2, 1, 4])])
    add("ConstantOfShape", [np.array([2, 2])], value=numpy_helper.from_array(np.array([7])))
    add("Identity", [np.array(["a"])])
    add("Gather", [cube, np.array([[1, -1]])], axis=1)
    add("GatherElements", [x, np.array([[3, 0], [1, 1]])], axis=1)
    add("Slice", [cube, np.array([1, -1]), np.array([9, -9]), np.array([1, 2]), np.array([1, -2])])
    add("Slice", [cube], opset=9, starts=[1], ends=[3], axes=[2])
    add("TopK", [np.round(cube), np.array([2])], ("values", "indices"), axis=-1)
    add("TopK", [np.round(cube), np.array([2])], ("values", "indices"), axis=1, largest=0)
    odd = np.array([0.1, 1, 100, 1e8, 1e-5, 1 / 3, -2.5, np.nan, np.inf, -0.0, 123456789], np.float32)
    for kind in (TensorProto.STRING, TensorProto.DOUBLE, TensorProto.BOOL):
        add("Cast", [odd], to=kind)
    add("Cast", [odd.astype(np.float64)], to=TensorProto.STRING)
    add("Cast", [np.array([1.9, -1.9, 3e9], np.float32)], to=TensorProto.INT64)
    add("Cast", [np.array(["1.5", "-2e3", "7"])], to=TensorProto.FLOAT)
    add("Cast", [np.array(["12", "-7"])], to=TensorProto.INT64)
    add("Cast", [np.array([1, 0, -3])], to=TensorProto.STRING)
    add("Cast", [np.array([True, False])], to=TensorProto.FLOAT)


def main():
    DATA.mkdir(exist_ok=True)
    for old in DATA.iterdir():
        if old.is_file():
            old.unlink()
    numeric_models()
    table_models()
    operators = Operators()
    tree_operators(operators.ml)
    new_trees(operators)
    ml_operators(operators)
    tensor_operators(operators)
    text = json.dumps({"cases": operators.cases}, separators=(",", ":"))
    boosted_models()
    trained_models()
    (DATA / "operators.json").write_text(text.replace('{"operator"', '\n{"operator"') + "\n")
    total = sum(file.stat().st_size for file in DATA.rglob("*.*"))
    print(f"{len(operators.cases)} operators, {total} bytes in all")


if __name__ == "__main__":
    main()
