"""What the desk relies on in a broker, whichever it is."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.broker.port import (
    Accepted,
    Broker,
    BrokerOrder,
    BrokerState,
    ChangeRequest,
    NotSent,
    OrderRequest,
    Refusal,
    Refused,
    Unknown,
)
from core.domain.alert import AmoTime, OrderType, Product, Side, Validity
from core.domain.instrument import Segment
from core.errors import BrokerUnavailable, SignInNeeded
from tests.integration.paper_dhan import IRCON, RELIANCE, PaperDhan, india

WISH = OrderRequest(
    correlation_id="MUAAAAAAAAAAAAAAAAAA",
    side=Side.BUY,
    segment=Segment.NSE_EQ,
    security_id=RELIANCE,
    product=Product.INTRADAY,
    order_type=OrderType.MARKET,
    quantity=10,
    price=None,
    trigger_price=None,
    amo_time=None,
)
RESTING = replace(WISH, order_type=OrderType.LIMIT, price=Decimal("1000.00"))
EVENING = india("2026-11-25 19:00")
GATEWAY = {"timestamp": "2026-11-25T10:30:00.000", "status": 404, "error": "Not Found", "path": "/v2/orders"}
NO_DATA_PLAN = {"status": "failed", "data": {"806": "Data APIs not subscribed"}}

READS: dict[str, tuple[str, Callable[[Broker], Awaitable[object]]]] = {
    "find": ("lookup", lambda broker: broker.find(WISH.correlation_id)),
    "book": ("book", lambda broker: broker.book()),
    "past fills": ("trades", lambda broker: broker.past_fills(date(2026, 11, 23), date(2026, 11, 24))),
    "addresses": ("ip", lambda broker: broker.addresses()),
    "check": ("profile", lambda broker: broker.check_session()),
}


async def placed(broker: Broker, wish: OrderRequest) -> str:
    outcome = await broker.place(wish)
    assert isinstance(outcome, Accepted), outcome
    return outcome.order_id


def other_terms(order_id: str) -> ChangeRequest:
    return ChangeRequest(
        order_id=order_id, order_type=OrderType.LIMIT, quantity=15, price=Decimal("1010.50"), trigger_price=None
    )


async def found(broker: Broker, wish: OrderRequest) -> BrokerOrder:
    order = await broker.find(wish.correlation_id)
    assert order is not None
    return order


async def refusal_of(broker: Broker, wish: OrderRequest) -> Refusal:
    outcome = await broker.place(wish)
    assert isinstance(outcome, Refused), outcome
    return outcome.refusal


async def test_an_accepted_order_is_found_by_its_name_at_once(broker: Broker) -> None:
    order_id = await placed(broker, WISH)
    order = await found(broker, WISH)
    assert (order.order_id, order.state) == (order_id, BrokerState.RECEIVED)


async def test_what_is_found_is_what_was_asked_for(broker: Broker) -> None:
    await placed(broker, WISH)
    order = await found(broker, WISH)
    assert (order.side, order.segment, order.security_id) == (WISH.side, WISH.segment, WISH.security_id)
    assert (order.product, order.quantity, order.is_amo) == (WISH.product, WISH.quantity, False)


async def test_a_name_that_was_never_sent_is_not_found(broker: Broker) -> None:
    assert await broker.find("MUBBBBBBBBBBBBBBBBBB") is None


async def test_a_market_order_fills_at_a_price(broker: Broker, dhan: PaperDhan) -> None:
    await placed(broker, WISH)
    dhan.clock.pass_time(seconds=1)
    order = await found(broker, WISH)
    assert (order.state, order.filled_quantity) == (BrokerState.FILLED, 10)
    assert order.average_price is not None
    assert order.average_price > 0


async def test_a_large_order_fills_piece_by_piece(broker: Broker, dhan: PaperDhan) -> None:
    large = replace(WISH, segment=Segment.NSE_EQ, security_id="4986", quantity=5000)
    await placed(broker, large)
    dhan.clock.pass_time(seconds=0.4)
    order = await found(broker, large)
    assert (order.state, order.filled_quantity) == (BrokerState.PART_FILLED, 2000)


async def test_a_late_rejection_comes_with_the_brokers_reason(broker: Broker, dhan: PaperDhan) -> None:
    dhan.script("place", "late_reject", text="RMS:1:Price outside Circuit Limits")
    await placed(broker, WISH)
    dhan.clock.pass_time(seconds=1)
    order = await found(broker, WISH)
    assert (order.state, order.words) == (BrokerState.REJECTED, "RMS:1:Price outside Circuit Limits")


async def test_an_open_order_is_cancelled_and_the_book_shows_it(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    assert await broker.cancel(order_id) == Accepted(order_id=order_id)
    assert (await found(broker, RESTING)).state is BrokerState.CANCELLED


async def test_an_order_on_its_way_cannot_be_cancelled_yet(broker: Broker) -> None:
    outcome = await broker.cancel(await placed(broker, RESTING))
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.IN_TRANSIT


async def test_an_open_order_gets_other_terms_and_the_book_shows_them(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    assert await broker.modify(other_terms(order_id)) == Accepted(order_id=order_id)
    dhan.clock.pass_time(seconds=1)
    order = await found(broker, RESTING)
    assert (order.price, order.quantity, order.state) == (Decimal("1010.5"), 15, BrokerState.WORKING)


async def test_what_has_ended_is_neither_changed_nor_cancelled(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, WISH)
    dhan.clock.pass_time(seconds=1)
    for outcome in (await broker.modify(other_terms(order_id)), await broker.cancel(order_id)):
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.FINAL
    assert (await found(broker, WISH)).state is BrokerState.FILLED


async def test_the_twenty_sixth_change_of_an_order_is_refused(broker: Broker, dhan: PaperDhan) -> None:
    dhan.http.post("/dhan/sandbox/limits", json={})
    order_id = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    outcomes = [await broker.modify(other_terms(order_id)) for _ in range(26)]
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 25 + [Refused]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half_reply", "bad_json", "no_id"])
async def test_after_a_broken_answer_to_a_change_nobody_knows(broker: Broker, dhan: PaperDhan, kind: str) -> None:
    order_id = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    dhan.script("modify", kind)
    assert isinstance(await broker.modify(other_terms(order_id)), Unknown)
    dhan.clock.pass_time(seconds=1)
    dhan.script("cancel", kind)
    assert isinstance(await broker.cancel(order_id), Unknown)


async def test_a_cancelled_order_keeps_its_name(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    dhan.http.delete(f"/dhan/v2/orders/{order_id}")
    assert (await found(broker, RESTING)).state is BrokerState.CANCELLED


async def test_an_order_that_rests_until_the_close_lapses(broker: Broker, dhan: PaperDhan) -> None:
    await placed(broker, RESTING)
    dhan.clock.instant = india("2026-11-25 15:16")
    assert (await found(broker, RESTING)).state is BrokerState.LAPSED


@pytest.mark.parametrize(
    ("wish", "filled"),
    [
        (replace(WISH, security_id=IRCON, quantity=5000), 2000),
        (WISH, 10),
        (RESTING, 0),
    ],
    ids=["filled in part", "filled", "not filled"],
)
async def test_an_ioc_order_takes_what_is_there_at_once_and_rests_never(
    broker: Broker, dhan: PaperDhan, wish: OrderRequest, filled: int
) -> None:
    wish = replace(wish, validity=Validity.IOC)
    await placed(broker, wish)
    dhan.clock.pass_time(seconds=0.4)
    order = await found(broker, wish)
    state = BrokerState.FILLED if filled == wish.quantity else BrokerState.LAPSED
    assert (order.state, order.filled_quantity) == (state, filled)
    dhan.clock.pass_time(seconds=60)
    assert (await found(broker, wish)).filled_quantity == filled


async def test_a_change_of_an_order_says_how_long_it_lasts(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, replace(RESTING, validity=Validity.IOC))
    await broker.modify(replace(other_terms(order_id), validity=Validity.IOC))
    assert [order["validity"] for order in dhan.ledger()["orders"]] == ["IOC"]


@pytest.mark.parametrize(
    ("at", "changes", "refusal"),
    [
        ("2026-11-25 19:00", {"amo_time": AmoTime.OPEN, "validity": Validity.IOC}, Refusal.FINAL),
        ("2026-11-25 10:30", {"quantity": 0}, Refusal.FINAL),
        ("2026-11-25 10:30", {"security_id": "1"}, Refusal.FINAL),
        ("2026-11-25 15:19", {}, Refusal.MARKET_CLOSED),
        ("2026-11-25 10:30", {"amo_time": AmoTime.OPEN}, Refusal.MARKET_OFFLINE),
    ],
)
async def test_a_refused_order_is_not_there(
    broker: Broker, dhan: PaperDhan, at: str, changes: dict[str, Any], refusal: Refusal
) -> None:
    dhan.clock.instant = india(at)
    wish = replace(WISH, **changes)
    assert await refusal_of(broker, wish) is refusal
    assert await broker.find(wish.correlation_id) is None
    assert dhan.ledger()["orders"] == []


async def test_an_order_over_the_rate_limit_is_refused_and_not_there(broker: Broker, dhan: PaperDhan) -> None:
    dhan.http.post("/dhan/sandbox/limits", json={"second": 1})
    await placed(broker, WISH)
    second = replace(WISH, correlation_id="MUBBBBBBBBBBBBBBBBBB")
    assert await refusal_of(broker, second) is Refusal.RATE_LIMITED
    assert await broker.find(second.correlation_id) is None


@pytest.mark.parametrize("twice", ["refused", "accepted"])
async def test_the_same_name_twice_is_safe_to_send_only_if_the_broker_refuses_it(
    broker: Broker, dhan: PaperDhan, twice: str
) -> None:
    dhan.http.post("/dhan/sandbox/duplicates", json={"refuse": twice == "refused"})
    await placed(broker, WISH)
    outcome = await broker.place(WISH)
    assert isinstance(outcome, Refused if twice == "refused" else Accepted)
    assert len(dhan.ledger()["orders"]) == (1 if twice == "refused" else 2)


@pytest.mark.parametrize(
    ("fault", "orders"),
    [
        ({"kind": "drop_before"}, 0),
        ({"kind": "drop_after"}, 1),
        ({"kind": "half_reply"}, 1),
        ({"kind": "bad_json"}, 1),
        ({"kind": "no_id"}, 1),
        ({"kind": "error_body_200", "recorded": True}, 1),
        ({"kind": "status", "status": 502, "body": "<html>Bad gateway</html>", "recorded": True}, 1),
        ({"kind": "status", "status": 504, "body": ""}, 0),
        ({"kind": "status", "status": 302, "body": "", "headers": {"location": "/dhan/v2/orders"}}, 0),
        ({"kind": "status", "status": 500, "body": {"errorCode": "DH-908", "errorMessage": "x"}, "recorded": True}, 1),
    ],
)
async def test_after_a_broken_answer_nobody_knows(
    broker: Broker, dhan: PaperDhan, fault: dict[str, Any], orders: int
) -> None:
    dhan.script("place", **fault)
    assert isinstance(await broker.place(WISH), Unknown)
    ledger = dhan.ledger()
    assert (ledger["placements"], len(ledger["orders"])) == (1, orders)
    assert (await broker.find(WISH.correlation_id) is not None) is bool(orders)


async def test_one_place_is_one_request_even_when_two_orders_come_of_it(broker: Broker, dhan: PaperDhan) -> None:
    dhan.script("place", "twice")
    await placed(broker, WISH)
    assert dhan.ledger()["placements"] == 1
    assert [order.correlation_id for order in await broker.book()] == [WISH.correlation_id] * 2


async def test_without_a_token_nothing_is_sent(broker: Broker, dhan: PaperDhan) -> None:
    del dhan.http.headers["access-token"]
    assert isinstance(await broker.place(WISH), NotSent)
    assert dhan.ledger()["placements"] == 0


async def test_an_order_with_a_dead_token_is_refused_as_signed_out(broker: Broker, dhan: PaperDhan) -> None:
    dhan.http.headers["access-token"] = "of yesterday"
    assert await refusal_of(broker, WISH) is Refusal.SIGNED_OUT
    assert dhan.ledger()["orders"] == []


@pytest.mark.parametrize("token", ["of yesterday", None])
async def test_a_read_with_a_dead_token_asks_for_a_sign_in(broker: Broker, dhan: PaperDhan, token: str | None) -> None:
    del dhan.http.headers["access-token"]
    if token:
        dhan.http.headers["access-token"] = token
    for _, ask in READS.values():
        with pytest.raises(SignInNeeded):
            await ask(broker)


@pytest.mark.parametrize(
    "body",
    [
        {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Invalid Token"},
        {"status": "failed", "data": {"808": "Authentication Failed - Client ID or Token invalid"}},
        {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "Client ID invalid"},
        {"errorCode": 807, "errorMessage": "Token expired"},
        {"errorCode": 809, "errorMessage": "Not allowed"},
        {"errorType": "Invalid_Access", "errorCode": "DH-902", "errorMessage": "The token has no access"},
        {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Access token missing"},
    ],
)
async def test_a_dead_token_is_known_in_every_spelling(broker: Broker, dhan: PaperDhan, body: dict[str, Any]) -> None:
    for call, ask in READS.values():
        dhan.script(call, "status", status=400, body=body)
        with pytest.raises(SignInNeeded):
            await ask(broker)


@pytest.mark.parametrize("body", ["", "<html>Unauthorized</html>", {"errorCode": "DH-910", "errorMessage": "Others"}])
async def test_a_401_without_a_word_of_the_token_means_a_dead_one_all_the_same(
    broker: Broker, dhan: PaperDhan, body: Any
) -> None:
    for call, ask in READS.values():
        dhan.script(call, "status", status=401, body=body)
        with pytest.raises(SignInNeeded):
            await ask(broker)


FAILURES: dict[str, dict[str, Any]] = {
    "401 for want of the data plan": {"kind": "status", "status": 401, "body": NO_DATA_PLAN},
    "line dies": {"kind": "drop_before"},
    "half a reply": {"kind": "half_reply"},
    "broken JSON": {"kind": "status", "status": 200, "body": '[{"orderId":'},
    "502": {"kind": "status", "status": 502, "body": "<html>Bad gateway</html>"},
    "502 with an empty list": {"kind": "status", "status": 502, "body": []},
    "429": {"kind": "status", "status": 429, "body": {"errorCode": "DH-904", "errorMessage": "Too many requests"}},
    "the gateway's 404": {"kind": "status", "status": 404, "body": GATEWAY},
    "a page with 404": {"kind": "status", "status": 404, "body": "<html>Not found</html>"},
    "DH-908": {"kind": "status", "status": 500, "body": {"errorCode": "DH-908", "errorMessage": "Internal error"}},
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_read_that_fails_proves_nothing(broker: Broker, dhan: PaperDhan, failure: str) -> None:
    for name, (call, ask) in READS.items():
        if (name, failure) == ("check", "broken JSON"):
            continue  # only the status of its answer counts
        dhan.script(call, **FAILURES[failure])
        with pytest.raises(BrokerUnavailable):
            await ask(broker)


@pytest.mark.parametrize("read", ["find", "book"])
@pytest.mark.parametrize("body", [[None], ["CONFIRMED"], [{"orderId": "1"}]])
async def test_an_entry_that_cannot_be_read_makes_the_answer_no_evidence(
    broker: Broker, dhan: PaperDhan, read: str, body: list[Any]
) -> None:
    call, ask = READS[read]
    dhan.script(call, "status", status=200, body=body)
    with pytest.raises(BrokerUnavailable):
        await ask(broker)


async def test_a_good_session_is_good(broker: Broker) -> None:
    await broker.check_session()
