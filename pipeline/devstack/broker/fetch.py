"""Downloads Kafka's jars once, into a cache."""

from __future__ import annotations

from pathlib import Path

from pipeline.devstack.broker.jars import Jar, Progress, locked, needs_extra

# Seconds between the attempts for one jar.
PAUSES = (1.0, 3.0, 9.0)


def fetch(
    cache: Path,
    *,
    jars: list[Jar] | None = None,
    maven_url: str | None = None,
    pauses: tuple[float, ...] = PAUSES,
    progress: Progress = lambda _done, _total: None,
) -> list[Path]:
    """The paths of the jars in `cache`, after downloading what is missing or damaged.

    `maven_url` is a mirror of Maven Central; None is Central itself. `progress` is called with the
    bytes done and the total, only during a download. Raises `BrokerError` when the network fails
    for longer than `pauses`, a checksum differs, or the extra `local` is not installed.
    """
    wanted = locked() if jars is None else jars
    folder = cache.absolute() / "kafka"
    missing = [jar for jar in wanted if not jar.is_in(folder)]
    if missing:
        with needs_extra():
            # Imported only for a download: they are slow.
            from pipeline.devstack.broker.download import Download, central  # noqa: PLC0415

            repository = maven_url or central()
        folder.mkdir(parents=True, exist_ok=True)
        Download(missing, folder, repository, pauses, progress).run()
    return [folder / jar.name for jar in wanted]
