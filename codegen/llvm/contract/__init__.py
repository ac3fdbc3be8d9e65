"""Contractions: matrix products, batched ones, and convolutions with their gradients, as one kind of kernel.

    problem   the kernel taken apart: roles of its axes, two operands, an epilogue
    merge     the same with fewer and longer axes
    plan      what is decided before a line is written; `choose` decides it, by a model of costs or as it is told
    emit      the function: shares, blocks, tiles; `pack` and `epilogue` write what comes before and after the sums
    ahead     what the microkernel fetches for the epilogue while it sums
    frame     what the writers share

The innermost loop is `codegen.llvm.microkernel`, the sizes of its tile come from `codegen.llvm.tiles`. One call uses at
most `choose.STACK` bytes of stack and no other memory. Every element is summed in an order that does not depend on how
many threads share the work.
"""

from codegen.llvm.contract.emit import emit_contract

__all__ = ["emit_contract"]
