"""Descriptors 0 to 2, which a caller may have closed (`>&-`): reading or writing one is an error.

Left closed, the next file that is opened would get the number, and whatever is printed would go
into it. So each is opened on /dev/null the wrong way round: what prints nothing goes on as ever,
what prints ends with an error. Nothing could tell of an error on stderr, which takes everything.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast


def open_standard_files() -> None:
    """Open what is closed of stdin, stdout and stderr. Call it before any file is opened."""
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        if not _is_open(number):
            file = os.open(os.devnull, flags)
            if file == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(file, number)
                os.close(file)
    # Python has None in place of each that was closed.
    sys.stdin = sys.stdin or _text(0, "r")
    sys.stdout = sys.stdout or _text(1, "w")
    sys.stderr = sys.stderr or _text(2, "w")


def _text(number: int, mode: str) -> TextIO:
    return cast(
        "TextIO",
        os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False),
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
