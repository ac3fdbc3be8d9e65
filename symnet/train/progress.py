"""The progress bar of `fit`."""

from __future__ import annotations

from typing import Any

from symnet.train.history import short


class Bar:
    """A tqdm bar over all steps of a run, or nothing."""

    def __init__(self, wanted: bool, epochs: int, steps: int | None) -> None:
        """`steps` of an epoch, None where that is not known yet."""
        self.bar: Any = None
        self.epochs, self.epoch, self.last = epochs, 0, ""
        if wanted:
            from tqdm import tqdm

            total = None if steps is None else epochs * steps
            self.bar = tqdm(total=total, unit="step", dynamic_ncols=True, leave=True)

    def begin(self, steps: int | None) -> None:
        """Another epoch begins."""
        self.epoch += 1
        if self.bar is not None:
            self.bar.set_description_str(f"epoch {self.epoch}/{self.epochs}", refresh=False)
            if self.bar.total is None and steps is not None:
                self.bar.total = self.epochs * steps

    def advance(self, steps: int, loss: float) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {short(loss)}{self.last}", refresh=False)
            self.bar.update(steps)

    def note(self, text: str) -> None:
        """The figures of the epoch that has ended."""
        self.last = f"   last epoch: {text}"
        if self.bar is not None:
            self.bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()
