"""The command `pipeline`: a Ctrl-C ends it in silence, and a full disk with one line."""

from __future__ import annotations

import os
import signal
import sys

from pipeline.cli.interrupt import end


def main() -> None:
    """Run it with the arguments of the process, and exit."""
    # Whoever starts us with Ctrl-C ignored, as `nohup` does, has said what he wants.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Loading what a verb needs takes a while, and has nothing to tidy up. `with_settings`
        # ends this once it has loaded.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli.main import main as run  # noqa: PLC0415  # the line above comes first

    try:
        code: str | int | None = run()
    except SystemExit as ended:
        code = ended.code
    except OSError as error:
        sys.stderr.write(f"Error: {error.strerror or error}\n")
        code = 1
    if signal.getsignal(signal.SIGINT) is end:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_flushed(code))


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
