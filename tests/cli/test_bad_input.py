"""Errors of users are one line that says what to do; exit code 1, or 2 for wrong usage."""

from __future__ import annotations

import gzip
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from processes import Pipeline

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port

EVENT = '{"event_type":"search","query":"","session_id":"s","timestamp":1764000000000}\n'
NOBODY = "http://127.0.0.1:9/beacon"


def line_of(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line of a failure."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    if code == 2:  # click's usage comes before it
        return lines[-1]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str], str]:
    """The name of an unreadable file or folder, by kind of damage."""

    def make(kind: str) -> str:
        path = tmp_path / f"{kind}.ndjson.gz"
        whole = gzip.compress(EVENT.encode() * 10, mtime=0)
        if kind == "folder":
            path.mkdir()
        elif kind == "no gzip":
            path.write_text(EVENT)
        elif kind == "cut":
            path.write_bytes(whole[:-6])
        elif kind == "spoiled":
            path.write_bytes(whole[:20] + bytes(20) + whole[40:])
        return str(path)

    return make


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "No such file or directory"),
        ("folder", "Is a directory"),
        ("no gzip", "damaged"),
        ("cut", "damaged"),
        ("spoiled", "damaged"),
    ],
)
def test_a_file_that_cannot_be_read(
    pipeline: Pipeline, broken: Callable[[str], str], kind: str, said: str
) -> None:
    name = broken(kind)
    line = line_of(pipeline("local", name, "--database", "out.duckdb"))
    assert said in line
    line = line_of(pipeline("send", name, "--token", "x", "--url", NOBODY))
    assert "damaged" in line or "cannot be read" in line


def test_a_database_that_exists_already(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "one.ndjson").write_text(EVENT)
    assert pipeline("local", "one.ndjson", "--database", "out.duckdb").returncode == 0
    line = line_of(pipeline("local", "one.ndjson", "--database", "out.duckdb"))
    assert "exists already: choose another name" in line


def test_a_folder_that_is_missing_is_not_made_for_a_database(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "one.ndjson").write_text(EVENT)
    line = line_of(pipeline("local", "one.ndjson", "--database", "nowhere/out.duckdb"))
    assert line == "Error: there is no folder nowhere: make it, or choose another path"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("verb", [("query", "funnel"), ("check",)])
@pytest.mark.parametrize("kind", ["missing", "folder", "text", "another"])
def test_a_snapshot_that_cannot_be_read(
    pipeline: Pipeline, tmp_path: Path, verb: tuple[str, ...], kind: str
) -> None:
    path = tmp_path / "some.duckdb"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no database\n" * 500)
    elif kind == "another":
        duckdb.connect(path).close()
    code = 2 if kind in ("missing", "folder") else 1
    line = line_of(pipeline(*verb, "--database", str(path)), code)
    assert str(path) in line


@pytest.mark.parametrize("verb", [("query", "funnel"), ("check",)])
def test_a_snapshot_that_is_not_published_yet(pipeline: Pipeline, verb: tuple[str, ...]) -> None:
    assert "start `pipeline up`, or wait until it publishes one" in line_of(pipeline(*verb))


