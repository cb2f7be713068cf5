"""Finds out from librdkafka's errors whether Kafka is away or one side refuses the other."""

from __future__ import annotations

import re
import socket
import ssl

from confluent_kafka import KafkaError

from pipeline.config import Settings
from pipeline.kafka.away import away
from pipeline.kafka.errors import KafkaRefusesError, KafkaUnusableError
from pipeline.kafka.security import Security, security

# librdkafka's own errors begin with an underscore.
_TRANSPORT, _RESOLVE = KafkaError._TRANSPORT, KafkaError._RESOLVE  # noqa: SLF001
_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001
_SSL, _AUTHENTICATION = KafkaError._SSL, KafkaError._AUTHENTICATION  # noqa: SLF001
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
# Without a report of their own they are of a server that took the connection.
_SILENT = {_TRANSPORT, _TIMED_OUT, KafkaError.REQUEST_TIMED_OUT}
_AWAY = {*_SILENT, _RESOLVE, _ALL_DOWN}
# As in "kafka-1:9092/1: Connect to ipv4#192.0.2.1:9092 failed: Connection refused (after 0ms ...)".
_FAILED = re.compile(r" failed: ([^(]+?) \(after ")
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
    return away(settings, _in_words(error, reported))


def _in_words(error: KafkaError, reported: ClientErrors) -> str:
    """Why there is no answer; librdkafka's name of `error` where nothing better is known."""
    if reported.text(_RESOLVE):
        return "there is no such host"
    said = reported.text(_TRANSPORT) or ""
    if failed := _FAILED.search(said):
        return failed[1].lower()
    if "Disconnected" in said:
        return "it closes the connection"
    return "no answer" if error.code() in _SILENT else error.name()


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
    said = reported.text(_TRANSPORT) or ""
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


def require_listener(settings: Settings) -> None:
    """Raise `KafkaAwayError` if every bootstrap server refuses connections.

    For a command that shows what is: clients wait 10 s for a Kafka that may just be starting.
    Raises `KafkaUnusableError` if the settings for TLS or SASL are wrong.
    """
    security(settings)
    for server in settings.kafka_bootstrap_servers.split(","):
        try:
            socket.create_connection(_address(server.strip()), timeout=SECONDS).close()
        except ConnectionRefusedError:
            continue
        except (OSError, ValueError):
            return  # a client says what is wrong
        return
    raise away(settings, "connection refused")


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "9092")
    return host.strip("[]"), int(port)


def _of_tls(ours: Security, server: str) -> str | None:
    context = ours.context
    if context is None:
        # Only to see whether the server speaks TLS; nothing is sent to it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        address = _address(server)
        connected = socket.create_connection(address, timeout=SECONDS)
    except (OSError, ValueError):
        return None
    with connected:
        try:
            context.wrap_socket(connected, server_hostname=address[0]).close()
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
