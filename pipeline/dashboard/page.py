"""The page around its sections: head, age, filters, footer, and the notices shown instead."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from pipeline.dashboard.answers import Answer
from pipeline.dashboard.figures import moment, whole
from pipeline.dashboard.filters import form, missing, unknown
from pipeline.dashboard.markup import Content, Markup, tag, together, verbatim
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import ALL_STORES, Selection, written

_FOLDER = Path(__file__).parent
STYLE = (_FOLDER / "page.css").read_text()
# idiomorph first: the page's script uses it.
SCRIPT = "\n".join(
    path.read_text()
    for path in (_FOLDER / "vendor" / "idiomorph-0.8.0.min.js", _FOLDER / "page.js")
)


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# Only our own style and script run, even if hostile markup got through.
POLICY = (
    f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)}; img-src data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Snapshot:
    """Which snapshot a page shows; `stale` says why a newer one is not shown.

    It is said to be old when longer ago than `old_after` it was published, and was known to have
    all that Kafka had (`complete_until`; None: no loader of this home tells).
    """

    version: str
    published: datetime
    stale: str | None
    old_after: timedelta
    complete_until: datetime | None

    @property
    def is_late(self) -> bool:
        """Whether it was published too long ago to be new by that alone."""
        return datetime.now(UTC) - self.published > self.old_after

    @property
    def is_complete(self) -> bool:
        """Whether nothing new has come, by what is known lately."""
        until = self.complete_until
        return until is not None and datetime.now(UTC) - until <= self.old_after


def full(answer: Answer, snapshot: Snapshot) -> str:
    """The page over a snapshot."""
    if not answer.stores:
        notice = _notice(
            "No events yet",
            "The warehouse is there, and no event of a store has been accepted. Add a store with ",
            tag("code", "pipeline stores add NAME"),
            " and send with its token, or fill the page with sample traffic: ",
            tag("code", "pipeline demo"),
            ". The first events are here some seconds after they were sent.",
        )
        return _document(notice, snapshot=snapshot, answer=answer)
    selection = answer.selection
    if selection is None:
        return _document(_problem(answer), snapshot=snapshot, answer=answer)
    notes = [
        tag("p", text, class_="banner")
        for text in (*unknown(selection), *missing(answer, selection))
    ]
    sections = [section for section in ALL if section.is_for(selection)]
    shown = [section_of(section, selection, answer.found.get(section.name)) for section in sections]
    links = [tag("a", section.title, href=f"#{section.name}") for section in sections]
    jump = tag(
        "nav",
        tag("details", tag("summary", "Sections"), tag("div", *links), id="sections"),
        id="jump",
        aria_label="Sections",
    )
    main = tag("main", *notes, jump, tag("div", *shown, class_="sections"), id="main")
    return _document(main, snapshot=snapshot, answer=answer, header=form(answer, selection))


def section_of(section: Section, selection: Selection, found: Found | None) -> Markup:
    """A section; while its figures are not known, where the page fetches them from."""
    later = None
    if found is None:
        later = selection.url(f"/section/{section.name}")
        everything = tag("a", "Show all figures at once", href=selection.url(whole="1"))
        content: Content = tag("p", "Counting … ", tag("noscript", everything), class_="empty")
    else:
        content = section.show(found, selection)
    return _section(section, selection, content, later=later)


def _section(
    section: Section, selection: Selection, content: Content, *, later: str | None = None
) -> Markup:
    unfiltered = None
    if selection.filters and not section.is_filtered:
        unfiltered = tag("p", "Not filtered: of the store and its days alone.", class_="unfiltered")
    note = tag("p", section.note, class_="meaning") if section.note else None
    return tag(
        "section",
        tag("h2", section.title, id=f"title-{section.name}"),
        unfiltered,
        content,
        note,
        id=section.name,
        aria_labelledby=f"title-{section.name}",
        aria_busy="true" if later else None,
        data_later=later,
        class_="wide" if section.is_wide else None,
    )


def empty(reason: str, *, version: str) -> str:
    """The page while there is no snapshot to read."""
    hint = _notice(
        reason,
        "The first one is here some seconds after the loader has started. If it does not come,"
        " see what runs and what is missing with ",
        tag("code", "pipeline status"),
        "; ",
        tag("code", "pipeline up"),
        " starts everything on this machine.",
    )
    return _document(hint, version=version)


def limit_exceeded(reason: str, *, version: str) -> str:
    """The page when its queries exceeded a limit."""
    smallest = tag("a", "Show the newest day", href="/")
    notice = _notice("The queries exceeded a limit", f"{reason}. ", smallest)
    return _document(notice, version=version)


def _problem(answer: Answer) -> Markup:
    links = [
        tag(
            "li",
            tag("a", row["store_id"], href=f"/?store={quote(written(row['store_id']), safe='')}"),
        )
        for row in answer.stores
    ]
    if len(links) > 1:
        links.append(tag("li", tag("a", "All stores", href=f"/?store={quote(ALL_STORES)}")))
    return tag(
        "main",
        tag(
            "section",
            tag("h2", "This cannot be shown"),
            tag("p", answer.problem),
            tag("p", "The newest day of:"),
            tag("ul", *links),
            class_="wide",
        ),
        id="main",
    )


def _document(
    main: Markup,
    *,
    snapshot: Snapshot | None = None,
    answer: Answer | None = None,
    version: str = "",
    header: Markup | None = None,
) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", _title(answer)),
        tag("noscript", tag("meta", http_equiv="refresh", content="30")),
        verbatim("style", STYLE),
    )
    body = tag(
        "body",
        tag("a", "Skip to the figures", class_="skip", href="#main"),
        tag(
            "header",
            tag("div", tag("h1", "Clickstream"), _age(snapshot), class_="top"),
            *_banners(snapshot),
            header or tag("form", id="filters"),
            id="header",
        ),
        main,
        tag("p", id="said", role="status", class_="unseen"),
        _footer(answer, snapshot),
        verbatim("script", SCRIPT),
        data_version=snapshot.version if snapshot else version,
    )
    return together(Markup("<!doctype html>"), tag("html", head, body, lang="en"))


def _title(answer: Answer | None) -> str:
    if answer is None or answer.selection is None:
        return "Clickstream"
    return f"{answer.selection.store.name or 'All stores'} - Clickstream"


def _age(snapshot: Snapshot | None) -> Markup | None:
    if snapshot is None:
        return None
    published = moment(
        snapshot.published.replace(tzinfo=None),
        id="published",
        data_old=f"{snapshot.old_after.total_seconds():.0f}",
        data_complete=snapshot.complete_until.isoformat() if snapshot.complete_until else "",
    )
    quiet = tag(
        "span",
        ", and nothing new has come since",
        id="quiet",
        hidden=None if snapshot.is_late and snapshot.is_complete else "hidden",
    )
    return tag("p", "Published ", published, tag("span", id="age"), quiet, class_="age")


def _banners(snapshot: Snapshot | None) -> Sequence[Markup]:
    away = tag(
        "p",
        "The dashboard's server does not answer. These are the last figures that it sent.",
        class_="banner",
        id="away",
        hidden="hidden",
        role="alert",
    )
    if snapshot is None:
        return [away]
    old = tag(
        "p",
        "These figures are old: no snapshot has been published since, and no loader says that"
        " nothing new has come. `pipeline status` says what is the matter.",
        class_="banner",
        id="old",
        hidden="hidden" if snapshot.is_complete or not snapshot.is_late else None,
    )
    stale = f"This is the last snapshot that could be read. {snapshot.stale}"
    said = [tag("p", stale, class_="banner", role="alert")] if snapshot.stale else []
    return [away, old, *said]


def _notice(title: str, *text: Content) -> Markup:
    return tag("main", tag("section", tag("h2", title), tag("p", *text), class_="wide"), id="main")


def _footer(answer: Answer | None, snapshot: Snapshot | None) -> Markup:
    if answer is None or snapshot is None:
        return tag("footer", id="footer")
    ledger = answer.ledger
    counted = (
        f"{whole(ledger['events'])} events, {whole(ledger['duplicates'])} duplicates,"
        f" {whole(ledger['failed'])} failed and {whole(ledger['expired'])} expired, from"
        f" {whole(ledger['records'])} records of {ledger['partitions']} partitions."
    )
    return tag(
        "footer",
        tag(
            "p",
            "Stream time ",
            moment(ledger["stream_time"]),
            "; complete until ",
            moment(ledger["complete_until"]),
            ".",
        ),
        tag("p", "The snapshot holds, over all stores: ", counted),
        tag("p", "Days and hours are the store's."),
        id="footer",
    )
