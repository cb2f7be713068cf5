"""Clients that mean harm, in a process of their own: `attacks.py HOST PORT TOKEN NAME`.

Says `open` once it has begun, and goes on until it is ended. `good` means no harm: it is what the
others are compared with.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

Address = tuple[str, int]
KNOWN = {
    "event_type": "search",
    "timestamp": "2099-01-01T00:00:00Z",
    "session_id": "s",
    "query": "",
}
BODY = json.dumps({"events": [KNOWN]}).encode()


def head(first: str, *lines: str) -> bytes:
    return "\r\n".join([f"{first} HTTP/1.1", "host: x", *lines, "", ""]).encode()


def post(token: str, body: bytes, *lines: str) -> bytes:
    own = (f"x-storefront-access-token: {token}", f"content-length: {len(body)}")
    return head("POST /beacon", *own, *lines) + body


def good(token: str) -> Iterator[bytes]:
    return itertools.repeat(post(token, BODY))


def pipelined(token: str) -> Iterator[bytes]:
    one = head("GET /beacon")
    return itertools.repeat(post(token, BODY) + one * (12 * 1024 // len(one)))


def parameters(_: str) -> Iterator[bytes]:
    query = "&".join(f"p{number}=" for number in range(4000))
    return itertools.repeat(head(f"GET /beacon?{query}"))


def origins(_: str) -> Iterator[bytes]:
    for number in itertools.count():
        yield head("OPTIONS /beacon", f"origin: https://{number}{'x' * 30_000}.example")


def agents(token: str) -> Iterator[bytes]:
    for number in itertools.count():
        yield post(token, BODY, f"user-agent: Mozilla/5.0 {number}{' (x; y)' * 4000}")


def places(token: str) -> Iterator[bytes]:
    for number in itertools.count():
        yield post(token, BODY, f"cf-city: {number}{'x' * 30_000}")


def deep(token: str) -> Iterator[bytes]:
    events = ["[" * 20_000 + "]" * 20_000, json.dumps(KNOWN), "[" * 2000 + "[[]]," * 1_000]
    body = f'{{"events":[{",".join(events)}{"0" + "]" * 2000}]}}'.encode()
    return itertools.repeat(post(token, body))


SAID: dict[str, Callable[[str], Iterator[bytes]]] = {
    each.__name__: each for each in (good, pipelined, parameters, origins, agents, places, deep)
}


def say(address: Address, requests: Iterator[bytes]) -> Iterator[None]:
    """One behind the answer to the other, on one connection."""
    with socket.create_connection(address, timeout=30) as connection:
        for request in requests:
            connection.sendall(request)
            left = request.count(b" HTTP/1.1\r\n")
            while left:
                data = connection.recv(1 << 20)
                if not data:
                    raise SystemExit("hung up on")
                left -= data.count(b"HTTP/1.1 ")
            yield


def stalled(address: Address, token: str) -> Iterator[None]:
    """Bodies of which the last byte does not come; a connection that has ended is made again."""
    body = BODY + b" " * 900_000
    # At the pace of a network: what is dear is what is kept, not that it comes.
    return kept(address, 200, post(token, body)[:-1], pause=0.02)


def silent(address: Address, _: str) -> Iterator[None]:
    return kept(address, 1000, b"")


def halves(address: Address, _: str) -> Iterator[None]:
    return kept(address, 1000, b"POST /beacon HTTP/1.1\r\nhost:")


def kept(address: Address, count: int, opening: bytes, *, pause: float = 0) -> Iterator[None]:
    clients: list[socket.socket] = []
    while True:
        with suppress(ConnectionError, TimeoutError):
            clients.append(socket.create_connection(address, timeout=2))
            clients[-1].sendall(opening)
        if len(clients) > count:
            clients.pop(0).close()
            yield
            time.sleep(pause)


HELD = {each.__name__: each for each in (stalled, silent, halves)}


def main(host: str, port: str, token: str, name: str) -> None:
    address = (host, int(port))
    held = HELD.get(name)
    rounds = held(address, token) if held else say(address, SAID[name](token))
    for number, _ in enumerate(rounds):
        if number == 10:
            print("open", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
