"""docker-compose.yml against the Compose Specification and against `pipeline up`.

`compose-spec.json` is the specification's JSON schema, from
https://github.com/compose-spec/compose-spec (schema/compose-spec.json), Apache-2.0 like this
project (LICENSE).
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

from pipeline.cli.main import cli
from pipeline.config import Settings
from pipeline.devstack.broker.jars import locked
from pipeline.devstack.up import VERBS
from pipeline.topics import MAX_RECORD_BYTES

ROOT = Path(__file__).parents[2]
ONCE = ("topics", "stores")
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: of for name, of in compose["services"].items() if name != "kafka"}


def test_it_is_valid_by_the_specification(compose: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(compose)


def test_the_schema_detects_a_mistake(compose: dict[str, Any]) -> None:
    slipped = {**compose, "services": {"ingest": {"comand": ["ingest"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft202012Validator(SCHEMA).validate(slipped)


def test_it_runs_the_commands_of_up_and_its_preparation(
    ours: dict[str, dict[str, Any]],
) -> None:
    assert {name: of["command"] for name, of in ours.items()} == {
        verb: [verb] for verb in (*VERBS, *ONCE)
    } | {"stores": ["stores", "add", "--first"]}
    assert {verb for verb in ours if verb in cli.commands} == set(ours)


def test_our_services_share_an_image_and_settings(
    ours: dict[str, dict[str, Any]],
) -> None:
    shared = ("build", "image", "environment", "volumes")
    for of in ours.values():
        assert {key: of[key] for key in shared} == {key: ours["ingest"][key] for key in shared}


def test_every_setting_exists(ours: dict[str, dict[str, Any]]) -> None:
    known = {f"PIPELINE_{name.upper()}" for name in Settings.model_fields}
    assert set(ours["ingest"]["environment"]) <= known


def test_unset_settings_have_the_defaults_of_up(
    ours: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published ports and the health checks name the defaults."""
    for name, value in ours["ingest"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    ports = {
        "ingest": [settings.ingest_port, settings.admin_port],
        "dashboard": [settings.dashboard_port],
    }
    for name, of in ports.items():
        assert ours[name]["ports"] == [f"127.0.0.1:{port}:{port}" for port in of]
        assert f"127.0.0.1:{of[-1]}/" in ours[name]["healthcheck"]["test"][-1]
    for name in ("worker", "load"):
        assert f"127.0.0.1:{settings.metrics_port}/" in ours[name]["healthcheck"]["test"][-1]
    assert ours["ingest"]["volumes"] == [f"data:{settings.home}"]


def test_the_dashboard_accepts_the_name_used_by_other_containers(
    ours: dict[str, dict[str, Any]],
) -> None:
    assert ours["dashboard"]["environment"]["PIPELINE_DASHBOARD_HOSTS"] == "dashboard"


def test_kafka_is_the_version_that_up_runs_with_the_same_limits(
    compose: dict[str, Any],
) -> None:
    kafka = compose["services"]["kafka"]
    (jar,) = [jar.name for jar in locked() if jar.name.startswith("kafka_2.13-")]
    assert kafka["image"].split(":")[1] in jar
    assert kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == MAX_RECORD_BYTES
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_every_lasting_service_has_a_health_check_and_restarts(
    compose: dict[str, Any],
) -> None:
    for name, of in compose["services"].items():
        if name in ONCE:
            assert of["restart"] == "no"
        else:
            assert of["restart"] == "unless-stopped"
            assert of["healthcheck"]["test"][0] == "CMD"


def test_no_container_has_unneeded_privileges(compose: dict[str, Any]) -> None:
    for name, of in compose["services"].items():
        assert of["cap_drop"] == ["ALL"]
        assert of["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in of
        assert "cap_add" not in of
        # Our services write only to the volume.
        assert name == "kafka" or (of["read_only"], of["tmpfs"]) == (True, ["/tmp"])  # noqa: S108


def test_memory_is_limited_and_enough_for_a_query(compose: dict[str, Any]) -> None:
    limit = {
        name: int(of["mem_limit"].removesuffix("g")) * 1024**3
        for name, of in compose["services"].items()
    }
    settings = Settings(_env_file=None)
    assert limit["dashboard"] > settings.query_memory_bytes
    # The bodies of all requests, and their records.
    assert limit["ingest"] > 4 * settings.max_bodies_bytes


def test_every_dependency_exists(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for of in services.values():
        for other, how in of.get("depends_on", {}).items():
            assert ("healthcheck" in services[other]) or how["condition"] != "service_healthy"
            assert (other in ONCE) == (how["condition"] == "service_completed_successfully")
        for volume in of.get("volumes", ()):
            assert volume.split(":")[0] in compose["volumes"]


def test_the_health_checks_in_python_are_python(ours: dict[str, dict[str, Any]]) -> None:
    for of in ours.values():
        test = of.get("healthcheck", {}).get("test", [])
        if "python" in test:
            compile(test[-1], "healthcheck", "exec")


def copied() -> Iterator[str]:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            yield from line.split()[1:-1]


def test_the_dockerfile_copies_existing_files_that_are_not_ignored() -> None:
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert set(copied()) == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_the_image_runs_as_a_numeric_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (user,) = [line for line in lines if line.startswith("USER ")]
    # A number other than 0, because Kubernetes cannot check a name.
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", user)
    assert lines.index(user) < lines.index('ENTRYPOINT ["pipeline"]')


def test_the_base_of_the_image_is_pinned_by_its_digest() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    bases = {line.split()[1] for line in lines if line.startswith("FROM ")}
    (base,) = bases
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
