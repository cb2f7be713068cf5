"""Every verb, with every argument of every type, in every kind of trouble.

The parser itself says which verbs and arguments there are, so none can be forgotten. Whatever a
user gives or the machine lacks: one line that says what to do, exit code 1, or 2 for wrong usage.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
import pytest
from forked import Forked

from pipeline.cli.interrupt import INTERRUPTED
from pipeline.cli.main import cli

Run = Callable[..., "CompletedProcess[str]"]

EVENT = {
    "event_type": "search",
    "query": "linen",
    "session_id": "s",
    "timestamp": "2026-07-01T12:00:00Z",
}
# By the name of a parameter, where its type alone does not say what would do.
GOOD = {
    "file": "products.csv",
    "files": "one.ndjson",
    "folder": "out",
    "kept": "kept",
    "name": "shop",
    "number": "8",
    "older_than": "60s",
    "origins": "https://shop.example",
    "overlap": "7d",
    "parameters": "store=shop",
    "several": "a=one.duckdb",
    "sessions": "s",
    "timezone": "UTC",
    "within": "0s",
    "wanted": "0:1",
}
# No file, no word, not even text.
STRANGE = ["", "-", "a\nb", "\udcff", "é" * 3000, "/dev/null/x"]


# Words of DuckDB that say nothing to a user.
INNER = re.compile(r"[A-Z]\w* Error: |Async write|exception_type|\[Errno")


def commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name), command


VERBS = dict(commands(cli))
every_verb = pytest.mark.parametrize("verb", VERBS, ids=" ".join)


def is_flag(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.is_flag


def good(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, (click.IntRange, click.FloatRange)):
        return GOOD.get(parameter.name or "", str(parameter.type.min or 1))
    if isinstance(parameter.type, click.DateTime):
        return "2026-07-01"
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return GOOD.get(parameter.name or "", "1" if "Int" in type(parameter.type).__name__ else "x")


def given(parameter: click.Parameter, value: str) -> list[str]:
    if isinstance(parameter, click.Argument):
        return [value]
    return [parameter.opts[0]] + [value] * (0 if is_flag(parameter) else parameter.nargs)


def needed(command: click.Command, but: click.Parameter | None = None) -> list[str]:
    """The arguments that `command` requires, less one of them."""
    return [
        word
        for each in command.params
        if each.required and each is not but
        for word in given(each, good(each))
    ]


def ways(command: click.Command, options: slice) -> Iterator[list[str]]:
    """Right ways to use it: with what it requires, and with each of these options in turn."""
    yield needed(command)
    for parameter in [each for each in command.params if not each.required][options]:
        yield [*needed(command), *given(parameter, good(parameter))]


def wrong(parameter: click.Parameter) -> Iterator[str]:
    """Values that the type of `parameter` excludes."""
    if isinstance(parameter.type, (click.IntRange, click.FloatRange)):
        yield from ("x", "", "1e999x")
        if parameter.type.min is not None:
            yield str(parameter.type.min - 1)
    elif isinstance(parameter.type, (click.Choice, click.DateTime)):
        yield from ("x", "", "2026-13-01")
    elif "Int" in type(parameter.type).__name__:
        yield from ("x", "")


@pytest.fixture
def place(tmp_path: Path, home: Path) -> Path:
    """A folder with a home that a pipeline has filled, and files to name."""
    shutil.copytree(home.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, forked: Forked) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "one.ndjson").write_text(json.dumps(EVENT) + "\n")
    (folder / "products.csv").write_text("id,title\n1,Dress\n")
    (folder / "kept").mkdir()
    variables = {**os.environ, "PIPELINE_HOME": "home"}
    for arguments in (
        ("stores", "add", "--first"),
        ("local", "one.ndjson", "--database", "one.duckdb"),
    ):
        done = forked.run(*arguments, cwd=folder, environment=variables)
        assert done.returncode == 0, done
    for name in ("live.duckdb", "analytics.duckdb"):
        shutil.copy(folder / "one.duckdb", folder / "home" / name)
    return folder / "home"


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that is taken, by a server that knows nobody."""

    class Refuses(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def run(forked: Forked, place: Path, taken: int) -> Run:
    """Runs a verb where every port is taken and no Kafka is known, so that each ends by itself."""

    def run(*arguments: str, **how: Any) -> CompletedProcess[str]:
        settings = {"HOME": "home"}
        settings |= dict.fromkeys(("INGEST_PORT", "ADMIN_PORT", "DASHBOARD_PORT"), str(taken))
        settings |= how.pop("settings", {})
        variables = {f"PIPELINE_{name}": value for name, value in settings.items()}
        how = {"environment": {**os.environ, **variables}, "patience": 0.5, **how}
        return forked.run(*arguments, cwd=place, **how)

    return run


def assert_said(done: CompletedProcess[str], *, may_be_silent: bool = False) -> None:
    """It worked, or it said what to do in one line, which may be of its output (`check`).

    `may_be_silent`: nobody is there to hear it.
    """
    assert done.returncode in (0, 1, 2), done
    assert "Traceback" not in done.stderr, done
    assert "Exception ignored" not in done.stderr, done
    lines = [line for line in done.stderr.splitlines() if not is_log(line)]
    if any(line.startswith("thread '") for line in lines):
        lines = lines[-1:]  # deltalake says more than it raises
    lines += filter(is_last_word, done.stderr.splitlines()[-1:])
    assert not INNER.search(done.stderr), done
    errors = [line for line in lines if line.startswith("Error: ")]
    assert all(len(line) > len("Error: ") for line in errors), done
    if done.returncode == 0:
        assert not errors, done
    elif done.returncode == 2:
        assert lines[-1:] == errors or may_be_silent, done
    else:
        assert len(lines) <= 1, done
        assert lines or done.stdout or may_be_silent, done


def is_log(line: str) -> bool:
    return re.match(r"(INFO|WARNING|ERROR) |\{\"time\"", line) is not None


def is_last_word(line: str) -> bool:
    """Of a process, whose log is JSON."""
    return line.startswith('{"time"') and '"level":"error"' in line


@every_verb
def test_wrong_usage_is_exit_code_2(run: Run, verb: tuple[str, ...]) -> None:
    command = VERBS[verb]
    wrongs = [[*needed(command), "--no-such-option"]]
    if not any(isinstance(each, click.Argument) for each in command.params):
        wrongs.append([*needed(command), "superfluous"])
    for parameter in command.params:
        if parameter.required:
            wrongs.append(needed(command, but=parameter))
        if isinstance(parameter, click.Option) and not is_flag(parameter):
            wrongs.append([*needed(command, but=parameter), parameter.opts[0]])
        wrongs += [
            [*needed(command, but=parameter), *given(parameter, value)]
            for value in wrong(parameter)
        ]
    for arguments in wrongs:
        done = run(*verb, *arguments)
        assert done.returncode == 2, done
        assert_said(done)


@every_verb
def test_a_strange_value_of_any_argument(run: Run, verb: tuple[str, ...], *, long: bool) -> None:
    command = VERBS[verb]
    for place, parameter in enumerate(command.params):
        # Half of them, and of the next parameter the others.
        values = STRANGE if long else STRANGE[place % 2 :: 2]
        for value in () if is_flag(parameter) else values:
            assert_said(run(*verb, *needed(command, but=parameter), *given(parameter, value)))


def nothing(_: Path) -> dict[str, Any]:
    return {"settings": {"HOME": "none"}}


def kafka_is_away(_: Path) -> dict[str, Any]:
    return {"settings": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}}


