"""Listening for order updates: connected again when the line ends, and a dead token is found out, not retried."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from core.engine import listen
from core.engine.listen import Listener
from core.errors import BrokerUnavailable
from tests.builders import until
from tests.unit.engine.floor import Floor


class Line:
    """A socket that ends at once after each connection, with so many updates."""

    def __init__(self, *ends: int | Exception) -> None:
        self.ends = list(ends)
        self.connections = 0

    async def follow(self, heard: Callable[[], None]) -> int:
        self.connections += 1
        if not self.ends:
            await asyncio.Event().wait()
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        heard()
        return end


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(listen, "SIGNED_OUT_WAIT", 0.001)


async def listened(floor: Floor, line: Line, until_then: Callable[[], object]) -> int:
    """How often something was heard until the condition held."""
    heard: list[None] = []
    listener = Listener(updates=line, broker=floor.broker, session=floor.session, heard=lambda: heard.append(None))
    running = asyncio.create_task(listener.run())
    await until(until_then)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return len(heard)


async def test_after_every_end_it_connects_again(floor: Floor) -> None:
    line = Line(3, BrokerUnavailable("no line"), 2)
    assert await listened(floor, line, lambda: line.connections == 4) == 2
    assert floor.session.is_signed_in


async def test_being_thrown_out_at_once_with_a_good_token_is_only_a_bad_line(floor: Floor) -> None:
    line = Line(0, 0)
    await listened(floor, line, lambda: line.connections == 3)
    assert floor.session.is_signed_in


async def test_being_thrown_out_at_once_with_a_dead_token_is_a_dead_sign_in(floor: Floor) -> None:
    floor.clock.pass_time(minutes=3)
    floor.dhan.sign_in()  # elsewhere, which kills the desk's token
    line = Line(0)
    await listened(floor, line, lambda: not floor.session.is_signed_in)
    assert line.connections == 1


async def test_while_signed_out_nothing_is_connected(floor: Floor) -> None:
    await floor.session.die("Invalid Token", floor.session.serial)
    line = Line()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await listened(floor, line, lambda: line.connections)
    assert line.connections == 0
