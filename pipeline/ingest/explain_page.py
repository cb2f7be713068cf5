"""`/explain` as HTML: what `explain.Explained` holds, for people."""

from __future__ import annotations

from html import escape

from pipeline.http.response import Response
from pipeline.ingest.explain import MOST, ExplainedEvent
from pipeline.printable import printable

_STYLE = """body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4em .8em;border-bottom:1px solid #ddd}
td.event{font:12px ui-monospace,monospace;overflow-wrap:anywhere;width:45%}
td.good{color:#17692f}td.bad{color:#a11}ul{margin:0;padding-left:1.2em}td.time{white-space:nowrap}"""
_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    # Everything shown came from strangers: nothing in it may run, load or be framed.
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


def explain_page(entries: list[ExplainedEvent]) -> Response:
    """The entries as HTML, without a resource of its own; every value escaped."""
    rows = "\n".join(map(_row, entries)) or '<tr><td colspan="5">Nothing came yet.</td></tr>'
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>What came</title>
<style>{_STYLE}</style><h1>What came</h1>
<p>The last {MOST} events, newest first; reload for more.
The same as <a href="/explain.json">JSON</a>.
<table><thead><tr><th>Time<th>Store<th>Outcome<th>Problems, repairs<th>Event</thead><tbody>
{rows}
</tbody></table></html>
"""
    return Response(200, page.encode(errors="replace"), _HEADERS)


def _text(text: str) -> str:
    return escape(printable(text))


def _row(entry: ExplainedEvent) -> str:
    kind = "good" if entry.reason == "accepted" else "bad"
    lines = [
        *entry.problems,
        *(f"repaired: {repair}" for repair in entry.repaired),
        *(f"ignored: {name}" for name in entry.ignored),
    ]
    problems = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return (
        f'<tr><td class="time">{_text(entry.time)}<td>{_text(entry.store)}'
        f'<td class="{kind}">{entry.status} {_text(entry.reason)}'
        f'<td><ul>{problems}</ul><td class="event">{_text(entry.event)}'
    )
