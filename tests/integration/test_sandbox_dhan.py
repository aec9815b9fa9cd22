"""The Dhan stand-in over real HTTP: sign-in, orders through their lives, the day's books, the account."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from paper_dhan import IRCON, PaperDhan, Stage, india

from core.settings import PaperAccount

IN_SESSION = india("2026-11-25 10:30")  # a Wednesday
EVENING = india("2026-11-25 19:00")
AMO = {"afterMarketOrder": True, "amoTime": "OPEN_30"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage().raised() as stage:
        yield stage


@pytest.fixture
def dhan(stage: Stage, tmp_path: Path) -> Iterator[PaperDhan]:
    with stage.dhan(tmp_path, IN_SESSION) as running:
        yield running


def test_the_token_is_a_jwt_that_ends_a_day_later(dhan: PaperDhan) -> None:
    dhan.clock.pass_time(minutes=2)
    reply = dhan.sign_in().json()
    claims = reply["accessToken"].split(".")[1]
    ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    assert ends == india("2026-11-26 10:32").timestamp()
    assert reply["expiryTime"] == "2026-11-26T10:32:00"


def test_a_second_token_within_two_minutes_is_refused_with_http_200(dhan: PaperDhan) -> None:
    dhan.clock.pass_time(seconds=119)
    reply = dhan.sign_in()
    assert reply.status_code == 200
    assert reply.json() == {"status": "error", "message": "Token can be generated once every 2 minutes."}


def test_a_wrong_pin_is_refused_with_http_200(dhan: PaperDhan) -> None:
    dhan.clock.pass_time(minutes=2)
    assert dhan.sign_in(pin="000000").json()["message"] == "Invalid Pin"


def test_a_new_token_kills_the_old_one(dhan: PaperDhan) -> None:
    old = dhan.http.headers["access-token"]
    dhan.clock.pass_time(minutes=2)
    dhan.sign_in()
    assert dhan.http.get("/dhan/v2/profile").json()["tokenValidity"] == "26/11/2026 10:32"
    refused = dhan.http.get("/dhan/v2/profile", headers={"access-token": old})
    assert (refused.status_code, refused.json()["errorCode"]) == (401, "DH-901")


def test_a_token_dies_after_its_day(dhan: PaperDhan) -> None:
    dhan.clock.pass_time(hours=24)
    assert dhan.place().json()["errorCode"] == "DH-901"
    assert dhan.ledger()["orders"] == []


def test_consent_in_the_browser_gives_a_token_once(dhan: PaperDhan) -> None:
    app = {"app_id": PaperAccount.API_KEY, "app_secret": PaperAccount.API_SECRET}
    query = {"client_id": PaperAccount.CLIENT_ID}
    made = dhan.http.post("/dhan-login/app/generate-consent", params=query, headers=app).json()
    page = f"/dhan-login/login/consentApp-login?consentAppId={made['consentAppId']}"
    assert "Sign in" in dhan.http.get(page).text
    back = httpx.URL(dhan.http.post(page).headers["location"])
    assert str(back).startswith("http://127.0.0.1:8080/auth/callback/?tokenId=")
    path = f"/dhan-login/app/consumeApp-consent?tokenId={back.params['tokenId']}"
    token = dhan.http.get(path, headers=app).json()["accessToken"]
    assert dhan.http.get("/dhan/v2/profile", headers={"access-token": token}).status_code == 200
    assert dhan.http.post(path, headers=app).json()["status"] == "error"


def test_the_consent_page_brings_its_icon_so_that_a_browser_asks_for_none(dhan: PaperDhan) -> None:
    page = dhan.http.get("/dhan-login/login/consentApp-login?consentAppId=any").text
    assert '<link rel="icon" href="data:image/svg+xml,%3Csvg ' in page


def test_the_twenty_sixth_consent_of_a_day_is_refused(dhan: PaperDhan) -> None:
    app = {"app_id": PaperAccount.API_KEY, "app_secret": PaperAccount.API_SECRET}
    path = f"/dhan-login/app/generate-consent?client_id={PaperAccount.CLIENT_ID}"
    replies = [dhan.http.post(path, headers=app).json() for _ in range(26)]
    assert all(reply["status"] == "success" for reply in replies[:25])
    assert replies[25]["errorCode"] == "CONSENT_LIMIT_EXCEED"


def test_a_market_order_becomes_a_protected_limit_and_fills(dhan: PaperDhan) -> None:
    order_id = dhan.placed()
    assert len(order_id) == 13
    assert dhan.order(order_id)["orderStatus"] == "TRANSIT"
    dhan.clock.pass_time(milliseconds=150)
    waiting = dhan.order(order_id)
    assert (waiting["orderStatus"], waiting["orderType"]) == ("PENDING", "LIMIT")
    dhan.clock.pass_time(milliseconds=200)
    filled = dhan.order(order_id)
    assert (filled["orderStatus"], filled["filledQty"], filled["remainingQuantity"]) == ("TRADED", 10, 0)
    assert filled["averageTradedPrice"] <= waiting["price"]
    [trade] = dhan.http.get("/dhan/v2/trades").json()
    assert (trade["tradedQuantity"], trade["tradedPrice"]) == (10, filled["averageTradedPrice"])
    assert dhan.http.get(f"/dhan/v2/trades/{order_id}").json() == [trade]


def test_a_limit_order_rests_until_the_price_comes_and_expires_at_the_close(dhan: PaperDhan) -> None:
    order_id = dhan.placed(orderType="LIMIT", price=1000)
    dhan.clock.instant = india("2026-11-25 15:14:59")
    assert dhan.order(order_id)["orderStatus"] == "PENDING"
    dhan.clock.instant = india("2026-11-25 15:15")
    expired = dhan.order(order_id)
    assert (expired["orderStatus"], expired["updateTime"]) == ("EXPIRED", "2026-11-25 15:15:00")


def test_a_large_order_fills_in_pieces(dhan: PaperDhan) -> None:
    order_id = dhan.placed(securityId=IRCON, quantity=5000)
    dhan.clock.pass_time(milliseconds=300)
    part = dhan.order(order_id)
    assert (part["orderStatus"], part["filledQty"]) == ("PART_TRADED", 2000)
    dhan.clock.pass_time(minutes=30)
    assert dhan.order(order_id)["filledQty"] == 5000
    assert len(dhan.http.get(f"/dhan/v2/trades/{order_id}").json()) == 3


def test_an_order_is_found_by_its_correlation_id(dhan: PaperDhan) -> None:
    unknown = dhan.lookup("tb-1")
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "DH-906")
    order_id = dhan.placed()
    assert dhan.lookup("tb-1").json()["orderId"] == order_id


def test_a_repeated_correlation_id_makes_a_second_order_unless_told_otherwise(dhan: PaperDhan) -> None:
    assert dhan.placed() != dhan.placed()
    dhan.http.post("/dhan/sandbox/duplicates", json={"refuse": True})
    assert dhan.place().json()["errorCode"] == "DH-905"
    ledger = dhan.ledger()
    assert (len(ledger["orders"]), ledger["placements"]) == (2, 3)


def test_a_resting_order_can_be_cancelled_but_not_in_transit(dhan: PaperDhan) -> None:
    order_id = dhan.placed(orderType="LIMIT", price=1000)
    refused = dhan.http.delete(f"/dhan/v2/orders/{order_id}")
    assert (refused.status_code, refused.json()["errorMessage"]) == (400, "Order is in Transit state")
    dhan.clock.pass_time(seconds=1)
    cancelled = dhan.http.delete(f"/dhan/v2/orders/{order_id}")
    assert (cancelled.status_code, cancelled.json()["orderStatus"]) == (202, "CANCELLED")
    assert dhan.order(order_id)["orderStatus"] == "CANCELLED"
    assert dhan.http.delete(f"/dhan/v2/orders/{order_id}").status_code == 400


def test_a_modified_order_goes_by_its_new_terms(dhan: PaperDhan) -> None:
    order_id = dhan.placed(orderType="LIMIT", price=1000)
    dhan.clock.pass_time(seconds=1)
    change = {"orderId": order_id, "orderType": "LIMIT", "validity": "DAY", "quantity": 7, "price": 1500.0}
    assert dhan.http.put(f"/dhan/v2/orders/{order_id}", json=change).json()["orderStatus"] == "TRANSIT"
    dhan.clock.pass_time(seconds=1)
    order = dhan.order(order_id)
    assert (order["orderStatus"], order["filledQty"], order["price"]) == ("TRADED", 7, 1500.0)


def test_a_stop_order_waits_for_its_trigger(dhan: PaperDhan) -> None:
    stop = {"orderType": "STOP_LOSS", "transactionType": "SELL"}
    far = dhan.placed(**stop, triggerPrice=1000, price=990)
    reached = dhan.placed(**stop, triggerPrice=1500, price=1000)
    dhan.clock.pass_time(seconds=1)
    assert dhan.order(far)["orderStatus"] == "PENDING"
    assert dhan.order(reached)["orderStatus"] == "TRADED"


@pytest.mark.parametrize("at", ["2026-11-25 09:14:59", "2026-11-25 15:15", "2026-11-28 11:00", "2026-12-25 11:00"])
def test_a_regular_order_outside_hours_is_refused(dhan: PaperDhan, at: str) -> None:
    dhan.clock.instant = india(at)
    dhan.sign_in()
    refused = dhan.place()
    assert refused.status_code == 400
    assert refused.json() == {
        "errorType": "Order_Error",
        "errorCode": "DH-906",
        "errorMessage": "Market is Closed! Want to place an offline order?",
    }
    assert dhan.ledger()["orders"] == []


@pytest.mark.parametrize(
    ("at", "matched"), [("2026-12-01 15:20", "2026-12-01 15:30:00"), ("2026-12-07 15:31", "2026-12-07 15:40:00")]
)
def test_the_closing_auction_matches_market_orders_once_at_its_end(dhan: PaperDhan, at: str, matched: str) -> None:
    dhan.clock.instant = india(at)
    dhan.sign_in()
    order_id, far = dhan.placed(), dhan.placed(orderType="LIMIT", price=1000)
    dhan.clock.pass_time(minutes=4)
    assert (dhan.order(order_id)["orderStatus"], dhan.order(order_id)["filledQty"]) == ("PENDING", 0)
    dhan.clock.instant = india(matched)
    filled = dhan.order(order_id)
    assert (filled["orderStatus"], filled["filledQty"], filled["exchangeTime"]) == ("TRADED", 10, matched)
    assert (dhan.order(far)["orderStatus"], dhan.order(far)["filledQty"]) == ("EXPIRED", 0)


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        ("2026-12-01 15:19:59", {}),
        ("2026-12-01 15:25", {}),
        ("2026-12-01 15:28", {"orderType": "LIMIT", "price": 1000}),
        ("2026-12-07 15:30:59", {}),
        ("2026-12-07 15:36", {}),
        ("2026-12-07 15:38", {"orderType": "LIMIT", "price": 1000}),
        ("2026-12-01 15:21", {"orderType": "STOP_LOSS", "price": 1001, "triggerPrice": 1000}),
        ("2026-12-01 15:21", {"validity": "IOC"}),
        ("2026-12-07 15:32", {"securityId": IRCON}),
        ("2026-07-31 15:31", {}),
    ],
)
def test_what_the_closing_auction_does_not_take_is_refused(dhan: PaperDhan, at: str, changes: dict[str, Any]) -> None:
    dhan.clock.instant = india(at)
    dhan.sign_in()
    assert "Market is Closed" in dhan.place(**changes).json()["errorMessage"]


def test_shares_without_derivatives_trade_until_half_past_three(dhan: PaperDhan) -> None:
    dhan.clock.instant = india("2026-11-25 15:29:59")
    assert dhan.place(securityId=IRCON).status_code == 200


@pytest.mark.parametrize(
    ("amo_time", "fills"), [("PRE_OPEN", "09:15"), ("OPEN", "09:15"), ("OPEN_30", "09:45"), ("OPEN_60", "10:15")]
)
def test_an_after_market_order_waits_for_its_time_on_the_next_trading_day(
    dhan: PaperDhan, amo_time: str, fills: str
) -> None:
    dhan.clock.instant = EVENING
    order_id = dhan.placed(afterMarketOrder=True, amoTime=amo_time)
    dhan.clock.instant = india(f"2026-11-26 {fills}")
    dhan.clock.pass_time(seconds=-1)
    dhan.sign_in()
    waiting = dhan.order(order_id)
    assert (waiting["orderStatus"], waiting["afterMarketOrder"]) == ("PENDING", True)
    dhan.clock.pass_time(seconds=2)
    filled = dhan.order(order_id)
    assert filled["orderStatus"] == "TRADED"
    assert filled["updateTime"].startswith(f"2026-11-26 {fills}:0")


def test_an_after_market_order_shows_in_the_evening_and_in_the_next_days_book(dhan: PaperDhan) -> None:
    earlier = dhan.placed(correlationId="tb-day")
    dhan.clock.instant = EVENING
    order_id = dhan.placed(**AMO)
    assert [order["orderId"] for order in dhan.book()] == [earlier, order_id]
    dhan.clock.instant = india("2026-11-26 12:00")
    dhan.sign_in()
    assert [order["orderId"] for order in dhan.book()] == [order_id]
    assert dhan.lookup("tb-day").status_code == 404
    dhan.clock.instant = india("2026-11-27 12:00")
    dhan.sign_in()
    assert dhan.book() == []
    assert len(dhan.ledger()["orders"]) == 2


def test_an_after_market_order_over_the_weekend_fills_on_monday(dhan: PaperDhan) -> None:
    dhan.clock.instant = india("2026-11-28 14:00")
    dhan.sign_in()
    order_id = dhan.placed(**AMO)
    dhan.clock.instant = india("2026-11-30 09:46")
    dhan.sign_in()
    assert dhan.order(order_id)["orderStatus"] == "TRADED"


def test_no_after_market_orders_in_the_session(dhan: PaperDhan) -> None:
    assert dhan.place(**AMO).json()["errorMessage"] == "Markets are Offline or Blocked"


def test_a_clock_that_goes_back_undoes_nothing(dhan: PaperDhan) -> None:
    order_id = dhan.placed()
    dhan.clock.pass_time(seconds=1)
    assert dhan.order(order_id)["orderStatus"] == "TRADED"
    dhan.clock.pass_time(hours=-1)
    assert dhan.order(order_id)["orderStatus"] == "TRADED"
    assert dhan.lookup("tb-1").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"securityId": 2885},
        {"securityId": "1"},
        {"quantity": 0},
        {"quantity": "10"},
        {"price": ""},
        {"orderType": "LIMIT", "price": 0},
        {"productType": "MARGIN"},
        {"correlationId": "x" * 26},
        {"afterMarketOrder": True},
        {"dhanClientId": "1106500417"},
        {"validity": None},
    ],
)
def test_bad_input_is_refused_and_leaves_no_order(dhan: PaperDhan, changes: dict[str, object]) -> None:
    refused = dhan.place(**changes)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "DH-905")
    assert dhan.ledger()["orders"] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": 100_000}, "insufficient funds"),
        ({"transactionType": "SELL", "productType": "CNC"}, "sell more than the quantity you currently hold"),
        ({"orderType": "LIMIT", "price": 1412.55}, "multiple of tick size"),
    ],
)
def test_the_broker_rejects_later_in_its_own_words(dhan: PaperDhan, changes: dict[str, object], words: str) -> None:
    order_id = dhan.placed(**changes)
    dhan.clock.pass_time(seconds=1)
    order = dhan.order(order_id)
    assert order["orderStatus"] == "REJECTED"
    assert words in order["omsErrorDescription"]


def test_money_shares_and_positions_follow_the_trades(dhan: PaperDhan) -> None:
    empty = dhan.http.get("/dhan/v2/holdings")
    assert (empty.status_code, empty.json()["errorCode"]) == (500, "DH-1111")
    order_id = dhan.placed(productType="CNC")
    dhan.clock.pass_time(seconds=1)
    paid = dhan.order(order_id)["averageTradedPrice"] * 10
    assert dhan.http.get("/dhan/v2/fundlimit").json()["availabelBalance"] == pytest.approx(1_000_000 - paid)
    [position] = dhan.http.get("/dhan/v2/positions").json()
    assert (position["positionType"], position["netQty"]) == ("LONG", 10)
    dhan.clock.instant = india("2026-11-26 11:00")
    dhan.sign_in()
    [holding] = dhan.http.get("/dhan/v2/holdings").json()
    assert (holding["tradingSymbol"], holding["totalQty"]) == ("RELIANCE", 10)
    sale = dhan.placed(productType="CNC", transactionType="SELL", correlationId="tb-2")
    dhan.clock.pass_time(seconds=1)
    assert dhan.order(sale)["orderStatus"] == "TRADED"


def test_a_path_that_does_not_exist_is_answered_by_the_gateway(dhan: PaperDhan) -> None:
    missing = dhan.http.get("/dhan/v2/super/orders")
    assert missing.status_code == 404
    assert missing.json() | {"timestamp": ""} == {
        "timestamp": "",
        "status": 404,
        "error": "Not Found",
        "path": "/dhan/v2/super/orders",
    }
