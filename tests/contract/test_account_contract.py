"""What the desk relies on about the account, whichever broker it is at."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from core.broker.account import Account
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.adapter import Dhan
from core.broker.port import Broker
from core.domain.alert import Product, Side
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from core.sandbox.dhan.instruments import listed_on
from tests.integration.paper_dhan import PaperDhan, india

READS: dict[str, tuple[str, Callable[[Account], Awaitable[object]]]] = {
    "funds": ("funds", lambda account: account.funds()),
    "positions": ("positions", lambda account: account.positions()),
    "holdings": ("holdings", lambda account: account.holdings()),
    "fills": ("trades", lambda account: account.fills()),
    "ddpi": ("profile", lambda account: account.may_sell_holdings()),
    "edis": ("edis", lambda account: account.approved_for_sale("INE002A01018")),
    "kill switch": ("kill_switch", lambda account: account.is_stopped()),
}


@pytest.fixture
def account(broker: Broker) -> Account:
    assert isinstance(broker, Dhan)
    return DhanAccount(broker)


def bought(dhan: PaperDhan, **changes: Any) -> Decimal:
    """What was paid for each, or got; rupees."""
    order_id = dhan.placed(**changes)
    dhan.clock.pass_time(seconds=1)
    return Decimal(str(dhan.order(order_id)["averageTradedPrice"]))


def near_future(dhan: PaperDhan) -> dict[str, Any]:
    """The terms of an order for one lot of the near NIFTY future, carried forward."""
    listed = listed_on(dhan.clock.now().date()).values()
    future = next(one for one in listed if (one.kind, one.underlying, one.expiry_code) == ("FUTIDX", "NIFTY", 0))
    return {
        "exchangeSegment": future.exchange_segment,
        "securityId": future.id,
        "quantity": future.lot,
        "productType": "MARGIN",
    }


async def test_money_is_told_and_what_a_position_ties_up(account: Account, dhan: PaperDhan) -> None:
    before = await account.funds()
    assert (before.available, before.used) == (Decimal(1_000_000), 0)
    bought(dhan)
    after = await account.funds()
    assert after.available < before.available
    assert after.available + after.used == before.opening


async def test_a_position_is_told_with_its_product_and_size(account: Account, dhan: PaperDhan) -> None:
    assert await account.positions() == []
    bought(dhan)
    [position] = await account.positions()
    assert (position.symbol, position.net, position.product) == ("RELIANCE", 10, Product.INTRADAY)
    assert position.average > 0


async def test_a_closed_position_stays_with_nothing_open(account: Account, dhan: PaperDhan) -> None:
    bought(dhan)
    bought(dhan, transactionType="SELL", correlationId="tb-2")
    [position] = await account.positions()
    assert position.net == 0


async def test_a_position_tells_its_own_price_and_profit_and_none_of_trades_closed_the_day_before(
    account: Account, dhan: PaperDhan
) -> None:
    future = near_future(dhan)
    paid = bought(dhan, **future)
    dhan.clock.pass_time(minutes=30)
    got = bought(dhan, **future, transactionType="SELL")
    [closed] = await account.positions()
    assert (closed.net, closed.realised) == (0, future["quantity"] * (got - paid))
    dhan.clock.instant = india("2026-11-25 19:00")
    after_hours = dhan.placed(**future, afterMarketOrder=True, amoTime="OPEN_30")
    dhan.clock.instant = india("2026-11-26 10:00")
    [opened] = await account.positions()
    price = Decimal(str(dhan.order(after_hours)["averageTradedPrice"]))
    assert (opened.net, opened.average, opened.realised) == (future["quantity"], price, 0)
    dhan.clock.instant = india("2026-11-27 10:00")
    dhan.sign_in()
    [carried] = await account.positions()
    assert (carried.net, carried.average, carried.realised) == (future["quantity"], price, 0)


async def test_a_product_that_we_do_not_trade_in_is_named_and_not_guessed(account: Account, dhan: PaperDhan) -> None:
    bought(dhan)
    [row] = dhan.http.get("/dhan/v2/positions").json()
    dhan.script("positions", "status", status=200, body=[row | {"productType": "CO"}])
    [position] = await account.positions()
    assert (position.product, position.product_name) == (None, "CO")


async def test_no_holdings_are_an_empty_list(account: Account) -> None:
    assert await account.holdings() == []


@pytest.mark.parametrize("code", ["DH-1111", "DH-1112"])
async def test_no_holdings_are_known_by_both_codes(account: Account, dhan: PaperDhan, code: str) -> None:
    body = {"errorType": "HOLDING_ERROR", "errorCode": code, "errorMessage": "No holdings available"}
    dhan.script("holdings", "status", status=500, body=body)
    assert await account.holdings() == []


async def test_shares_bought_for_delivery_are_held_the_next_day(account: Account, dhan: PaperDhan) -> None:
    bought(dhan, productType="CNC")
    dhan.clock.instant = india("2026-11-26 08:00")
    [holding] = await account.holdings()
    assert (holding.symbol, holding.total, holding.sellable) == ("RELIANCE", 10, 10)
    assert holding.isin.startswith("INE")


async def test_the_fills_of_today_are_told(account: Account, dhan: PaperDhan) -> None:
    bought(dhan)
    [fill] = await account.fills()
    assert (fill.symbol, fill.side, fill.quantity) == ("RELIANCE", Side.BUY, 10)
    assert fill.price > 0


async def test_whether_shares_may_leave_the_depository(account: Account, dhan: PaperDhan) -> None:
    assert await account.may_sell_holdings()
    dhan.http.post("/dhan/sandbox/depository", json={"ddpi": False, "approved": {"INE1": 5}})
    assert not await account.may_sell_holdings()
    assert [await account.approved_for_sale(isin) for isin in ("INE1", "INE2")] == [5, 0]


async def test_the_kill_switch_goes_on_and_off_and_blocks_orders(account: Account, dhan: PaperDhan) -> None:
    assert not await account.is_stopped()
    assert "activated" in await account.stop(True)
    assert await account.is_stopped()
    assert dhan.place().status_code == 400
    await account.stop(False)
    assert not await account.is_stopped()


@pytest.mark.parametrize("body", [{}, {"killSwitchStatus": ""}, {"killSwitchStatus": "PENDING"}])
async def test_a_kill_switch_of_which_dhan_says_neither_counts_as_not_known(
    account: Account, dhan: PaperDhan, body: dict[str, str]
) -> None:
    dhan.script("kill_switch", "status", status=200, body=body)
    with pytest.raises(BrokerUnavailable, match="neither"):
        await account.is_stopped()


async def test_the_kill_switch_is_refused_in_words_while_something_is_open(account: Account, dhan: PaperDhan) -> None:
    bought(dhan)
    with pytest.raises(Refusal, match="open positions"):
        await account.stop(True)
    assert not await account.is_stopped()


FAILURES: dict[str, dict[str, Any]] = {
    "line dies": {"kind": "drop_before"},
    "half a reply": {"kind": "half_reply"},
    "502": {"kind": "status", "status": 502, "body": "<html>Bad gateway</html>"},
    "200 with an error body": {"kind": "error_body_200"},
    "DH-908": {"kind": "status", "status": 500, "body": {"errorCode": "DH-908", "errorMessage": "Internal error"}},
    "nonsense": {"kind": "status", "status": 200, "body": [1, 2]},
    "a row of nothing": {"kind": "status", "status": 200, "body": [{"tradingSymbol": "X"}]},
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_read_that_fails_is_no_answer(account: Account, dhan: PaperDhan, failure: str) -> None:
    for name, (call, ask) in READS.items():
        if failure == "a row of nothing" and name in ("ddpi", "kill switch"):
            continue  # nothing said means: not active
        dhan.script(call, **FAILURES[failure])
        with pytest.raises(BrokerUnavailable):
            await ask(account)


async def test_a_dead_token_asks_for_a_sign_in(account: Account, dhan: PaperDhan) -> None:
    dhan.http.headers["access-token"] = "of yesterday"
    for _, ask in READS.values():
        with pytest.raises(SignInNeeded):
            await ask(account)


async def test_a_switch_that_broke_off_is_not_said_to_be_on(account: Account, dhan: PaperDhan) -> None:
    dhan.script("kill_switch", "status", status=502, body="")
    with pytest.raises(BrokerUnavailable):
        await account.stop(True)
