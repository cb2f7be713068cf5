"""Write `kafka.lock` anew: `python -m pipeline.broker.relock 4.4.0` (needs Maven's `mvn`)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.broker.jars import LOCK

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>pipeline</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{version}</version></dependency></dependencies></project>"""


def relock(version: str) -> int:
    """Resolve that Kafka's jars and write their checksums; returns how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "pom.xml").write_text(_POM.format(version=version))
        subprocess.run(
            [  # noqa: S607  # a developer's own mvn, wherever it is
                "mvn",
                "-q",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                "-Dmdep.useRepositoryLayout=true",
                f"-DoutputDirectory={root / 'repository'}",
            ],
            cwd=root,
            check=True,
        )
        found = sorted((root / "repository").rglob("*.jar"))
        lines = [
            f"{hashlib.sha256(jar.read_bytes()).hexdigest()} {jar.stat().st_size}"
            f" {jar.relative_to(root / 'repository')}\n"
            for jar in found
        ]
    LOCK.write_text(
        f"# The jars of org.apache.kafka:kafka_2.13:{version} and all it needs at run time:"
        " SHA-256, bytes,\n# path in a Maven repository."
        " Made by `python -m pipeline.broker.relock VERSION`.\n" + "".join(lines)
    )
    return len(lines)


if __name__ == "__main__":
    print(f"{relock(sys.argv[1])} jars")  # noqa: T201