def home_is_a_file(place: Path) -> dict[str, Any]:
    (place / "file").write_text("")
    return {"settings": {"HOME": "file"}}


def nothing_may_be_read(place: Path) -> dict[str, Any]:
    for each in (place / "home", *(path for path in place.iterdir() if path.name != "home")):
        each.chmod(0)
    return {}


def nothing_may_be_written(place: Path) -> dict[str, Any]:
    for each in (*(place / "home").iterdir(), place / "home", place):
        each.chmod(0o500 if each.is_dir() else 0o400)
    return {}


def every_file_is_damaged(place: Path) -> dict[str, Any]:
    for each in (*place.iterdir(), *(place / "home").iterdir()):
        if each.is_file():
            each.chmod(0o600)
            each.write_bytes(b"\xff\x00[damaged" * 500)
    return {}


def every_file_is_a_folder(place: Path) -> dict[str, Any]:
    for each in (*place.iterdir(), *(place / "home").iterdir()):
        if each.is_file():
            each.unlink()
            each.mkdir()
    return {}


def the_disk_is_full(_: Path) -> dict[str, Any]:
    return {"room": 0}


def the_output_is_full(_: Path) -> dict[str, Any]:
    return {"output": "full"}


def nobody_reads_the_output(_: Path) -> dict[str, Any]:
    return {"output": "unread"}


def stdin_is_closed(_: Path) -> dict[str, Any]:
    return {"closed": [0]}


def stdout_is_closed(_: Path) -> dict[str, Any]:
    return {"closed": [1]}


def stderr_is_closed(_: Path) -> dict[str, Any]:
    return {"closed": [2]}


def all_are_closed(_: Path) -> dict[str, Any]:
    return {"closed": [0, 1, 2]}


# What other arguments make no difference to comes last.
TROUBLES = [
    nothing,
    nothing_may_be_read,
    nothing_may_be_written,
    every_file_is_damaged,
    every_file_is_a_folder,
    the_disk_is_full,
]
OUTSIDE = [
    kafka_is_away,
    home_is_a_file,
    the_output_is_full,
    nobody_reads_the_output,
    stdin_is_closed,
    stdout_is_closed,
    stderr_is_closed,
    all_are_closed,
]
UNWRITTEN = [the_output_is_full, nobody_reads_the_output, stdout_is_closed, all_are_closed]
UNHEARD = [nobody_reads_the_output, stderr_is_closed, all_are_closed]


@every_verb
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_every_way_to_use_it(
    run: Run,
    place: Path,
    verb: tuple[str, ...],
    trouble: Callable[[Path], dict[str, Any]],
    *,
    long: bool,
) -> None:
    how = trouble(place)
    # One option in three, in the next trouble the next: each meets some.
    options = slice(None) if long else slice(TROUBLES.index(trouble) % 3, None, 3)
    for arguments in ways(VERBS[verb], options):
        assert_said(run(*verb, *arguments, **how))


@every_verb
def test_what_is_around_it(run: Run, place: Path, verb: tuple[str, ...], *, long: bool) -> None:
    for trouble in OUTSIDE:
        helps = [["--help"]] if trouble in UNWRITTEN or long else []
        for arguments in (needed(VERBS[verb]), *helps):
            done = run(*verb, *arguments, **trouble(place))
            assert_said(done, may_be_silent=trouble in UNHEARD)
            # Nobody got what it printed.
            assert arguments != ["--help"] or trouble not in UNWRITTEN or done.returncode == 1, done


@every_verb
def test_a_ctrl_c_at_any_moment_ends_in_silence(run: Run, verb: tuple[str, ...]) -> None:
    for moment in (8**power for power in range(7)):
        done = run(*verb, *needed(VERBS[verb]), interrupt_at=moment)
        if done.returncode not in (-signal.SIGINT, INTERRUPTED):
            assert_said(done)  # it had ended before that moment
            return
        assert not done.stderr, (moment, done)
