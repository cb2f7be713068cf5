"""What a warehouse tells workers that begin anew: how far it has read, and the keys of repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb

from pipeline.domain.duplicates import PAYLOAD_BYTES
from pipeline.domain.reached import KnownKeys, Reached
from pipeline.domain.timestamps import MILLISECOND
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.sql import files

GoOn = Callable[[Iterator[KnownKeys]], None]
"""Takes the keys that the workers will know, and lets them begin."""

FETCHED_DEVICES = 1_000


def reached(connection: duckdb.DuckDBPyConnection, held: HeldRules) -> dict[int, Reached]:
    """By partition of the ledger. `held` are the rules that judged what was late."""
    rows = connection.execute(
        "SELECT partition, topic_id, next_origin, epoch_ms(stream_time),"
        " (SELECT epoch_ms(max(stream_time)) FROM ledger) FROM ledger"
    ).fetchall()
    lateness = held.lateness // MILLISECOND
    return {
        partition: Reached(topic, following, time, None if latest is None else latest - lateness)
        for partition, topic, following, time, latest in rows
    }


def known_keys(connection: duckdb.DuckDBPyConnection, held: HeldRules) -> Iterator[KnownKeys]:
    """The keys of events that are not late by `held`, by device."""
    result = connection.execute(dict(files("rebuild"))["known_keys"], {"lateness": held.lateness})
    while rows := result.fetchmany(FETCHED_DEVICES):
        for store, device, keys, until, fingerprints in rows:
            payloads = (fingerprint.bytes[:PAYLOAD_BYTES] for fingerprint in fingerprints)
            known = zip(until, payloads, strict=True)
            yield KnownKeys(
                store, device, {key.bytes: kept for key, kept in zip(keys, known, strict=True)}
            )


def begin_with_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the loader recompute devices for as long as what only it knows can matter.

    The workers begin with keys alone: sessions and touches of before are as unknown to them as what
    they never read (decision 0012). A device may have been in any partition.
    """
    connection.execute("UPDATE ledger SET missing_until = (SELECT max(stream_time) FROM ledger)")
