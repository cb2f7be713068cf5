"""Write `kafka.lock` again: `python -m pipeline.devstack.broker.relock 4.4.0` (needs `mvn`)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.devstack.broker.jars import LOCK

_POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>pipeline</groupId><artifactId>broker</artifactId><version>1</version>
<dependencies>{dependencies}</dependencies></project>"""
_DEPENDENCY = """<dependency><groupId>{0}</groupId><artifactId>{1}</artifactId>
<version>{2}</version></dependency>"""


def relock(version: str) -> int:
    """Resolve the jars of that Kafka and write the lock. Returns their number."""
    kafka = ("org.apache.kafka", "kafka_2.13", version)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        logging = next(
            path for path in _resolve(root / "bare", [kafka]) if "log4j-core" in str(path)
        )
        # Kafka's distribution binds SLF4J to Log4j; without the binding it logs nothing.
        binding = ("org.apache.logging.log4j", "log4j-slf4j-impl", logging.parent.name)
        found = _resolve(root / "whole", [kafka, binding])
        lines = [
            f"{hashlib.sha256(jar.read_bytes()).hexdigest()} {jar.stat().st_size}"
            f" {jar.relative_to(root / 'whole').as_posix()}\n"
            for jar in found
        ]
    if len({jar.name for jar in found}) < len(found):
        raise SystemExit("two jars have the same file name, but the cache is one folder")
    LOCK.write_text(
        f"# The jars of org.apache.kafka:kafka_2.13:{version} and all it needs at run time:"
        " SHA-256, bytes,\n# path in a Maven repository."
        " Written by `python -m pipeline.devstack.broker.relock VERSION`.\n" + "".join(lines)
    )
    return len(lines)


def _resolve(folder: Path, coordinates: list[tuple[str, str, str]]) -> list[Path]:
    folder.mkdir()
    pom = folder / "pom.xml"
    dependencies = "".join(_DEPENDENCY.format(*each) for each in coordinates)
    pom.write_text(_POM.format(dependencies=dependencies))
    subprocess.run(
        [  # noqa: S607  # from PATH
            "mvn",
            "--quiet",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-Dmdep.useRepositoryLayout=true",
            f"-DoutputDirectory={folder}",
        ],
        cwd=folder,
        check=True,
    )
    return sorted(folder.rglob("*.jar"), key=Path.as_posix)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m pipeline.devstack.broker.relock VERSION")
    print(f"{relock(sys.argv[1])} jars")  # noqa: T201
