"""Drive a real Chromium over W3C WebDriver with Debian's chromedriver."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from processes import wait_for

# No sandbox, because CI runs as root; no vendor services.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1600",
]
_PORT = re.compile(r"started successfully on port (\d+)")


def needed(program: str, advice: str) -> str:
    """The path of `program`. If it is missing, the test is skipped, or fails in CI."""
    found = shutil.which(program)
    if found is None:
        reason = f"no {program} here: {advice}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass
class Asked:
    """A request of the page. `kind` is Chromium's (Ping: a beacon); `status` None: no answer."""

    method: str
    url: str
    kind: str
    status: int | None = None


class Browser:
    """A browser session; `folder` holds the profile and the driver's log."""

    def __init__(self, folder: Path) -> None:
        advice = "apt-get install chromium chromium-driver"
        driver, chromium = needed("chromedriver", advice), needed("chromium", advice)
        folder.mkdir()
        output = folder / "chromedriver.log"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [driver, "--port=0"], stdout=file, stderr=file, start_new_session=True
            )
        self._session = ""
        try:
            wait_for(lambda: _PORT.search(output.read_text()) is not None)
            found = _PORT.search(output.read_text())
            assert found is not None
            self._session = f"http://127.0.0.1:{found[1]}/session"
            options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={folder}/profile"]}
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            answer = self._ask("", {"capabilities": {"alwaysMatch": wanted}})
            self._session += f"/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(self._session + path, json=body, timeout=60)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def open(self, url: str) -> None:
        """Open a page and wait for its load event."""
        self._ask("/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of an async function in the page; return its result."""
        text = (
            "const [done, ...given] = [arguments[arguments.length - 1], ...arguments];"
            f"(async (...given) => {{ {script} }})(...given)"
            ".then((value) => done({value}), (error) => done({error: String(error)}));"
        )
        said = self._ask("/execute/async", {"script": text, "args": list(arguments)})
        assert "error" not in said, said["error"]
        return said.get("value")

    def console(self) -> list[str]:
        """Console messages since the last call."""
        return [entry["message"] for entry in self._ask("/se/log", {"type": "browser"})]

    def requests(self) -> list[Asked]:
        """Network requests since the last call, preflights included."""
        asked: dict[str, Asked] = {}
        for entry in self._ask("/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            of = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                sent = of["request"]
                asked[of["requestId"]] = Asked(sent["method"], sent["url"], of.get("type", ""))
            elif message["method"] == "Network.responseReceived" and of["requestId"] in asked:
                asked[of["requestId"]].status = of["response"]["status"]
        return list(asked.values())

    def resize(self, width: int, height: int) -> None:
        """Set the page's own size in CSS pixels, without the frame of the window."""
        frame = self.run("return [outerWidth - innerWidth, outerHeight - innerHeight];")
        size = {"width": width + frame[0], "height": height + frame[1]}
        self._ask("/window/rect", size)

    def cdp(self, command: str, **given: Any) -> Any:
        """A command of the DevTools protocol."""
        return self._ask("/goog/cdp/execute", {"cmd": command, "params": given})

    def phone(self, width: int, height: int) -> None:
        """Be a phone of this size, which a window's least width would not let it be."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)

    def scheme(self, name: str) -> None:
        """Prefer colours that are `light` or `dark`."""
        wanted = [{"name": "prefers-color-scheme", "value": name}]
        self.cdp("Emulation.setEmulatedMedia", features=wanted)

    def picture(self, file: Path) -> None:
        """Save what is shown as PNG."""
        answer = requests.get(f"{self._session}/screenshot", timeout=60)
        file.write_bytes(base64.b64decode(answer.json()["value"]))

    def close(self) -> None:
        """End the browser and its driver, whatever their state."""
        if self._session.count("/") > 3:
            with suppress(requests.RequestException):
                requests.delete(self._session, timeout=20)
        # The driver's process group includes a browser that did not answer.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
