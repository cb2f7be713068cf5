"""Downloads jars from a Maven repository: in parallel, verified, with retries."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from pipeline.devstack.broker.jars import BrokerError, Jar, Progress

AT_ONCE = 4
TIMEOUT = 30
_CHUNK = 1 << 16
# Status codes worth a retry; all other errors are final.
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


def central() -> str:
    """The address of Maven Central."""
    from maven_artifact.resolver import Resolver  # noqa: PLC0415  # not needed with a mirror

    return str(Resolver.default().base)


def authorities(environment: Mapping[str, str] = os.environ) -> str | bool:
    """For requests' `verify`, which honours REQUESTS_CA_BUNDLE but not SSL_CERT_FILE."""
    if environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE"):
        return True
    return environment.get("SSL_CERT_FILE") or True


class Download:
    """Downloads `jars` into `folder`."""

    def __init__(
        self,
        jars: list[Jar],
        folder: Path,
        repository: str,
        pauses: tuple[float, ...],
        progress: Progress,
    ) -> None:
        self._jars = jars
        self._folder = folder
        self._repository = repository.rstrip("/")
        self._pauses = pauses
        self._progress = progress
        self._total = sum(jar.size for jar in jars)
        self._counts: dict[str, int] = {}
        self._counting = threading.Lock()
        self._given_up = threading.Event()

    def run(self) -> None:
        """Download all. Raises `BrokerError`; jars downloaded by then are kept."""
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            for done in [pool.submit(self._get, jar) for jar in self._jars]:
                done.result()
        finally:
            # After one failure the others stop, or their pauses would add up.
            self._given_up.set()
            pool.shutdown(cancel_futures=True)

    def _get(self, jar: Jar) -> None:
        for pause in (*self._pauses, None):
            try:
                data = self._read(jar)
                break
            except requests.RequestException as error:
                if pause is None or _is_final(error) or self._given_up.wait(pause):
                    raise BrokerError(
                        f"Kafka's jars cannot be downloaded from {self._repository}"
                        f" ({_reason(error)} on {jar.name}): check the network, the proxy or"
                        " PIPELINE_MAVEN_URL, and start again; finished jars are kept"
                    ) from None
        if not jar.is_intact(data):
            raise BrokerError(
                f"{jar.name} from {self._repository} is not the jar of kafka.lock (its SHA-256"
                " differs) and was discarded: use another network or mirror"
            )
        self._keep(jar, data)

    def _read(self, jar: Jar) -> bytes:
        self._count(jar, 0)
        parts: list[bytes] = []
        with requests.get(
            f"{self._repository}/{jar.path}",
            headers={"Accept-Encoding": "identity"},
            stream=True,
            verify=authorities(),
            timeout=TIMEOUT,
        ) as response:
            response.raise_for_status()
            count = 0
            for part in response.iter_content(_CHUNK):
                parts.append(part)
                count += len(part)
                # An endless response must not fill the memory.
                if count > jar.size or self._given_up.is_set():
                    break
                self._count(jar, count)
        return b"".join(parts)

    def _keep(self, jar: Jar, data: bytes) -> None:
        # Under a temporary name, then renamed: two starts may download the same jar at once.
        fresh = self._folder / f".{jar.name}.{os.getpid()}"
        try:
            fresh.write_bytes(data)
            fresh.replace(self._folder / jar.name)
        finally:
            fresh.unlink(missing_ok=True)

    def _count(self, jar: Jar, count: int) -> None:
        with self._counting:
            self._counts[jar.path] = count
            self._progress(sum(self._counts.values()), self._total)


def _is_final(error: requests.RequestException) -> bool:
    return error.response is not None and error.response.status_code not in _RETRIED


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"status {error.response.status_code}"
    return type(error).__name__
