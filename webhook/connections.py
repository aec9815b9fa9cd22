"""Uvicorn's connections with a crowd's rules at their door."""

import asyncio
from typing import TYPE_CHECKING, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from webhook.crowd import Crowd


class Guarded(asyncio.Protocol):
    """What both of uvicorn's protocols have in common; they come after it in the order of bases."""

    crowd: "Crowd"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self.crowd.takes(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self.crowd.has_taken(self)
        super().resume_writing()


class GuardedH11(Guarded, H11Protocol):
    """Where httptools is not there. h11 itself refuses heads that are too large."""

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.crowd.owes(self)
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self.crowd.paid(self)

    def on_response_complete(self) -> None:
        self.crowd.takes(self)
        super().on_response_complete()


def guarded_by(crowd: "Crowd") -> type[asyncio.Protocol]:
    """The quickest kind of connection there is here, with this crowd at its door."""
    here = type("Here", (_quickest(),), {"crowd": crowd})
    return cast("type[asyncio.Protocol]", here)


def _quickest() -> type[Guarded]:
    try:
        from webhook.quick_connections import GuardedHttpTools  # noqa: PLC0415 - not on Windows
    except ImportError:
        return GuardedH11
    return GuardedHttpTools
