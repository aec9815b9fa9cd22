"""What the desk relies on about prices: that they are there or not, and that their absence costs nothing."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.broker.dhan import quotes as quotes_module
from core.broker.dhan.adapter import Dhan
from core.broker.dhan.quotes import DhanQuotes
from core.broker.port import Broker
from core.broker.quotes import Quotes
from core.domain.instrument import Segment
from tests.builders import until
from tests.integration.paper_dhan import PaperDhan

RELIANCE = (Segment.NSE_EQ, "2885")
TCS = (Segment.NSE_EQ, "11536")
NOBODY = (Segment.NSE_EQ, "999999")


@pytest.fixture
def quotes(broker: Broker) -> Quotes:
    assert isinstance(broker, Dhan)
    return DhanQuotes(broker)


def has_plan(dhan: PaperDhan, active: bool = True) -> None:
    dhan.http.post("/dhan/sandbox/data-plan", json={"active": active})


async def test_prices_are_told_by_name_and_what_is_unknown_is_left_out(quotes: Quotes, dhan: PaperDhan) -> None:
    has_plan(dhan)
    prices = await quotes.last_price([RELIANCE, NOBODY])
    assert list(prices) == [RELIANCE]
    assert 1_000 < prices[RELIANCE] < 2_000
    assert prices[RELIANCE] % Decimal("0.10") == 0


async def test_without_a_data_plan_nothing_is_known_and_nobody_is_asked_again(quotes: Quotes, dhan: PaperDhan) -> None:
    assert await quotes.last_price([RELIANCE]) == {}
    has_plan(dhan)
    dhan.script("prices", "drop_before")
    assert await quotes.last_price([RELIANCE]) == {}
    assert dhan.http.get("/dhan/sandbox/faults").json(), "no call was made that the fault could strike"


async def test_want_of_a_data_plan_is_no_dead_sign_in(broker: Broker, quotes: Quotes) -> None:
    await quotes.last_price([RELIANCE])
    await broker.check_session()


async def test_who_asks_before_the_next_call_is_due_waits_for_it(quotes: Quotes, dhan: PaperDhan) -> None:
    has_plan(dhan)
    assert await quotes.last_price([RELIANCE])
    assert list(await quotes.last_price([TCS])) == [TCS]


async def test_after_a_call_that_was_long_on_its_way_the_next_one_comes_no_sooner(
    quotes: Quotes, dhan: PaperDhan
) -> None:
    has_plan(dhan)
    dhan.script("prices", "delay", seconds=0.5)
    assert await quotes.last_price([RELIANCE])
    assert list(await quotes.last_price([TCS])) == [TCS]


async def test_all_who_wait_share_one_call(quotes: Quotes, dhan: PaperDhan) -> None:
    has_plan(dhan)
    assert await quotes.last_price([RELIANCE])
    dhan.script("prices", "drop_before")  # strikes one call
    assert await asyncio.gather(quotes.last_price([RELIANCE]), quotes.last_price([TCS])) == [{}, {}]
    told = await asyncio.gather(quotes.last_price([RELIANCE]), quotes.last_price([TCS, NOBODY]))
    assert [list(prices) for prices in told] == [[RELIANCE], [TCS]]


@pytest.mark.parametrize("when", ["before the call", "during the call"])
async def test_who_gives_up_takes_no_answer_from_the_others(quotes: Quotes, dhan: PaperDhan, when: str) -> None:
    has_plan(dhan)
    if when == "during the call":
        dhan.script("prices", "delay", seconds=0.5)
    else:
        assert await quotes.last_price([RELIANCE])
    impatient = asyncio.create_task(quotes.last_price([NOBODY]))
    patient = asyncio.create_task(quotes.last_price([TCS]))
    await asyncio.sleep(0)
    await until(lambda: not dhan.http.get("/dhan/sandbox/faults").json())
    impatient.cancel()
    assert list(await patient) == [TCS]


async def test_a_service_that_does_not_answer_is_not_waited_for_again(
    quotes: Quotes, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes_module, "ANSWERS_WITHIN", 0.2)
    has_plan(dhan)
    dhan.script("prices", "hang")
    first, second = await asyncio.gather(quotes.last_price([RELIANCE]), quotes.last_price([TCS]))
    assert first == second == {}
    assert not quotes.may_tell
    assert await quotes.last_price([RELIANCE]) == {}


async def test_no_instruments_are_no_call(quotes: Quotes, dhan: PaperDhan) -> None:
    has_plan(dhan)
    assert await quotes.last_price([]) == {}
    assert await quotes.last_price([RELIANCE])


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_before"},
        {"kind": "status", "status": 502, "body": "<html>"},
        {"kind": "status", "status": 200, "body": []},
        {"kind": "status", "status": 200, "body": {"data": {"NSE_EQ": {"2885": {"last_price": "high"}}}}},
        {"kind": "status", "status": 200, "body": {"data": {"NSE_EQ": {"2885": {"last_price": 0}}, "MOON": 3}}},
        {"kind": "status", "status": 429, "body": {"errorCode": "DH-904", "errorMessage": "Too many"}},
    ],
)
async def test_whatever_goes_wrong_a_price_is_only_unknown(
    quotes: Quotes, dhan: PaperDhan, fault: dict[str, Any]
) -> None:
    has_plan(dhan)
    dhan.script("prices", **fault)
    assert await quotes.last_price([RELIANCE]) == {}


async def test_a_dead_sign_in_is_only_an_unknown_price(quotes: Quotes, dhan: PaperDhan) -> None:
    dhan.end_token()
    assert await quotes.last_price([RELIANCE]) == {}
