"""Contractions: sums of products over affine accesses, all through one register-tiled microkernel."""

from codegen.llvm.contract.emit import emit_contract

__all__ = ["emit_contract"]
