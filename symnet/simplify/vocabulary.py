"""The words of the rule tables: a constructor of terms for each operation, and the families of operations."""

from __future__ import annotations

from symnet.simplify.pattern import Family, operation

# scalar
absolute = operation("absolute")
cast = operation("cast")
ceil = operation("ceil")
cos = operation("cos")
equal = operation("equal")
erf = operation("erf")
exp = operation("exp")
expm1 = operation("expm1")
floor = operation("floor")
greater = operation("greater")
greater_equal = operation("greater_equal")
isnan = operation("isnan")
less = operation("less")
less_equal = operation("less_equal")
log = operation("log")
log1p = operation("log1p")
log_sigmoid = operation("log_sigmoid")
logical_and = operation("logical_and")
logical_not = operation("logical_not")
logical_or = operation("logical_or")
maximum = operation("maximum")
minimum = operation("minimum")
not_equal = operation("not_equal")
power = operation("power")
reciprocal = operation("reciprocal")
relu = operation("relu")
rounded = operation("round")
rsqrt = operation("rsqrt")
sigmoid = operation("sigmoid")
sign = operation("sign")
silu = operation("silu")
sin = operation("sin")
softplus = operation("softplus")
sqrt = operation("sqrt")
square = operation("square")
tanh = operation("tanh")
where = operation("where")

# reductions
all_ = operation("all")
any_ = operation("any")
argmax = operation("argmax")
argmin = operation("argmin")
logsumexp = operation("logsumexp")
max_ = operation("max")
mean = operation("mean")
min_ = operation("min")
prod = operation("prod")
sum_ = operation("sum")

# arrays
broadcast_to = operation("broadcast_to")
concat = operation("concat")
contract = operation("contract")
cumsum = operation("cumsum")
dim = operation("dim")
gather = operation("gather")
iota = operation("iota")
log_softmax = operation("log_softmax")
one_hot = operation("one_hot")
place = operation("place")
reshape = operation("reshape")
scatter_add = operation("scatter_add")
slice_ = operation("slice")
softmax = operation("softmax")
stop_gradient = operation("stop_gradient")
transpose = operation("transpose")

UNARY_OPS = frozenset(
    "negative absolute sign floor ceil round sqrt rsqrt square reciprocal exp expm1 log log1p tanh sigmoid log_sigmoid "
    "softplus relu gelu gelu_tanh silu erf sin cos logical_not isnan cast".split()
)
COMPARISON_OPS = frozenset("equal not_equal less less_equal greater greater_equal".split())
BINARY_OPS = COMPARISON_OPS | frozenset(
    "add subtract multiply divide mod floor_divide power minimum maximum logical_and logical_or".split()
)
SCALAR_OPS = UNARY_OPS | BINARY_OPS | {"where"}

unary = Family("unary", UNARY_OPS)
binary = Family("binary", BINARY_OPS)
comparison = Family("comparison", COMPARISON_OPS)
