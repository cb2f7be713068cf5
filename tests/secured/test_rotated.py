"""The runbook of certificates and passwords, typed where Kafka has new ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import systemctl
from certificates import LEAVING, Authority, Secured
from machine import Machine, blocks
from processes import wait_for

from pipeline.config import Settings

UNITS = ("pipeline-worker@1", "pipeline-load")


def made(settings: Settings, folder: Path, **kafka: str) -> Machine:
    return Machine.made(
        folder,
        topic_prefix=settings.topic_prefix,
        replication="1",
        metrics_port="0",
        **{f"kafka_{name}": value for name, value in kafka.items()},
    )


def test_the_page_is_performed_and_the_new_password_is_used(
    settings: Settings, secured: Secured, tmp_path: Path
) -> None:
    secured.add_user(LEAVING, "old")
    machine = made(
        settings,
        tmp_path / "machine",
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=LEAVING,
        sasl_password_file="/etc/pipeline/kafka-password",
        ssl_ca=str(settings.kafka_ssl_ca),
    )
    password = machine.folder / "etc" / "kafka-password"
    password.write_text("old")
    with started(machine):
        password.with_name("kafka-password.new").write_text("new")
        secured.add_user(LEAVING, "new")
        for block in blocks("rotate-certificates.md", "The password of Kafka"):
            machine.run(block)
    assert (password.read_text(), password.stat().st_mode & 0o777) == ("new", 0o600)


def test_the_page_is_performed_and_the_new_certificates_are_used(
    settings: Settings, secured: Secured, tmp_path: Path
) -> None:
    machine = made(
        settings,
        tmp_path / "machine",
        bootstrap_servers=f"localhost:{secured.ssl_port}",
        security_protocol="SSL",
        ssl_ca="/etc/pipeline/kafka-ca.pem",
        ssl_certificate="/etc/pipeline/kafka-client.pem",
        ssl_key="/etc/pipeline/kafka-client.key",
    )
    new, etc = Authority.made(tmp_path / "new", "Another CA"), machine.folder / "etc"
    for authority, end in ((secured.authority, ""), (new, ".new")):
        certificate, key = authority.sign("client")
        shutil.copy(certificate, etc / f"kafka-client.pem{end}")
        shutil.copy(key, etc / f"kafka-client.key{end}")
    shutil.copy(secured.authority.ca, etc / "kafka-ca.pem")
    shutil.copy(new.ca, etc / "kafka-ca.new")
    both = tmp_path / "both.pem"
    both.write_text(secured.authority.ca.read_text() + new.ca.read_text())
    with secured.of_another_ca() as broker, started(machine):
        broker.trust(both)
        take, restart, forget = blocks("rotate-certificates.md", "The certificates of Kafka")
        machine.run(take)
        machine.run(restart)
        broker.show(new.sign("localhost"))
        broker.trust(new.ca)
        machine.run(forget)
        assert (etc / "kafka-ca.pem").read_text() == new.ca.read_text()
        old = secured.authority.sign("client")
        with pytest.raises(AssertionError, match="PIPELINE_KAFKA_SSL"):
            machine.run(
                f"PIPELINE_KAFKA_SSL_CERTIFICATE={old[0]} PIPELINE_KAFKA_SSL_KEY={old[1]}"
                " pipeline topics"
            )


@contextmanager
def started(machine: Machine) -> Iterator[None]:
    """Worker and loader; at the end each has started once more, and runs."""
    try:
        machine.run(f"pipeline topics; systemctl start {' '.join(UNITS)}")
        wait_started(machine, times=1)
        yield
        wait_started(machine, times=2)
        for unit in UNITS:
            assert systemctl.running(machine.folder, unit) is not None, machine.logs()
    finally:
        machine.stop()


def wait_started(machine: Machine, *, times: int) -> None:
    for unit, said in zip(UNITS, ("processing ", "loading into "), strict=True):
        wait_for(partial(_is_said, machine, unit, said, times), seconds=60)


def _is_said(machine: Machine, unit: str, said: str, times: int) -> bool:
    return machine.said(unit).count(said) == times
