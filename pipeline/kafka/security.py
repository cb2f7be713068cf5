"""TLS and SASL: read from the settings once, and named as each Kafka client names them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import PREFIX, Settings
from pipeline.kafka.errors import KafkaUnusableError

# A setting without effect is refused: it would look as if it protected something.
_OF_SASL = ("kafka_sasl_username", "kafka_sasl_password", "kafka_sasl_password_file")
_OF_TLS = ("kafka_ssl_ca", "kafka_ssl_certificate", "kafka_ssl_key")


@dataclass(frozen=True)
class Security:
    """How to connect to Kafka. Host names are always verified; `repr` omits the password.

    `context` is None without TLS, `password` empty without SASL.
    """

    protocol: str
    mechanism: str
    username: str
    password: str = field(repr=False)
    ca: Path | None
    certificate: Path | None
    key: Path | None
    context: ssl.SSLContext | None

    @property
    def is_sasl(self) -> bool:
        """Whether clients authenticate with a user name and password."""
        return self.protocol.startswith("SASL_")

    def for_librdkafka(self) -> dict[str, str]:
        """Configuration of confluent-kafka's clients."""
        config = {"security.protocol": self.protocol}
        if self.is_sasl:
            config["sasl.mechanism"] = self.mechanism
            config["sasl.username"] = self.username
            config["sasl.password"] = self.password
        if self.context is not None:
            config["ssl.endpoint.identification.algorithm"] = "https"
            files = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
            config |= {f"ssl.{name}.location": str(path) for name, path in files.items() if path}
        return config

    def for_python(self) -> dict[str, Any]:
        """Configuration of kafka-python's and aiokafka's clients."""
        config: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.context}
        if self.is_sasl:
            config["sasl_mechanism"] = self.mechanism
            config["sasl_plain_username"] = self.username
            config["sasl_plain_password"] = self.password
        return config


def security(settings: Settings) -> Security:
    """The security of `settings`; reads the files they name. Raises `KafkaUnusableError`."""
    protocol = settings.kafka_security_protocol
    _refuse_unused(settings, _OF_SASL, is_used=protocol.startswith("SASL_"))
    _refuse_unused(settings, _OF_TLS, is_used=protocol.endswith("SSL"))
    return Security(
        protocol=protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_sasl_username,
        password=_password(settings) if protocol.startswith("SASL_") else "",
        ca=settings.kafka_ssl_ca,
        certificate=settings.kafka_ssl_certificate,
        key=settings.kafka_ssl_key,
        context=_context(settings) if protocol.endswith("SSL") else None,
    )


def refuse_for_our_own(settings: Settings) -> None:
    """Raise `KafkaUnusableError` if the embedded Kafka of `pipeline up` would ignore settings."""
    if settings.kafka_security_protocol != "PLAINTEXT":
        raise KafkaUnusableError(
            f"{_named('kafka_security_protocol')} is for a Kafka of your own: set"
            f" {_named('kafka_bootstrap_servers')} too"
        )


def _refuse_unused(settings: Settings, names: tuple[str, ...], *, is_used: bool) -> None:
    unused = [_named(name) for name in names if not is_used and name in _given(settings)]
    if unused:
        protocol = settings.kafka_security_protocol
        raise KafkaUnusableError(
            f"{unused[0]} has no effect while {_named('kafka_security_protocol')} is {protocol}"
        )


def _given(settings: Settings) -> set[str]:
    return {name for name in (*_OF_SASL, *_OF_TLS) if getattr(settings, name)}


def _password(settings: Settings) -> str:
    if not settings.kafka_sasl_username:
        raise KafkaUnusableError(f"SASL needs a user: set {_named('kafka_sasl_username')}")
    password, path = settings.kafka_sasl_password.get_secret_value(), None
    if settings.kafka_sasl_password_file is not None:
        if password:
            raise KafkaUnusableError(
                f"set {_named('kafka_sasl_password')} or {_named('kafka_sasl_password_file')},"
                " not both"
            )
        path = settings.kafka_sasl_password_file
        password = _read(path, "kafka_sasl_password_file")
    if not password:
        advice = f"{path} is empty" if path else f"set {_named('kafka_sasl_password')}"
        raise KafkaUnusableError(f"SASL needs a password: {advice}")
    return password


def _read(path: Path, name: str) -> str:
    try:
        # Editors end a file with a newline, which is not part of the password.
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unreadable(name, path, error.strerror) from None
    except UnicodeDecodeError:
        raise _unreadable(name, path, "it is not UTF-8") from None


def _context(settings: Settings) -> ssl.SSLContext:
    ca, certificate, key = (getattr(settings, name) for name in _OF_TLS)
    if (certificate is None) != (key is None):
        names = f"{_named('kafka_ssl_certificate')} and {_named('kafka_ssl_key')}"
        raise KafkaUnusableError(f"set both {names}, or neither")
    for name in _OF_TLS:
        path = getattr(settings, name)
        if path is not None:
            _read(path, name)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise _unreadable("kafka_ssl_ca", ca, f"it holds no certificate ({_why(error)})") from None
    if certificate is not None:
        try:
            # Without a password argument, OpenSSL would prompt for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            raise _unreadable(
                "kafka_ssl_key",
                key,
                f"it is not the unencrypted key of {certificate} ({_why(error)})",
            ) from None
    return context


def _why(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _unreadable(name: str, path: Path | None, why: str | None) -> KafkaUnusableError:
    return KafkaUnusableError(f"{_named(name)}={path} cannot be used: {why}")


def _named(name: str) -> str:
    return PREFIX + name.upper()
