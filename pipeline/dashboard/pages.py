"""What is answered at each address: the page, one of its sections, a table as CSV, the version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import duckdb
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from pipeline.config import Settings
from pipeline.dashboard import page
from pipeline.dashboard.answers import Answers
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Selection, SelectionError
from pipeline.dashboard.snapshot import BusyError, NotPublishedError, unreadable
from pipeline.warehouse.limits import LimitError
from pipeline.warehouse.load.running import told

# After so many snapshots that did not come, but a minute at least, the page says that it is old,
# unless the loader has told as lately that nothing new has come.
_MISSED = 5
_RETRY_AFTER = 5  # seconds


class Pages:
    """Answers requests, from any number of threads."""

    def __init__(self, settings: Settings) -> None:
        self._answers = Answers(settings)
        self._home = settings.home
        self._old_after = max(timedelta(minutes=1), _MISSED * settings.publish_interval)

    def page(self, request: Request) -> Response:
        """The whole page. 404 for what cannot be shown, 503 when a limit is exceeded."""
        wanted = dict(request.query_params)
        whole = wanted.pop("whole", "") == "1"
        version = self._answers.version()
        status = 200
        try:
            found = self._answers.page(wanted, whole=whole)
        except NotPublishedError as error:
            text = page.empty(str(error), version=version)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            text = page.empty(unreadable(error), version=version)
        except (LimitError, BusyError) as error:
            text, status = page.limit_exceeded(str(error), version=version), 503
        else:
            snapshot = page.Snapshot(
                found.version,
                found.published,
                found.stale,
                old_after=self._old_after,
                complete_until=self._complete_until(),
            )
            text = page.full(found.value, snapshot)
            status = 200 if found.value.problem is None else 404
        return HTMLResponse(text, status)

    def section(self, request: Request) -> Response:
        """A section alone, for the page to put in its place."""

        def shown(section: Section, selection: Selection, found: Found) -> Response:
            return HTMLResponse(page.section_of(section, selection, found))

        named = (each for each in ALL if each.name == request.path_params["name"])
        return self._of(named, request, shown)

    def csv(self, request: Request) -> Response:
        """All rows of a table, as its search and order in the URL want them."""
        name = request.path_params["name"]

        def shown(section: Section, selection: Selection, found: Found) -> Response:
            (table,) = [each for each in section.tables(found, selection) if each.name == name]
            disposition = f'attachment; filename="{name}.csv"'
            headers = {"content-disposition": disposition}
            text = table.csv(dict(request.query_params))
            return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

        named = (each for each in ALL if name in each.names)
        # Always as a slow one: a file of many days holds no reader of pages.
        return self._of(named, request, shown, is_slow=True)

    def version(self, _request: Request) -> Response:
        """The snapshot's version, which the page compares with its own.

        A header says until when that snapshot had all that Kafka had.
        """
        until = self._complete_until()
        headers = {"x-complete-until": until.isoformat()} if until else {}
        return PlainTextResponse(self._answers.version(), headers=headers)

    def _complete_until(self) -> datetime | None:
        loader = told(self._home)
        return loader.complete_until if loader else None

    def _of(
        self,
        sections: Iterable[Section],
        request: Request,
        shown: Callable[[Section, Selection, Found], Response],
        *,
        is_slow: bool = False,
    ) -> Response:
        section = next(iter(sections), None)
        if section is None:
            return _refused("There is no such part of the page.", 404)
        try:
            selection, found = self._answers.section(
                section, dict(request.query_params), is_slow=is_slow
            )
        except (NotPublishedError, SelectionError) as error:
            return _refused(str(error), 404)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            return _refused(unreadable(error), 503)
        except (LimitError, BusyError) as error:
            return _refused(f"{error}.", 503)
        return shown(section, selection, found)


def busy(_request: Request) -> Response:
    """The answer where too many others of the kind are waiting."""
    answer = _refused("The dashboard is busy: try again in some seconds.", 503)
    answer.headers["retry-after"] = str(_RETRY_AFTER)
    return answer


def _refused(reason: str, status: int) -> Response:
    return PlainTextResponse(reason, status)
