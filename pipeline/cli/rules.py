"""`pipeline rules`: what the warehouse counts by, what other rules would change, adopting them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from pipeline.cli.rebuild import progress_bar
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.domain.reached import Reached
    from pipeline.warehouse.rebuild.adopt import Plan
    from pipeline.warehouse.rebuild.begin_anew import GoOn


@click.group()
def rules() -> None:
    """Show and change the rules by which the warehouse counts."""


@rules.command("show")
@with_settings
def show_rules(settings: Settings) -> None:
    """Show the rules of the warehouse beside the settings, and each store's time zone."""
    from pipeline.cli.command import show
    from pipeline.warehouse.rebuild.adopt import compared

    for table in compared(
        settings.live_database, settings.database, settings.rules, zones=_zones(settings)
    ):
        show(table)


@rules.command("plan")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
@with_settings
def plan_rules(settings: Settings, *, is_json: bool) -> None:
    """Compute what the settings and this version would change. Nothing is kept of it."""
    from pipeline.warehouse.rebuild.adopt import plan
    from pipeline.warehouse.resources import Resources

    with progress_bar() as progress:
        found = plan(
            settings.database,
            settings.live_database,
            settings.rules,
            zones=_zones(settings),
            progress=progress,
            resources=Resources.of(settings),
        )
    if is_json:
        click.echo(_json(found))
    else:
        _show(found)


@rules.command("adopt")
@with_settings
def adopt_rules(settings: Settings) -> None:
    """Count everything by the settings and this version, with the loader stopped.

    Where gap, lookback, lateness or the stream's version changed, stop the workers, too.
    """
    from pipeline.warehouse.rebuild.adopt import adopt
    from pipeline.warehouse.resources import Resources

    with ExitStack() as kafka, progress_bar() as progress:

        def stream(reached: dict[int, Reached], adoptions: int) -> GoOn:
            from pipeline.stream.handover import hand_over

            return hand_over(kafka.enter_context(embedded_kafka(settings)), reached, adoptions)

        found = adopt(
            settings.live_database,
            settings.rules,
            zones=_zones(settings),
            stream=stream,
            progress=progress,
            resources=Resources.of(settings),
        )
    _show(found)
    click.echo("adopted, and every check holds: start the loader and the workers")


@contextmanager
def embedded_kafka(settings: Settings) -> Iterator[Settings]:
    """`settings` with Kafka's address; the embedded one runs for as long as it is needed."""
    from pipeline.cli.command import on_kafka
    from pipeline.devstack.broker.server import Broker
    from pipeline.kafka.clients import KafkaAdmin

    address = on_kafka(settings)
    if settings.kafka_bootstrap_servers:
        KafkaAdmin(address)  # raises if it does not answer
        yield address
        return
    home = settings.home.resolve()
    with Broker(home, settings.cache, maven_url=settings.maven_url) as broker:
        yield settings.model_copy(update={"kafka_bootstrap_servers": broker.bootstrap_servers})


def _zones(settings: Settings) -> dict[str, str]:
    from pipeline.ingest.stores import read_entries

    # A file of `pipeline local`, or a warehouse away from ingest, has none.
    if not settings.stores.exists():
        return {}
    return {name: entry.timezone for name, entry in read_entries(settings.stores).items()}


def _show(plan: Plan) -> None:
    from pipeline.cli.command import show
    from pipeline.warehouse.queries import QueryResult

    for table in (plan.totals, plan.days):
        rows = [tuple(map(_short, row)) for row in table.rows]
        if rows:
            show(QueryResult(table.columns, rows))
    if not plan.days.rows:
        click.echo("no day changes")


def _json(plan: Plan) -> str:
    """An object of `totals` and `days`, each a list of rows by column. Figures are text: exact."""
    import msgspec

    found = {
        name: [dict(zip(table.columns, map(_short, row), strict=True)) for row in table.rows]
        for name, table in (("totals", plan.totals), ("days", plan.days))
    }
    return msgspec.json.encode(found).decode()


def _short(value: object) -> object:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
