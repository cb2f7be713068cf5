"""The files for developers match the Makefile and the tools."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
BIN = Path(sys.executable).parent


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_make_alone_lists_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"],  # noqa: S607  # the user's own
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[1] for line in said.splitlines()} == TARGETS
    assert all(len(line.split()) > 3 for line in said.splitlines())


def test_every_target_is_phony() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


def test_make_quick_runs_lint_and_existing_tests() -> None:
    (needs, recipe) = re.findall(r"^quick: (\w+).*\n\t(.*)$", MAKEFILE, re.MULTILINE)[0]
    assert needs == "lint"
    paths = re.findall(r"tests/\w+", recipe)
    assert {"tests/unit", "tests/golden"} <= set(paths)
    assert all((ROOT / path).is_dir() for path in paths)


def test_every_hook_runs_an_installed_tool() -> None:
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    tools = [hook["entry"].split()[0] for hook in repository["hooks"]]
    for tool in filter(lambda tool: tool.startswith(".venv/bin/"), tools):
        assert (BIN / tool.removeprefix(".venv/bin/")).exists(), tool
    lint = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[0]
    assert set(re.findall(r"\$\(BIN\)/([\w-]+)", lint)) <= {Path(tool).name for tool in tools}


@pytest.mark.parametrize(
    ("subject", "code"), [("x" * 72, 0), ("x" * 73, 1), ("", 1)], ids=["72", "73", "none"]
)
def test_a_subject_has_at_most_72_characters(tmp_path: Path, subject: str, code: int) -> None:
    (entry,) = [
        hook["entry"]
        for hook in read(".pre-commit-config.yaml")["repos"][0]["hooks"]
        if hook["id"] == "subject"
    ]
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\n{'y' * 100}\n")
    done = subprocess.run(f"{entry} {message}", shell=True, check=False)  # noqa: S602  # our own
    assert done.returncode == code


def test_the_workflow_runs_the_ci_script() -> None:
    workflow = read(".github/workflows/ci.yml")
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert workflow["permissions"] == {"contents": "read"}


def test_the_update_bot_looks_at_folders_with_dependencies() -> None:
    found = {
        "docker": "Dockerfile",
        "docker-compose": "docker-compose.yml",
        "github-actions": ".github/workflows/ci.yml",
        "npm": "package.json",
    }
    for update in read(".github/dependabot.yml")["updates"]:
        folder = ROOT / update["directory"].strip("/")
        assert (folder / found[update["package-ecosystem"]]).is_file()


def test_the_event_of_the_debugging_recipe_reaches_its_table(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    block = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    done = subprocess.run(
        ["bash", "-e", "-c", block],  # noqa: S607  # the user's own
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 requests, 0 events rejected, 0 bad lines" in done.stdout + done.stderr
    assert "linen shirt" in done.stdout


def test_the_functions_of_the_debugging_recipe_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `(pipeline/[\w/.]+)` \| (.+?) \|", text, re.MULTILINE)
    assert len(rows) == 4
    for path, functions in rows:
        source = (ROOT / path).read_text()
        for name in re.findall(r"`([\w.]+)`", functions):
            for part in name.split("."):
                assert re.search(rf"(?:def|class) {part}\b", source), name


def test_what_the_tests_of_a_folder_share_ends_with_them() -> None:
    """In a folder that is no package, `scope="package"` would last as long as the whole run."""
    for conftest in (ROOT / "tests").glob("*/conftest.py"):
        is_shared = 'scope="package"' in conftest.read_text()
        assert conftest.with_name("__init__.py").exists() == is_shared, conftest
