"""Each alert fires at its threshold, after its time, and not before; Troubleshooting has a line."""

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
COMPARISONS = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number in range(len(case["comparisons"]))
]
# A comparison with a number, outside of the braces of a series.
COMPARED = re.compile(r"(?:[<>]=?|==) (?=[-\d])")


def test_every_comparison_of_every_alert_has_a_case_just_beside_its_threshold() -> None:
    assert CASES.keys() == ALERTS.keys()
    # An interval of its own would come on top of each alert's time.
    assert all(group.keys() == {"name", "rules"} for group in GROUPS)
    for name, case in CASES.items():
        found = case["comparisons"]
        # What depends on another number has a case for two values of it.
        depends = len({str(each.get("beside")) for each in found}) if len(found) > 1 else 1
        assert len(COMPARED.findall(ALERTS[name]["expr"])) * depends == len(found), name
        for each in found:
            assert "grows" in each or abs(each["well"] - each["trouble"]) == 1, name


def seconds(text: str) -> int:
    return int(text.removesuffix("m")) * 60


@pytest.mark.parametrize(("name", "number"), COMPARISONS)
def test_it_fires_at_its_threshold_after_its_time(name: str, number: int, tmp_path: Path) -> None:
    """A value a second: well for long, in trouble until it has fired, and well again."""
    case, rule = CASES[name], ALERTS[name]
    compared = case["comparisons"][number]
    lasts, window = seconds(case["lasts"]), seconds(compared.get("grows", "0m"))
    # The alert would have fired by then if this were trouble.
    well = lasts + 600
    fires = well + 1 + lasts
    ends = fires + window
    if window:
        values = f"0x{well} 1+1x{lasts} {lasts + 1}x{window + 60}"
    else:
        values = f"{compared['well']}x{well} {compared['trouble']}x{lasts} {compared['well']}x60"
    fired = {
        "exp_labels": {**case["labels"], **rule["labels"]},
        "exp_annotations": {"summary": compared["says"]},
    }
    beside = {key: f"{value}x{ends + 60}" for key, value in compared.get("beside", {}).items()}
    test = {
        "interval": "1s",
        "input_series": [
            {"series": key, "values": each}
            for key, each in {compared["series"]: values, **beside}.items()
        ],
        "alert_rule_test": [
            {"eval_time": f"{at}s", "alertname": name, "exp_alerts": expected}
            for at, expected in (
                (well, []),
                (fires - 1, []),
                (fires, [fired]),
                # Versions of Prometheus differ in whether a window holds its first instant.
                (ends - 3 if window else fires, [fired]),
                (ends + 1, []),
            )
        ],
    }
    path, alone = tmp_path / "test.yml", tmp_path / "rule.yml"
    alone.write_text(yaml.safe_dump({"groups": [{"name": "alone", "rules": [rule]}]}))
    whole = {"rule_files": [alone.name], "evaluation_interval": "1s", "tests": [test]}
    path.write_text(yaml.safe_dump(whole))
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
