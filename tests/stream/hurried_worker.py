"""`pipeline worker` that has no time to read a changelog ahead: it reads it in many parts."""

from __future__ import annotations

import logging
import sys

from pipeline.config import Settings
from pipeline.stream import read_ahead, table, worker
from pipeline.stream.read_ahead import ReadAhead

PARTS_OF_RECORDS = 20


class _Hurried(ReadAhead):
    def run(self) -> bool:
        self.seconds = 0
        is_cut = super().run()
        if is_cut:
            print("read a part", flush=True)
        return is_cut


read_ahead._RECORDS = PARTS_OF_RECORDS  # noqa: SLF001
table.ReadAhead = _Hurried  # type: ignore[misc]
logging.basicConfig(level=logging.INFO)
sys.exit(worker.run(Settings()))
