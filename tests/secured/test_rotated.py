"""The runbook of certificates and passwords, typed where Kafka has a new password for the user."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import systemctl
from certificates import LEAVING, Secured
from machine import Machine, blocks
from processes import wait_for

from pipeline.config import Settings

UNITS = ("pipeline-worker@1", "pipeline-load")


@pytest.fixture
def machine(settings: Settings, secured: Secured, tmp_path: Path) -> Machine:
    secured.add_user(LEAVING, "old")
    return Machine.made(
        tmp_path / "machine",
        kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
        kafka_security_protocol=settings.kafka_security_protocol,
        kafka_sasl_mechanism=settings.kafka_sasl_mechanism,
        kafka_sasl_username=LEAVING,
        kafka_sasl_password_file="/etc/pipeline/kafka-password",
        kafka_ssl_ca=str(settings.kafka_ssl_ca),
        topic_prefix=settings.topic_prefix,
        replication="1",
        metrics_port="0",
    )


def test_the_page_is_performed_and_the_new_password_is_used(
    machine: Machine, secured: Secured
) -> None:
    password = machine.folder / "etc" / "kafka-password"
    password.write_text("old")
    try:
        machine.run(f"pipeline topics; systemctl start {' '.join(UNITS)}")
        wait_started(machine, times=1)
        password.with_name("kafka-password.new").write_text("new")
        secured.add_user(LEAVING, "new")
        for block in blocks("rotate-certificates.md"):
            machine.run(block)
        assert (password.read_text(), password.stat().st_mode & 0o777) == ("new", 0o600)
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
