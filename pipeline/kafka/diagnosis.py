"""Finds out from librdkafka's errors whether Kafka is away or one side refuses the other."""

from __future__ import annotations

import re
import socket
import ssl

from confluent_kafka import KafkaError

from pipeline.config import Settings
from pipeline.kafka.errors import AWAY, KafkaAwayError, KafkaRefusesError, KafkaUnusableError
from pipeline.kafka.security import Security, security

# librdkafka's own errors begin with an underscore.
_AWAY = {
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
}
_SSL, _AUTHENTICATION = KafkaError._SSL, KafkaError._AUTHENTICATION  # noqa: SLF001
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_ALERT = re.compile(r"alert (?:bad certificate|certificate required|unknown ca|handshake failure)")
# As in "sasl_ssl://kafka-1.example:9093/1: SSL handshake failed: ...".
_SERVER = re.compile(r"^\w+://([^/]+)/")
_MECHANISMS = re.compile(r"supported mechanisms: ([\w,-]+)")
SECONDS = 2.0


class ClientErrors:
    """The latest error of each code that a client has reported to `error_cb`."""

    def __init__(self) -> None:
        self._by_code: dict[int, KafkaError] = {}

    def __call__(self, error: KafkaError) -> None:
        """Keep `error`."""
        self._by_code[error.code()] = error

    def text(self, code: int) -> str | None:
        """The latest message with this code; None if there is none."""
        error = self._by_code.get(code)
        return None if error is None else error.str()

    @property
    def are_all_brokers_down(self) -> bool:
        """Whether every known broker has been tried."""
        return _ALL_DOWN in self._by_code


def diagnose(
    settings: Settings, error: KafkaError, reported: ClientErrors, *, task: str
) -> KafkaUnusableError:
    """Why `task` failed with `error`. Tries TLS itself, for up to 2 s per server."""
    bootstrap = settings.kafka_bootstrap_servers
    if error.code() not in _AWAY | {_SSL, _AUTHENTICATION}:
        return KafkaUnusableError(f"Kafka at {bootstrap} would not {task}: {error.str()}")
    refused = refusal(settings, reported)
    if refused:
        return KafkaRefusesError(refused)
    return KafkaAwayError(
        f"Kafka at {bootstrap} {AWAY} ({error.name()}): start it, or check"
        " PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
    )


def refusal(settings: Settings, reported: ClientErrors) -> str | None:
    """Why one side refuses the other; None if neither does. Never contains the password."""
    ours, bootstrap = security(settings), settings.kafka_bootstrap_servers
    said = reported.text(_AUTHENTICATION)
    if said is not None:
        return _of_users(ours, bootstrap, said)
    # The failing server may be one that the cluster has announced.
    found = _SERVER.match(reported.text(_SSL) or "")
    for server in dict.fromkeys([*filter(None, [found and found[1]]), *bootstrap.split(",")]):
        why = _of_tls(ours, server.strip())
        if why:
            return why
    said = reported.text(KafkaError._TRANSPORT) or ""  # noqa: SLF001  # librdkafka's name for it
    if ours.context is not None and _ALERT.search(said):
        return (
            f"Kafka at {bootstrap} requires a certificate and rejects ours: check"
            " PIPELINE_KAFKA_SSL_CERTIFICATE and PIPELINE_KAFKA_SSL_KEY"
        )
    said = reported.text(_SSL)
    return None if said is None else f"Kafka at {bootstrap}: {said}"


def _of_users(ours: Security, bootstrap: str, said: str) -> str:
    offered = _MECHANISMS.search(said)
    if offered:
        return (
            f"Kafka at {bootstrap} offers {offered[1]}, not {ours.mechanism}: set"
            " PIPELINE_KAFKA_SASL_MECHANISM"
        )
    return (
        f"Kafka at {bootstrap} rejects user {ours.username} ({ours.mechanism}): check"
        " PIPELINE_KAFKA_SASL_USERNAME and its password"
    )


def _of_tls(ours: Security, server: str) -> str | None:
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "9092")
    host = host.strip("[]")
    context = ours.context
    if context is None:
        # Only to see whether the server speaks TLS; nothing is sent to it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connected = socket.create_connection((host, int(port)), timeout=SECONDS)
    except (OSError, ValueError):
        return None
    with connected:
        try:
            context.wrap_socket(connected, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            return _of_certificate(ours, server, error)
        except TimeoutError:
            return None
        except OSError:
            return _without_tls(ours, server)
    if ours.context is None:
        return f"Kafka at {server} speaks TLS: set PIPELINE_KAFKA_SECURITY_PROTOCOL"
    return None


def _without_tls(ours: Security, server: str) -> str | None:
    if ours.context is None:
        return None
    return (
        f"Kafka at {server} does not speak TLS: check its port, or set"
        f" PIPELINE_KAFKA_SECURITY_PROTOCOL={ours.protocol.replace('SSL', 'PLAINTEXT')}"
    )


def _of_certificate(ours: Security, server: str, error: ssl.SSLCertVerificationError) -> str:
    why = error.verify_message.rstrip(".")
    if "mismatch" in why:
        return f"Kafka at {server}: {why}: use a name that is in the certificate"
    place = f"PIPELINE_KAFKA_SSL_CA={ours.ca}" if ours.ca else "the system's CAs"
    return f"Kafka at {server}: its certificate cannot be verified with {place}: {why}"
