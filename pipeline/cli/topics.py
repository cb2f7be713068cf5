"""`pipeline topics`: create the topics, compare them with the settings, alter or adopt them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings


@click.command()
@click.option(
    "--alter",
    "is_altered",
    is_flag=True,
    help="Give topics that exist the retention of the settings, and mend what is reported.",
)
@click.option(
    "--adopt",
    "is_adopted",
    is_flag=True,
    help="Let the warehouse go on with these topics: those that it was loaded from are lost.",
)
@with_settings
def topics(settings: Settings, *, is_altered: bool, is_adopted: bool) -> int:
    """Create missing topics, list all, and report wrong topic settings."""
    if is_adopted and is_altered:
        raise click.UsageError("--alter and --adopt exclude each other: run one after the other")
    if is_adopted:
        from pipeline.cli.adopt_topics import adopt_topics

        return adopt_topics(settings)
    from pipeline.cli.command import on_kafka

    return _shown(on_kafka(settings), is_altered=is_altered)


def _shown(settings: Settings, *, is_altered: bool) -> int:
    from pipeline.cli.command import show
    from pipeline.kafka.admin import actual_topics, create_topics, topic_findings
    from pipeline.kafka.alter_topics import alter_topics
    from pipeline.kafka.topic_check import ALTERATIONS, COLUMNS, row
    from pipeline.printable import printable
    from pipeline.warehouse.queries import QueryResult

    made = create_topics(settings)
    click.echo("created " + ", ".join(made) if made else "all topics exist")
    if is_altered:
        altered = alter_topics(settings)
        click.echo("altered:" if altered else "nothing to alter")
        if altered:
            show(QueryResult(list(ALTERATIONS), [each.row() for each in altered]))
    actual = actual_topics(settings)
    show(QueryResult(list(COLUMNS), [row(topic) for topic in actual]))
    found = topic_findings(settings, actual)
    for finding in found:
        kind = "Error" if finding.is_refusal else "Warning"
        click.echo(printable(f"{kind}: {finding.text}"), err=True)
    return 1 if any(finding.is_refusal for finding in found) else 0
