"""`pipeline stores`: manage stores and tokens. A running ingest picks up changes in seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from pipeline.cli.span import span
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.ingest.stores import StoreEntry

# Characters of a hash: enough to tell tokens apart, and they reveal no token.
SHOWN = 8


def _origins(_: click.Context, option: click.Parameter, values: Sequence[str]) -> list[str]:
    for value in values:
        # As browsers send it; no other form would ever match.
        if value != "null" and not re.fullmatch(r"[a-z][a-z0-9+.\-]*://[a-z0-9.\-\[\]:]+", value):
            expected = "such as https://shop.example: lower case, without a path; or null"
            raise click.BadParameter(f"{value!r} is not an origin {expected}", param=option)
    return list(values)


def _name(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    from pipeline.printable import printable

    if value is None:
        return None
    # It appears in every table and list.
    if not value.strip() or printable(value) != value:
        raise click.BadParameter(f"{printable(value)!r} is empty or not printable", param=option)
    return value


def zone(_: click.Context, option: click.Parameter, value: str) -> str:
    """A time zone's name, for an option of any command."""
    from pipeline.ingest.sender import checked_zone

    try:
        return checked_zone(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


@click.group()
def stores() -> None:
    """Manage the stores that may send events, and their tokens."""


@stores.command("add")
@click.argument("name", required=False, callback=_name)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    callback=_origins,
    help="Allowed page origin, repeatable. Default: any.",
)
@click.option("--backfill", is_flag=True, help="Accept events older than 30 days.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=zone,
    help="IANA time zone of the store's days.",
)
@click.option(
    "--orders",
    is_flag=True,
    help="A token for a server that reports every order and confirms those of pages."
    " An existing store gets one more.",
)
@click.option(
    "--requests-per-second",
    type=click.FloatRange(min=0),
    help="Rate limit for this store; 0 = unlimited.",
)
@click.option(
    "--burst", type=click.FloatRange(min=1), help="Burst size of this store's rate limit."
)
@click.option(
    "--first",
    is_flag=True,
    help="Do nothing if the stores file exists; else NAME may be left out, and is `shop`.",
)
@with_settings
def add(
    settings: Settings,
    name: str | None,
    origins: list[str],
    *,
    backfill: bool,
    timezone: str,
    orders: bool,
    requests_per_second: float | None,
    burst: float | None,
    first: bool,
) -> None:
    """Add the store NAME and print its token, which is not shown again."""
    from pipeline.devstack.first_store import STORE, make_first_store
    from pipeline.ingest.stores import StoreEntry, StoresError, new_token
    from pipeline.ingest.stores_file import changing

    if first and settings.stores.exists():
        click.echo(f"{settings.stores} exists already")
        return
    if name is None:
        if not first:
            raise click.UsageError("name the store")
        name = STORE
    # A new file gets comments that explain it.
    token = make_first_store(settings.stores, name)
    with changing(settings.stores) as entries:
        is_new = token is not None or name not in entries
        if not is_new and not orders:
            raise StoresError(
                f"store {name} exists already: `pipeline stores rotate` issues a new token"
            )
        if not is_new and (
            origins or backfill or timezone != "UTC" or requests_per_second or burst
        ):
            raise click.UsageError(
                f"store {name} exists already: to add a token, give --orders alone"
            )
        if token is None:
            token, digest = new_token()
            entry = entries.setdefault(name, StoreEntry(tokens_sha256=[]))
            entry.tokens_sha256 = [*entry.tokens_sha256, digest]
        entry = entries[name]
        if orders:
            entry.token_rights = {**entry.token_rights, entry.tokens_sha256[-1]: ["orders"]}
        if is_new:
            entry.origins, entry.backfill, entry.timezone = origins, backfill, timezone
            entry.requests_per_second, entry.burst = requests_per_second, burst
    click.echo(f"token of {name} (shown only once): {token}")


