"""What users and developers install: pyproject.toml and the locks compiled from it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RUN, DEVELOPMENT, BUILD = "requirements.lock", "requirements-dev.lock", "requirements-build.lock"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = [
    Requirement(line)
    for lines in PROJECT["project"]["optional-dependencies"].values()
    for line in lines
]


@cache
def pins(lock: str) -> dict[str, Version]:
    found = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def names(group: str) -> set[str]:
    """Those of a dependency group, and of the groups in it."""
    found = set()
    for line in PROJECT["dependency-groups"][group]:
        if isinstance(line, dict):
            found |= names(line["include-group"])
        else:
            found.add(canonicalize_name(Requirement(line).name))
    return found


@pytest.mark.parametrize("lock", [RUN, BUILD])
def test_the_image_has_the_tested_versions(lock: str) -> None:
    assert pins(lock)
    assert pins(lock).items() <= pins(DEVELOPMENT).items()


def test_users_install_no_development_tools_and_no_extras() -> None:
    ours = {canonicalize_name(each.name) for each in WHEEL}
    extra = {canonicalize_name(each.name) for each in EXTRAS}
    assert ours <= set(pins(RUN))
    # Our tests import it, and so does aiokafka.
    both = {"packaging"}
    assert not set(pins(RUN)) & ((names("dev") | extra) - ours - both)
    assert names("dev") | extra | ours <= set(pins(DEVELOPMENT))
    assert names("build") <= set(pins(BUILD))


def breaks_next(version: Version) -> Version:
    """The next release that may break us: 2.3 ends at 3, 0.3 at 0.4."""
    if version.major:
        return Version(str(version.major + 1))
    return Version(f"0.{version.minor + 1}")


@pytest.mark.parametrize("requirement", [*WHEEL, *EXTRAS], ids=str)
def test_a_dependency_is_bounded_below_its_next_breaking_release(requirement: Requirement) -> None:
    pinned = pins(DEVELOPMENT)[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned)
    assert not requirement.specifier.contains(breaks_next(pinned))


@pytest.mark.parametrize("lock", [RUN, DEVELOPMENT, BUILD])
def test_a_lock_has_a_hash_for_every_pin_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for block in re.split(r"^(?=[\w.-]+(?:\[[\w,]+\])?==)", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block
    assert "://" not in text


def test_the_image_uses_only_the_lock_for_users() -> None:
    stages = (ROOT / "Dockerfile").read_text()
    assert DEVELOPMENT not in stages
    # The tools that build the wheel stay outside the copied folder.
    assert f"/opt/build/bin/pip install --no-cache-dir --require-hashes -r {BUILD}" in stages
    assert f"/opt/pipeline/bin/pip install --no-cache-dir --require-hashes -r {RUN}" in stages
    assert re.findall(r"COPY --from=\w+ (\S+)", stages) == ["/opt/pipeline"]
