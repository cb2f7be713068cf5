"""A real Prometheus reads the real processes: every query of Grafana's file has an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from operated import Operated
from processes import wait_for
from prometheus_server import Prometheus, scraping

from pipeline.monitoring.declarations import METRICS

OPS = Path(__file__).parents[2] / "ops"
DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana" / "pipeline.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def prometheus(running: Operated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder, rules = tmp_path_factory.mktemp("prometheus"), OPS / "prometheus" / "alerts.yml"
    with scraping(running.urls, folder, rules) as found:
        # Twice each, for the rates.
        wait_for(lambda: len(found.query("count_over_time(up[1h]) >= 3")) == len(running.urls))
        yield found


def test_every_process_is_scraped(running: Operated, prometheus: Prometheus) -> None:
    wait_for(lambda: len(prometheus.query("up == 1")) == len(running.urls))


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_every_query_of_the_dashboard_has_an_answer(number: int, prometheus: Prometheus) -> None:
    wait_for(lambda: prometheus.query(QUERIES[number]) != [], 60)


def test_the_dashboard_is_whole() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    taken = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= 24 - place["w"]
        taken |= {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    # No panel lies on another.
    assert len(taken) == sum(each["gridPos"]["w"] * each["gridPos"]["h"] for each in PANELS)
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")


@pytest.mark.parametrize("process", METRICS)
def test_the_dashboard_shows_something_of_each_process(process: str) -> None:
    assert any(f"pipeline_{process}_" in query for query in QUERIES) or process == "dashboard"


def test_a_process_that_hangs_is_an_alert(running: Operated, prometheus: Prometheus) -> None:
    assert "PipelineProcessDown" not in prometheus.firing()
    load = running.child("load")
    load.suspend()
    try:
        wait_for(lambda: "PipelineProcessDown" in prometheus.firing())
    finally:
        load.resume()
    wait_for(lambda: "PipelineProcessDown" not in prometheus.firing())
