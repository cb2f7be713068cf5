"""Any bytes to a connection, in any pieces, answered in any order: a fuzzer's target.

`python tests/ingest/fuzz_http.py -runs=10000000 FOLDER`, as `fuzz_accept.py`. However the bytes
come and whenever answers are ready, the same requests are taken and the same is answered.
"""

from __future__ import annotations

import math
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from ingest.transport import Wire  # noqa: E402  # of the path above

with atheris.instrument_imports(include=["pipeline"]):
    from pipeline.http.connection import CONTINUE, Connection
    from pipeline.http.exchange import Exchange, OnBody
    from pipeline.http.limits import ConnectionLimit, Limits
    from pipeline.http.parser import ServerContext
    from pipeline.http.response import Response

LIMIT = 200
ACCEPTED, REFUSED, FAILED = Response(204), Response(401, b"{}"), Response(500, is_last=True)
PARTS = [
    b"POST /beacon HTTP/1.1\r\nhost: x\r\n", b"GET /refused HTTP/1.1\r\nhost: x\r\n",
    b"HEAD /%62 HTTP/1.1\r\nhost: x\r\n",
    b"PUT http://x/a?b#c HTTP/1.0\r\n", b"CONNECT x:1 HTTP/1.1\r\n", b"host: x\r\n",
    b"origin: y\r\n", b"expect: 100-continue\r\n", b"connection: close\r\n",
    b"connection: keep-alive\r\n", b"connection: upgrade\r\nupgrade: h2c\r\n", b"\r\n",
    b"content-length: 0\r\n\r\n", b"content-length: 2\r\n\r\n{}", b"content-length: 201\r\n\r\n",
    b"transfer-encoding: chunked\r\n\r\n", b"2\r\n{}\r\n", b"c8\r\n" + b" " * LIMIT + b"\r\n",
    b"0\r\n\r\n", b"0\r\norigin: z\r\n\r\n", b"{", b"\n", b":", b"\0",
]  # fmt: skip
POST, REFUSED_ONE, HEAD, OLD = PARTS[:4]
CHUNKED, CHUNK, LONG_CHUNK, LAST, TRAILED = PARTS[15:20]
WHOLE = [
    POST + b"content-length: 2\r\n\r\n{}",
    POST + b"expect: 100-continue\r\ncontent-length: 201\r\n\r\n",
    POST + b"connection: close\r\ncontent-length: 0\r\n\r\n",
    POST + CHUNKED + CHUNK + LONG_CHUNK + LAST,
    POST + CHUNKED + CHUNK + TRAILED,
    REFUSED_ONE + CHUNKED + CHUNK + LAST,
    HEAD + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n",
    OLD + b"connection: keep-alive\r\n\r\n",
]
DATE = re.compile(rb"\r\ndate: [^\r]*")

Seen = tuple[bool, list[tuple[object, ...]], bytes]
"""Whether the connection has ended, what was taken, what was sent."""

_seen = Counter[str]()


class Requests:
    """A handler that keeps what it is given, and answers when it is told to."""

    reads = frozenset({"origin", "host"})
    once = frozenset({"origin"})

    def __init__(self) -> None:
        self.taken: list[tuple[object, ...]] = []
        self.waiting: list[Exchange] = []
        self.refusals = 0

    def begin(self, exchange: Exchange) -> OnBody | None:
        head = (exchange.method, exchange.path, exchange.query, sorted(exchange.headers.items()))
        self.taken.append(head)
        if exchange.path == "/refused":
            exchange.reply(REFUSED)
            return None
        return self.take

    def take(self, exchange: Exchange, body: bytes) -> None:
        if len(body) > LIMIT:
            raise AssertionError("over the limit")
        self.taken.append((exchange.path, body))
        if exchange.path == "/a":
            exchange.reply(FAILED)
        else:
            self.waiting.append(exchange)

    def refused(self, answer: Response) -> None:
        self.refusals += 1
        if answer.status not in (400, 408, 431, 503):
            raise AssertionError(answer.status)


