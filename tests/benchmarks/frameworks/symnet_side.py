"""symnet: whole steps of training, a loss with its gradient, an update, values of a network, products."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import CrossEntropy, Inference, Products, Training, Update, sample


def program(work: Training, threads: int | None, target: str = "native", precision: str = "float32") -> Any:
    x = sn.input("x", ("N", *work.sample), "int64" if work.kinds else "float32")
    y = sn.input("y", ("N", work.targets) if work.targets else ("N",), "int64")
    model = work.network(sn.nn)
    loss = sn.losses.cross_entropy(model(x), y.reshape(-1))
    optimizer = getattr(sn.optim, work.optimizer)(**work.settings)
    how = {"threads": threads, "target": target, "precision": precision}
    compiled = sn.compile(loss=loss, optimizer=optimizer, batch={"N": work.batch}, **how)
    compiled.load_parameters(work.start((n, tuple(map(int, p.shape))) for n, p in model.named_parameters()))
    return compiled


def fit(work: Training, setting: Setting) -> Job:
    compiled = program(work, setting.threads, setting.target)
    batches = work.batches()
    xs, ys = (np.concatenate(part) for part in zip(*batches, strict=True))

    def epoch() -> list[float]:
        history = compiled.fit({"x": xs, "y": ys}, batch_size=work.batch, shuffle=False, progress=False)
        return list(history.losses)

    x, y = batches[0]
    return Job([epoch], lambda: told(compiled.profile("step", x=x, y=y)))


def rounded(work: Training, setting: Setting) -> Job:
    return step(work, setting, "bf16")


def step(work: Training, setting: Setting, precision: str = "float32") -> Job:
    compiled, batches = program(work, setting.threads, setting.target, precision), work.batches()
    x, y = batches[0]
    return Job(
        [lambda: [float(compiled.step(x=x, y=y)["loss"]) for x, y in batches]],
        lambda: told(compiled.profile("step", x=x, y=y)),
    )


def loss(work: CrossEntropy, setting: Setting) -> Job:
    function, (z, y) = _loss(work, setting), work.data()

    def run() -> list[float]:
        for _ in range(work.steps):
            value, gradient = function(z, y)
        return [float(value), *sample(gradient)]

    return Job([run], lambda: told(function.profile(z, y)))


def _loss(work: CrossEntropy, setting: Setting) -> Any:
    from symnet.program.function import Function

    z, y = sn.input("z", (work.rows, work.classes)), sn.input("y", (work.rows,), "int64")
    value = sn.losses.cross_entropy(z, y)
    return Function([z, y], [value, sn.grad(value, z)], False, threads=setting.threads, target=setting.target)


def update(work: Update, setting: Setting) -> Job:
    """The kernels of the step that update, as the profile counts their time: the loss is not part of the workload."""
    compiled, given, run = _update(work, setting)

    def seconds() -> float:
        kernels = compiled.profile("step", **given).kernels
        return 1e-6 * float(sum(kernel.time for kernel in kernels if kernel.name.startswith("update")))

    return Job([run], lambda: told(compiled.profile("step", **given), "update"), seconds)


def update_step(work: Update, setting: Setting) -> Job:
    _, _, run = _update(work, setting)
    return Job([run])


def _update(work: Update, setting: Setting) -> tuple[Any, dict[str, Any], Callable[[], list[float]]]:
    """A program whose loss is the sum of parameters times given numbers, which are then the gradients."""
    data = work.data()
    parameters = [sn.parameter(f"p{i}", p.shape, init=sn.init.zeros()) for i, (p, _) in enumerate(data)]
    given = {f"g{i}": gradient for i, (_, gradient) in enumerate(data)}
    terms = [sn.sum(p * sn.input(f"g{i}", p.shape)) for i, p in enumerate(parameters)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    optimizer = getattr(sn.optim, work.optimizer)(**work.settings)
    compiled = sn.compile(loss=total, optimizer=optimizer, threads=setting.threads, target=setting.target)
    compiled.load_parameters({f"p{i}": p for i, (p, _) in enumerate(data)})

    def run() -> list[float]:
        for _ in range(work.steps):
            compiled.step(**given)
        return [value for name in sorted(compiled.parameters) for value in sample(compiled.parameters[name], 50)]

    return compiled, given, run


def predict(work: Inference, setting: Setting) -> Job:
    x, y = sn.input("x", ("N", *work.sample)), sn.input("y", ("N",), "int64")
    model = work.network(sn.nn)
    logits = model(x)
    compiled = sn.compile(
        loss=sn.losses.cross_entropy(logits, y), optimizer=sn.optim.SGD(lr=0.1), outputs={"logits": logits},
        batch={"N": work.batch}, threads=setting.threads, target=setting.target,
    )  # fmt: skip
    compiled.load_parameters(work.start((n, tuple(map(int, p.shape))) for n, p in model.named_parameters()))
    xs = work.inputs()

    def run() -> list[float]:
        for x in xs:
            values = compiled.predict("logits", x=x)
        return sample(values)

    return Job([run], lambda: told(compiled.profile("predict_logits", x=xs[0])))


def products(work: Products, setting: Setting) -> Job:
    """Each product as a compiled function, run again and again in native code: a call from Python takes longer than
    the smallest ones."""
    from codegen.llvm.jit import Loaded, compile_object
    from codegen.target import target
    from symnet.program.function import Function
    from tests.benchmarks.gemm import REPEAT

    loaded = Loaded(compile_object(REPEAT, target()), ["repeat"])
    repeat = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(loaded.addresses["repeat"])

    def part(number: int) -> Callable[[], list[float]]:
        turned = [letter == "T" for letter in work.sizes(number)[-1]]
        stored = [x.T if t else x for x, t in zip(work.operands(number), turned, strict=True)]
        inputs = [sn.input(name, x.shape) for name, x in zip("ab", stored, strict=True)]
        a, b = (sn.transpose(x) if t else x for x, t in zip(inputs, turned, strict=True))
        function = Function(inputs, [a @ b], True, threads=setting.threads, target=setting.target)
        figures = sample(function(*stored))
        code: Any = function._compiled({})
        memory, times = function._instance.memory, work.times(number)
        threads, keep = code.threads("call"), (loaded, function)
        enter = ctypes.cast(code._run, ctypes.c_void_p).value

        def run() -> list[float]:
            assert keep
            table = code._fill(memory, {"in0": stored[0], "in1": stored[1]}, {}, threads)
            repeat(enter, code._pool.address, code._entry["call"], table, threads, times)
            return figures

        return run

    def profile() -> dict[str, Any]:
        """The operations of each product, and what the machine can do by the profile of one of them."""
        inputs = [sn.input(name, (512, 512)) for name in "ab"]
        function = Function(inputs, [inputs[0] @ inputs[1]], True, threads=setting.threads, target=setting.target)
        about = told(function.profile(*(np.ones((512, 512), np.float32) for _ in inputs)))
        each = [2 * math.prod(work.sizes(number)[:3]) for number in range(len(work.parts))]
        return {**about, "kernels": [], "bytes": 0, "flops": sum(each), "parts": each, "bandwidth": 0.0}

    return Job([part(number) for number in range(len(work.parts))], profile)


def told(profile: Any, begin: str = "") -> dict[str, Any]:
    """What is kept of a profile: the kernels whose names begin so, their sums, and what the machine can do."""
    keys = ("name", "note", "runs", "time", "flops", "bytes", "of_peak", "of_bandwidth", "bound")
    kernels = [
        {key: getattr(kernel, key) for key in keys} for kernel in profile.kernels if kernel.name.startswith(begin)
    ]
    sums = {key: sum(kernel[key] for kernel in kernels) for key in ("flops", "bytes")}
    machine = profile.machine
    peak = max(machine.flops.get(kind, 0.0) for kind in ("float32", "bf16"))
    return {**sums, "kernels": kernels, "peak": peak, "bandwidth": machine.bandwidth}
