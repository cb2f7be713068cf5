"""Why DuckDB or the system failed, in one line without their inner words."""

from __future__ import annotations

import os
import re

import duckdb

# DuckDB begins with the class of the error, or with several: `IO Error: `.
_CLASSES = re.compile(r"^(?:[A-Z][A-Za-z ]*Error: )+(?:Failed to commit: )?")
# After a fatal error all that follows is refused; the text ends with the one that began it.
_ORIGINAL = re.compile(r'Original error: "([^\n]+)"')
# DuckDB's writers in parallel tell of it in JSON.
_FILE = re.compile(
    r'(?:Could not|Cannot|Failed to) [a-z]+ file \\?"(?P<file>[^"\\]+)\\?": (?P<why>[^"\n]+)'
)


def cause(error: Exception, *, names_file: bool = True) -> str:
    """One line: `FILE: No space left on device`, or the first line of what DuckDB says.

    Without `names_file` the file is left out, so that each attempt's error is the same line.
    """
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        file = os.fsdecode(name) if isinstance(name, (str, bytes)) else ""
        return f"{file}: {error.strerror}" if file and names_file else error.strerror
    text = str(error).strip() or type(error).__name__
    if isinstance(error, duckdb.Error):
        original = _ORIGINAL.search(text)
        text = original[1] if original else text
        if found := _FILE.search(text):
            return f"{found['file']}: {found['why']}" if names_file else found["why"]
    return _CLASSES.sub("", text.splitlines()[0])
