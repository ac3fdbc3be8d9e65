"""Operations: one declaration each, in files by family, and the functions users call (`sn.exp`, `sn.einsum`, …).

What a family lists in its `__all__` is public; a new family adds its two lines here.
"""

from __future__ import annotations

from symnet.ops import (
    aliases,
    arrange,
    composite,
    conditional,
    convolution,
    custom,
    diagonals,
    differences,
    euclidean,
    front,
    gamma_functions,
    index,
    interpret,
    leaves,
    linalg,
    log_sums,
    loops,
    loss_terms,
    meaning,
    members,
    more,
    naming,
    noise,
    normalize,
    pool,
    products,
    random,
    ratios,
    reduce,
    require,
    saturation,
    scalar,
    shape,
    special,
    steps,  # noqa: F401  (declares what rules build)
    usually,
    window,
)
from symnet.ops.aliases import *  # noqa: F403
from symnet.ops.arrange import *  # noqa: F403
from symnet.ops.composite import *  # noqa: F403
from symnet.ops.conditional import *  # noqa: F403
from symnet.ops.convolution import *  # noqa: F403
from symnet.ops.custom import *  # noqa: F403
from symnet.ops.diagonals import *  # noqa: F403
from symnet.ops.differences import *  # noqa: F403
from symnet.ops.front import *  # noqa: F403
from symnet.ops.gamma_functions import *  # noqa: F403
from symnet.ops.index import *  # noqa: F403
from symnet.ops.interpret import *  # noqa: F403
from symnet.ops.leaves import *  # noqa: F403
from symnet.ops.linalg.products import cross, kron
from symnet.ops.loops import *  # noqa: F403
from symnet.ops.loss_terms import *  # noqa: F403
from symnet.ops.meaning import *  # noqa: F403
from symnet.ops.more import *  # noqa: F403
from symnet.ops.naming import *  # noqa: F403
from symnet.ops.noise import *  # noqa: F403
from symnet.ops.normalize import *  # noqa: F403
from symnet.ops.pool import *  # noqa: F403
from symnet.ops.products import *  # noqa: F403
from symnet.ops.ratios import *  # noqa: F403
from symnet.ops.reduce import *  # noqa: F403
from symnet.ops.require import *  # noqa: F403
from symnet.ops.saturation import *  # noqa: F403
from symnet.ops.scalar import *  # noqa: F403
from symnet.ops.shape import *  # noqa: F403
from symnet.ops.special import *  # noqa: F403
from symnet.ops.window import *  # noqa: F403

__all__ = ["cross", "kron", "linalg", "random"]
__all__ += aliases.__all__
__all__ += arrange.__all__
__all__ += composite.__all__
__all__ += conditional.__all__
__all__ += convolution.__all__
__all__ += custom.__all__
__all__ += diagonals.__all__
__all__ += euclidean.__all__
__all__ += differences.__all__
__all__ += front.__all__
__all__ += gamma_functions.__all__
__all__ += index.__all__
__all__ += interpret.__all__
__all__ += leaves.__all__
__all__ += loss_terms.__all__
__all__ += log_sums.__all__
__all__ += loops.__all__
__all__ += meaning.__all__
__all__ += members.__all__
__all__ += more.__all__
__all__ += naming.__all__
__all__ += pool.__all__
__all__ += noise.__all__
__all__ += normalize.__all__
__all__ += products.__all__
__all__ += ratios.__all__
__all__ += reduce.__all__
__all__ += require.__all__
__all__ += saturation.__all__
__all__ += scalar.__all__
__all__ += shape.__all__
__all__ += special.__all__
__all__ += usually.__all__
__all__ += window.__all__
