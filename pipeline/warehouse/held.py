"""The rules that a warehouse was made with, and why it cannot be loaded under others."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import duckdb

from pipeline.config import duration
from pipeline.domain.rules import Rules, era

_SETTINGS = {
    "gap": "PIPELINE_SESSION_GAP",
    "lookback": "PIPELINE_LOOKBACK",
    "lateness": "PIPELINE_LATENESS",
}
_ADOPT = "`pipeline rules plan` shows what would change, `pipeline rules adopt` adopts it"


@dataclass(frozen=True)
class HeldRules:
    """The row of `rules`; `former` are the eras of the stream before the present one."""

    digest: str
    gap: timedelta
    lookback: timedelta
    lateness: timedelta
    half_life: timedelta
    most_touches: int
    warehouse_digest: str
    former: list[str]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, table: str = "rules") -> HeldRules | None:
        """Of any version's database; None for a new one."""
        result = connection.execute(f"SELECT * FROM {table}")  # noqa: S608  # our own names
        names = [column[0] for column in result.description or []]
        rows = result.fetchall()
        if not rows:
            return None
        row = dict(zip(names, rows[0], strict=True))
        row["former"] = row.get("former") or []
        known: dict[str, Any] = {field.name: row.get(field.name) for field in fields(cls)}
        return cls(**known)

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, table: str = "rules") -> HeldRules:
        """The same of a warehouse, which has them. Raises `ValueError` for another file."""
        held = cls.read(connection, table)
        if held is None:
            raise ValueError(table)
        return held

    @property
    def era(self) -> str:
        """What the outcomes name that belong into this warehouse."""
        return era(self.digest, len(self.former))

    def takes(self, outcome_rules: str) -> bool:
        """Whether an outcome that names `outcome_rules` is of the present era.

        False for one of an era before: the workers answer its origin again. Raises `ValueError`
        for one of neither.
        """
        if outcome_rules == self.era:
            return True
        if outcome_rules in self.former:
            return False
        raise ValueError(outcome_rules)

    def refusal(self, rules: Rules) -> str | None:
        """Why the warehouse cannot be loaded under `rules`, and what to do; None if it can."""
        if self.digest != rules.digest():
            return f"was made with other rules: {self._cause(rules)}: {_ADOPT}"
        if self.warehouse_digest != rules.warehouse_digest():
            return (
                "was made by a version with other rules for orders, credits or days"
                f" ({self.warehouse_digest}, now {rules.warehouse_digest()}): {_ADOPT}; the"
                " workers keep their state"
            )
        return None

    def _cause(self, rules: Rules) -> str:
        changed = [
            f"{setting}={_written(getattr(rules, name))}, it has {_written(getattr(self, name))}"
            for name, setting in _SETTINGS.items()
            if getattr(rules, name) != getattr(self, name)
        ]
        versions = f"this version reads events otherwise ({self.digest}, now {rules.digest()})"
        return "; ".join(changed) or versions


def _written(value: timedelta | int) -> str:
    return duration(value) if isinstance(value, timedelta) else str(value)