@pytest.mark.parametrize("damage", ["no database", "cut", "spoiled"])
def test_a_damaged_database_is_called_so_with_what_to_do(
    pipeline: Pipeline, snapshot: str, tmp_path: Path, damage: str
) -> None:
    whole = Path(snapshot).read_bytes()
    home = tmp_path / "home"
    home.mkdir()
    damaged = {
        "no database": b"no database" * 500,
        "cut": whole[: len(whole) // 2],
        "spoiled": whole[:9000] + bytes([whole[9000] ^ 255]) + whole[9001:],
    }[damage]
    (home / "live.duckdb").write_bytes(damaged)
    line = line_of(pipeline("rebuild"))
    assert line.startswith(f"Error: {home / 'live.duckdb'} is damaged (")
    assert "run `pipeline rebuild --from-snapshot`, or `pipeline restore` a backup" in line
    (home / "analytics.duckdb").write_bytes(damaged)
    for verb in (("query", "funnel"), ("check",)):
        line = line_of(pipeline(*verb))
        assert line.startswith(f"Error: {home / 'analytics.duckdb'} is damaged (")
        assert "if it is the snapshot, move it away, and the loader publishes" in line
    # And that is what is to be done.
    (home / "live.duckdb").unlink()
    (home / "analytics.duckdb").write_bytes(whole)
    done = pipeline("rebuild", "--from-snapshot")
    assert done.returncode == 0, done


def test_without_kafka_every_command_that_needs_it_says_so(pipeline: Pipeline) -> None:
    for verb in ("ingest", "worker", "load", "topics", "status"):
        assert "no Kafka: start `pipeline up`, or set" in line_of(pipeline(verb))


def test_a_kafka_that_does_not_answer(
    pipeline: Pipeline,
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    line = line_of(pipeline("topics", kafka_bootstrap_servers=nobody, patience=0.5))
    assert f"Kafka at {nobody} does not answer (connection refused): start it, or" in line


def test_the_kafka_of_an_up_that_has_ended(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "home" / "kafka").mkdir(parents=True)
    (tmp_path / "home" / "kafka" / "port").write_text(f"{free_port()}\n")
    for verb in ("topics", "status"):
        line = line_of(pipeline(verb, patience=0.5))
        assert "does not answer (connection refused): start `pipeline up`" in line


def test_tls_needs_an_external_kafka(pipeline: Pipeline) -> None:
    for verb in ("up", "topics", "ingest"):
        line = line_of(pipeline(verb, kafka_security_protocol="SSL"))
        assert "PIPELINE_KAFKA_SECURITY_PROTOCOL is for a Kafka of your own: set" in line


def test_a_missing_file_is_reported_before_kafka_is_contacted(pipeline: Pipeline) -> None:
    given = {"kafka_bootstrap_servers": "127.0.0.1:9", "kafka_security_protocol": "SSL"}
    for verb in ("up", "ingest", "worker", "load", "topics", "status"):
        line = line_of(pipeline(verb, kafka_ssl_ca="/nowhere/ca.pem", **given))
        assert "PIPELINE_KAFKA_SSL_CA=/nowhere/ca.pem cannot be used: No such file" in line


def test_missing_topics(pipeline: Pipeline, settings: Settings) -> None:
    given = {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "topic_prefix": settings.topic_prefix,
    }
    for verb in ("worker", "load"):
        assert "run `pipeline topics` first" in line_of(pipeline(verb, **given))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("partitions", "x", "PIPELINE_PARTITIONS=x: "),
        ("partitions", "0", "PIPELINE_PARTITIONS=0: "),
        ("session_gap", "-PT30M", "PIPELINE_SESSION_GAP=-PT30M: "),
        ("session_gap", "half an hour", "as in PT30M or 00:30:00"),
        ("max_body_bytes", "99999999", "PIPELINE_MAX_BODY_BYTES=99999999: "),
    ],
)
def test_a_wrong_setting(pipeline: Pipeline, name: str, value: str, said: str) -> None:
    assert said in line_of(pipeline("check", **{name: value}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PIPELINE_WORKERS=many", "PIPELINE_WORKERS=many: "),
    ],
)
def test_a_wrong_setting_in_the_file(
    pipeline: Pipeline, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / ".env").write_text(f"{text}\nOTHER=3\n")
    assert said in line_of(pipeline("check"))


def test_a_settings_file_that_is_not_text(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PIPELINE_WORKERS=\xff\n")
    assert ".env" in line_of(pipeline("check"))


def test_a_setting_that_is_not_text(pipeline: Pipeline) -> None:
    line = line_of(pipeline("check", topic_prefix="\udcff"))
    assert "setting PIPELINE_TOPIC_PREFIX is not UTF-8" in line


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("partition", "did you mean PIPELINE_PARTITIONS?"),
        ("sesion_gap", "did you mean PIPELINE_SESSION_GAP?"),
        ("gap", "docs/settings.md lists all settings"),
    ],
)
def test_an_unknown_setting(
    pipeline: Pipeline, tmp_path: Path, *, name: str, said: str, in_file: bool
) -> None:
    variable = f"PIPELINE_{name.upper()}"
    if in_file:
        (tmp_path / ".env").write_text(f"{variable}=4\nOTHER=3\n")
    ran = pipeline("query", **({} if in_file else {name: "4"}))
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"Error: {variable} is not a setting: {said}")
    assert len(ran.stderr.splitlines()) == 1


