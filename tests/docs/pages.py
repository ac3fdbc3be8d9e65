"""Runs the Python blocks of a page of the documentation: `python -m tests.docs.pages PAGE` in any folder.

The blocks run in order in one namespace, in a process and a folder of their own. What a block prints is what the
```text block after it shows. A block that begins ```python raises must end with an error of symnet's; the error's
class and message then stand in the text block too. A block under a comment such as

    <!-- symnet/ops/scalar.py, above: gelu: ScalarOp -->

is no script but a piece of that file (see `test_adding_an_operation.py`), and is not run.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^(?:<!-- (?P<file>[\w/.]+), above: (?P<anchor>[^\n]+) -->\n)?"
    r"```python(?P<raises> raises)?\n(?P<code>.*?)^```\n"
    r"(?:\s*^```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A Python block of a page: its line, whether it must raise, what the page shows of its output (None: nothing)."""

    line: int
    code: str
    raises: bool
    shown: str | None
    file: str | None
    anchor: str | None
    span: tuple[int, int]
    """Where the shown output stands in the page."""


def blocks(page: str) -> list[Block]:
    """All Python blocks of a page, in order."""
    return [
        Block(
            line=page.count("\n", 0, match.start("code")) + 1,
            code=match["code"],
            raises=match["raises"] is not None,
            shown=match["shown"],
            file=match["file"],
            anchor=match["anchor"],
            span=match.span("shown"),
        )
        for match in BLOCK.finditer(page)
    ]


def outputs(page: str, folder: Path, package: Path = ROOT) -> list[str]:
    """What the blocks that are scripts print, run in `folder` with the packages that lie in `package`."""
    source = folder / "page.md"
    source.write_text(page, encoding="utf-8")
    command = [sys.executable, str(Path(__file__)), str(source), str(package)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return list(json.loads(done.stdout))


def updated(page: str, printed: list[str]) -> str:
    """The page with what its blocks print in place of what it shows; an output that it does not show is an error."""
    pieces, end = [], 0
    scripts = [block for block in blocks(page) if block.file is None]
    for block, text in zip(scripts, printed, strict=True):
        if block.shown is None:
            assert not text.strip(), f"line {block.line}: the page does not show what this block prints:\n{text}"
            continue
        pieces += [page[end : block.span[0]], text.rstrip() + "\n"]
        end = block.span[1]
    return "".join([*pieces, page[end:]])


def run(page: str, name: str) -> list[str]:
    """Execute the scripts of a page here and now."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = []
    for block in blocks(page):
        if block.file is not None:
            continue
        stream = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.code, name, "exec")
        with contextlib.redirect_stdout(stream):
            if block.raises:
                _expect_error(code, namespace, block)
            else:
                exec(code, namespace)
        printed.append(stream.getvalue())
    return printed


def _expect_error(code: object, namespace: dict[str, object], block: Block) -> None:
    from symnet.errors import SymnetError

    try:
        exec(code, namespace)  # type: ignore[arg-type]
    except SymnetError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201
    else:
        raise AssertionError(f"line {block.line}: this block raises no error of symnet's")


def main(source: str, package: str) -> int:
    sys.path.insert(0, package)
    try:
        printed = run(Path(source).read_text(encoding="utf-8"), source)
    except BaseException:
        traceback.print_exc()
        return 1
    print(json.dumps(printed))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
