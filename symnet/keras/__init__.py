"""What Keras has with other names, arguments, defaults or formulas than PyTorch."""

from symnet.keras import optimizers

__all__ = ["optimizers"]
