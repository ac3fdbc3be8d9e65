"""Reading and writing buffers: addresses from row-major strides, and the form an access takes in vector lanes.

The address of an element is a linear form over the axes in scope, with coefficients that are dimensions, plus the
strides times whatever data-dependent indices there are. Seen along the vector axis an access is uniform (one scalar),
contiguous (one vector load or store, masked at a tail), strided (every second, third or fourth element of a wider
vector, spread or picked by a shuffle) or scattered (gather, scatter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegen.llvm.builder import MEMORY_TYPE, vector_type
from codegen.llvm.scope import Scope, Value, const, index
from codegen.loops.grammar import Affine, Const, Index, Load, Scalar, Store
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES

EmitScalar = Callable[[Scope, Scalar], Value]

WIDEST_STEP = 4
"""Steps up to which lanes are picked from whole vectors; beyond, most of what is loaded would be dropped."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an access goes: `pointer` for lane 0 (or for all lanes), and how the lanes lie."""

    pointer: Value
    form: str
    """"uniform", "contiguous", "strided" with `step`, or "scattered": then `offsets` holds an element offset a lane."""
    offsets: Value | None = None
    computed: bool = False
    """Whether the address depends on data (a gather), so that a check before it must not be passed."""
    step: int = 1


def load(scope: Scope, node: Load, emit_scalar: EmitScalar) -> Value:
    """The value of a load; uniform loads are hoisted as far as their address, unless the function stores the buffer."""
    address = _address(scope, node.buffer, node.index, emit_scalar, sure=node.fill is None)
    inside = _inside(scope, node, emit_scalar) if node.fill is not None else None
    if address.form == "uniform" and (inside is None or inside.lanes == 1):
        return _load_uniform(scope, node, address, inside)
    mask, fill = scope.mask, _memory_constant(node.fill) if node.fill is not None else "zeroinitializer"
    if inside is not None:
        inside = scope.splat(inside, scope.lanes)
        mask = inside if mask is None else scope.operate("and", mask, inside)
    if node.fill is not None and fill != "zeroinitializer":
        fill = f"splat ({fill})"
    fixed = node.buffer in scope.stored or address.computed
    return _from_memory(scope, _vector_load(scope, node.dtype, address, mask, fill, fixed))


def store(scope: Scope, node: Store, value: Value, emit_scalar: EmitScalar) -> None:
    """Write (or accumulate) a value; lanes that do not count write nothing."""
    address = _address(scope, node.buffer, node.index, emit_scalar)
    if node.accumulate and address.form in ("contiguous", "strided"):
        value = _add(scope, _from_memory(scope, _reload(scope, value.dtype, address)), value)
    elif node.accumulate and address.form == "scattered":
        _accumulate_lanes(scope, address, value)
        return
    elif node.accumulate:
        value = _add_to_one_place(scope, address, value)
    if address.form == "uniform":
        _store_one(scope, address.pointer.text, _first_lane(scope, value))
        return
    value = scope.splat(value, scope.lanes)
    kind = vector_type(value.dtype, value.lanes) if value.dtype != "bool" else f"<{value.lanes} x i8>"
    text = _to_memory(scope, value)
    suffix, size = _suffix(value.dtype, value.lanes), _align(value.dtype)
    if address.form == "contiguous" and scope.mask is None and _past_caches(scope, node):
        whole = scope.target.vector_bytes
        scope.fn.do(f"store {kind} {text}, ptr {address.pointer.text}, align {whole}, !nontemporal !{{i32 1}}")
    elif address.form == "contiguous" and scope.mask is None:
        scope.fn.do(f"store {kind} {text}, ptr {address.pointer.text}, align {size}")
    elif address.form == "contiguous":
        assert scope.mask is not None
        arguments = f"{kind} {text}, ptr {address.pointer.text}, i32 {size}, {scope.mask.typed}"
        scope.fn.do(f"call void @llvm.masked.store.{suffix}.p0({arguments})")
    elif address.form == "strided":
        wide, chosen = _spread(scope, value, address.step), _spread_mask(scope, scope.mask, address.step)
        arguments = f"{wide.typed}, ptr {address.pointer.text}, i32 {size}, {chosen.typed}"
        scope.fn.do(f"call void @llvm.masked.store.{_suffix(value.dtype, wide.lanes)}.p0({arguments})")
    else:
        pointers = _lane_pointers(scope, address, value.dtype)
        mask = _mask_text(scope)
        arguments = f"{kind} {text}, <{value.lanes} x ptr> {pointers.text}, i32 {size}, {mask}"
        scope.fn.do(f"call void @llvm.masked.scatter.{suffix}.v{value.lanes}p0({arguments})")


