"""The command `pipeline`: a Ctrl-C ends it in silence, and a full disk with one line."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

# What a shell says of a program that a Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Run it with the arguments of the process, and exit."""
    # Whoever starts us with Ctrl-C ignored, as `nohup` does, has said what he wants.
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        # Loading what the verbs need takes a while, and has nothing to tidy up.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli.main import main as run  # noqa: PLC0415  # the line above comes first

    if is_ours:
        signal.signal(signal.SIGINT, _end)
    try:
        code: str | int | None = run()
    except SystemExit as ended:
        code = ended.code
    except OSError as error:
        sys.stderr.write(f"Error: {error.strerror or error}\n")
        code = 1
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_flushed(code))


def _end(_number: int, _frame: FrameType | None) -> None:
    # Not KeyboardInterrupt, which click makes a 1 of. What is to be tidied up, is.
    sys.exit(INTERRUPTED)


def _flushed(code: str | int | None) -> str | int | None:
    """`code`, or 1 where standard output does not take what is left; said once."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if not code and not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"Error: {error.strerror}\n")
        # Python would try it again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


if __name__ == "__main__":
    main()
