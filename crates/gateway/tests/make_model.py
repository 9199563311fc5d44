"""Makes tests/data/logistic.onnx: p = sigmoid(x . w + b) for two features. Needs `onnx`."""

from pathlib import Path

from onnx import TensorProto, checker, helper

graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "b"], ["s"]),
        helper.make_node("Sigmoid", ["s"], ["p"]),
    ],
    "logistic",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
    [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])],
    [
        helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [0.5, -0.25]),
        helper.make_tensor("b", TensorProto.FLOAT, [1], [0.125]),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
checker.check_model(model)
Path(__file__).with_name("data").joinpath("logistic.onnx").write_bytes(model.SerializeToString())
