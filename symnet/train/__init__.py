"""The training loop: data, `fit`, metrics, callbacks, and what a run leaves behind."""

from symnet.train import callbacks, metrics
from symnet.train.compare import compare
from symnet.train.history import History

__all__ = ["History", "callbacks", "compare", "metrics"]
