"""The page around its sections: head, form, footer, and the notices shown instead."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from pathlib import Path

from pipeline.dashboard import sections
from pipeline.dashboard.figures import moment, whole
from pipeline.dashboard.markup import Content, Markup, tag, together, verbatim
from pipeline.dashboard.report import SPANS, Report, Selection

_FOLDER = Path(__file__).parent
STYLE = (_FOLDER / "page.css").read_text()
SCRIPT = (_FOLDER / "refresh.js").read_text()


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# Only our own style and script run, even if hostile markup got through.
POLICY = (
    f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)}; img-src data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def full(report: Report, *, version: str, published: datetime, stale: str | None = None) -> str:
    """The page over a snapshot; `stale` says why a newer one is not shown."""
    if report.selection is None:
        main = _notice(
            "No events yet", "This page shows the first ones as soon as they are published."
        )
        return _document(main, version=version, footer=_footer(report, published, stale))
    main = tag("main", *sections.all_of(report, report.selection), id="main")
    return _document(
        main,
        version=version,
        header=_form(report, report.selection),
        footer=_footer(report, published, stale),
    )


def empty(reason: str, *, version: str) -> str:
    """The page while there is no snapshot to read."""
    hint = "This page shows the first snapshot as soon as it is published. Is the pipeline running?"
    return _document(_notice(reason, hint), version=version)


def limit_exceeded(reason: str, *, version: str) -> str:
    """The page when its queries exceeded a limit."""
    smallest = tag("a", "Show the newest day", href="/")
    notice = _notice("The queries exceeded a limit", f"{reason}. ", smallest)
    return _document(notice, version=version)


def _document(
    main: Markup,
    *,
    version: str,
    header: Markup | None = None,
    footer: Markup | None = None,
) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", "Clickstream"),
        tag("noscript", tag("meta", http_equiv="refresh", content="30")),
        verbatim("style", STYLE),
    )
    body = tag(
        "body",
        tag("a", "Skip to the figures", class_="skip", href="#main"),
        tag("header", tag("h1", "Clickstream"), header or tag("form")),
        main,
        footer or tag("footer"),
        verbatim("script", SCRIPT),
        data_version=version,
    )
    return together(Markup("<!doctype html>"), tag("html", head, body, lang="en"))


def _notice(title: str, *text: Content) -> Markup:
    return tag("main", tag("section", tag("h2", title), tag("p", *text), class_="wide"), id="main")


def _form(report: Report, selection: Selection) -> Markup:
    stores = [
        _option(row["store_id"], row["store_id"], chosen=row["store_id"] == selection.store)
        for row in report.stores
    ]
    spans = [
        _option(str(days), "1 day" if days == 1 else f"{days} days", chosen=days == selection.days)
        for days in SPANS
    ]
    store = next(row for row in report.stores if row["store_id"] == selection.store)
    # The URL does not name the newest day, so that the page follows the traffic.
    newest = selection.last == store["last_day"]
    day = tag(
        "input",
        type="date",
        name="day",
        value=None if newest else selection.last.isoformat(),
        min=store["first_day"].isoformat(),
        max=store["last_day"].isoformat(),
    )
    return tag(
        "form",
        tag("label", "Store", tag("select", *stores, name="store")),
        tag("label", "Span", tag("select", *spans, name="days")),
        tag("label", "Up to (empty: newest)", day),
        tag("button", "Show", type="submit"),
        method="get",
        action="/",
    )


def _option(value: str, label: str, *, chosen: bool) -> Markup:
    return tag("option", label, value=value, selected="selected" if chosen else None)


def _footer(report: Report, published: datetime, stale: str | None) -> Markup:
    ledger = report.ledger
    counted = (
        f"{whole(ledger['events'])} events, {whole(ledger['duplicates'])} duplicates,"
        f" {whole(ledger['failed'])} failed and {whole(ledger['expired'])} expired, from"
        f" {whole(ledger['records'])} records of {ledger['partitions']} partitions."
    )
    older = [tag("p", f"This is the last snapshot that could be read. {stale}", role="alert")]
    return tag(
        "footer",
        *(older if stale else []),
        tag("p", "Snapshot published ", moment(published), tag("span", id="age"), "."),
        tag(
            "p",
            "Stream time ",
            moment(ledger["stream_time"]),
            ". The snapshot holds, over all stores: ",
            counted,
        ),
        tag("p", "All days are in UTC. Every figure except the quality table excludes bots."),
    )
