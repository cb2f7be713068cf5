"""The files of `ops/kubernetes` against Kubernetes' schemas, our settings and our probes.

`schema-1.29.json` is Kubernetes' own (github.com/kubernetes/kubernetes, api/openapi-spec),
Apache-2.0 like this project (LICENSE), reduced to the kinds that we use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.config import MEBIBYTE, Settings
from pipeline.devstack.up import VERBS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ops" / "kubernetes"
SCHEMA = json.loads(Path(__file__).with_name("schema-1.29.json").read_text())
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    each
    for name in KUSTOMIZATION["resources"]
    for each in yaml.safe_load_all((FOLDER / name).read_text())
]


def name_of(each: dict[str, Any]) -> str:
    return f"{each['kind']}-{each['metadata']['name']}"


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] in kinds}


SETS, SERVICES = of_kind("StatefulSet"), of_kind("Service")
((_, SHARED),) = of_kind("ConfigMap").items()


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each pod's specification with each of its containers."""
    for workload in of_kind("StatefulSet", "Job").values():
        pod = workload["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield pod, container


def variables(container: dict[str, Any]) -> dict[str, str]:
    own = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    return SHARED["data"] | own


def settings(container: dict[str, Any]) -> Settings:
    """As the container's process reads them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables(container).items():
            patch.setenv(name, value)
        return Settings(_env_file=None)


def ports(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [port for container in pod["containers"] for port in container["ports"]]


def validate(each: dict[str, Any]) -> None:
    schema = {**SCHEMA["kinds"][each["kind"]], "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(each)


@pytest.mark.parametrize("each", OBJECTS, ids=name_of)
def test_it_is_valid_by_the_schema(each: dict[str, Any]) -> None:
    validate(each)


def test_the_schema_detects_a_mistake() -> None:
    each = json.loads(json.dumps(SETS["load"]))
    each["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(jsonschema.ValidationError, match="livenessProb"):
        validate(each)


def test_every_file_is_named() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files


def test_it_runs_the_commands_of_up_and_its_preparation() -> None:
    verbs = [verb for _, container in containers() for verb in container["args"]]
    assert sorted(verbs) == sorted([*VERBS, "topics"])


def test_every_setting_exists_and_every_value_fits() -> None:
    known = {f"PIPELINE_{name.upper()}" for name in Settings.model_fields}
    for _, container in containers():
        assert set(variables(container)) <= known
        settings(container)


def test_a_probe_asks_for_a_page_that_the_process_serves() -> None:
    served = {
        "ingest": (ROOT / "pipeline" / "ingest" / "ops_endpoints.py").read_text(),
        "others": (ROOT / "pipeline" / "monitoring" / "monitor.py").read_text(),
    }
    for _, container in containers():
        if container["args"] == ["topics"]:
            continue
        own, is_ingest = settings(container), container["args"] == ["ingest"]
        named = {each["name"]: each["containerPort"] for each in container["ports"]}
        asked = {
            probe: container[probe]["httpGet"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        port = own.admin_port if is_ingest else own.metrics_port
        assert {named[get["port"]] for get in asked.values()} == {port}
        assert (own.admin_host if is_ingest else own.metrics_host) == "0.0.0.0"  # noqa: S104
        paths = {probe: get["path"] for probe, get in asked.items()}
        # What `/readyz` says is no reason to restart.
        assert paths == {
            "startupProbe": "/livez",
            "livenessProbe": "/livez",
            "readinessProbe": "/readyz",
        }
        for path in paths.values():
            assert f'"{path}"' in served["ingest" if is_ingest else "others"]


def test_a_service_leads_to_a_port_that_its_pods_have() -> None:
    for service in SERVICES.values():
        pod = SETS[service["spec"]["selector"]["app"]]["spec"]["template"]["spec"]
        named = {port["name"]: port["containerPort"] for port in ports(pod)}
        for port in service["spec"]["ports"]:
            assert named[port["targetPort"]] == port["port"]
    for each in SETS.values():
        assert SERVICES[each["spec"]["serviceName"]]["spec"]["clusterIP"] == "None"
        numbers = [port["containerPort"] for port in ports(each["spec"]["template"]["spec"])]
        assert len(numbers) == len(set(numbers))


def test_the_open_services_lead_to_no_page_of_operators() -> None:
    open_ones = [each for each in SERVICES.values() if "clusterIP" not in each["spec"]]
    named = {port["name"] for each in open_ones for port in each["spec"]["ports"]}
    assert named == {"beacons", "dashboard"}


def test_a_service_leads_to_unready_pods_unless_its_process_alone_says_that_it_is_unready() -> None:
    """A pod is ready when all of its containers are, and only ingest has another in its place."""
    for name, service in SERVICES.items():
        pod = SETS[service["spec"]["selector"]["app"]]["spec"]["template"]["spec"]
        names = {port["targetPort"] for port in service["spec"]["ports"]}
        served_by = [
            each for each in pod["containers"] if names & {p["name"] for p in each["ports"]}
        ]
        is_alone = served_by == pod["containers"] and "clusterIP" not in service["spec"]
        assert service["spec"].get("publishNotReadyAddresses", False) is not is_alone, name


def test_there_is_one_loader_and_of_each_kind_one_pod_is_drained_at_a_time() -> None:
    assert SETS["load"]["spec"]["replicas"] == 1
    budgets = of_kind("PodDisruptionBudget")
    assert set(budgets) == set(SETS)
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        labels = SETS[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"] == labels
        assert SETS[name]["spec"]["selector"]["matchLabels"] == labels
    assert SETS["worker"]["spec"]["replicas"] <= int(SHARED["data"]["PIPELINE_PARTITIONS"])


def test_a_worker_has_the_name_of_its_pod() -> None:
    (container,) = SETS["worker"]["spec"]["template"]["spec"]["containers"]
    (name,) = container["env"]
    assert name["name"] == "PIPELINE_WORKER_NAME"
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_ingest_has_time_to_drain() -> None:
    pod = SETS["ingest"]["spec"]["template"]["spec"]
    drains = settings(pod["containers"][0]).drain_delay.total_seconds()
    assert pod["terminationGracePeriodSeconds"] > drains + 10
    assert drains > pod["containers"][0]["readinessProbe"]["periodSeconds"]


def test_no_container_has_unneeded_rights() -> None:
    for pod, container in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_what_a_process_writes_is_on_a_volume() -> None:
    for _, container in containers():
        own = settings(container)
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(own.home), "/tmp"} <= mounted  # noqa: S108
        assert container["args"] != ["ingest"] or str(own.stores.parent) in mounted
    for each in SETS.values():
        (claim,) = each["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "data"


def test_memory_is_reserved_limited_and_enough_for_a_query() -> None:
    limits = {}
    for _, container in containers():
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        (size,) = re.findall(r"^(\d+)[GM]i$", resources["limits"]["memory"])
        scale = 1024 if "Gi" in resources["limits"]["memory"] else 1
        limits[container["args"][0]] = int(size) * scale * MEBIBYTE
    default = Settings(_env_file=None)
    assert limits["dashboard"] > default.query_memory_bytes
    # The bodies of all requests, and their records.
    assert limits["ingest"] > 4 * default.max_bodies_bytes


def test_the_image_is_the_one_that_is_replaced() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert {container["image"] for _, container in containers()} == {image["name"]}
