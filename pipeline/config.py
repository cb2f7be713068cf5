"""All settings, with default and meaning. The environment variable is `PIPELINE_<NAME>`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, TypeAdapter, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.domain.rules import Rules

PREFIX = "PIPELINE_"
MEBIBYTE = 1024 * 1024
TICK = timedelta(milliseconds=1)
_DURATION = TypeAdapter(timedelta)
YEAR = timedelta(days=366)


def duration(span: timedelta) -> str:
    """`span` as the settings are written: `PT30M`, `P10D`."""
    return str(_DURATION.dump_python(span, mode="json"))


class Settings(BaseSettings):
    """The settings of all processes. Only `pipeline.cli.command` and tests create one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object, info: ValidationInfo) -> object:
        # Compose's `${NAME:-}` passes an unset variable as an empty one, and Path("") is ".".
        field = cls.model_fields[info.field_name] if info.field_name else None
        return field.default if value == "" and field is not None else value

    # Kafka
    kafka_bootstrap_servers: str = Field(
        default="",
        description="Bootstrap servers of your Kafka. Empty: `up` starts its own broker.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    kafka_sasl_username: str = Field(default="", description="User name for every process.")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="Password. Prefer the file below."
    )
    kafka_sasl_password_file: Path | None = Field(
        default=None, description="File that contains only the password."
    )
    kafka_ssl_ca: Path | None = Field(
        default=None,
        description="CA certificates that verify Kafka's (PEM). Empty: the system's.",
    )
    kafka_ssl_certificate: Path | None = Field(
        default=None, description="Client certificate, if Kafka requires one (PEM)."
    )
    kafka_ssl_key: Path | None = Field(
        default=None, description="Private key of that certificate, unencrypted (PEM)."
    )
    topic_prefix: str = Field(
        default="", description="Prefix of every topic and consumer group: one per tenant or test."
    )
    partitions: int = Field(
        default=4,
        ge=1,
        le=1024,
        description="Partitions of each topic keyed by device. `pipeline partitions` adds some.",
    )
    replication: int = Field(
        default=1, ge=1, le=9, description="Replicas of each partition. Use 3 on a cluster."
    )
    min_insync_replicas: int = Field(
        default=0,
        ge=0,
        le=9,
        description="Replicas that must hold a record before a 204. 0: all but one, at least 1.",
    )
    beacons_retention: timedelta = Field(
        default=timedelta(days=7),
        ge=timedelta(0),
        le=10 * YEAR,
        description="How long Kafka keeps beacons: the longest worker outage. 0: forever.",
    )
    outcomes_retention: timedelta = Field(
        default=timedelta(days=14),
        ge=timedelta(0),
        le=10 * YEAR,
        description="How long Kafka keeps outcomes: the longest loader outage. 0: forever.",
    )
    rejected_retention: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        le=10 * YEAR,
        description="How long Kafka keeps rejected events. 0: forever.",
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
        description="Age at which a touch has half its weight in the time-decay model (A7).",
    )
    lateness: timedelta = Field(
        default=timedelta(hours=72),
        ge=TICK,
        le=YEAR,
        description="How far behind stream time an event may be without being late (T7).",
    )

    # Files
    home: Path = Field(
        default=Path("data"),
        description="Directory for databases, the spool and the embedded broker.",
    )
    cache: Path = Field(
        default=Path("~/.cache/pipeline").expanduser(),
        description="Directory for downloaded jars, shared by all checkouts.",
    )
    maven_url: str | None = Field(
        default=None, description="Mirror of Maven Central for those jars. Empty: Central itself."
    )
    stores_file: Path | None = Field(
        default=None, description="TOML file of stores and their tokens. Empty: <home>/stores.toml."
    )

    # Ingest
    ingest_host: str = Field(
        default="127.0.0.1", description="Address that ingest listens on, or `unix:/path`."
    )
    ingest_port: int = Field(default=8080, ge=0, le=65535, description="0 picks a free port.")
    ingest_workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Ingest processes that share the port (docs/operating.md).",
    )
    admin_host: str = Field(
        default="127.0.0.1",
        description="Address of ingest's probes, metrics and `/explain`. Keep it private.",
    )
    admin_port: int = Field(default=8082, ge=0, le=65535, description="0 picks a free port.")
    socket_mode: str = Field(
        default="600",
        pattern=r"^[0-7]{3}$",
        description="Permissions of ingest's unix sockets. 660 lets the folder's group in.",
    )
    # A record holds at most three times its body: each event parsed and raw, where a quote takes
    # two bytes; a rejected event at most three bytes for each byte that is not text. Twice that
    # fits into a record of Kafka.
    max_body_bytes: int = Field(
        default=MEBIBYTE,
        ge=1024,
        le=2 * MEBIBYTE,
        description="Largest body after decompression. Larger ones get 413.",
    )
    max_events: int = Field(
        default=1000, ge=1, le=10_000, description="Most events of one request. More get 422."
    )
    max_bodies_bytes: int = Field(
        default=128 * MEBIBYTE,
        ge=2 * MEBIBYTE,
        description="Memory limit for pending request bodies, per process. Beyond it: 503.",
    )
    body_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        ge=TICK,
        description="Time limit for receiving a head or a body. Beyond it: 408.",
    )
    keep_alive: timedelta = Field(
        default=timedelta(seconds=75),
        ge=TICK,
        description="Idle keep-alive timeout. Set it above the load balancer's.",
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        description="Open connections per process. Beyond it, the longest idle one is closed.",
    )
    drain_delay: timedelta = Field(
        default=timedelta(0),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="How long ingest still takes requests after SIGTERM, with `/readyz` at 503.",
    )
    downstream_timeout: timedelta = Field(
        default=timedelta(minutes=5),
        ge=timedelta(0),
        le=YEAR,
        description="After so long without progress behind ingest `/readyz` is degraded. 0: never.",
    )
    ack_timeout: timedelta = Field(
        default=timedelta(seconds=5),
        ge=TICK,
        description="How long a request waits for Kafka before it goes to the spool.",
    )
    spool_bytes: int = Field(
        default=1024 * MEBIBYTE,
        ge=0,
        description="Size limit of the spool, per process. When it is full: 503.",
    )
    requests_per_second: float = Field(
        default=0.0,
        ge=0,
        description="Rate limit per store and ingest process. Beyond it: 429. 0: unlimited.",
    )
    burst: float = Field(default=100.0, ge=1, description="Burst size of that rate limit.")
    country_header: str = Field(
        default="", description="Header in which your edge sends the country."
    )
    region_header: str = Field(
        default="", description="Header in which your edge sends the region."
    )
    city_header: str = Field(default="", description="Header in which your edge sends the city.")

    # `up`
    max_restarts: int = Field(
        default=10,
        ge=0,
        description="`up` ends when a process has died so often in a row of one cause. 0: never.",
    )

    # Worker
    workers: int = Field(default=1, ge=0, le=64, description="Worker processes that `up` starts.")
    worker_name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.-]{0,200}$",
        description="Stable name of a worker: restarted under it, it keeps its partitions.",
    )
    session_timeout: timedelta = Field(
        default=timedelta(seconds=8),
        # Kafka's limits.
        ge=timedelta(seconds=6),
        le=timedelta(minutes=30),
        description="Time after which an unresponsive worker loses its partitions.",
    )
    run_records: int = Field(
        default=2000, ge=1, description="Maximum records of one partition in one batch."
    )
    max_failed_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="The worker stops when more than this share of recent events fail.",
    )

    state_memory_bytes: int | None = Field(
        default=None,
        ge=0,
        description=(
            "Memory of a worker's devices; others wait in <home>/state. Empty: a quarter of the"
            " machine's, divided by PIPELINE_WORKERS."
        ),
    )

    standby: bool = Field(
        default=False,
        description=(
            "Whether a worker also keeps in <home>/state what the others own, so that it can take"
            " over within seconds."
        ),
    )

    # Loader
    load_records: int = Field(
        default=10000, ge=1, description="Maximum outcomes in one transaction."
    )
    load_interval: timedelta = Field(
        default=timedelta(seconds=1),
        ge=TICK,
        description="Longest wait for a transaction to fill up.",
    )
    load_memory_bytes: int | None = Field(
        default=None,
        ge=128 * MEBIBYTE,
        description="Memory limit of the loader's DuckDB. Empty: a quarter of the machine's.",
    )
    load_threads: int = Field(
        default=1, ge=1, le=1024, description="Threads of the loader's DuckDB."
    )
    temp_directory: Path | None = Field(
        default=None,
        description="Directory for what exceeds that memory. Empty: <home>/tmp.",
    )
    publish_interval: timedelta = Field(
        default=timedelta(seconds=1),
        ge=timedelta(0),
        description="Minimum time between two snapshots. Large ones are made less often.",
    )
    archive_after: timedelta = Field(
        default=timedelta(days=3),
        ge=timedelta(0),
        le=100 * YEAR,
        description="How long after its end, in stream time, a day moves into the archive.",
    )
    keep_duplicates: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        le=100 * YEAR,
        description="How long the warehouse keeps duplicates, by day of arrival. 0: forever.",
    )
    keep_rejected: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        le=100 * YEAR,
        description="How long it keeps rejected events and their bytes, likewise. 0: forever.",
    )
    keep_derived: timedelta = Field(
        default=timedelta(days=395),
        ge=timedelta(0),
        le=100 * YEAR,
        description="How long it keeps sessions, orders, conversions, touches (T11). 0: forever.",
    )
    keep_events: timedelta = Field(
        default=timedelta(0),
        ge=timedelta(0),
        le=100 * YEAR,
        description="How long it keeps events: lookback and a day longer than those. 0: forever.",
    )
    snapshots_kept: int = Field(
        default=2, ge=0, description="How many daily snapshots to keep. Each is a full database."
    )
    snapshot_readers: Literal["owner", "group", "all"] = Field(
        default="owner",
        description="Who may read snapshots: owner, group or all (docs/operating.md).",
    )

    # What each process tells its operators
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="`json`: a line of JSON each; `text`; `auto`: text on a terminal, else JSON.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address of metrics and probes of all processes but ingest. Keep it private.",
    )
    metrics_port: int = Field(
        default=8090,
        ge=0,
        le=65535,
        description="The first free of 100 ports from this one on. 0 picks any free port.",
    )

    # Queries of the dashboard (one page each) and of `pipeline query`
    query_timeout: timedelta = Field(
        default=timedelta(minutes=1),
        ge=TICK,
        le=YEAR,
        description="Time limit for a query of the dashboard or `pipeline query`.",
    )
    query_memory_bytes: int = Field(
        default=2048 * MEBIBYTE, ge=16 * MEBIBYTE, description="Memory limit for such a query."
    )

    # Dashboard
    dashboard_host: str = Field(default="127.0.0.1", description="Address of the dashboard.")
    dashboard_hosts: str = Field(
        default="",
        description="Host names it answers to besides its address and loopback, comma-separated.",
    )
    dashboard_open: bool = Field(
        default=False,
        description="No password beyond this machine, because something in front asks for one.",
    )
    dashboard_password: SecretStr = Field(
        default=SecretStr(""),
        description="What the dashboard asks for, whoever the user is. Needed beyond this machine.",
    )
    dashboard_port: int = Field(default=8081, ge=0, le=65535, description="0 picks a free port.")

    def environment(self) -> dict[str, str]:
        """The environment variables that pass these settings to a child process."""
        changed = self.model_dump(mode="json", exclude_defaults=True)
        if "kafka_sasl_password" in changed:
            changed["kafka_sasl_password"] = self.kafka_sasl_password.get_secret_value()
        if "dashboard_password" in changed:
            changed["dashboard_password"] = self.dashboard_password.get_secret_value()
        return {PREFIX + name.upper(): str(value) for name, value in changed.items()}

    @property
    def rules(self) -> Rules:
        """The settings that the rules depend on."""
        return Rules(
            gap=self.session_gap,
            lookback=self.lookback,
            lateness=self.lateness,
            half_life=self.half_life,
        )

    @property
    def live_database(self) -> Path:
        """The loader's database; no other process opens it."""
        return self.home / "live.duckdb"

    @property
    def database(self) -> Path:
        """The published snapshot, which all readers open."""
        return self.home / "analytics.duckdb"

    @property
    def snapshot_mode(self) -> int:
        """The file mode of a snapshot, never writable (decision 0020)."""
        return {"owner": 0o400, "group": 0o440, "all": 0o444}[self.snapshot_readers]

    @property
    def stores(self) -> Path:
        """The stores file."""
        return self.stores_file or self.home / "stores.toml"
