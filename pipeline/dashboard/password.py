"""Asks for the password, in the browser's own dialog (HTTP Basic): there is no session to steal."""

from __future__ import annotations

import base64
import hmac
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.config import Settings
from pipeline.sockets import bare


class ExposedError(Exception):
    """The dashboard would listen beyond this machine, open to all. The message is one line."""


def refuse_exposed(settings: Settings) -> None:
    """Raises `ExposedError` where neither a password nor something in front of it asks."""
    if settings.dashboard_password.get_secret_value() or settings.dashboard_open:
        return
    if not _is_loopback(settings.dashboard_host):
        raise ExposedError(
            f"PIPELINE_DASHBOARD_HOST={settings.dashboard_host} listens beyond this machine: set"
            " PIPELINE_DASHBOARD_PASSWORD, or PIPELINE_DASHBOARD_OPEN=true if something in front"
            " of it asks who is there"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(bare(host)).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# Says which snapshot there is and nothing of it: `pipeline up` and health checks ask there.
FREE = "/version"


class PasswordMiddleware:
    """Answers 401 without `password`, but for `FREE`; the user's name may be any."""

    def __init__(self, app: ASGIApp, password: str) -> None:
        self._app = app
        self._password = password.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        is_free = scope["type"] != "http" or scope["path"] == FREE
        if not is_free and not self._is_right(Headers(scope=scope)):
            answer = PlainTextResponse(
                "The password is needed.\n",
                401,
                headers={"www-authenticate": 'Basic realm="Clickstream", charset="UTF-8"'},
            )
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_right(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            _, colon, password = base64.b64decode(given, validate=True).partition(b":")
        except ValueError:
            return False
        return bool(colon) and hmac.compare_digest(password, self._password)
