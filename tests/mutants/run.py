"""Each rule weakened, one at a time: a test must fail for it. `make mutants`, without Kafka.

It takes more than an hour with `--jobs 2`.

A mutation is an entry of `mutations`: a text in a file and what takes its place. Each gets a
copy of the tree and one pytest that stops at its first failure. Exit 1 where one survives, is no
program, or does not apply any more, and where the tests fail without any.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkout import copy_checkout
from mutants.mutation import Book, Mutation, book

# A case made small is for a reader; here the failure alone is asked for.
SHRINK = Path("tests/shrink.py")
AT_LENGTH, AS_FOUND = "MOST_ROUNDS, MOST_TRIES = 60, 100", "MOST_ROUNDS, MOST_TRIES = 0, 0"
# Not a rule that fails but a text that is none.
NO_PROGRAM = re.compile(
    r"Parser Error|Binder Error|Catalog Error|SyntaxError|NameError|ImportError"
    r"|ModuleNotFoundError|errors? during collection"
)
# Importing what other plugins of pytest need takes longer than most mutations live.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
LONGEST = 900  # seconds; a test that never ends has seen the difference, too


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="names that contain this")
    parser.add_argument("--start", help="go on at the first name that contains this")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    whole = book()
    wrong = [f"{one.name}: {problem}" for one in whole.mutations if (problem := one.problem())]
    if wrong:
        print("\n".join(wrong))
        return 1
    chosen = [
        one
        for one in whole.mutations
        if not args.only or any(part in one.name for part in args.only)
    ]
    if args.start:
        first = next(place for place, one in enumerate(chosen) if args.start in one.name)
        chosen = chosen[first:]
    todo: list[Mutation | None] = [one for one in chosen if not one.equivalent]
    if not (args.only or args.start):
        todo.insert(0, None)
    began = time.monotonic()
    with ThreadPoolExecutor(args.jobs) as pool:
        fates = list(pool.map(partial(told, whole), todo))
    bad = fates.count(False)
    equivalent = sum(1 for one in chosen if one.equivalent)
    print(
        f"{len(todo)} runs, {bad} of them bad, {equivalent} equivalent mutations not run,"
        f" {time.monotonic() - began:.0f} s"
    )
    return 1 if bad else 0


def told(whole: Book, mutation: Mutation | None) -> bool:
    """Run the tests under `mutation`, say what became of it; True where it is as it should be."""
    began = time.monotonic()
    fate, is_good = tried(whole, mutation)
    name = mutation.name if mutation else "(unmutated)"
    print(f"{time.monotonic() - began:5.0f} s  {name}: {fate}", flush=True)
    return is_good


def tried(whole: Book, mutation: Mutation | None) -> tuple[str, bool]:
    """What pytest made of it, and whether that is good."""
    tests = whole.tests(mutation) if mutation else whole.all_tests()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copied(copy)
        if mutation is not None:
            (copy / mutation.file).write_text(mutation.applied())
        # Single tests in a run of their own: pytest drops those whose whole file it gets, too.
        single = [name for name in tests if "::" in name]
        whole_files = [name for name in tests if "::" not in name]
        for some in filter(None, (single, whole_files)):
            try:
                done = ran(copy, some)
            except subprocess.TimeoutExpired:
                return ("killed: no end", True) if mutation else ("no end", False)
            if done.returncode != 0:
                break
    return judged(done, mutation)


def ran(folder: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Pytest over `tests` of the tree in `folder`, up to the first failure."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "--examples=150", "-rfE"),
            *("--long", "-p", "pytest_timeout", "-p", "no:cacheprovider", *tests),
        ],
        cwd=folder,
        env=os.environ | ALONE | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


def judged(done: subprocess.CompletedProcess[str], mutation: Any) -> tuple[str, bool]:
    """Killed, or what else."""
    if done.returncode == 0:
        return ("SURVIVED", False) if mutation else ("all tests pass", True)
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if mutation is None or done.returncode != 1 or failed is None:
        return f"BROKEN: pytest ended with {done.returncode}\n{done.stdout[-3000:]}", False
    if no_program := NO_PROGRAM.search(done.stdout):
        return f"NO PROGRAM: {no_program[0]} in {failed[1]}\n{done.stdout[-3000:]}", False
    return f"killed by {failed[1]}", True


def copied(folder: Path) -> None:
    """The tree that the tests need, in `folder`."""
    copy_checkout(folder)
    (folder / "tests" / "mutants" / "test_mutants.py").unlink()
    text = (folder / SHRINK).read_text()
    if AT_LENGTH not in text:
        raise SystemExit(f"{SHRINK} does not say {AT_LENGTH!r} any more")
    (folder / SHRINK).write_text(text.replace(AT_LENGTH, AS_FOUND))


if __name__ == "__main__":
    sys.exit(main())