def test_an_unknown_query(pipeline: Pipeline, snapshot: str) -> None:
    line = line_of(pipeline("query", "funel", "--database", snapshot))
    assert "no query 'funel'; choose one of: " in line


def test_an_unknown_parameter(pipeline: Pipeline, snapshot: str) -> None:
    line = line_of(pipeline("query", "funnel", "-p", "shop=x", "--database", snapshot))
    assert "has no parameter 'shop'; it takes: " in line


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (("kpis",), "-p first=YYYY-MM-DD -p last=YYYY-MM-DD, or --all-time"),
        (("kpis", "-p", "first=2026-07-01"), "-p last=YYYY-MM-DD, or --all-time"),
        (("funnel",), ""),
    ],
)
def test_a_required_parameter(
    pipeline: Pipeline, snapshot: str, arguments: tuple[str, ...], needs: str
) -> None:
    done = pipeline("query", *arguments, "--database", snapshot)
    if needs:
        assert line_of(done, 2).endswith(f"query '{arguments[0]}' also needs {needs}")
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("question", ["funnel", "traffic", "quality", "tokens"])
def test_an_unknown_store(pipeline: Pipeline, snapshot: str, question: str) -> None:
    line = line_of(pipeline("query", question, "-p", "store=kiosc", "--database", snapshot))
    assert line == "Error: no events of a store 'kiosc'; stores with events: local"


def test_a_store_with_only_rejected_events_is_known(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "bad.ndjson").write_text('{"event_type":"view"}\n')
    path = str(tmp_path / "made.duckdb")
    made = pipeline("local", "bad.ndjson", "--database", path, "--store", "kiosk")
    assert "1 events rejected (`rejected_events` says why), 0 bad lines" in made.stdout
    done = pipeline("query", "quality", "-p", "store=kiosk", "--database", path)
    assert done.returncode == 0, done.stderr
    assert "kiosk" in done.stdout


def test_a_result_without_rows_says_so(pipeline: Pipeline, snapshot: str) -> None:
    given = ("-p", "first=2099-01-01", "-p", "last=2099-01-01", "--database", snapshot)
    done = pipeline("query", "funnel", *given)
    assert (done.returncode, done.stderr.startswith("no rows: ")) == (0, True)
    assert pipeline("query", "funnel", "--database", snapshot).stderr == ""


def test_a_parameter_that_is_not_a_day(pipeline: Pipeline, snapshot: str) -> None:
    line = line_of(pipeline("query", "funnel", "-p", "first=soon", "--database", snapshot))
    assert "soon" in line


def test_an_endless_query(pipeline: Pipeline, snapshot: str) -> None:
    columns = "'s' AS store_id, DATE '2025-01-01' AS day"
    with duckdb.connect(snapshot) as connection:
        connection.execute(
            f"CREATE OR REPLACE VIEW traffic AS SELECT {columns} FROM range(1000000000000)"
        )
    done = pipeline("query", "traffic", "--database", snapshot, query_timeout="00:00:00.5")
    assert "no answer within 0.5 s: " in line_of(done)


def test_a_view_that_reads_another_file(pipeline: Pipeline, snapshot: str) -> None:
    with duckdb.connect(snapshot) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW traffic AS SELECT 's' AS store_id, DATE '2025-01-01' AS day,"
            " content FROM read_text('/etc/passwd')"
        )
    line = line_of(pipeline("query", "traffic", "--database", snapshot))
    assert 'Cannot access file "/etc/passwd"' in line


