"""The decorator for commands that need settings. It loads nothing, so `--help` stays fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

if TYPE_CHECKING:
    from pipeline.config import Settings

P = ParamSpec("P")


def with_settings(command: Callable[Concatenate[Settings, P], int | None]) -> Callable[P, None]:
    """Call `command` with the settings, as `run_with_settings` does."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from pipeline.cli.command import run_with_settings

        run_with_settings(command, *args, **kwargs)

    return run
