"""Many slow clients in a process of their own: `slow_clients.py HOST PORT TOKEN COUNT`.

A third each stalls in its body, drips a body, drips a head. Says `open` once all are, and at the
end, as JSON, how often each first line of an answer came.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

HEAD = "POST /beacon HTTP/1.1\r\nhost: x\r\nx-storefront-access-token: {}\r\ncontent-length: 1000"


async def main(host: str, port: int, token: str, count: int) -> None:
    head = HEAD.format(token).encode()
    openings = [head + b"\r\n\r\n{", head + b"\r\n\r\n{", head]
    clients = []
    for number in range(count):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(openings[number % 3])
        clients.append((reader, writer))
    print("open", flush=True)
    answers = [asyncio.create_task(first_line(reader)) for reader, _ in clients]
    while not all(answer.done() for answer in answers):
        await asyncio.wait(answers, timeout=1)
        for number, (answer, (_, writer)) in enumerate(zip(answers, clients, strict=True)):
            if number % 3 and not answer.done():
                writer.write(b"0")
    print(json.dumps(Counter(answer.result() for answer in answers)))


async def first_line(reader: asyncio.StreamReader) -> str:
    return (await reader.readline()).decode().strip()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
