"""Keras 3's losses, with its names, arguments, defaults and numbers.

loss = sn.keras.losses.MeanSquaredError()(y_true, y_pred, sample_weight=None)    # reduced to one number
losses = sn.keras.losses.mean_squared_error(y_true, y_pred)                      # one for each example
"""

from __future__ import annotations

from symnet.keras.losses import classification, distributions, margins, regression
from symnet.keras.losses.base import Loss
from symnet.keras.losses.classification import *  # noqa: F403
from symnet.keras.losses.distributions import *  # noqa: F403
from symnet.keras.losses.margins import *  # noqa: F403
from symnet.keras.losses.regression import *  # noqa: F403

__all__ = ["Loss"]
__all__ += classification.__all__
__all__ += distributions.__all__
__all__ += margins.__all__
__all__ += regression.__all__
