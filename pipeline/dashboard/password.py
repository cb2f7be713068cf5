"""Asks for the password, in the browser's own dialog (HTTP Basic): there is no session to steal."""

from __future__ import annotations

import base64
import hmac
import math
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.config import Settings
from pipeline.dashboard.guesses import Guesses
from pipeline.sockets import ListenError, bare


class ExposedError(ListenError):
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
    """Answers 401 without `password`, but for `FREE`; the user's name may be any.

    An address that was wrong too often is answered 429, whatever it says, until it may try again.
    """

    def __init__(self, app: ASGIApp, password: str) -> None:
        self._app = app
        self._password = password.encode()
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        is_free = scope["type"] != "http" or scope["path"] == FREE
        refused = None if is_free else self._refused(scope)
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        given = Headers(scope=scope).get("authorization")
        address = (scope.get("client") or ("",))[0]
        # A browser asks without one first.
        if given is not None:
            if wait := math.ceil(self._guesses.wait(address)):
                return PlainTextResponse(
                    f"Too many wrong passwords came from your address: try again in {wait} s.\n",
                    429,
                    headers={"retry-after": str(wait)},
                )
            if self._is_right(given):
                return None
            self._guesses.was_wrong(address)
        return PlainTextResponse(
            "The password is needed.\n",
            401,
            headers={"www-authenticate": 'Basic realm="Clickstream", charset="UTF-8"'},
        )

    def _is_right(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            _, colon, password = base64.b64decode(given, validate=True).partition(b":")
        except ValueError:
            return False
        return bool(colon) and hmac.compare_digest(password, self._password)
