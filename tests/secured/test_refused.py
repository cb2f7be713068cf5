"""A problem with TLS or SASL is one clear line that never contains the password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import PASSWORD, USER, Authority, Secured
from processes import Verb, run_python, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaRefusesError

WRONG = "not-the-password"
A_DAY = 24 * 60 * 60.0
Change = Callable[[Settings, Secured, Path], dict[str, Any]]


def wrong_ca(_: Settings, __: Secured, folder: Path) -> dict[str, Any]:
    return {"kafka_ssl_ca": Authority.made(folder / "other", "Another CA").ca}


def wrong_host(_: Settings, secured: Secured, __: Path) -> dict[str, Any]:
    return {"kafka_bootstrap_servers": f"127.0.0.1:{secured.sasl_port}"}


def wrong_password(settings: Settings, *_: object) -> dict[str, Any]:
    file = settings.kafka_sasl_password_file
    assert file is not None
    file.write_text(WRONG)
    return {}


def wrong_mechanism(*_: object) -> dict[str, Any]:
    return {"kafka_sasl_mechanism": "SCRAM-SHA-256"}


def no_tls_here(*_: object) -> dict[str, Any]:
    return {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ssl_ca": None}


def no_tls_there(_: Settings, secured: Secured, __: Path) -> dict[str, Any]:
    return {"kafka_bootstrap_servers": secured.broker.bootstrap_servers}


def no_certificate(_: Settings, secured: Secured, __: Path) -> dict[str, Any]:
    return {
        "kafka_bootstrap_servers": f"localhost:{secured.ssl_port}",
        "kafka_security_protocol": "SSL",
        "kafka_sasl_username": "",
        "kafka_sasl_password_file": None,
    }


TROUBLES: list[tuple[Change, str]] = [
    (wrong_ca, "its certificate cannot be verified with PIPELINE_KAFKA_SSL_CA="),
    (wrong_host, "certificate is not valid for '127.0.0.1': use a name that is in the certificate"),
    (wrong_password, f"rejects user {USER} (SCRAM-SHA-512): check"),
    (wrong_mechanism, "not SCRAM-SHA-256: set PIPELINE_KAFKA_SASL_MECHANISM"),
    (no_tls_here, "speaks TLS: set PIPELINE_KAFKA_SECURITY_PROTOCOL"),
    (no_tls_there, "does not speak TLS: check its port, or set"),
    (no_certificate, "requires a certificate and rejects ours: check"),
]


def refused(settings: Settings, verb: str) -> str:
    """The one line with which `verb` ends. It gives up far sooner than on a Kafka that is away."""
    done = run_python(settings, "-m", "pipeline", verb)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(("change", "said"), TROUBLES, ids=[one.__name__ for one, _ in TROUBLES])
def test_each_is_one_line(
    settings: Settings, secured: Secured, tmp_path: Path, change: Change, said: str
) -> None:
    line = refused(settings.model_copy(update=change(settings, secured, tmp_path)), "topics")
    assert said in line
    assert WRONG not in line
    assert PASSWORD not in line


def test_it_is_the_same_line_in_each_process(settings: Settings) -> None:
    wrong_password(settings)
    as_text = settings.model_copy(update={"log_format": "text"})
    line = refused(settings, "topics")
    assert {refused(as_text, verb) for verb in ("worker", "load")} == {line}
    # It also shows what it knows without Kafka.
    status = run_python(as_text, "-m", "pipeline", "status")
    assert status.returncode == 1
    assert status.stderr == f"{line.rstrip()}; nor is there a snapshot\n"


def test_a_refusal_is_reported_before_kafka_counts_as_unreachable(settings: Settings) -> None:
    wrong_password(settings)
    with pytest.raises(KafkaRefusesError, match="rejects user"):
        KafkaAdmin(settings, patience=A_DAY)


@pytest.mark.parametrize(("change", "said"), TROUBLES[:3], ids=["ca", "host", "password"])
def test_ingest_reports_it_and_spools_events(
    settings: Settings, secured: Secured, tmp_path: Path, change: Change, said: str
) -> None:
    wrong = settings.model_copy(update=change(settings, secured, tmp_path))
    write_stores(wrong.stores, {"shop": {"tokens_sha256": [new_token()[1]]}})
    ingest = Verb("ingest", wrong)
    try:
        wait_for(lambda: said in ingest.said(), seconds=30, each=ingest.assert_alive)
        wait_for(lambda: "ingest: http" in ingest.said())
        (line,) = [line for line in ingest.said().splitlines() if said in line]
        assert "events stay in the spool" in line
        assert ingest.stop() == 0
    finally:
        ingest.kill()
    assert WRONG not in ingest.said()
