"""What aiokafka and kafka-python say of trouble: the cause in one line, for their many."""

from __future__ import annotations

import atexit
import logging
import re
import threading
import time

from pipeline.config import Settings
from pipeline.kafka.clients import Connection
from pipeline.kafka.errors import KafkaUnusableError

log = logging.getLogger(__name__)

CLIENTS = ("aiokafka", "kafka")
# Between two looks at Kafka, where one found trouble and where it found none.
QUIET_SECONDS = 60.0
SOON_SECONDS = 10.0
PATIENCE = 2.0
MOST_HELD = 20
_NUMBER = re.compile(r"\d+")


class KafkaWords(logging.Filter):
    """Holds back what the clients say until it is known whether Kafka can be used.

    Where it cannot, the reason is told instead, once a minute; where it can, their words are.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._held: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()
        self._said = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_trouble = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is not of these clients."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        text = record.getMessage()
        with self._lock:
            if len(self._held) < MOST_HELD:
                self._held[_NUMBER.sub("0", text)] = record.levelno, text
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        self._said.set()
        return False

    def _run(self) -> None:
        while self._said.wait():
            self._said.clear()
            self._look()
            time.sleep(QUIET_SECONDS if self._is_trouble else SOON_SECONDS)

    def _look(self) -> None:
        """Tell the reason, if Kafka cannot be used; else what is held."""
        try:
            Connection(self._settings, patience=PATIENCE)
        except KafkaUnusableError as error:
            self._is_trouble = True
            with self._lock:
                self._held.clear()
            log.error("%s", error)  # noqa: TRY400  # one line
        else:
            self._is_trouble = False
            self.tell()

    def tell(self) -> None:
        """Tell what is held, but for what belongs to a trouble that has been told."""
        if self._is_trouble:
            return
        with self._lock:
            held, self._held = self._held, {}
        for level, text in held.values():
            log.log(level, "%s", text)


def tell_causes(settings: Settings) -> None:
    """From now on, in this process."""
    words = KafkaWords(settings)
    for handler in logging.getLogger().handlers:
        # Before the filter that counts repeats: what is held back here is not told.
        handler.filters.insert(0, words)
    atexit.register(words.tell)