LINE = 64
"""Bytes of a cache line."""


def fetch(scope: Scope, node: Load, emit_scalar: EmitScalar) -> None:
    """Bring what a load in lanes would read into the second-level cache; it may lie behind the end of the buffer."""
    pointer = _address(scope, node.buffer, node.index, emit_scalar, sure=False).pointer
    for line in range(0, scope.lanes * BYTES[node.dtype], LINE):
        there = _advance(scope, pointer, index(line // BYTES[node.dtype]), node.dtype, sure=False)
        scope.fn.do(f"call void @llvm.prefetch.p0(ptr {there.text}, i32 0, i32 2, i32 1)")


def _past_caches(scope: Scope, node: Store) -> bool:
    """Whether a store of a vector is of a large result, and a multiple of a vector register from an aligned start."""
    if node.buffer not in scope.streamed or not scope.aligned:
        return False
    buffer = scope.buffer(node.buffer)
    size = BYTES[buffer.dtype]
    if buffer.dtype == "bool" or scope.lanes * size % scope.target.vector_bytes:
        return False
    steps: list[dimension.Dim] = []
    for part, stride in zip(node.index, scope.strides(node.buffer), strict=True):
        if not isinstance(part, Affine):
            return False
        steps.append(dimension.mul(part.offset, stride))
        moving = [(axis, c) for axis, c in part.terms if axis != scope.vector and scope.axes[axis].text != "0"]
        steps += [dimension.mul(coefficient, stride) for _, coefficient in moving]
    return all(isinstance(step, int) and step * size % scope.target.vector_bytes == 0 for step in steps)


# --- addresses ---------------------------------------------------------------------------------------------------


def _address(
    scope: Scope, buffer: str, indices: tuple[Index, ...], emit_scalar: EmitScalar, sure: bool = True
) -> Address:
    """The address of an element, its terms added in the order in which they become known (outer loops first).

    `sure` says that the address lies in the buffer, which guarded loads cannot promise.
    """
    axes: dict[str, dimension.Dim] = {}
    offset: dimension.Dim = 0
    terms: list[Value] = []
    computed = False
    for part, stride in zip(indices, scope.strides(buffer), strict=True):
        if isinstance(part, Affine):
            offset = dimension.add(offset, dimension.mul(part.offset, stride))
            for axis, coefficient in part.terms:
                axes[axis] = dimension.add(axes.get(axis, 0), dimension.mul(coefficient, stride))
        else:
            computed = True
            position = emit_scalar(scope, part)
            terms.append(scope.mul(position, scope.dim(stride)))
    step = axes.get(scope.vector, 0) if scope.vector is not None else 0
    terms += [scope.mul(scope.axes[axis], scope.dim(coefficient)) for axis, coefficient in axes.items() if coefficient]
    uniform = sorted((term for term in terms if term.lanes == 1), key=lambda term: term.level)
    spread = [term for term in terms if term.lanes > 1]
    pointer = Value(scope.pointers[buffer], "int64")  # a pointer; the dtype is not used
    dtype = scope.buffer(buffer).dtype
    for level in sorted({term.level for term in uniform}):
        total = index(0)
        for term in uniform:
            if term.level == level:
                total = scope.add(total, term)
        pointer = _advance(scope, pointer, total, dtype, sure)
    pointer = _advance(scope, pointer, scope.dim(offset), dtype, sure)
    if isinstance(step, int) and 1 < step <= WIDEST_STEP and not spread and dtype != "bool":
        return Address(pointer, "strided", None, computed, step)
    if spread or step not in (0, 1):
        offsets = scope.mul(scope.positions(index(0), scope.lanes), scope.splat(scope.dim(step), scope.lanes))
        if step == 0:
            offsets = scope.splat(index(0), scope.lanes)
        for term in spread:
            offsets = scope.operate("add nsw", offsets, term)
        return Address(pointer, "scattered", offsets, computed)
    return Address(pointer, "contiguous" if step == 1 else "uniform", None, computed)


def _advance(scope: Scope, pointer: Value, elements: Value, dtype: str, sure: bool) -> Value:
    if elements.text == "0":
        return pointer
    inbounds = "inbounds " if sure else ""
    instruction = f"getelementptr {inbounds}{MEMORY_TYPE[dtype]}, ptr {pointer.text}, i64 {elements.text}"
    return scope.emit(instruction, (pointer, elements), "int64", stem="p")


def _inside(scope: Scope, node: Load, emit_scalar: EmitScalar) -> Value | None:
    """The condition that every index lies in its axis."""
    condition: Value | None = None
    for part, size in zip(node.index, scope.buffer(node.buffer).shape, strict=True):
        position = emit_scalar(scope, part) if not isinstance(part, Affine) else affine(scope, part)
        # one unsigned comparison: a negative position is a huge one
        within = scope.operate("icmp ult", position, scope.dim(size), "bool")
        condition = within if condition is None else scope.operate("and", condition, within)
    return condition


def affine(scope: Scope, form: Affine) -> Value:
    """The int64 value of an affine form, a vector where it moves with the vector axis."""
    total = scope.dim(form.offset)
    for axis, coefficient in sorted(form.terms, key=lambda term: scope.axes[term[0]].level):
        position = scope.axes[axis]
        if axis == scope.vector and position.lanes == 1:
            position = scope.positions(position, scope.lanes)
        factor = index(coefficient) if position.lanes == 1 else scope.splat(index(coefficient), position.lanes)
        moved = position if coefficient == 1 else scope.mul(position, factor)
        total = scope.add(total, moved)
    return total


# --- loads -------------------------------------------------------------------------------------------------------


def _load_uniform(scope: Scope, node: Load, address: Address, inside: Value | None) -> Value:
    kind, size = MEMORY_TYPE[node.dtype], _align(node.dtype)
    pointer = address.pointer
    if inside is not None:  # outside, read the first element instead and drop it
        first = scope.pointers[node.buffer]
        instruction = f"select {inside.typed}, ptr {pointer.text}, ptr {first}"
        pointer = scope.emit(instruction, (inside, pointer), "int64", stem="p")
    instruction = f"load {kind}, ptr {pointer.text}, align {size}"
    if node.buffer in scope.stored or address.computed:
        raw = scope.here(instruction, node.dtype)
    else:
        raw = scope.emit(instruction, (pointer,), node.dtype)
    value = _from_memory(scope, raw)
    if inside is None or node.fill is None:
        return value
    return scope.select(inside, value, const(node.fill.value, node.dtype))


def _vector_load(scope: Scope, dtype: str, address: Address, mask: Value | None, fill: str, fixed: bool) -> Value:
    """A vector of the memory type; `fixed` loads stay where they are, others may move up and stand for equal ones."""

    def place(instruction: str, operands: tuple[Value, ...], lanes: int) -> Value:
        return scope.here(instruction, dtype, lanes) if fixed else scope.emit(instruction, operands, dtype, lanes)

    def masked(count: int, where: Value) -> Value:
        arguments = f"ptr {address.pointer.text}, i32 {size}, {where.typed}, <{count} x {MEMORY_TYPE[dtype]}> {fill}"
        intrinsic = f"@llvm.masked.load.{_suffix(dtype, count)}.p0"
        return place(f"call <{count} x {MEMORY_TYPE[dtype]}> {intrinsic}({arguments})", (address.pointer, where), count)

    lanes, size = scope.lanes, _align(dtype)
    kind = f"<{lanes} x {MEMORY_TYPE[dtype]}>"
    if address.form == "contiguous" and mask is None:
        return place(f"load {kind}, ptr {address.pointer.text}, align {size}", (address.pointer,), lanes)
    if address.form == "contiguous":
        assert mask is not None
        return masked(lanes, mask)
    if address.form == "strided":  # with what lies between the lanes, but nothing behind the last one
        wide = masked(lanes * address.step, _spread_mask(scope, mask, address.step))
        picked = ", ".join(f"i32 {lane * address.step}" for lane in range(lanes))
        shuffle = f"shufflevector {wide.typed}, {wide.type} poison, <{lanes} x i32> <{picked}>"
        return scope.emit(shuffle, (wide,), dtype, lanes)
    pointers = _lane_pointers(scope, address, dtype)
    mask_text = mask.typed if mask else f"<{lanes} x i1> splat (i1 true)"
    arguments = f"<{lanes} x ptr> {pointers.text}, i32 {size}, {mask_text}, {kind} {fill}"
    instruction = f"call {kind} @llvm.masked.gather.{_suffix(dtype, lanes)}.v{lanes}p0({arguments})"
    return place(instruction, (address.pointer, *((mask,) if mask else ()), pointers), lanes)


def _spread_mask(scope: Scope, mask: Value | None, step: int) -> Value:
    """The mask of every step-th element of a wider vector; None stands for all lanes."""
    lanes = scope.lanes
    if mask is None:
        bits = ", ".join(f"i1 {str(element % step == 0).lower()}" for element in range(lanes * step))
        return Value(f"<{bits}>", "bool", lanes * step)
    picked = ", ".join(f"i32 {element // step if element % step == 0 else lanes}" for element in range(lanes * step))
    shuffle = f"shufflevector {mask.typed}, {mask.type} zeroinitializer, <{lanes * step} x i32> <{picked}>"
    return scope.emit(shuffle, (mask,), "bool", lanes * step)


def _spread(scope: Scope, value: Value, step: int) -> Value:
    """The lanes as every step-th element of a wider vector."""
    count = value.lanes * step
    picked = ", ".join(f"i32 {element // step}" if element % step == 0 else "i32 poison" for element in range(count))
    shuffle = f"shufflevector {value.typed}, {value.type} poison, <{count} x i32> <{picked}>"
    return scope.emit(shuffle, (value,), value.dtype, count)


def _lane_pointers(scope: Scope, address: Address, dtype: str) -> Value:
    offsets = scope.splat(address.offsets or index(0), scope.lanes)
    instruction = f"getelementptr {MEMORY_TYPE[dtype]}, ptr {address.pointer.text}, {offsets.typed}"
    return scope.emit(instruction, (address.pointer, offsets), "int64", scope.lanes, stem="p")


def _from_memory(scope: Scope, raw: Value) -> Value:
    """Booleans are bytes in memory and single bits in registers."""
    if raw.dtype != "bool":
        return raw
    kind = "i8" if raw.lanes == 1 else f"<{raw.lanes} x i8>"
    return scope.emit(f"icmp ne {kind} {raw.text}, zeroinitializer", (raw,), "bool", raw.lanes)


# --- stores ------------------------------------------------------------------------------------------------------


def _to_memory(scope: Scope, value: Value) -> str:
    if value.dtype != "bool":
        return value.text
    kind = "i8" if value.lanes == 1 else f"<{value.lanes} x i8>"
    return scope.emit(f"zext {value.typed} to {kind}", (value,), "bool", value.lanes).text


def _store_one(scope: Scope, pointer: str, value: Value) -> None:
    text = _to_memory(scope, value)
    scope.fn.do(f"store {MEMORY_TYPE[value.dtype]} {text}, ptr {pointer}, align {_align(value.dtype)}")


def _reload(scope: Scope, dtype: str, address: Address) -> Value:
    """What an accumulating store adds to."""
    if address.form == "uniform":
        kind = MEMORY_TYPE[dtype]
        return scope.here(f"load {kind}, ptr {address.pointer.text}, align {_align(dtype)}", dtype)
    return _vector_load(scope, dtype, address, scope.mask, "zeroinitializer", fixed=True)


def _add(scope: Scope, a: Value, b: Value) -> Value:
    if a.dtype == "bool":
        return scope.operate("or", a, b)
    return scope.operate("fadd contract" if a.dtype.startswith("float") else "add", a, b)


def _first_lane(scope: Scope, value: Value) -> Value:
    """Lanes that all write to one place: there is one iteration, so the first lane holds it."""
    if value.lanes == 1:
        return value
    return scope.emit(f"extractelement {value.typed}, i64 0", (value,), value.dtype)


def _add_to_one_place(scope: Scope, address: Address, value: Value) -> Value:
    """The element at a uniform address plus the lanes that count, added in order."""
    total = _from_memory(scope, _reload(scope, value.dtype, address))
    if scope.vector is None:
        return _add(scope, total, value)
    value = scope.splat(value, scope.lanes)
    neutral = const(-0.0 if value.dtype.startswith("float") else 0, value.dtype)
    if scope.mask is not None:
        value = scope.select(scope.mask, value, neutral)
    for lane in range(scope.lanes):
        one = scope.emit(f"extractelement {value.typed}, i64 {lane}", (value,), value.dtype)
        total = _add(scope, total, one)
    return total


def _accumulate_lanes(scope: Scope, address: Address, value: Value) -> None:
    """Accumulate lane after lane, as lanes may address the same element."""
    value = scope.splat(value, scope.lanes)
    pointers = _lane_pointers(scope, address, value.dtype)
    lanes = scope.lanes
    count = index(lanes)
    if scope.mask is not None:
        kind = f"i{lanes}"
        bits = scope.here(f"bitcast {scope.mask.typed} to {kind}", "int64")
        ones = scope.here(f"call {kind} @llvm.ctpop.{kind}({kind} {bits.text})", "int64")
        wide = "trunc" if lanes > 64 else "zext"
        count = ones if lanes == 64 else scope.here(f"{wide} {kind} {ones.text} to i64", "int64")
    with scope.level(), scope.fn.loop("0", count.text, stem="lane") as lane:
        pointer = scope.here(f"extractelement <{lanes} x ptr> {pointers.text}, i64 {lane}", "int64")
        one = scope.here(f"extractelement {value.typed}, i64 {lane}", value.dtype)
        place = Address(pointer, "uniform")
        total = _add(scope, _from_memory(scope, _reload(scope, value.dtype, place)), one)
        _store_one(scope, pointer.text, total)


def _mask_text(scope: Scope) -> str:
    return scope.mask.typed if scope.mask else f"<{scope.lanes} x i1> splat (i1 true)"


def _memory_constant(fill: Const) -> str:
    value = const(fill.value, fill.dtype)
    if not fill.value and str(fill.value) != "-0.0":
        return "zeroinitializer"
    return "i8 1" if fill.dtype == "bool" else value.typed


def _align(dtype: str) -> int:
    return BYTES[dtype]


def _suffix(dtype: str, lanes: int) -> str:
    short = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "bool": "i8"}[dtype]
    return f"v{lanes}{short}"
