"""From expression graphs to loop programs: one table by family, one kernel a node."""

from codegen.lower.entry import Binding, bind, lower

__all__ = ["Binding", "bind", "lower"]
