"""`pipeline erase` with every process: nothing of a device is left, and nothing comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_outcomes import rows
from processes import Verb, environment, stopping, wait_for, wait_published
from records import records_of
from searched import places_of
from tables import broken_checks

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.topics import topics

DEVICE, OTHER = "planted-7d1e", "other-device"
SAME_DAY = -7_200


def events_of(device: str, *, order: str, at: int) -> list[dict[str, Any]]:
    """Events of a visit, `at` seconds from now; the last one is refused."""
    said = {"device_id": device, "session_id": f"{device}-visit", "customer_id": f"of-{device}"}
    now = int(time.time()) + at
    bought = {"items": [{"product_id": 1, "price": "10"}], "currency": "USD", "order_id": order}
    return [
        {"event_type": "product_view", "timestamp": now, "product_id": 1, **said},
        {"event_type": "add_to_cart", "timestamp": now + 1, "product_id": 1, **said},
        {"event_type": "purchase", "timestamp": now + 2, **bought, **said},
        {"event_type": "product_view", "timestamp": now + 3, **said},
    ]


def post(url: str, token: str, events: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(  # noqa: S310  # our own ingest
        url,
        data=json.dumps({"events": events}).encode(),
        headers={"X-Storefront-Access-Token": token, "User-Agent": "Mozilla/5.0"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        assert response.status == 204


def erase(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "erase", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def local_states(settings: Settings) -> bytes:
    """All that the workers' local states have on the disk."""
    files = (settings.home / "state").rglob("*")
    return b"".join(path.read_bytes() for path in files if path.is_file())


def delete_before(settings: Settings) -> None:
    """What retention does to the three topics, at once."""
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    ours = topics(settings)
    asked = [
        TopicPartition(topic.name, number, end)
        for topic in (ours.beacons, ours.outcomes, ours.rejected)
        for number, end in end_offsets(settings, topic).items()
        if end
    ]
    for done in admin.delete_records(asked).values():
        done.result(30)


@pytest.mark.timeout(300)
def test_e1_nothing_of_a_device_is_left_and_nothing_comes_back(settings: Settings) -> None:
    token, digest = new_token()
    write_stores(settings.stores, {"store": {"tokens_sha256": [digest], "backfill": True}})
    create_topics(settings)
    running = [Verb(verb, settings) for verb in ("ingest", "worker", "load")]
    with stopping(running):
        wait_for(lambda: "ingest: http" in running[0].said())
        url = running[0].said().split("ingest: ")[1].split()[0]
        sent = events_of(DEVICE, order="A", at=SAME_DAY)
        post(url, token, sent)
        post(url, token, sent)
        # A better report of the same order than this one, which does not count yet (A9).
        post(url, token, events_of(OTHER, order="A", at=SAME_DAY + 60))
        post(url, token, events_of(DEVICE, order="B", at=SAME_DAY + 600))
        post(url, token, events_of(OTHER, order="C", at=SAME_DAY + 900))
        wait_published(settings)
        sessions = "SELECT device_key, orders FROM sessions ORDER BY 1"
        assert [tuple(row) for row in rows(settings, sessions)] == [
            ("d:other-device", 1),
            ("d:planted-7d1e", 2),
        ]

        done = erase(settings, "--store", "store", "--customer", f"of-{DEVICE}")
        assert (done.returncode, done.stderr) == (0, "1 to erase: waiting for worker and loader\n")
        receipt = json.loads(done.stdout)
        assert (receipt["events"], receipt["duplicates"], receipt["rejected"]) == (6, 3, 3)
        assert DEVICE not in done.stdout
        # The same again is answered, and counted, and is nowhere.
        post(url, token, sent)
        again = erase(settings, "--store", "store", "--device", DEVICE)
        assert json.loads(again.stdout)["events"] == 0
        post(url, token, sent)
        wait_published(settings)
        assert rows(settings, sessions) == [("d:other-device", 2)]
        ((events, duplicates, erased),) = rows(
            settings, "SELECT sum(events), sum(duplicates), sum(erased) FROM ledger"
        )
        assert (events, duplicates, erased) == (6, 0, 15)
        nobody = erase(settings, "--store", "store", "--customer", f"of-{DEVICE}")
        assert nobody.returncode == 1
        assert "holds no event of customer" in nobody.stderr
        # Written again in the background.
        wait_for(lambda: f"{DEVICE}-visit".encode() not in local_states(settings))
    assert broken_checks(settings.database) == []
    # The workers' own copy of the changelog names the device, as that does.
    assert DEVICE.encode() in local_states(settings)
    assert f"{DEVICE}-visit".encode() not in local_states(settings)
    shutil.rmtree(settings.home / "state")
    assert places_of(DEVICE, settings.home) == []
    # In Kafka, once retention and compaction are done: only that this device was erased.
    ours = topics(settings)
    assert DEVICE in str(records_of(settings, ours.beacons))
    delete_before(settings)
    assert records_of(settings, ours.beacons, ours.outcomes, ours.rejected) == []
    latest = {record.key: record.value for record in records_of(settings, ours.changelog)}
    named = [value for key, value in latest.items() if DEVICE.encode() in key and value]
    assert len(named) == 1
    assert DEVICE.encode() not in named[0]
