"""Write what documents and SQL say of events, metrics and alerts, as declared: `make docs`.

The files stay plain text for their readers; only the parts named here are written. Prints the
files that changed. `tests/test_generated.py` fails where one is not as it would be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from pipeline.domain.catalog import (
    ABOUT,
    COLUMNS,
    COUNTS,
    MODELS,
    RANK,
    REQUIRED,
    Given,
    GivenEvent,
    GivenLine,
)
from pipeline.domain.fields import Shown, said
from pipeline.monitoring.declarations import METRICS

ROOT = Path(__file__).parent.parent


def generated() -> dict[str, str]:
    """The text of each file as it has to be, by its path in the tree.

    Raises ValueError where a file has lost the place of its part.
    """
    made = {
        "docs/contract.md": contract,
        "docs/glossary.md": glossary,
        "docs/metrics.md": metrics,
        "docs/openapi.yaml": openapi,
        "docs/operating.md": alerts,
        "docs/semantics.md": semantics,
        "sql/macros/event_rank.sql": event_rank,
        "sql/recompute/merged_sessions.sql": merged_counts,
        "sql/recompute/sessions.sql": counts,
    }
    texts = {name: write((ROOT / name).read_text()) for name, write in made.items()}
    texts["sql/glossary.json"] = meanings(texts["docs/glossary.md"])
    return texts


def _put(text: str, before: str, part: str, after: str) -> str:
    """`text` with `part` between two patterns that it holds once."""
    place = re.compile(rf"({before}).*?({after})", re.DOTALL | re.MULTILINE)
    if len(place.findall(text)) != 1:
        raise ValueError(f"not one place between {before!r} and {after!r}")
    return place.sub(lambda found: found[1] + part + found[2], text)


def contract(text: str) -> str:
    """The tables of fields and types."""
    shape = GivenEvent.model_json_schema()["properties"]
    rows = []
    for name, field in GivenEvent.model_fields.items():
        shown = said(field, Shown)
        if shown is None:
            limits = _present(shape[name])
            shown = Shown("text", str(limits.get("minLength", 0)), str(limits.get("maxLength", "")))
        rows.append([f"`{name}`", shown.kind, shown.least, shown.most])
    text = _put(text, r"^\| field \|[^\n]*\n[^\n]*\n", _rows(rows), r"(?=^\n)")
    rows = [
        [
            f"`{name}`",
            ", ".join(
                " or ".join(f"`{one}`" for one in names.split("|")) for names in REQUIRED[name]
            ),
            _meaning(model),
        ]
        for name, model in MODELS.items()
    ]
    return _put(text, r"^\| event type \|[^\n]*\n[^\n]*\n", _rows(rows), r"(?=^\n)")


def _rows(rows: list[list[str]]) -> str:
    return "".join(re.sub(r"\|  (?=\|)", "| ", f"| {' | '.join(row)} |\n") for row in rows)


def _meaning(model: type[GivenEvent]) -> str:
    return " ".join((model.__doc__ or "").split())


def glossary(text: str) -> str:
    """The rows of columns that the catalog declares."""
    rows = {name: [name, about.meaning, about.rules, about.unit] for name, about in COLUMNS.items()}
    own = {name: row for name, row in rows.items() if not COLUMNS[name].widely}
    wide = {name: row for name, row in rows.items() if COLUMNS[name].widely}
    kept = {}
    for name, count in COUNTS.items():
        also = f", {MODELS[name].counted}" if MODELS[name].counted else ""
        kept[count] = [count, f"Its `{name}` events{also}.", "S6", "count"]
    text = with_rows(text, "## Everywhere", wide)
    text = with_rows(text, "### events", own)
    return with_rows(text, "### sessions", kept)


def with_rows(text: str, heading: str, rows: Mapping[str, list[str]]) -> str:
    """`rows` in place of those of their columns, new ones behind the last of them."""
    place = re.search(rf"^{heading}\n.*?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    if place is None:
        raise ValueError(f"no section {heading}")
    lines = place[0].splitlines(keepends=True)
    missing = dict(rows)
    last = 0
    for index, line in enumerate(lines):
        column = line.strip("| \n").split(" |")[0]
        if line.startswith("|") and column in rows:
            lines[index], last = _rows([rows[column]]), index
            missing.pop(column, None)
    lines[last + 1 : last + 1] = [_rows([row]) for row in missing.values()]
    return text[: place.start()] + "".join(lines) + text[place.end() :]


def metrics(text: str) -> str:
    """A table for each process."""
    made = text.partition("\n## ")[0].rstrip("\n") + "\n"
    for process, declared in METRICS.items():
        made += f"\n## {process.capitalize()}\n\n"
        made += "| metric | type | unit | by | meaning |\n|---|---|---|---|---|\n"
        made += _rows(
            [
                [f"`{one.name}`", one.kind, one.unit, ", ".join(one.labels), one.meaning]
                for one in declared
            ]
        )
    return made


def alerts(text: str) -> str:
    """The table of alerts, from the rules of Prometheus."""
    groups = yaml.safe_load((ROOT / "ops" / "prometheus" / "alerts.yml").read_text())["groups"]
    rows = [
        [f"`{rule['alert']}`", f"`{rule['expr']}`", rule.get("for", "at once"), severity]
        for group in groups
        for rule in group["rules"]
        for severity in rule["labels"].values()
    ]
    return _put(text, r"^\| alert \|[^\n]*\n[^\n]*\n", _rows(rows), r"(?=^\n)")


def meanings(text: str) -> str:
    """The glossary as data, for the comments of the database."""
    parts = re.split(r"^###? (.+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    grains = {
        name: " ".join(body.split("\n\n")[1].split()).split(" Other columns as in")[0]
        for name, body in sections.items()
        if "| column |" in body and re.fullmatch(r"\w+", name) and name != "Everywhere"
    }
    columns = {name: _columns(sections, name) for name in grains}
    macros = {
        path.stem: _head(path.read_text())
        for path in sorted((ROOT / "sql" / "macros").glob("*.sql"))
        if ") AS TABLE" not in path.read_text()
    }
    everywhere = _columns(sections, "Everywhere")
    made = {"macros": macros, "everywhere": everywhere, "grains": grains, "columns": columns}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _columns(sections: Mapping[str, str], name: str) -> dict[str, str]:
    """Meaning, rules and unit by column, with those of the section that it refers to."""
    body = sections[name]
    other = re.search(r"Other columns as in `(\w+)`", body)
    found = _columns(sections, other[1]) if other else {}
    for row in re.findall(r"^\| (?!column )(.+) \|$", body, re.MULTILINE):
        column, meaning, rules, unit = (cell.strip() for cell in row.split("|"))
        found[column] = f"{meaning} ({'; '.join(part for part in (rules, unit) if part)})"
    return found


def _head(text: str) -> str:
    """The comment that a file begins with."""
    lines = text.splitlines()
    end = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    return " ".join(line.removeprefix("--").strip() for line in lines[:end])


def openapi(text: str) -> str:
    """The schemas of the events."""
    line = {"type": "object", **_object(GivenLine)}
    fields = {"type": "object", **_object(GivenEvent)}
    fields["properties"]["event_type"] = {"enum": list(MODELS)}
    fields["properties"]["items"]["items"] = {"$ref": "#/components/schemas/Line"}
    schemas: dict[str, Any] = {"Line": line, "Fields": fields}
    for name, model in MODELS.items():
        schemas[model.__name__] = _type(name, model)
    schemas["Event"] = {
        "oneOf": [_reference(model) for model in MODELS.values()],
        "discriminator": {
            "propertyName": "event_type",
            "mapping": {name: _reference(model)["$ref"] for name, model in MODELS.items()},
        },
    }
    part = yaml.safe_dump(schemas, sort_keys=False, default_flow_style=None, width=110)
    indented = "".join(f"    {row}\n" for row in part.splitlines())
    return _put(
        text, r"^    # The events, from pipeline/domain/catalog.py: `make docs`.\n", indented, r"\Z"
    )


def _reference(model: type[GivenEvent]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _type(name: str, model: type[GivenEvent]) -> dict[str, Any]:
    shape = _object(model)
    needed = [field for field in REQUIRED[name] if "|" not in field]
    made: dict[str, Any] = {
        "description": _meaning(model),
        "allOf": [{"$ref": "#/components/schemas/Fields"}],
        "properties": {
            "event_type": {"const": name},
            **{field: shape["properties"][field] for field in needed},
        },
    }
    if needed:
        made["required"] = needed
    if model.one_of:
        (names,) = model.one_of
        made["anyOf"] = [{"required": [field]} for field in names]
    return made


def _object(model: type[Given]) -> dict[str, Any]:
    """`required` and `properties` as pydantic says them, without titles and defaults."""
    schema = model.model_json_schema()
    properties = {}
    for name, shape in schema["properties"].items():
        about = {"description": ABOUT[name].meaning} if issubclass(model, GivenEvent) else {}
        properties[name] = {**about, **_short(shape)}
    return {"required": schema["required"], "properties": properties}


def _short(shape: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in shape.items() if key not in ("title", "default")}
    choices = kept.get("anyOf", [])
    if len(choices) != 2 or choices[1] != {"type": "null"}:
        return kept
    if "enum" in choices[0]:
        return {"enum": [*choices[0]["enum"], None]}
    return {**choices[0], "type": [choices[0]["type"], "null"]}


def _present(shape: dict[str, Any]) -> dict[str, Any]:
    """Of a type or null, the type."""
    first: dict[str, Any] = shape.get("anyOf", [shape])[0]
    return first


def semantics(text: str) -> str:
    """The ranks of T5."""
    ranks = "; ".join(
        f"{', '.join(names)} {rank}" for rank, names in groupby(RANK, key=RANK.__getitem__)
    )
    return _put(text, r"then `event_key`\. Ranks: ", ranks, r"\.\n")


def event_rank(text: str) -> str:
    """The macro's cases."""
    rows = "".join(f"        WHEN '{name}' THEN {rank}\n" for name, rank in RANK.items())
    return _put(text, r"    CASE event_type\n", rows, r"    END;")


def counts(text: str) -> str:
    """The recompute of the counts."""
    rows = "".join(
        f"    count(*) FILTER (WHERE event_type = '{name}') AS {count},\n"
        for name, count in COUNTS.items()
    )
    return _put(text, r"    count\(\*\) AS events,\n", rows, r"    max\(event_type\)")


def merged_counts(text: str) -> str:
    """The sums of the counts of merged sessions."""
    rows = "".join(
        f"        CAST(sum({count}) AS BIGINT) AS {count},\n" for count in COUNTS.values()
    )
    return _put(
        text, r"        CAST\(sum\(events\) AS BIGINT\) AS events,\n", rows, r"        min\(place\)"
    )


def main() -> None:
    """Write the files that are not as they have to be."""
    for name, text in generated().items():
        if (ROOT / name).read_text() != text:
            (ROOT / name).write_text(text)
            print(name)


if __name__ == "__main__":
    main()
