"""Data: the digits that come with symnet, readers of well-known files, and what is done to arrays before training.

(x, y), (x_test, y_test) = sn.data.digits_split()       # 1,437 to train on, 360 held out, always the same ones
images, labels = sn.data.mnist("folder")[0]             # IDX files, also with .gz
for batch in sn.data.batches({"x": x, "y": y}, 32):     # a loop written by hand
    program.step(**batch)
"""

from symnet.data import batching, cifar, handwritten, idx, prepare
from symnet.data.batching import *  # noqa: F403
from symnet.data.cifar import *  # noqa: F403
from symnet.data.handwritten import *  # noqa: F403
from symnet.data.idx import *  # noqa: F403
from symnet.data.prepare import *  # noqa: F403

__all__: list[str] = []
__all__ += batching.__all__
__all__ += cifar.__all__
__all__ += handwritten.__all__
__all__ += idx.__all__
__all__ += prepare.__all__
