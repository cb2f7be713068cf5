"""The embedded broker; each test runs a real one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from processes import wait_for

from pipeline.devstack.broker.data_directory import free_port, is_free
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import BrokerError
from pipeline.devstack.broker.java import find_java
from pipeline.devstack.broker.node import Node, last_error
from pipeline.devstack.broker.server import Broker


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a homé"


@pytest.fixture
def broker(home: Path, cache: Path) -> Iterator[Broker]:
    with Broker(home, cache) as running:
        yield running


def make_topic(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result()


def send(broker: Broker, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    outcomes: list[object] = []
    producer.produce("kept", value, on_delivery=lambda error, _message: outcomes.append(error))
    assert producer.flush(30) == 0
    assert outcomes == [None]


def read(broker: Broker, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "nobody"})
    try:
        consumer.assign([TopicPartition("kept", 0, 0)])
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def kafka_of(broker: Broker) -> psutil.Process:
    assert broker.process_id is not None
    (kafka,) = psutil.Process(broker.process_id).children()
    return kafka


def test_the_next_start_keeps_data_and_port(home: Path, cache: Path) -> None:
    with Broker(home, cache) as first:
        make_topic(first)
        send(first, b"one")
    assert is_free(first.port)
    with Broker(home, cache) as second:
        send(second, b"two")
        assert read(second, 2) == [b"one", b"two"]
    assert second.port == first.port


def test_after_kill_9_the_same_command_resumes(broker: Broker) -> None:
    make_topic(broker)
    send(broker, b"one")
    kafka, port = kafka_of(broker), broker.port
    kafka.kill()
    wait_for(lambda: not psutil.pid_exists(kafka.pid))
    broker.kill()
    broker.start()
    broker.wait_ready()
    assert read(broker, 1) == [b"one"]
    assert broker.port == port


PARENT = """
import sys, time
from pathlib import Path
from pipeline.devstack.broker.server import Broker
with Broker(Path(sys.argv[1]), Path(sys.argv[2])) as broker:
    print(broker.process_id, broker.port, flush=True)
    time.sleep(600)
"""


def test_kill_9_of_the_parent_leaves_no_orphan_and_the_next_start_waits_for_its_end(
    home: Path, cache: Path
) -> None:
    command = [sys.executable, "-c", PARENT, str(home), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        watchdog, port = map(int, parent.stdout.readline().split())
        (kafka,) = psutil.Process(watchdog).children()
        parent.send_signal(signal.SIGKILL)
    with Broker(home, cache) as following:
        assert following.port == port
    wait_for(lambda: not psutil.pid_exists(kafka.pid) and not psutil.pid_exists(watchdog))


def test_a_second_broker_on_the_same_home_is_refused(
    broker: Broker, home: Path, cache: Path
) -> None:
    with pytest.raises(BrokerError, match=r"process \d+ already runs a broker on .*stop it"):
        Broker(home, cache).prepare()
    assert AdminClient({"bootstrap.servers": broker.bootstrap_servers}).list_topics(timeout=10)


def test_a_wanted_port_that_is_taken_is_refused_and_the_home_is_free_again(
    home: Path, cache: Path
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        port = listener.getsockname()[1]
        for _ in range(2):
            with pytest.raises(BrokerError, match=rf"port {port} .* is in use"):
                Broker(home, cache, port=port).prepare()


def test_a_kafka_that_ends_at_its_start_is_an_error_of_one_line(home: Path, cache: Path) -> None:
    broker = Broker(home, cache)
    broker.prepare()
    try:
        with socket.create_server(("127.0.0.1", broker.port)):
            broker.start()
            with pytest.raises(BrokerError, match="Address already in use") as raised:
                broker.wait_ready()
    finally:
        broker.stop()
        broker.release()
    assert "\n" not in str(raised.value)


def test_waiting_can_be_abandoned(home: Path, cache: Path) -> None:
    broker = Broker(home, cache)
    broker.prepare()
    broker.release()
    assert not broker.wait_ready(given_up=lambda: True)


def test_a_cluster_whose_id_begins_with_a_dash_can_be_formatted(
    tmp_path: Path, cache: Path
) -> None:
    node = Node(tmp_path, find_java(), fetch(cache))
    node.configure(logs=tmp_path / "logs", port=free_port(), controller=free_port())
    other = tmp_path / "other"
    properties = tmp_path / "server.properties"
    properties.write_text(properties.read_text().replace(str(tmp_path / "logs"), str(other)))
    node.format("-_v7-_v7-_v7-_v7-_v7-w")
    assert "cluster.id=-_v7-_v7" in (other / "meta.properties").read_text()


TRACE = """\
2026-11-24 ERROR Fatal error during startup (kafka.server.BrokerServer)
org.apache.kafka.common.KafkaException: Socket server failed to bind
\tat kafka.network.Acceptor.start(SocketServer.scala:511)
Caused by: java.net.BindException: in use
\tat java.base/sun.nio.ch.Net.bind(Net.java:555)
\t... 18 more
2026-11-24 INFO shut down completed (kafka.server.BrokerServer)
"""


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("", "no output"),
        ("one\n\ntwo\n", "two"),
        (TRACE, "java.net.BindException: in use"),
    ],
)
def test_the_last_error_is_the_last_line_that_names_one(output: str, error: str) -> None:
    assert last_error(output) == error