@pytest.fixture
def snapshot(pipeline: Pipeline, tmp_path: Path) -> str:
    (tmp_path / "one.ndjson").write_text(EVENT)
    path = str(tmp_path / "made.duckdb")
    assert pipeline("local", "one.ndjson", "--database", path).returncode == 0
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "funnel", "-p", "store"),
        ("send", "x.ndjson", "--token", "x", "--url", "127.0.0.1:8080/beacon"),
        ("send", "x.ndjson"),
        ("local", "x.ndjson"),
        ("demo", "--devices", "0"),
        ("traffic", "--devices", "-1"),
        ("status", "--behind", "few"),
        ("ingets",),
        ("ingest", "--port", "80"),
    ],
)
def test_wrong_usage_is_exit_code_2(pipeline: Pipeline, arguments: tuple[str, ...]) -> None:
    assert line_of(pipeline(*arguments), 2).startswith("Error: ")


@pytest.mark.parametrize(
    "text",
    ["stores = 3\n", "[stores.shop\n", '[stores.shop]\ntokens_sha256 = ["short"]\n', "\xff"],
)
def test_a_stores_file_that_cannot_be_used(pipeline: Pipeline, tmp_path: Path, text: str) -> None:
    stores = tmp_path / "stores.toml"
    stores.write_text(text, encoding="latin-1")
    given = {"stores_file": str(stores), "kafka_bootstrap_servers": "127.0.0.1:9"}
    assert str(stores) in line_of(pipeline("ingest", **given))
    for verb in ("up", "demo"):
        done = pipeline(verb, **given)
        assert str(stores) in line_of(done)


@pytest.mark.parametrize(
    ("verb", "of"), [("ingest", "ingest"), ("ingest", "admin"), ("dashboard", "dashboard")]
)
def test_a_port_in_use(pipeline: Pipeline, verb: str, of: str) -> None:
    pipeline("stores", "add", "shop")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        given = {"kafka_bootstrap_servers": "127.0.0.1:9", "ingest_port": "0", f"{of}_port": port}
        assert f"PIPELINE_{of.upper()}_PORT" in line_of(pipeline(verb, **given))


@pytest.mark.parametrize("verb", ["up", "demo", "stores add --first"])
def test_a_home_directory_that_is_a_file(pipeline: Pipeline, tmp_path: Path, verb: str) -> None:
    (tmp_path / "home").write_text("")
    done = pipeline(*verb.split())
    assert str(tmp_path / "home") in line_of(done)


def test_a_file_that_may_not_be_read(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "mine.ndjson").touch(mode=0o000)
    assert "Permission denied" in line_of(pipeline("local", "mine.ndjson", "--database", "x"))


@pytest.mark.parametrize(
    "name",
    ["kafka_ssl_ca", "kafka_sasl_password_file", "stores_file", "maven_url", "partitions"],
)
def test_an_empty_setting_is_not_set(pipeline: Pipeline, name: str) -> None:
    assert pipeline("stores", "add", "shop", **{name: ""}).returncode == 0
    done = pipeline("topics", **{name: ""}, kafka_bootstrap_servers="127.0.0.1:9", patience=0.5)
    assert "127.0.0.1:9" in line_of(done)


def test_an_empty_home_is_the_default_one(pipeline: Pipeline, tmp_path: Path) -> None:
    assert pipeline("stores", "add", "shop", home="").returncode == 0
    assert (tmp_path / "data" / "stores.toml").exists()


@pytest.mark.parametrize(
    "name",
    ["port", "port_8080_tcp", "port_8080_tcp_addr", "service_host", "service_port_http"],
)
def test_variables_of_kubernetes_for_a_service_of_our_name_are_ignored(
    pipeline: Pipeline, name: str
) -> None:
    assert pipeline("query", **{name: "tcp://10.0.0.1:8080"}).returncode == 0


@pytest.mark.parametrize("name", ["ports", "port_tcp", "port_8080", "service", "service_hosts"])
def test_names_that_only_resemble_them_are_errors(pipeline: Pipeline, name: str) -> None:
    assert f"PIPELINE_{name.upper()} is not a setting" in line_of(pipeline("query", **{name: "1"}))
