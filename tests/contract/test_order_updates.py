"""The order-update socket: a word for every change, silence for a bad token, and nothing believed of what it says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.broker.dhan.updates import OrderUpdates, is_update
from core.errors import BrokerUnavailable, SignInNeeded
from core.settings import PaperAccount
from tests.builders import until
from tests.integration.paper_dhan import PaperDhan
from tests.patience import PATIENCE


def updates_of(dhan: PaperDhan, token: Callable[[], str] | None = None) -> OrderUpdates:
    url = str(dhan.http.base_url).replace("http://", "ws://") + "/dhan/order-updates"
    known = token or (lambda: dhan.http.headers["access-token"])
    return OrderUpdates(url, client_id=PaperAccount.CLIENT_ID, token=known)


@asynccontextmanager
async def listening(dhan: PaperDhan) -> AsyncIterator[tuple[list[None], asyncio.Task[int]]]:
    """What was heard so far, and the connection; the first word is that it is there."""
    heard: list[None] = []
    connection = asyncio.create_task(updates_of(dhan).follow(lambda: heard.append(None)))
    await until(lambda: heard)
    yield heard, connection
    connection.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await connection


async def test_every_change_of_an_order_is_heard(dhan: PaperDhan) -> None:
    async with listening(dhan) as (heard, _):
        await asyncio.to_thread(dhan.placed)
        await until(lambda: len(heard) == 2)
        dhan.clock.pass_time(seconds=1)
        await until(lambda: len(heard) >= 4)
    assert dhan.book()[0]["orderStatus"] == "TRADED"


async def test_orders_placed_elsewhere_are_heard_too(dhan: PaperDhan) -> None:
    async with listening(dhan) as (heard, _):
        await asyncio.to_thread(dhan.placed, correlationId=None)
        await until(lambda: len(heard) == 2)


async def test_a_bad_token_is_hung_up_on_without_a_word(dhan: PaperDhan) -> None:
    assert await updates_of(dhan, lambda: "of yesterday").follow(lambda: None) == 0


async def test_without_a_token_nothing_is_connected(dhan: PaperDhan) -> None:
    def none() -> str:
        raise SignInNeeded("not signed in at Dhan")

    with pytest.raises(SignInNeeded):
        await updates_of(dhan, none).follow(lambda: None)


async def test_a_line_that_breaks_off_ends_the_following(dhan: PaperDhan) -> None:
    async with listening(dhan) as (_, connection):
        dhan.script("updates", "drop_before")
        await asyncio.to_thread(dhan.placed)
        async with asyncio.timeout(PATIENCE):
            assert await connection == 0


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9/nobody", "ws://127.0.0.1:9"])
async def test_nobody_there_is_no_evidence(url: str) -> None:
    updates = OrderUpdates(url, client_id="1", token=lambda: "t")
    with pytest.raises(BrokerUnavailable):
        await updates.follow(lambda: None)


async def test_a_host_that_speaks_something_else_is_no_evidence(dhan: PaperDhan) -> None:
    url = str(dhan.http.base_url).replace("http://", "ws://") + "/dhan/v2/orders"
    with pytest.raises(BrokerUnavailable):
        await OrderUpdates(url, client_id="1", token=lambda: "t").follow(lambda: None)


@pytest.mark.parametrize(
    ("message", "counts"),
    [
        ('{"Type":"order_alert","Data":{}}', True),
        ('{"type":"ORDER_ALERT"}', True),
        (b'{"Type":"order_alert"}', True),
        ('{"Type":"heartbeat"}', False),
        ("[1]", False),
        ("", False),
        (b"\xff\xfe", False),
        ("[" * 100_000, False),
    ],
)
def test_only_order_alerts_count(message: str | bytes, counts: bool) -> None:
    assert is_update(message) is counts
