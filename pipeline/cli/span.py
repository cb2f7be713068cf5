"""Time spans as options of commands take them: `60s`, `12h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def span(_: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    """The span, None where the option is not given."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,4})([smhdw])", value)
    if not match:
        raise click.BadParameter(
            f"{value!r} is not a time span such as 30m, 12h or 7d", param=option
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
