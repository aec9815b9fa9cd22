"""What a kind of database has to offer, so that the rest never asks which one it is.

Both kinds give the same world: one writing transaction at a time, whichever process it is of, and reads that wait for
nobody and see one moment. Guarded moves, ids, day limits, the lease and the outbox lean on that.
"""

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, Protocol

from sqlalchemy import Connection, Engine


class Store(Protocol):
    """A kind of database at one address."""

    engine: Engine
    reads_at_once: bool
    """Whether reading takes less than a hop to a thread would."""

    @property
    def reading(self) -> Mapping[str, Any]:
        """Execution options of a connection that only reads, and sees one moment."""
        ...

    def prepare(self, connection: Connection) -> None:
        """Make the connection the writer's own."""
        ...

    def begin(self, connection: Connection) -> None:
        """A writing transaction on the calling thread, which waits for other writers."""
        ...

    def begin_at_once(self, connection: Connection) -> bool:
        """The same without waiting, where that takes no time. False: it has not begun, and nothing is wrong."""
        ...

    async def begin_in_turn(self, connection: Connection, patience: float, thread: Executor) -> None:
        """The same, while the event loop goes on; `patience` in seconds. Raises the driver's error."""
        ...

    def begin_to_read(self, connection: Connection) -> None:
        """A transaction that sees one moment."""
        ...

    def end_reading(self, connection: Connection) -> None:
        """Its end."""
        ...

    def commit(self, connection: Connection, patience: float) -> None:
        """Make what was written last. Raises the driver's error, and then nobody knows."""
        ...

    def close(self) -> None:
        """Let go of its connections."""
        ...

    def has_gone(self, trouble: BaseException) -> bool:
        """Whether this says that a connection which had been idle was dead before anything was done on it."""
        ...
