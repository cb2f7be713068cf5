"""Shows the download: a bar on a terminal, otherwise a line at its start and one at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from pipeline.devstack.broker.jars import Progress

_TITLE = "downloading Apache Kafka"


@contextmanager
def download_shown() -> Iterator[Progress]:
    """For `Broker.prepare`. Writes to standard error; silent when nothing is downloaded."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (TextColumn(_TITLE), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(_TITLE, visible=False)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield report


def _lines() -> Progress:
    has_begun = False

    def report(done: int, total: int) -> None:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            _print(f"{_TITLE}, {total >> 20} MiB; later starts use the cache")
        if done == total:
            _print(f"{_TITLE}: done")

    return report


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # the user is waiting for it
