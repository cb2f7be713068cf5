"""A secured Kafka: TLS with a private CA, users with passwords, client certificates."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from certificates import (
    LEAVING,
    PASSWORD,
    PLAIN_PASSWORD,
    REAUTHENTICATION,
    USER,
    Authority,
    Secured,
)

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker


@pytest.fixture(scope="package")
def secured(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority.made(folder / "ca")
    certificate, key = authority.sign("localhost")
    store = folder / "localhost-both.pem"
    store.write_text(key.read_text() + certificate.read_text())
    port, controller, sasl_port, ssl_port = _free_ports(4)
    listeners = [
        f"PLAINTEXT://127.0.0.1:{port}",
        f"SASL_SSL://localhost:{sasl_port}",
        f"SSL://localhost:{ssl_port}",
    ]
    controlled = f"127.0.0.1:{controller}"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    with Broker(
        folder / "broker",
        cache,
        port=port,
        more={
            "listeners": ",".join([*listeners, f"CONTROLLER://{controlled}"]),
            "controller.quorum.voters": f"1@{controlled}",
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL"
            ),
            "advertised.listeners": ",".join(listeners),
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.ca),
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{plain} required user_{USER}="{PLAIN_PASSWORD}";'
            ),
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{scram} required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER};User:{LEAVING};User:CN=client",
            # Connections expire, so that a revoked user loses access.
            "connections.max.reauth.ms": str(REAUTHENTICATION * 1000),
        },
    ) as broker:
        found = Secured(broker, authority, sasl_port, ssl_port)
        found.add_user(USER, PASSWORD)
        yield found


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def settings(secured: Secured, tmp_path: Path) -> Settings:
    """Settings for SCRAM over TLS."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    return Settings(
        _env_file=None,
        kafka_bootstrap_servers=f"localhost:{secured.sasl_port}",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username=USER,
        kafka_sasl_password_file=password,
        kafka_ssl_ca=secured.authority.ca,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        home=tmp_path,
        ingest_port=0,
        admin_port=0,
        dashboard_port=0,
        publish_interval=timedelta(milliseconds=200),
    )
