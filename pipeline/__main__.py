"""The command `pipeline`: Ctrl-C ends it silently, output that cannot be written with one line."""

from __future__ import annotations

import os
import signal
import sys

from pipeline.cli.interrupt import exit_on_signal
from pipeline.cli.standard_files import open_standard_files
from pipeline.cli.system_errors import reason


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    open_standard_files()
    # If Ctrl-C is ignored, as under `nohup`, it stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Loading a command takes a while and needs no cleanup, so the system's default applies
        # until `run_with_settings` replaces it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli.main import main as run  # noqa: PLC0415  # the line above comes first

    try:
        code: str | int | None = run()
    except SystemExit as ended:
        code = ended.code
    except OSError as error:
        sys.stderr.write(f"Error: {reason(error)}\n")
        code = 1
    if signal.getsignal(signal.SIGINT) is exit_on_signal:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_flushed(code))


def _flushed(code: str | int | None) -> str | int | None:
    """`code`, or 1 after an error message when the remaining output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if not code and not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"Error: {reason(error)}\n")
        # Python would try again at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


if __name__ == "__main__":
    main()
