"""Each setting: its default and its meaning. `PIPELINE_<NAME>` in the environment sets it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.domain.rules import Rules

PREFIX = "PIPELINE_"
MEBIBYTE = 1024 * 1024
TICK = timedelta(milliseconds=1)
YEAR = timedelta(days=366)


class Settings(BaseSettings):
    """All settings of all processes; only `pipeline.cli.command` builds one, and tests by hand."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True
    )

    # Kafka
    kafka_bootstrap_servers: str = Field(
        default="", description="An existing Kafka; empty: `up` starts a broker of its own."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    kafka_sasl_username: str = Field(default="", description="The user that all processes are.")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="Its password; better in a file, as below."
    )
    kafka_sasl_password_file: Path | None = Field(
        default=None, description="A file that holds the password and nothing else."
    )
    kafka_ssl_ca: Path | None = Field(
        default=None,
        description="CA certificates that Kafka's is checked by (PEM); empty: the system's.",
    )
    kafka_ssl_certificate: Path | None = Field(
        default=None, description="Our own certificate, if Kafka asks for one (PEM)."
    )
    kafka_ssl_key: Path | None = Field(
        default=None, description="The key of that certificate, not encrypted (PEM)."
    )
    topic_prefix: str = Field(
        default="", description="Put before every topic and group name: one per tenant or test."
    )
    partitions: int = Field(
        default=4, ge=1, le=1024, description="Of every topic keyed by device; fixed once made."
    )
    replication: int = Field(
        default=1, ge=1, le=9, description="Copies of each partition; 3 on a cluster."
    )
    min_insync_replicas: int = Field(
        default=0,
        ge=0,
        le=9,
        description="Copies that must have a record for a 204; 0: one less than all, at least 1.",
    )
    beacons_retention: timedelta = Field(
        default=timedelta(days=7),
        ge=timedelta(0),
        le=10 * YEAR,
        description="How long Kafka keeps beacons: the longest outage of the workers; 0: for ever.",
    )
    outcomes_retention: timedelta = Field(
        default=timedelta(days=14),
        ge=timedelta(0),
        le=10 * YEAR,
        description="The same of outcomes: the longest outage of the loader.",
    )
    rejected_retention: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        le=10 * YEAR,
        description="The same of refused events.",
    )

    # Rules (docs/semantics.md); all but the half-life are part of the rules hash
    session_gap: timedelta = Field(
        default=timedelta(minutes=30),
        ge=TICK,
        le=YEAR,
        description="Silence after which a session ends (S2).",
    )
    lookback: timedelta = Field(
        default=timedelta(days=7),
        ge=TICK,
        le=YEAR,
        description="How long a click may claim a conversion (A3).",
    )
    half_life: timedelta = Field(
        default=timedelta(days=7),
        ge=TICK,
        le=YEAR,
        description="After it a touch weighs half in the time decay model (A7).",
    )
    lateness: timedelta = Field(
        default=timedelta(hours=72),
        ge=TICK,
        le=YEAR,
        description="How far behind stream time is not late (T7).",
    )

    # Where things lie
    home: Path = Field(
        default=Path("data"), description="Folder of the databases, the spool and the broker."
    )
    cache: Path = Field(
        default=Path("~/.cache/pipeline").expanduser(),
        description="Folder of downloaded jars, shared by all checkouts.",
    )
    maven_url: str | None = Field(
        default=None, description="A mirror of Maven Central for those jars; empty: Central itself."
    )
    stores_file: Path | None = Field(
        default=None, description="TOML of stores and their tokens; empty: <home>/stores.toml."
    )

    # Ingest
    ingest_host: str = Field(default="127.0.0.1", description="Address that ingest listens on.")
    ingest_port: int = Field(default=8080, ge=0, le=65535, description="0 takes a free one.")
    admin_host: str = Field(
        default="127.0.0.1",
        description="Address of ingest's probes, metrics and `/explain`, which are for operators.",
    )
    admin_port: int = Field(default=8082, ge=0, le=65535, description="0 takes a free one.")
    # A record holds at most three times its body: each event as the rules read it, and as it came,
    # where a quote takes two bytes; a refused one at most three bytes for each that is no text.
    # Twice that stays under a record of Kafka.
    max_body_bytes: int = Field(
        default=MEBIBYTE,
        ge=1024,
        le=2 * MEBIBYTE,
        description="A larger body, inflated, is answered 413.",
    )
    max_bodies_bytes: int = Field(
        default=128 * MEBIBYTE,
        ge=2 * MEBIBYTE,
        description="Of all requests in hand at one ingest, inflated; over it 503.",
    )
    body_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        ge=TICK,
        description="A head or body that takes longer is answered 408.",
    )
    keep_alive: timedelta = Field(
        default=timedelta(seconds=75),
        ge=TICK,
        description="A connection may rest so long: longer than a load balancer would keep it.",
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        description="Open at once at one ingest; then the one that has waited longest is closed.",
    )
    ack_timeout: timedelta = Field(
        default=timedelta(seconds=5),
        ge=TICK,
        description="How long a request waits for Kafka; then the spool.",
    )
    spool_bytes: int = Field(
        default=1024 * MEBIBYTE,
        ge=0,
        description="Most that one ingest keeps while Kafka is away; then 503.",
    )
    requests_per_second: float = Field(
        default=0.0, ge=0, description="Of one store at one ingest; more is 429. 0: no limit."
    )
    burst: float = Field(default=100.0, ge=1, description="Requests of a store at once.")
    country_header: str = Field(default="", description="Edge header that holds the country.")
    region_header: str = Field(default="", description="Edge header that holds the region.")
    city_header: str = Field(default="", description="Edge header that holds the city.")

    # Worker
    workers: int = Field(default=1, ge=0, le=64, description="Worker processes of `up`.")
    worker_name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.-]{0,200}$",
        description="Of one worker: restarted under it, it keeps its partitions. `up` sets it.",
    )
    session_timeout: timedelta = Field(
        default=timedelta(seconds=8),
        # What Kafka allows a group to ask for.
        ge=timedelta(seconds=6),
        le=timedelta(minutes=30),
        description="After it a silent worker's partitions move.",
    )
    run_records: int = Field(
        default=2000, ge=1, description="Most records of one partition in one run."
    )
    max_failed_share: float = Field(
        default=0.5, gt=0, le=1, description="More failed events in a window stop the worker."
    )

    # Loader
    load_records: int = Field(default=10000, ge=1, description="Most outcomes in one transaction.")
    load_interval: timedelta = Field(
        default=timedelta(seconds=1), ge=TICK, description="Longest wait for a transaction to fill."
    )
    publish_interval: timedelta = Field(
        default=timedelta(seconds=5), ge=timedelta(0), description="Pause between two snapshots."
    )
    snapshots_kept: int = Field(
        default=2, ge=0, description="Snapshots of earlier days to keep; each is a whole database."
    )
    snapshot_readers: Literal["owner", "group", "all"] = Field(
        default="owner",
        description="Users who may read snapshots: owner, group or all (docs/operating.md).",
    )

    # Those who ask: the dashboard, for a page, and `pipeline query`
    query_timeout: timedelta = Field(
        default=timedelta(minutes=1),
        ge=TICK,
        le=YEAR,
        description="Longest that an answer of the dashboard or `pipeline query` may take.",
    )
    query_memory_bytes: int = Field(
        default=2048 * MEBIBYTE, ge=16 * MEBIBYTE, description="Most memory that it may take."
    )

    # Dashboard
    dashboard_host: str = Field(default="127.0.0.1", description="Address of the dashboard.")
    dashboard_hosts: str = Field(
        default="",
        description="Names it may be asked by beside its address and loopback; commas between.",
    )
    dashboard_port: int = Field(default=8081, ge=0, le=65535, description="0 takes a free one.")

    def environment(self) -> dict[str, str]:
        """What gives a child process these settings, whatever else it finds."""
        changed = self.model_dump(mode="json", exclude_defaults=True)
        if "kafka_sasl_password" in changed:
            changed["kafka_sasl_password"] = self.kafka_sasl_password.get_secret_value()
        return {PREFIX + name.upper(): str(value) for name, value in changed.items()}

    @property
    def rules(self) -> Rules:
        """The settings that the rules read."""
        return Rules(
            gap=self.session_gap,
            lookback=self.lookback,
            lateness=self.lateness,
            half_life=self.half_life,
        )

    @property
    def live_database(self) -> Path:
        """The loader's own; nobody else opens it."""
        return self.home / "live.duckdb"

    @property
    def database(self) -> Path:
        """The published snapshot that everyone reads."""
        return self.home / "analytics.duckdb"

    @property
    def snapshot_mode(self) -> int:
        """Of a snapshot's file: nobody writes to it (decision 0020)."""
        return {"owner": 0o400, "group": 0o440, "all": 0o444}[self.snapshot_readers]

    @property
    def stores(self) -> Path:
        """The stores' file."""
        return self.stores_file or self.home / "stores.toml"
