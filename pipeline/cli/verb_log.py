"""What a command logs on stderr, and its last words."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from pipeline.config import PREFIX, Settings
from pipeline.printable import PrintableFormatter
from pipeline.process.log_lines import LogLines, is_json
from pipeline.process.log_throttle import Seldom
from pipeline.process.thread_errors import in_thread

# They run until they are stopped, and what collects their logs wants the time of each line.
PROCESSES = ("up", "ingest", "worker", "load", "dashboard")

log = logging.getLogger(__name__)


class VerbLog:
    """The log of `verb`: short lines, or those of a process, which may be JSON."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._is_json = False
        self._handler = logging.StreamHandler(sys.stderr)
        self._handler.setFormatter(PrintableFormatter("%(levelname)s %(message)s"))
        # While Kafka is unreachable its clients log many lines a second. Each death of a process
        # is worth a line.
        self._handler.addFilter(Seldom(time.monotonic, but_for="pipeline.devstack.supervisor"))
        logging.basicConfig(level=logging.INFO, handlers=[self._handler])
        # Python writes these to stderr as they are, between lines of JSON.
        logging.captureWarnings(True)
        sys.unraisablehook = _log_unraisable
        threading.excepthook = self._end_with_thread
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        # kafka-python logs each connection at INFO.
        logging.getLogger("kafka").setLevel(logging.WARNING)
        # On a busy machine it warns about its own loop once an iteration takes 0.1 s.
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
        # Until the settings are read, which may be what fails.
        self._format(os.environ.get(f"{PREFIX}LOG_FORMAT") or "auto", "")

    def apply(self, settings: Settings) -> None:
        """Write lines as `settings` say."""
        self._format(settings.log_format, settings.worker_name)

    def _format(self, log_format: str, name: str) -> None:
        if self._verb in PROCESSES:
            self._is_json = is_json(log_format, sys.stderr)
            self._handler.setFormatter(
                LogLines(is_json=self._is_json, process=self._verb, name=name)
            )

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """Where lines are JSON, the error that ends the process is one too; the exit code stays."""
        try:
            yield
        except BrokenPipeError:
            raise
        except click.ClickException as error:
            if not self._is_json:
                raise
            self._write(error.format_message())
            sys.exit(error.exit_code)
        except Exception as error:
            if not self._is_json:
                raise
            self._write(f"{type(error).__name__}: {error}", error)
            sys.exit(1)

    def _end_with_thread(self, ended: threading.ExceptHookArgs) -> None:
        """End the process with a thread's error, whatever the others do: exit code 1.

        A process that lacks a thread looks alive, and would not be started again.
        """
        if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
            return
        # Held to the end: no other thread writes behind the last words.
        self._handler.acquire()
        try:
            self._write(in_thread(ended), ended.exc_value)
        finally:
            os._exit(1)

    def _write(self, message: str, error: BaseException | None = None) -> None:
        trace = (type(error), error, error.__traceback__) if error else None
        record = log.makeRecord(log.name, logging.ERROR, "", 0, "%s", (message,), trace)
        # Past the filters: they may hold it back as a repeat.
        self._handler.emit(record)


def _log_unraisable(found: sys.UnraisableHookArgs) -> None:
    what = found.err_msg or "Exception ignored in"
    error = found.exc_value
    trace = (type(error), error, error.__traceback__) if error else None
    log.error("%s %r", what, found.object, exc_info=trace)
