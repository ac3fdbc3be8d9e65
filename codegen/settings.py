"""What the environment says about compiling."""

from __future__ import annotations

import os

from symnet.errors import UsageError


def check_level() -> int:
    """SYMNET_CHECK. 0: the verifier runs at the end; 1: after every pass; 2: the interpreter too, before and after."""
    text = os.environ.get("SYMNET_CHECK", "")
    if text not in ("", "0", "1", "2"):
        raise UsageError(f"SYMNET_CHECK is {text!r}, expected 0, 1 or 2")
    return int(text or 0)


def dump_folder() -> str:
    """SYMNET_DUMP: the folder for the text of every stage; empty for none."""
    return os.environ.get("SYMNET_DUMP", "")
