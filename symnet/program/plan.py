"""Everything the compiler is asked for: gradients derived, the update written with them, all of it simplified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symnet.expr.node import Expr
from symnet.ops.meaning import collect_updates, inference
from symnet.program.about import Watched, about_output
from symnet.program.definition import Definition, Facts
from symnet.program.names import leaves_by_name
from symnet.program.program import LOSS

if TYPE_CHECKING:
    from codegen.spec import Entry, Module


class Plan:
    """What becomes of a definition, as expressions.

    loss, trained, optimizer   what was given: the loss, the parameters it trains, and how
    written                    (parameter or state, its new value) as formulas have them: the optimizer's as it writes
                               them, before simplification; what the network stores, simplified
    watched                    the step as it is compiled, before expansion, and the gradients in it
    module                     what the compiler gets; entries are expanded when it lowers them
    """

    def __init__(self, definition: Definition) -> None:
        from codegen.spec import Entry, Module
        from symnet.accuracy import improved
        from symnet.derive.api import usual_gradients
        from symnet.simplify import simplify

        loss, accuracy = definition.loss, definition.accuracy
        self.loss, self.trained, self.optimizer = loss, definition.trained, definition.optimizer
        trainable = definition.trainable
        gradients = usual_gradients(loss, list(trainable.values()))
        training, *evaluated = simplify([loss, *inference(definition.values)])
        if accuracy != "off":
            training, *evaluated = improved([training, *evaluated], accuracy == "auto")
            gradients = improved(gradients, accuracy == "auto")
        by_parameter = dict(zip(trainable.values(), gradients, strict=True))
        written = definition.updates([by_parameter[node] for node in self.trained])
        stored = collect_updates([loss])
        new_values = simplify([value for _, value in (*written, *stored)])
        updates = tuple((node, new) for (node, _), new in zip((*written, *stored), new_values, strict=True))
        self.written = (*written, *updates[len(written) :])
        self.values = dict(zip(["loss", *definition.outputs], evaluated, strict=True))
        entries = [
            Entry("step", {"loss": training}, updates),
            Entry("gradients", {LOSS: training, **dict(zip(trainable, gradients, strict=True))}),
            Entry("evaluate", self.values),
            *(Entry(f"predict_{name}", {name: self.values[name]}) for name in definition.outputs),
        ]
        self.watched = Watched(entries[0], {str(node.name): by_parameter[node] for node in self.trained})
        self._far_out, self._prepared = accuracy == "strict", dict[str, Entry]()
        capacity, precision = dict(definition.capacity), definition.precision
        self.module = Module("program", tuple(entries), capacity, self._expanded, precision)

    def facts(self) -> Facts:
        """What it takes to run the program, beside its code."""
        step = self.watched.values().values()
        new_values = (value for _, value in self.watched.step.updates)
        # A factor that cancels leaves no trace in the program. (The leaves of betas are betas[0] and betas[1].)
        occurring = {name.partition("[")[0] for name in leaves_by_name(new_values, "hyper")}
        outputs = {name: about_output(value) for name, value in self.values.items() if name != "loss"}
        everything = [root for entry in self.module.entries for root in _roots(entry)]
        return Facts(
            inputs=list(leaves_by_name(step, "input")),
            leaves=list(leaves_by_name(everything, "parameter", "state")),
            hyper=sorted(occurring),
            outputs={name: (sorted(about.inputs), about.probabilities) for name, about in outputs.items()},
        )

    def entry(self, name: str) -> Entry:
        """An entry as it is written, before expansion."""
        return next(known for known in self.module.entries if known.name == name)

    def module_with(self, entry: str) -> Module:
        """The module, with the entry added to it if that is a step that reports on itself."""
        if any(known.name == entry for known in self.module.entries):
            return self.module
        return replace(self.module, entries=(*self.module.entries, self.watched.entry(entry)))

    def roots(self, entry: str) -> list[Expr]:
        """What an entry computes, expanded: its outputs, then its new values."""
        found = self._expanded(self.entry(entry))
        return [*found.outputs.values(), *(value for _, value in found.updates)]

    def _expanded(self, entry: Entry) -> Entry:
        """The entry with composites replaced by what they are made of."""
        from codegen.spec import Entry
        from symnet.simplify import expand

        if entry.name not in self._prepared:
            roots = expand([*entry.outputs.values(), *(value for _, value in entry.updates)], far_out=self._far_out)
            count = len(entry.outputs)
            updates = tuple((node, value) for (node, _), value in zip(entry.updates, roots[count:], strict=True))
            outputs = dict(zip(entry.outputs, roots[:count], strict=True))
            self._prepared[entry.name] = Entry(entry.name, outputs, updates)
        return self._prepared[entry.name]


def _roots(entry: Entry) -> list[Expr]:
    return [*entry.outputs.values(), *(node for pair in entry.updates for node in pair)]
