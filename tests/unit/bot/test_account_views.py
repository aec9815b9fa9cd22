"""The account in the chat: sizes, money and signs, and nothing from outside unescaped."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot import account_views
from core.broker.account import Fill, Funds, Holding, Position
from core.domain.alert import Exchange, InstrumentKind, Product, Side
from core.domain.instrument import Instrument, Segment
from core.domain.order import Mode
from core.domain.routing import Decision
from core.domain.ways import Alternative
from core.exits import Exit, ExitPlan
from tests.builders import NOON, an_order, fresh_database

POSITION = Position(
    symbol="M&M",
    segment="NSE_EQ",
    security_id="2031",
    product=Product.INTRADAY,
    product_name="INTRADAY",
    net=-10,
    average=Decimal("3100.5"),
    realised=Decimal(250),
    unrealised=Decimal("-1312.5"),
)
SHARE = Instrument(
    security_id="2031",
    segment=Segment.NSE_EQ,
    exchange=Exchange.NSE,
    kind=InstrumentKind.EQUITY,
    symbol="M&M",
    name="Mahindra",
    lot=1,
    tick=Decimal("0.05"),
)


def test_funds_are_in_rupees() -> None:
    money = Funds(
        available=Decimal("84210.5"),
        opening=Decimal(90000),
        used=Decimal("5789.5"),
        collateral=Decimal(0),
        receivable=Decimal(0),
        withdrawable=Decimal(80100),
    )
    assert "Available ₹84,210.50\nUsed ₹5,789.50" in account_views.funds(money)


def test_a_position_shows_its_sign_its_product_and_its_result() -> None:
    assert account_views.positions([POSITION]).splitlines()[2:] == [
        "<b>-10 M&amp;M</b>",
        "at ₹3,100.50 · intraday · −₹1,062.50",
    ]
    assert account_views.positions([]) == "No positions today."


def test_closed_positions_come_last() -> None:
    shown = account_views.positions([replace(POSITION, symbol="DONE", net=0), POSITION])
    assert shown.index("M&amp;M") < shown.index("DONE")
    assert "closed" in shown


def test_profit_and_loss_add_up() -> None:
    shown = account_views.pnl([POSITION, replace(POSITION, symbol="TCS", realised=Decimal(2000))])
    assert shown.startswith("<b>Today −₹375.00</b>\n\nRealised +₹2,250.00\nUnrealised −₹2,625.00")
    assert account_views.pnl([]).startswith("<b>Today ₹0.00</b>")


def test_holdings_say_what_can_be_sold() -> None:
    held = Holding(symbol="M&M", security_id="2031", isin="INE1", total=10, sellable=4, average=Decimal(3000))
    assert "<b>10 M&amp;M</b> at ₹3,000.00, 4 can be sold" in account_views.holdings([held])
    assert account_views.holdings([]) == "No holdings."


def test_trades_are_told_with_their_time() -> None:
    fill = Fill(
        order_id="1",
        symbol="<b>",
        segment="NSE_EQ",
        side=Side.BUY,
        quantity=10,
        price=Decimal("1412.5"),
        at="2026-11-25 10:30:01",
    )
    assert "10:30:01 BUY 10 &lt;b&gt; at ₹1,412.50" in account_views.trades([fill])
    assert account_views.trades([]) == "No trades today."


NOW = Decision(
    mode=Mode.IMMEDIATE,
    as_amo=False,
    release_at=NOON,
    window_ends_at=NOON,
    reaches_exchange_at=NOON,
    reason="The market is open.",
    alternatives=(),
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(fresh_database(tmp_path)) as database, database.transaction() as connection:
        yield connection


EXIT = Exit(instrument=SHARE, product=Product.INTRADAY, net=-10, decision=NOW)
WAITS = replace(NOW, mode=Mode.QUEUE, reason="Sunday: it waits for the open, Wed 25 Nov 12:00.")
LATER = replace(EXIT, product=Product.DELIVERY, net=3, decision=WAITS)


def test_flatten_names_each_exit_and_what_it_cannot_do() -> None:
    assert account_views.flatten(ExitPlan(exits=(EXIT,), left=("X, 1, MTF: not <here>",))).splitlines() == [
        "<b>Exit at the market</b>",
        "",
        "<b>BUY 10 M&amp;M</b> · intraday",
        "",
        "Forever (GTT) orders and conditional alerts at Dhan are not seen here, and stay: see to them in Dhan's app.",
        "",
        "Not exited:",
        "X, 1, MTF: not &lt;here&gt;",
    ]
    assert account_views.flatten(ExitPlan(exits=(), left=())) == "No open positions."


def test_the_exchange_is_named_everywhere_where_it_is_not_the_nse() -> None:
    there = replace(POSITION, segment="BSE_EQ")
    fill = Fill(
        order_id="1", symbol="M&M", segment="BSE_EQ", side=Side.BUY, quantity=1, price=Decimal(1), at="10:30:01"
    )
    leaving = replace(EXIT, instrument=replace(SHARE, segment=Segment.BSE_EQ, exchange=Exchange.BSE))
    for shown in (
        account_views.positions([POSITION, there]),
        account_views.pnl([POSITION, there]),
        account_views.trades([replace(fill, segment="NSE_EQ"), fill]),
        account_views.flatten(ExitPlan(exits=(EXIT, leaving), left=())),
    ):
        assert (shown.count("BSE:M&amp;M"), shown.count("M&amp;M")) == (1, 2)


def test_shares_sold_from_the_holdings_are_not_called_not_exited() -> None:
    shown = account_views.flatten(ExitPlan(exits=(EXIT,), left=(), not_open=("M&M, -10, CNC: sold",)))
    assert shown.endswith("\n\nNot open:\nM&amp;M, -10, CNC: sold")
    assert "Not exited" not in shown


def test_a_symbol_of_which_nothing_is_open_is_named_with_what_is() -> None:
    nothing = ExitPlan(exits=(), left=())
    assert account_views.flatten(nothing, "M&M", ["TCS"]) == "No open position in M&amp;M. Open: TCS."
    assert account_views.flatten(nothing, "TCS", []) == "No open positions."


def test_shares_that_are_owned_are_pointed_to_where_no_position_is_open() -> None:
    nothing = ExitPlan(exits=(), left=())
    tail = "Shares that the account owns are no position, and are not exited here: /holdings lists them."
    assert account_views.flatten(nothing, owned=["M&M"]) == f"No open positions. {tail}"
    named = account_views.flatten(nothing, "M&M", ["TCS"], owned=["M&M", "INFY"])
    assert named == f"No open position in M&amp;M. Open: TCS. {tail}"
    assert account_views.flatten(nothing, "TATA", ["TCS"], owned=["M&M"]) == "No open position in TATA. Open: TCS."


def test_flatten_says_that_an_open_order_may_be_hidden() -> None:
    asked = account_views.flatten(ExitPlan(exits=(EXIT,), left=(), book_is_whole=False))
    assert "An entry of Dhan's book cannot be read: look in Dhan's app for an open order first" in asked
    assert account_views.flatten(ExitPlan(exits=(), left=(), book_is_whole=False)) == "No open positions."


def test_flatten_names_what_stays_and_may_open_the_position_again() -> None:
    asked = account_views.flatten(ExitPlan(exits=(EXIT,), left=()), staying=["7.1 SELL 1 M&M (/cancel 7.1)"])
    assert "\nStays open and may open it again: 7.1 SELL 1 M&amp;M (/cancel 7.1)\n" in asked


def test_an_exit_that_waits_names_its_time_in_the_question_and_in_the_answer() -> None:
    asked = account_views.flatten(ExitPlan(exits=(EXIT, LATER), left=()))
    assert "<b>SELL 3 M&amp;M</b> · delivery\nNot now. Sunday: it waits for the open, <b>Wed 25 Nov 12:00</b>." in asked
    assert "closing auction" not in asked
    assert account_views.exiting([41, 42], [EXIT, LATER], ["M&M"]) == (
        "Exiting, as 41. 42 waits and reaches the exchange Wed 25 Nov 12:00. "
        "Not exited, since they have changed: M&M. Look again"
    )


def test_what_holds_exits_is_said_before_the_yes_and_after_it() -> None:
    holds = ["Stopped by operator 43 with /kill.", "Paused by operator <42>."]
    asked = account_views.flatten(ExitPlan(exits=(EXIT,), left=()), holds=holds)
    assert asked.splitlines()[2:6] == [
        "🟠 Nothing goes out now, exits included: after your yes it waits until this is over.",
        "🟠 Stopped by operator 43 with /kill.",
        "🟠 Paused by operator &lt;42&gt;.",
        "",
    ]
    assert account_views.flatten(ExitPlan(exits=(), left=()), holds=holds) == "No open positions."
    said = account_views.exiting([41], [EXIT], [], holds=holds[:1])
    assert said == "Held, as 41. Stopped by operator 43 with /kill"


def test_an_exit_that_the_closing_auction_takes_says_where_it_is_offered() -> None:
    auction = Alternative(
        mode=Mode.IMMEDIATE,
        as_amo=False,
        release_at=NOON,
        window_ends_at=NOON,
        reaches_exchange_at=NOON,
        label="",
        into_auction=True,
    )
    offered = replace(LATER, decision=replace(WAITS, alternatives=(auction,)))
    asked = account_views.flatten(ExitPlan(exits=(offered,), left=()))
    assert "\nSooner: the closing auction, by a button on its card after your yes." in asked


def test_flatten_names_the_orders_that_an_exit_is_instead_of(connection: Connection) -> None:
    order = an_order(connection, side=Side.BUY, symbol="M&M")
    asked = account_views.flatten(ExitPlan(exits=(replace(EXIT, replaces=(order,)),), left=()))
    assert f"Instead of {order.label} BUY 10 M&amp;M, which has not gone out." in asked
