"""Who takes part in what: a new peer is a line for each kind of workload that it can do."""

from __future__ import annotations

from dataclasses import dataclass, field

KEEPS_PAGES = dict.fromkeys(("MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), "2000000000")
"""A malloc that never gives memory back: fresh pages cost PyTorch more than some of its arithmetic."""
ALL = ("",)
"""A part of every name."""
JAX_CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0"}


@dataclass(frozen=True)
class Contestant:
    """name         as the tables say it; the first of a kind is what others are compared with
    kind         of the workloads that it can do
    make         "module:function" of (workload, setting) -> Job
    environment  variables of its process
    interpreter  whose Python it runs in: the option `--python interpreter=PATH`
    cache        the variable that names the folder of what it keeps between processes
    slow         parts of the names of workloads at which it takes minutes, and runs only when asked for
    only         parts of the names of the workloads that it can do; all without any
    """

    name: str
    kind: str
    make: str
    environment: dict[str, str] = field(default_factory=dict)
    interpreter: str = ""
    cache: str = ""
    slow: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        return self.name.startswith("symnet")


CONTESTANTS = (
    Contestant("symnet fit", "train", "symnet_side:fit"),
    Contestant("symnet step", "train", "symnet_side:step"),
    Contestant("PyTorch eager", "train", "torch_side:eager"),
    Contestant("PyTorch eager, kept pages", "train", "torch_side:eager", KEEPS_PAGES),
    Contestant("PyTorch channels last, kept pages", "train", "torch_side:channels_last", KEEPS_PAGES,
               only=("CNN", "ResNet")),
    Contestant("PyTorch compiled", "train", "torch_side:compiled", KEEPS_PAGES),
    Contestant("PyTorch compiled, channels last", "train", "torch_side:compiled_channels_last", KEEPS_PAGES,
               only=("CNN", "ResNet")),
    Contestant("JAX jit", "train", "jax_side:jit"),
    Contestant("JAX scan", "train", "jax_side:scan", slow=("CNN", "ResNet")),
    Contestant("TensorFlow function", "train", "tensorflow_side:function", interpreter="tensorflow"),
    Contestant("TensorFlow XLA", "train", "tensorflow_side:xla", interpreter="tensorflow", slow=("LSTM", "GRU")),
    Contestant("PyTensor numba", "train", "pytensor_side:step", interpreter="pytensor", only=("MLP",)),
    Contestant("symnet step", "rounded", "symnet_side:rounded"),
    Contestant("symnet step in float32", "rounded", "symnet_side:step"),
    Contestant("PyTorch autocast", "rounded", "torch_side:rounded"),
    Contestant("PyTorch autocast, kept pages", "rounded", "torch_side:rounded", KEEPS_PAGES),
    Contestant("symnet function", "loss", "symnet_side:loss"),
    Contestant("PyTorch eager", "loss", "torch_side:loss"),
    Contestant("PyTorch eager, kept pages", "loss", "torch_side:loss", KEEPS_PAGES),
    Contestant("JAX jit", "loss", "jax_side:loss"),
    Contestant("TensorFlow XLA", "loss", "tensorflow_side:loss", interpreter="tensorflow"),
    Contestant("symnet", "update", "symnet_side:update"),
    Contestant("symnet step with a loss", "update", "symnet_side:update_step"),
    Contestant("PyTorch fused", "update", "torch_side:update_fused"),
    Contestant("PyTorch foreach", "update", "torch_side:update_foreach", KEEPS_PAGES),
    Contestant("JAX jit", "update", "jax_side:update"),
    Contestant("TensorFlow XLA", "update", "tensorflow_side:update", interpreter="tensorflow"),
    Contestant("symnet predict", "infer", "symnet_side:predict"),
    Contestant("onnxruntime", "infer", "onnx_side:infer", interpreter="onnxruntime"),
    Contestant("PyTorch inference mode", "infer", "torch_side:infer"),
    Contestant("JAX jit", "infer", "jax_side:infer"),
    Contestant("TensorFlow function", "infer", "tensorflow_side:infer", interpreter="tensorflow"),
    Contestant("symnet", "product", "symnet_side:products"),
    Contestant("NumPy (OpenBLAS)", "product", "numpy_side:products"),
    Contestant("PyTorch", "product", "torch_side:products"),
    Contestant("JAX jit", "product", "jax_side:products"),
    Contestant("onnxruntime", "product", "onnx_side:products", interpreter="onnxruntime"),
    Contestant("symnet step", "start", "symnet_side:step", cache="SYMNET_CACHE"),
    Contestant("PyTorch eager", "start", "torch_side:eager"),
    Contestant("PyTorch compiled", "start", "torch_side:compiled", cache="TORCHINDUCTOR_CACHE_DIR", slow=ALL),
    Contestant("JAX jit", "start", "jax_side:jit", JAX_CACHE, cache="JAX_COMPILATION_CACHE_DIR"),
    Contestant("TensorFlow function", "start", "tensorflow_side:function", interpreter="tensorflow"),
)  # fmt: skip


def chosen(kind: str, name: str, wanted: list[str], slow: bool) -> list[Contestant]:
    """Those for a workload of this kind and name; `wanted` are parts of their names, all without any."""
    return [
        one
        for one in CONTESTANTS
        if one.kind == kind
        and (not wanted or any(part.lower() in one.name.lower() for part in wanted))
        and (slow or not any(part in name for part in one.slow))
        and (not one.only or any(part in name for part in one.only))
    ]
