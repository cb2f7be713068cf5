"""From HTTP to the snapshot on a Kafka that requires TLS, a password or a certificate."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import psutil
import pytest
from beacons import write_traffic
from certificates import PASSWORD, PLAIN_PASSWORD, REAUTHENTICATION, Secured
from processes import Verb, run_python, stopping, wait_for
from pydantic import SecretStr
from tables import broken_checks

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.replay.send import send
from pipeline.status import status
from pipeline.traffic import STORES


def by_certificate(settings: Settings, secured: Secured) -> Settings:
    return secured.by_certificate("client", settings)


def by_plain_password(settings: Settings, secured: Secured) -> Settings:  # noqa: ARG001  # as above
    changed = {
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_sasl_password": SecretStr(PLAIN_PASSWORD),
        "kafka_sasl_password_file": None,
    }
    return settings.model_copy(update=changed)


def by_scram(settings: Settings, secured: Secured) -> Settings:  # noqa: ARG001  # as above
    return settings


def pipeline(settings: Settings, verb: str) -> str:
    done = run_python(settings, "-m", "pipeline", verb)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "authenticated",
    [by_scram, pytest.param(by_plain_password, marks=pytest.mark.long), by_certificate],
)
def test_every_process_reaches_kafka(
    settings: Settings, secured: Secured, authenticated: Callable[[Settings, Secured], Settings]
) -> None:
    settings = authenticated(settings, secured)
    secret = {PASSWORD, PLAIN_PASSWORD}
    made = {store: new_token() for store in STORES}
    write_stores(
        settings.stores,
        {store: {"tokens_sha256": [one[1]], "backfill": True} for store, one in made.items()},
    )
    tokens = {store: token for store, (token, _) in made.items()}
    assert pipeline(settings, "topics").startswith("created ")
    running = [Verb(verb, settings) for verb in ("ingest", "worker", "load")]
    with stopping(running):
        wait_for(lambda: "Kafka acknowledges" in running[0].said())
        found = re.search(r"ingest: (\S+)", running[0].said())
        assert found is not None
        traffic = write_traffic(settings.home / "traffic.ndjson", devices=5)
        assert send([str(traffic)], found[1], tokens, strict=True) == 0
        wait_for(lambda: status(settings).is_published, seconds=60)
        # Meanwhile each connection must authenticate again.
        time.sleep(REAUTHENTICATION + 1)
        again = write_traffic(settings.home / "more.ndjson", seed=2, devices=5)
        assert send([str(again)], found[1], tokens, strict=True) == 0
        wait_for(lambda: status(settings).is_published, seconds=60)
        assert "published: " in pipeline(settings, "status")
        for process in psutil.process_iter(["cmdline"]):
            assert not (secret & set(process.info["cmdline"] or ()))
        for verb in running:
            verb.assert_alive()
    for verb in running:
        assert "records go to the spool" not in verb.said()
        assert not [one for one in secret if one in verb.said()]
    assert broken_checks(settings.database) == []
