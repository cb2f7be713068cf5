from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.download import authorities
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import BrokerError, Jar, locked
from pipeline.devstack.broker.progress import download_shown

PAUSES = (0.01, 0.01)


@pytest.fixture
def jars(repository: Any) -> list[Jar]:
    return [repository.add(f"part{number}", b"x" * 1000 * (number + 1)) for number in range(6)]


def test_every_jar_is_downloaded_once_and_progress_ends_at_the_total(
    repository: Any, jars: list[Jar], tmp_path: Path
) -> None:
    heard: list[tuple[int, int]] = []
    paths = fetch(
        tmp_path,
        jars=jars,
        maven_url=repository.url,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert [path.stat().st_size for path in paths] == [jar.size for jar in jars]
    assert sorted(repository.requested) == [jar.path for jar in jars]
    assert heard[-1] == (21000, 21000)


def test_without_a_terminal_the_download_prints_two_lines(
    repository: Any, jars: list[Jar], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with download_shown() as heard:
            fetch(tmp_path, jars=jars, maven_url=repository.url, progress=heard)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("downloading Apache Kafka, 0 MiB")
    assert last == "downloading Apache Kafka: done"


def test_a_second_start_does_not_use_the_network(
    repository: Any, jars: list[Jar], tmp_path: Path
) -> None:
    first = fetch(tmp_path, jars=jars, maven_url=repository.url)
    nobody = f"http://127.0.0.1:{free_port()}/maven2"
    assert fetch(tmp_path, jars=jars, maven_url=nobody, pauses=()) == first


@pytest.mark.parametrize("damage", [b"x" * 2999 + b"y", b"x" * 2999, b""])
def test_only_a_damaged_jar_is_downloaded_again(
    repository: Any, jars: list[Jar], tmp_path: Path, damage: bytes
) -> None:
    paths = fetch(tmp_path, jars=jars, maven_url=repository.url)
    paths[2].write_bytes(damage)
    repository.requested.clear()
    fetch(tmp_path, jars=jars, maven_url=repository.url)
    assert repository.requested == [jars[2].path]
    assert paths[2].read_bytes() == b"x" * 3000


def test_a_jar_with_another_checksum_is_refused_and_not_kept(
    repository: Any, jars: list[Jar], tmp_path: Path
) -> None:
    repository.files[jars[0].path] = b"y" * 1000
    with pytest.raises(BrokerError, match=r"part0-1\.jar .* SHA-256 differs") as raised:
        fetch(tmp_path, jars=jars, maven_url=repository.url)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "kafka" / "part0-1.jar").exists()


def test_a_jar_larger_than_in_the_lock_is_refused(
    repository: Any, jars: list[Jar], tmp_path: Path
) -> None:
    short = replace(jars[5], size=10)
    with pytest.raises(BrokerError, match="SHA-256 differs"):
        fetch(tmp_path, jars=[short], maven_url=repository.url)


def test_a_temporary_failure_is_retried(repository: Any, jars: list[Jar], tmp_path: Path) -> None:
    repository.failures += [503, 502]
    fetch(tmp_path, jars=jars[:1], maven_url=repository.url, pauses=PAUSES)
    assert repository.requested == [jars[0].path] * 3


def test_a_truncated_response_is_retried(repository: Any, jars: list[Jar], tmp_path: Path) -> None:
    repository.short_by.append(100)
    heard: list[int] = []
    fetch(
        tmp_path,
        jars=jars[:1],
        maven_url=repository.url,
        pauses=PAUSES,
        progress=lambda done, _total: heard.append(done),
    )
    assert max(heard) == heard[-1] == 1000


def test_a_missing_jar_is_requested_once(repository: Any, jars: list[Jar], tmp_path: Path) -> None:
    unknown = replace(jars[0], path="org/example/gone/1/gone-1.jar")
    with pytest.raises(BrokerError, match=r"status 404 on gone-1\.jar"):
        fetch(tmp_path, jars=[unknown], maven_url=repository.url, pauses=PAUSES)
    assert len(repository.requested) == 1


def test_no_network_is_one_line_that_says_what_to_do(jars: list[Jar], tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/maven2"
    with pytest.raises(BrokerError, match="check the network, the proxy or") as raised:
        fetch(tmp_path, jars=jars, maven_url=nobody, pauses=PAUSES)
    assert "\n" not in str(raised.value)


def test_the_first_failed_jar_ends_the_download(repository: Any, tmp_path: Path) -> None:
    jars = [repository.add(f"part{number}", b"x") for number in range(100)]
    repository.failures += [503] * 1000
    with pytest.raises(BrokerError):
        fetch(tmp_path, jars=jars, maven_url=repository.url, pauses=(0.05,))
    assert len(repository.requested) < 100


def test_a_proxy_of_the_environment_is_used(
    repository: Any, jars: list[Jar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, repository.url.removesuffix("/maven2"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert fetch(tmp_path, jars=jars[:1], maven_url="http://mirror.invalid/maven2")


@pytest.mark.parametrize(
    ("environment", "verify"),
    [
        ({}, "True"),
        ({"SSL_CERT_FILE": "/our.pem"}, "/our.pem"),
        ({"SSL_CERT_FILE": "/our.pem", "REQUESTS_CA_BUNDLE": "/other.pem"}, "True"),
    ],
)
def test_the_environments_certificates_are_trusted(
    environment: dict[str, str], verify: str
) -> None:
    assert str(authorities(environment)) == verify


FETCH = """
import sys
from pathlib import Path
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import locked
fetch(Path(sys.argv[1]), jars=locked(Path(sys.argv[2])), maven_url=sys.argv[3])
"""


def test_two_downloads_at_once_do_not_harm_each_other(
    repository: Any, jars: list[Jar], tmp_path: Path
) -> None:
    lock = tmp_path / "test.lock"
    lock.write_text("".join(f"{jar.sha256} {jar.size} {jar.path}\n" for jar in jars))
    command = [sys.executable, "-c", FETCH, tmp_path, lock, repository.url]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    kept = {path.name for path in (tmp_path / "kafka").iterdir()}
    assert kept == {jar.name for jar in jars}
    assert all(jar.is_in(tmp_path / "kafka") for jar in jars)


def test_the_lock_names_all_that_kafka_needs_to_run_and_to_log() -> None:
    names = [jar.name for jar in locked()]
    assert len(set(names)) == len(names)
    wanted = ("kafka_2.13-4", "kafka-clients-4", "log4j-core-", "log4j-slf4j-impl-")
    assert all(any(name.startswith(start) for name in names) for start in wanted)
