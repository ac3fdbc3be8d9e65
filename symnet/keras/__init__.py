"""What Keras has with other names, arguments, defaults or formulas than PyTorch."""

from symnet.keras import losses, optimizers

__all__ = ["losses", "optimizers"]
