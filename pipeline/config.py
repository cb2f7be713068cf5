"""Each setting: its default and its meaning. `PIPELINE_<NAME>` in the environment sets it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.domain.rules import Rules


class Settings(BaseSettings):
    """All settings of all processes; only `pipeline.cli` builds one, and tests by hand."""

    model_config = SettingsConfigDict(
        env_prefix="PIPELINE_", env_file=".env", extra="ignore", frozen=True
    )

    # Kafka
    kafka_bootstrap_servers: str = Field(
        default="", description="An existing Kafka; empty: `up` starts a broker of its own."
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

    # Rules (docs/semantics.md); part of the rules hash
    session_gap: timedelta = Field(
        default=timedelta(minutes=30), description="Silence after which a session ends (S2)."
    )
    lookback: timedelta = Field(
        default=timedelta(days=7), description="How long a click may claim a conversion (A3)."
    )
    lateness: timedelta = Field(
        default=timedelta(hours=72), description="How far behind stream time is not late (T7)."
    )

    # Where things lie
    home: Path = Field(
        default=Path("data"), description="Folder of the databases, the spool and the broker."
    )
    cache: Path = Field(
        default=Path("~/.cache/pipeline").expanduser(),
        description="Folder of downloaded jars, shared by all checkouts.",
    )
    stores_file: Path | None = Field(
        default=None, description="TOML of stores and their tokens; empty: <home>/stores.toml."
    )

    # Ingest
    ingest_host: str = Field(default="127.0.0.1", description="Address that ingest listens on.")
    ingest_port: int = Field(default=8080, ge=0, le=65535, description="0 takes a free one.")
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="A larger body, inflated, is answered 413."
    )
    body_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="A body that takes longer is answered 408."
    )
    ack_timeout: timedelta = Field(
        default=timedelta(seconds=5), description="How long a request waits for Kafka."
    )
    country_header: str = Field(default="", description="Edge header that holds the country.")
    region_header: str = Field(default="", description="Edge header that holds the region.")
    city_header: str = Field(default="", description="Edge header that holds the city.")

    # Worker
    workers: int = Field(default=1, ge=0, le=64, description="Worker processes of `up`.")
    session_timeout: timedelta = Field(
        default=timedelta(seconds=8), description="After it a silent worker's partitions move."
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
        default=timedelta(seconds=1), description="Longest wait for a transaction to fill."
    )
    publish_interval: timedelta = Field(
        default=timedelta(seconds=5), description="Pause between two snapshots."
    )

    # Dashboard
    dashboard_host: str = Field(default="127.0.0.1", description="Address of the dashboard.")
    dashboard_port: int = Field(default=8081, ge=0, le=65535, description="0 takes a free one.")

    @property
    def rules(self) -> Rules:
        """The settings that the rules read."""
        return Rules(gap=self.session_gap, lookback=self.lookback, lateness=self.lateness)

    @property
    def live_database(self) -> Path:
        """The loader's own; nobody else opens it."""
        return self.home / "live.duckdb"

    @property
    def database(self) -> Path:
        """The published snapshot that everyone reads."""
        return self.home / "analytics.duckdb"

    @property
    def stores(self) -> Path:
        """The stores' file."""
        return self.stores_file or self.home / "stores.toml"
