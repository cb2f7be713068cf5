"""Each alert fires in its trouble and not before; its first words are a line of Troubleshooting."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_server import program

from pipeline.monitoring.declarations import METRICS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops" / "prometheus" / "alerts.yml"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("alerts.yml").read_text())


def test_every_alert_has_its_trouble() -> None:
    assert CASES.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_it_fires_in_its_trouble_and_not_before(name: str, tmp_path: Path) -> None:
    case, rule = CASES[name], ALERTS[name]
    fired = {
        "exp_labels": {**case["labels"], **rule["labels"]},
        "exp_annotations": {"summary": case["says"]},
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": key, "values": each} for key, each in case["series"].items()],
        "alert_rule_test": [
            {"eval_time": "0m", "alertname": name, "exp_alerts": []},
            {"eval_time": "9m", "alertname": name, "exp_alerts": [fired]},
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_its_metrics_are_declared(name: str) -> None:
    declared = {metric.name for metrics in METRICS.values() for metric in metrics}
    assert set(re.findall(r"pipeline_\w+", ALERTS[name]["expr"])) <= declared


@pytest.mark.parametrize("name", ALERTS)
def test_troubleshooting_says_what_to_do(name: str) -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    section = text.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    seen = [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| ")]
    words = re.split(r"[:,{]", ALERTS[name]["annotations"]["summary"])[0]
    words = re.sub(r" (of|for|in partition|in|is)? ?$", "", words)
    assert any(words in row for row in seen), words
