"""Documents name only commands, files, questions, settings and rules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from pipeline.cli.main import cli
from pipeline.config import PREFIX, Settings
from pipeline.warehouse.sql import files

ROOT = Path(__file__).parent.parent
AT_THE_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
DOCUMENTS = [*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").rglob("*.md"))]
# Named as missing, or followed by a word of the sentence.
MISSING = {"erase"}


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    return request.param


def code(text: str) -> list[str]:
    """Code spans, and the lines of code blocks."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    return [line for block in blocks for line in block.splitlines()] + inline


def test_commands_targets_and_questions_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in code(document.read_text()):
        for verb in re.findall(r"(?:^|/|\$ )pipeline ([a-z]+)", line):
            assert verb in cli.commands or verb in MISSING, line
        for target in re.findall(r"^make ([a-z]+)", line):
            assert f"\n{target}:" in makefile, line
        for question in re.findall(r"pipeline query ([a-z_]+)", line):
            assert question in dict(files("queries")), line


def test_files_and_links_exist(document: Path) -> None:
    text = document.read_text()
    for line in code(text):
        if re.fullmatch(r"(pipeline|sql|docs|tests|bench)/[\w./-]+", line):
            assert (ROOT / line).exists(), line
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / link).exists(), link


def test_the_index_lists_every_decision_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    rows = re.findall(
        r"^\| \[(\d+)\]\((.+?)\) \| (.+?)(?: \(replaced by \d+\))? \|$", index, re.MULTILINE
    )
    pages = sorted(folder.glob("0*.md"))
    titles = [page.read_text().splitlines()[0].split(": ", 1)[1] for page in pages]
    assert rows == [
        (page.name[:4], page.name, title) for page, title in zip(pages, titles, strict=True)
    ]


def test_settings_exist(document: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in re.findall(rf"(?<!_){PREFIX}[A-Z_]*[A-Z]", document.read_text()):
        assert name in known, name


def settings_table() -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        shown = Settings.model_construct().model_dump(mode="json")[name]
        assert field.default is not PydanticUndefined
        default = "" if shown in ("", None) else f"`{shown}`"
        # Independent of this machine's user.
        default = default.replace(str(Path.home()), "~")
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_the_table_lists_every_setting_with_its_default() -> None:
    assert settings_table() in (ROOT / "docs" / "settings.md").read_text(), settings_table()


def test_code_and_tests_name_only_rules_of_the_semantics() -> None:
    rules = (ROOT / "docs" / "semantics.md").read_text()
    there = set(re.findall(r"\*\*([TIDSABKP]\d+)\*\*", rules))
    for folder in ("pipeline", "sql", "tests"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".sql"):
                named = re.findall(r"\b([TIDSABKP]\d{1,2})\b", path.read_text())
                assert set(named) <= there, path


@pytest.mark.parametrize("name", ["contract.md", "openapi.yaml", "sending-events.md"])
def test_the_documents_for_senders_name_every_status_of_ingest(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    for status in (204, 401, 403, 413, 422, 429, 503):
        assert re.search(rf"\b{status}\b", text), status