def run(data: bytes) -> None:
    """One input, in one piece and answered at once; and in many, answered in disorder."""
    chance = random.Random(data)  # noqa: S311  # not a secret
    plain = served([data], chance, is_in_order=True)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice([1, 2, 5, 40])))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    mixed = served(pieces, chance, is_in_order=False)
    # Behind a failure that has to wait for its turn there may be others in hand.
    common = min(len(plain[1]), len(mixed[1])) if FAILED.head in plain[2] else None
    if (plain[0], plain[1][:common], plain[2]) != (mixed[0], mixed[1][:common], mixed[2]):
        raise AssertionError("it matters how the bytes came, or when answers were ready")


def served(pieces: list[bytes], chance: random.Random, *, is_in_order: bool) -> Seen:
    handler, wire = Requests(), Wire()
    limit = ConnectionLimit(10)
    soon: list[Callable[[], None]] = []
    context = ServerContext(handler, Limits(10, 75, LIMIT, 1_000_000, 10))
    connection = Connection(context, limit, soon.append)
    connection.connection_made(wire)  # type: ignore[arg-type]

    def answer_one() -> None:
        at = 0 if is_in_order else chance.randrange(len(handler.waiting))
        exchange = handler.waiting.pop(at)
        exchange.reply(ACCEPTED)
        exchange.reply(FAILED)  # too late
        drain(soon)

    for piece in pieces:
        while not (wire.is_reading or wire.is_ended):
            answer_one()
        if wire.is_ended:
            break
        if piece:
            connection.data_received(piece)
            drain(soon)
        while handler.waiting and (is_in_order or chance.random() < 0.3):
            answer_one()
    while handler.waiting:
        answer_one()
    found = wire.is_ended, handler.taken, DATE.sub(b"", wire.sent).replace(CONTINUE, b"")
    check(wire, handler)
    end(connection, wire, chance.randrange(4))
    connection.connection_lost(None)
    if any(limit):
        raise AssertionError("it is still open")
    if context.bodies.held or context.bodies.arriving:
        raise AssertionError("it still counts")
    return found


def drain(soon: list[Callable[[], None]]) -> None:
    """As the loop does between what comes."""
    while soon:
        soon.pop()()


def check(wire: Wire, handler: Requests) -> None:
    if not wire.is_reading and not wire.is_ended:
        raise AssertionError("nothing waits, and nothing is read")
    heads = sum(len(one) == 4 for one in handler.taken)
    answers = wire.sent.replace(CONTINUE, b"").count(b"HTTP/1.1 ")
    left_out = wire.is_ended and FAILED.head in wire.sent
    if not (left_out or answers <= heads + handler.refusals <= answers + 1):
        raise AssertionError(f"{answers} answers to {heads} requests")
    _seen["requests"] += heads
    _seen["refused"] += handler.refusals


def end(connection: Connection, wire: Wire, how: int) -> None:
    """As the server would; then it is closed, or a request is still being read."""
    if wire.is_ended and connection.deadline == math.inf:
        raise AssertionError("nobody would cut it off")
    if how == 0:
        connection.time_out()
    elif how == 1:
        connection.stop()
    elif how == 3 and not connection.eof_received():
        wire.close()
    if how == 2 or not wire.is_ended:
        connection.refuse_pending()
    if not wire.is_ended:
        raise AssertionError("it would stay for ever")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half the time libFuzzer's own bytes, else parts of requests put in, out and together."""
    chance = random.Random(seed)  # noqa: S311
    if chance.random() < 0.4:
        return atheris.Mutate(data, max_size)
    ends = [0, *(at.end() for at in re.finditer(rb"\n", data)), len(data)]
    at, to = chance.choice(ends), chance.choice(ends)
    part = chance.choice([chance.choice(PARTS), chance.choice(WHOLE), b""])
    return (data[:at] + part + data[to if part == b"" else at :])[:max_size]


def main() -> None:
    """Seed the corpus where it is empty, and run."""
    folder = Path(sys.argv[-1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate([*WHOLE, b"".join(WHOLE)]):
        (folder / f"seed-{number}").write_bytes(body)
    atheris.Setup([*sys.argv, "-max_len=1000"], run, custom_mutator=mutate)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
