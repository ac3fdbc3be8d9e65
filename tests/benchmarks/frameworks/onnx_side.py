"""onnxruntime: values of a network and products, as graphs of its operators."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-not-found]
from onnx import TensorProto, helper, numpy_helper

from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import Inference, Products, sample


def infer(work: Inference, setting: Setting) -> Job:
    values = work.start((name, tuple(shape)) for name, shape in setting.shapes.items())
    nodes = {"mlp": _mlp, "cnn": _cnn}[work.network.func.__name__](work)
    session = _session(nodes, {"v0": (work.batch, *work.sample)}, values, f"v{len(nodes)}", setting)
    xs, out = work.inputs(), [f"v{len(nodes)}"]

    def run() -> list[float]:
        for x in xs:
            (found,) = session.run(out, {"v0": x})
        return sample(found)

    return Job([run])


def products(work: Products, setting: Setting) -> Job:
    def part(number: int) -> Callable[[], list[float]]:
        turned = [letter == "T" for letter in work.sizes(number)[-1]]
        a, b = (x.T if t else x for x, t in zip(work.operands(number), turned, strict=True))
        node = helper.make_node("Gemm", ["a", "b"], ["c"], transA=int(turned[0]), transB=int(turned[1]))
        session = _session([node], {"a": a.shape, "b": b.shape}, {}, "c", setting)
        times, binding = work.times(number), session.io_binding()
        given = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x)) for x in (a, b)]
        rows, _, cols, _ = work.sizes(number)
        result = onnxruntime.OrtValue.ortvalue_from_shape_and_type((rows, cols), np.float32)
        for name, value in zip("ab", given, strict=True):
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_output("c", result)

        def run() -> list[float]:
            for _ in range(times):
                session.run_with_iobinding(binding)
            return sample(result.numpy())

        return run

    return Job([part(number) for number in range(len(work.parts))])


def _session(
    nodes: list[Any], inputs: dict[str, tuple[int, ...]], values: dict[str, Any], output: str, setting: Setting
) -> Any:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    result = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "network", given, result, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _chain(layers: list[tuple[str, str, dict[str, Any]]]) -> list[Any]:
    """One node after the other: (operator, name of its parameters, attributes)."""
    nodes = []
    for i, (kind, name, attributes) in enumerate(layers):
        parameters = [f"{name}.weight", f"{name}.bias"] if name else []
        nodes.append(helper.make_node(kind, [f"v{i}", *parameters], [f"v{i + 1}"], **attributes))
    return nodes


def _mlp(work: Inference) -> list[Any]:
    layers: list[tuple[str, str, dict[str, Any]]] = []
    for i, _ in enumerate(pairwise(work.network.keywords["sizes"])):
        layers += [("Gemm", str(2 * i), {"transB": 1}), ("Relu", "", {})]
    return _chain(layers[:-1])


def _cnn(work: Inference) -> list[Any]:
    pool = ("MaxPool", "", {"kernel_shape": [2, 2], "strides": [2, 2]})
    return _chain([
        ("Conv", "0", {"pads": [2] * 4}), ("Relu", "", {}), pool, ("Conv", "3", {"pads": [1] * 4}), ("Relu", "", {}),
        pool, ("Flatten", "", {}), ("Gemm", "7", {"transB": 1}), ("Relu", "", {}), ("Gemm", "9", {"transB": 1}),
    ])  # fmt: skip
