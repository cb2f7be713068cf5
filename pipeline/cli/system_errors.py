"""What the system refuses, in words of ours where its own leave a user without advice."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

_ADVICE = {
    "No space left on device": "no space is left on the disk: free some and run it again",
    "Disk quota exceeded": "the disk quota is used up: free some of it and run it again",
    "File exists": "File exists: move it away, or choose another name",
    "File too large": "the file may not grow: raise the limit (`ulimit -f`, or the file system's)",
}
# As in DuckDB's `Could not write file "x.wal": No space left on device`, also within JSON.
_FILE = re.compile(r'\bfile \\?"([^"\\]+)\\?"')


def reason(error: OSError) -> str:
    """One line, with the file if it is known."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    if error.errno == errno.EBADF and not name:
        return "stdin or stdout is closed (<&- or >&-): leave it open, or use /dev/null"
    if error.errno == errno.ENOTDIR and (blocking := _file_within(Path(name))):
        return (
            f"{blocking} is a file, not a folder, so there is no {name}: check PIPELINE_HOME and"
            " the paths that are given"
        )
    said = error.strerror or str(error)
    return f"{name}: {_ADVICE.get(said, said)}" if name else _ADVICE.get(said, said)


def no_room(text: str) -> str | None:
    """The line for a library's error of a full disk; None if `text` is another error."""
    advice = next((advice for said, advice in _ADVICE.items() if said in text), None)
    file = _FILE.search(text)
    return f"{file[1]}: {advice}" if advice and file else advice


def _file_within(path: Path) -> Path | None:
    """The part of `path` that is in the way of a folder."""
    return next((each for each in path.parents if each.exists() and not each.is_dir()), None)
