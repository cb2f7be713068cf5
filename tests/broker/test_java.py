from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.devstack.broker.jars import BrokerError
from pipeline.devstack.broker.java import bundled_java, find_java, major_version

MakeJava = Callable[[str, str], Path]


@pytest.fixture
def make_java(tmp_path: Path) -> MakeJava:
    """A program `<name>/bin/java` that prints the version text of a Java `version`."""

    def make(name: str, version: str) -> Path:
        java = tmp_path / name / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
        java.chmod(0o755)
        return java

    return make


def environment(*, home: Path | None = None, path: Path | None = None) -> dict[str, str]:
    found = {"PATH": str(path.parent) if path else "/nowhere"}
    return found | ({"JAVA_HOME": str(home.parent.parent)} if home else {})


def test_java_home_comes_before_the_path(make_java: MakeJava) -> None:
    home, path = make_java("home", "21.0.1"), make_java("path", "25")
    assert find_java(environment(home=home, path=path)) == home


@pytest.mark.parametrize("old", ["1.8.0_402", "11.0.20", "16"])
def test_a_java_older_than_kafka_needs_is_skipped(make_java: MakeJava, old: str) -> None:
    home, path = make_java("home", old), make_java("path", "17.0.15")
    assert find_java(environment(home=home, path=path)) == path


def test_without_a_system_java_the_bundled_one_is_used(make_java: MakeJava) -> None:
    assert find_java(environment()) == bundled_java()
    assert find_java(environment(path=make_java("path", "11.0.20"))) == bundled_java()


def test_the_bundled_java_is_new_enough_and_runs() -> None:
    assert (major_version(bundled_java()) or 0) >= 17


def test_a_java_home_that_does_not_exist_is_skipped(make_java: MakeJava, tmp_path: Path) -> None:
    path = make_java("path", "17")
    nowhere = tmp_path / "nowhere" / "bin" / "java"
    assert find_java(environment(home=nowhere, path=path)) == path


def test_a_java_that_fails_is_skipped(make_java: MakeJava) -> None:
    broken = make_java("home", "21")
    broken.write_text("#!/bin/sh\necho 'java version \"21\"' >&2\nexit 1\n")
    assert find_java(environment(home=broken)) == bundled_java()


def test_no_java_at_all_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"install one and point JAVA_HOME at it"):
        find_java(environment(), bundled=lambda: tmp_path / "java")
