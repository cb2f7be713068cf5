"""A Kafka with TLS, SASL users and certificates of a test CA."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker

USER = "clicks"
LEAVING = "leaves"  # a second one, with the same rights
PASSWORD = "p\u00e4ss:w@rd;,=' \"x"  # what would need quotes anywhere
PLAIN_PASSWORD = "of-the-plain-kind"
# Seconds after which Kafka wants to see the credentials of a connection again.
REAUTHENTICATION = 4


@dataclass(frozen=True)
class Authority:
    """A CA and the certificates that it signed: `NAME.pem` and `NAME.key` in `folder`."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def made(cls, folder: Path, name: str = "Some CA") -> Authority:
        folder.mkdir()
        made = cls(folder)
        made._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", "ca.key", "-out", "ca.pem"),
        )
        return made

    def sign(self, name: str) -> tuple[Path, Path]:
        """Create a certificate and key for the host `name`."""
        key, request, signed = f"{name}.key", f"{name}.csr", f"{name}.pem"
        self._openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", request),
        )
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"),
            *("-CAcreateserial", "-copy_extensions", "copy", "-out", signed),
        )
        return self.folder / signed, self.folder / key

    def lock(self, key: Path, locked: Path) -> None:
        """Encrypt the key with a password."""
        self._openssl("pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked))

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)  # noqa: S607  # the system's


@dataclass(frozen=True)
class Secured:
    """A broker that requires a password on one address and a certificate on another."""

    broker: Broker
    authority: Authority
    sasl_port: int
    ssl_port: int

    def by_certificate(self, name: str, settings: Settings) -> Settings:
        """`settings` of one who shows a certificate for `name`: the user `CN=<name>`."""
        certificate, key = self.authority.sign(name)
        return Settings(
            _env_file=None,
            kafka_bootstrap_servers=f"localhost:{self.ssl_port}",
            kafka_security_protocol="SSL",
            kafka_ssl_ca=self.authority.ca,
            kafka_ssl_certificate=certificate,
            kafka_ssl_key=key,
            topic_prefix=settings.topic_prefix,
            home=settings.home,
            ingest_port=0,
            admin_port=0,
            publish_interval=settings.publish_interval,
        )

    @property
    def admin(self) -> AdminClient:
        """Connect through the listener without authentication."""
        return AdminClient({"bootstrap.servers": self.broker.bootstrap_servers, "log_level": 0})

    @contextmanager
    def of_another_ca(self) -> Iterator[BrokerFiles]:
        """Its files on the address for certificates may be changed; they are its old ones after."""
        files = BrokerFiles(self)
        try:
            yield files
        finally:
            files.reset()

    def add_user(self, name: str, password: str) -> None:
        kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        self._alter(name, UserScramCredentialUpsertion(name, kind, password.encode()))

    def remove_user(self, name: str) -> None:
        self._alter(name, UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))

    def allow(self, user: str, topic: str, *rights: str) -> None:
        self._allow(user, ResourceType.TOPIC, topic, rights)

    def allow_group(self, user: str, group: str) -> None:
        self._allow(user, ResourceType.GROUP, group, ["READ"])

    def forbid_group(self, user: str, group: str) -> None:
        """Take back what `allow_group` has given."""
        admin, anywhere = self.admin, (ResourcePatternType.LITERAL, f"User:{user}", "*")
        any_right = (AclOperation.ANY, AclPermissionType.ANY)
        rule = AclBindingFilter(ResourceType.GROUP, group, *anywhere, *any_right)
        for future in admin.delete_acls([rule]).values():
            assert future.result()

    def _allow(self, user: str, kind: ResourceType, name: str, rights: Iterable[str]) -> None:
        admin, anywhere = self.admin, (ResourcePatternType.LITERAL, f"User:{user}", "*")
        wanted = [
            AclBinding(kind, name, *anywhere, AclOperation[right], AclPermissionType.ALLOW)
            for right in rights
        ]
        for future in admin.create_acls(wanted).values():
            future.result()

    def _alter(self, name: str, change: UserScramCredentialAlteration) -> None:
        # A name for it: the answer to a client that nobody holds is lost.
        admin = self.admin
        admin.alter_user_scram_credentials([change])[name].result()


@dataclass(frozen=True)
class BrokerFiles:
    """What the broker reads for the address that asks for a certificate, while it runs."""

    secured: Secured

    def trust(self, ca: Path) -> None:
        self._set("truststore", ca)

    def show(self, signed: tuple[Path, Path]) -> None:
        """A certificate and its key."""
        certificate, key = signed
        both = certificate.with_suffix(".both")
        both.write_text(key.read_text() + certificate.read_text())
        self._set("keystore", both)

    def reset(self) -> None:
        self._alter(
            [
                ConfigEntry(name, "", incremental_operation=AlterConfigOpType.DELETE)
                for name in map(self._name, ("truststore", "keystore"))
            ]
        )

    def _set(self, store: str, file: Path) -> None:
        name = self._name(store)
        self._alter([ConfigEntry(name, str(file), incremental_operation=AlterConfigOpType.SET)])

    def _name(self, store: str) -> str:
        return f"listener.name.ssl.ssl.{store}.location"

    def _alter(self, entries: list[ConfigEntry]) -> None:
        broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=entries)
        admin = self.secured.admin
        admin.incremental_alter_configs([broker])[broker].result()