@stores.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    default="7d",
    show_default=True,
    callback=span,
    help="How long the old tokens remain valid.",
)
@click.option("--orders", is_flag=True, help="Replace the tokens that confirm orders instead.")
@with_settings
def rotate(settings: Settings, name: str, overlap: timedelta, *, orders: bool) -> None:
    """Issue a new token for the store NAME. Old ones of its kind expire after the overlap."""
    from pipeline.ingest.stores import new_token
    from pipeline.ingest.stores_file import changing

    now = datetime.now(UTC)
    token, digest = new_token()
    with changing(settings.stores) as entries:
        entry = _entry(entries, name)
        ends = dict(entry.token_ends)
        for old in entry.tokens_sha256:
            # A server's token and a page's are replaced at different times.
            if (old in entry.token_rights) is orders:
                ends[old] = min(now + overlap, ends.get(old, now + overlap))
        for old in [old for old, end in ends.items() if end <= now]:
            _forget(entry, old)
            del ends[old]
        entry.token_ends = ends
        entry.tokens_sha256 = [*entry.tokens_sha256, digest]
        if orders:
            entry.token_rights = {**entry.token_rights, digest: ["orders"]}
    until = (now + overlap).strftime("%Y-%m-%d %H:%M UTC")
    click.echo(f"old tokens of {name} expire at {until}")
    click.echo(f"token of {name} (shown only once): {token}")


@stores.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """List stores with their origins, rights and token hashes."""
    from pipeline.cli.command import show
    from pipeline.ingest.stores import read_entries
    from pipeline.warehouse.queries import QueryResult

    now = datetime.now(UTC)
    rows = [
        (
            name,
            ", ".join(entry.origins) or "any",
            "backfill" if entry.backfill else "",
            entry.timezone,
            _rate(entry),
            tuple(_token(entry, digest, now) for digest in entry.tokens_sha256) or "none",
        )
        for name, entry in read_entries(settings.stores).items()
    ]
    show(QueryResult(["store", "origins", "rights", "timezone", "rate", "tokens"], rows))


@stores.command("revoke")
@click.argument("name")
@click.argument("token", required=False)
@click.option("--all", "every", is_flag=True, help="Revoke every token of the store.")
@with_settings
def revoke(settings: Settings, name: str, token: str | None, *, every: bool) -> None:
    """Revoke a token of the store NAME. TOKEN is the start of its SHA-256, as `list` prints it."""
    from pipeline.ingest.stores import StoresError
    from pipeline.ingest.stores_file import changing

    if (token is None) != every:
        raise click.UsageError(
            "give the start of a token's hash (`pipeline stores list`), or --all"
        )
    with changing(settings.stores) as entries:
        entry = _entry(entries, name)
        gone = [digest for digest in entry.tokens_sha256 if digest.startswith(token or "")]
        if not every and len(gone) != 1:
            raise StoresError(
                f"{len(gone)} tokens of {name} start with that: see `pipeline stores list`"
            )
        for digest in gone:
            _forget(entry, digest)
    click.echo(f"{len(gone)} tokens of {name} revoked, {len(entry.tokens_sha256)} left")


def _entry(entries: dict[str, StoreEntry], name: str) -> StoreEntry:
    from pipeline.ingest.stores import StoresError

    if name not in entries:
        raise StoresError(f"no store {name}; there are: {', '.join(entries) or 'none'}")
    return entries[name]


def _forget(entry: StoreEntry, digest: str) -> None:
    entry.tokens_sha256 = [kept for kept in entry.tokens_sha256 if kept != digest]
    entry.token_ends = {kept: end for kept, end in entry.token_ends.items() if kept != digest}
    rights = entry.token_rights
    entry.token_rights = {kept: right for kept, right in rights.items() if kept != digest}


def _rate(entry: StoreEntry) -> str:
    if entry.requests_per_second is None:
        return ""
    return f"{entry.requests_per_second:g}/s" if entry.requests_per_second else "unlimited"


def _token(entry: StoreEntry, digest: str, now: datetime) -> str:
    words = [digest[:SHOWN], *entry.token_rights.get(digest, ())]
    if end := entry.token_ends.get(digest):
        words.append("until" if end > now else "expired")
        words.append(f"{end.astimezone(UTC):%Y-%m-%d %H:%M}")
    return " ".join(words)
