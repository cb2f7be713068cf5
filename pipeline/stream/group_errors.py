"""What Kafka answers of a whole group when it is asked for commits, which aiokafka does not read.

From version 2 of OffsetFetch on, an error of the group stands beside the list of partitions, which
is then empty: its coordinator still loads it, as after a crash of Kafka, or has moved, or the user
may not read it. aiokafka 0.14 takes the empty list for "nothing was committed".
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest


def raise_group_errors(coordinator: Any) -> None:
    """Let `coordinator`, aiokafka's `GroupCoordinator`, raise such an error.

    It asks again where the error is one that passes.
    """
    send = coordinator._send_req  # noqa: SLF001

    async def send_and_look(request: Any) -> Any:
        response = await send(request)
        if isinstance(request, OffsetFetchRequest) and (code := response.error_code):
            error = for_code(code)
            if error is NotCoordinatorForGroupError:
                coordinator.coordinator_dead()
            raise error(coordinator.group_id)
        return response

    coordinator._send_req = send_and_look  # noqa: SLF001
