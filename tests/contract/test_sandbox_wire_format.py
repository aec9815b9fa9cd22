"""The stand-in speaks as Dhan does: the same fields, of the same kinds (Dhan API v2 docs, Orders)."""

import json
from typing import Any

import pytest

from tests.integration.paper_dhan import PaperDhan, india

ORDER: dict[str, Any] = json.loads(
    """{"dhanClientId":"1106500417","orderId":"5226112400317","exchangeOrderId":"1100000029384756",
    "correlationId":"tb-8f3a91c2d4e5f607","orderStatus":"PENDING","transactionType":"BUY","exchangeSegment":"NSE_EQ",
    "productType":"INTRADAY","orderType":"LIMIT","validity":"DAY","tradingSymbol":"RELIANCE","securityId":"2885",
    "quantity":10,"disclosedQuantity":0,"price":1412.5,"triggerPrice":0.0,"afterMarketOrder":false,"boProfitValue":0.0,
    "boStopLossValue":0.0,"legName":"NA","createTime":"2026-11-25 09:31:04","updateTime":"2026-11-25 09:31:05",
    "exchangeTime":"2026-11-25 09:31:05","drvExpiryDate":"0001-01-01","drvOptionType":"NA","drvStrikePrice":0.0,
    "omsErrorCode":"0","omsErrorDescription":"CONFIRMED","algoId":"0","remainingQuantity":10,"averageTradedPrice":0.0,
    "filledQty":0}"""
)
TRADE: dict[str, Any] = json.loads(
    """{"dhanClientId":"1106500417","orderId":"5226112400317","exchangeOrderId":"1100000029384756",
    "exchangeTradeId":"15112111","transactionType":"BUY","exchangeSegment":"NSE_EQ","productType":"INTRADAY",
    "orderType":"LIMIT","tradingSymbol":"RELIANCE","customSymbol":"Reliance Industries","securityId":"2885",
    "tradedQuantity":10,"tradedPrice":1412.5,"createTime":"2026-11-25 09:31:04","updateTime":"2026-11-25 09:31:05",
    "exchangeTime":"2026-11-25 09:31:05","drvExpiryDate":"0001-01-01","drvOptionType":"NA","drvStrikePrice":0.0}"""
)
LIFE: dict[str, dict[str, Any]] = {
    "TRANSIT": {},
    "PENDING": {"orderType": "LIMIT", "price": 1000},
    "PART_TRADED": {"securityId": "4986", "quantity": 5000},
    "TRADED": {},
    "REJECTED": {"quantity": 100_000},
    "CANCELLED": {"orderType": "LIMIT", "price": 1000},
    "EXPIRED": {"orderType": "LIMIT", "price": 1000},
}


def kinds(fields: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in fields.items()}


def living_through(dhan: PaperDhan, status: str) -> str:
    order_id = dhan.placed(**LIFE[status])
    if status == "EXPIRED":
        dhan.clock.instant = india("2026-11-25 15:16")
    elif status != "TRANSIT":
        dhan.clock.pass_time(seconds=0.4)
    if status == "CANCELLED":
        dhan.http.delete(f"/dhan/v2/orders/{order_id}")
    return order_id


@pytest.mark.parametrize("status", LIFE)
def test_an_order_has_dhans_fields_in_every_state(dhan: PaperDhan, status: str) -> None:
    order = dhan.order(living_through(dhan, status))
    assert order["orderStatus"] == status
    assert kinds(order) == kinds(ORDER)


def test_book_and_look_up_show_the_same_object(dhan: PaperDhan) -> None:
    order_id = dhan.placed(correlationId="tb-1")
    assert dhan.book() == [dhan.order(order_id)] == [dhan.lookup("tb-1").json()]


def test_a_healthy_order_says_nothing_in_dhans_ways(dhan: PaperDhan) -> None:
    order = dhan.order(dhan.placed())
    empty = (
        "legName",
        "exchangeTime",
        "drvExpiryDate",
        "drvOptionType",
        "omsErrorCode",
        "omsErrorDescription",
        "algoId",
    )
    assert [order[name] for name in empty] == ["NA", "NA", "0001-01-01", "NA", "0", "CONFIRMED", "0"]


def test_the_answer_to_an_order_is_its_id_and_its_status(dhan: PaperDhan) -> None:
    answer = dhan.place().json()
    assert kinds(answer) == {"orderId": str, "orderStatus": str}
    assert answer["orderId"].isdecimal()
    assert 12 <= len(answer["orderId"]) <= 14


def test_a_trade_has_dhans_fields_today_and_in_the_history(dhan: PaperDhan) -> None:
    order_id = dhan.placed()
    dhan.clock.pass_time(seconds=1)
    [today] = dhan.http.get(f"/dhan/v2/trades/{order_id}").json()
    [past] = dhan.http.get("/dhan/v2/trades/2026-11-25/2026-11-25/0").json()
    assert kinds(today) == kinds(past) == kinds(TRADE)


@pytest.mark.parametrize("changes", [{"quantity": 0}, {"dhanClientId": "1106500417"}, {"afterMarketOrder": True}])
def test_a_refusal_has_dhans_three_fields(dhan: PaperDhan, changes: dict[str, Any]) -> None:
    refused = dhan.place(**changes)
    assert refused.status_code == 400
    assert kinds(refused.json()) == {"errorType": str, "errorCode": str, "errorMessage": str}


def test_a_derivative_shows_its_contract(dhan: PaperDhan) -> None:
    rows = dhan.http.get("/dhan/api-data/api-scrip-master.csv").text.splitlines()
    option = next(row.split(",") for row in rows if ",OPTIDX," in row and "NIFTY-" in row)
    order_id = dhan.placed(
        exchangeSegment=f"{option[0]}_FNO", securityId=option[2], quantity=int(float(option[6])), productType="MARGIN"
    )
    order = dhan.order(order_id)
    assert kinds(order) == kinds(ORDER)
    assert (order["drvExpiryDate"], order["drvStrikePrice"]) == (option[8][:10], float(option[9]))
    assert order["drvOptionType"] in {"CALL", "PUT"}
