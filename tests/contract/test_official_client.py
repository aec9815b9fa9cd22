"""Dhan's own client for Python (dhanhq) at the stand-in: it goes where that client goes, and takes what it sends.

It was written against Dhan itself. Of an answer it looks at little, so the fields are asked for here.
"""

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from typing import Any

import httpx
import pytest
from pyotp.totp import TOTP

from core.broker.port import Accepted, Broker
from core.domain.alert import OrderType
from core.sandbox.dhan.errors import BAD_INPUT
from core.settings import PaperAccount
from tests.builders import until
from tests.contract.test_broker_contract import WISH
from tests.integration.paper_dhan import RELIANCE, PaperDhan, india

official: Any = import_module("dhanhq")  # it has no types
APP = PaperAccount.API_KEY, PaperAccount.API_SECRET
NAME = "MUCCCCCCCCCCCCCCCCCC"
EVENING = india("2026-11-25 19:00")


@pytest.fixture(autouse=True)
def _past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transport asks the surroundings for one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def context(dhan: PaperDhan) -> Any:
    made = official.DhanContext(PaperAccount.CLIENT_ID, dhan.http.headers["access-token"])
    made.get_dhan_http().base_url = f"{dhan.http.base_url}/dhan/v2"
    return made


@pytest.fixture
def client(context: Any) -> Any:
    return official.dhanhq(context)


@pytest.fixture
def login(dhan: PaperDhan) -> Any:
    made = official.DhanLogin(PaperAccount.CLIENT_ID)
    made.AUTH_BASE_URL = f"{dhan.http.base_url}/dhan-login"
    made.API_BASE_URL = f"{dhan.http.base_url}/dhan/v2"
    return made


def data(answer: dict[str, Any]) -> Any:
    """What came with success; it never raises by itself."""
    assert answer["status"] == "success", answer["remarks"]
    return answer["data"]


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """The code of an error, and its words."""
    assert answer["status"] == "failure", answer
    return answer["remarks"]["error_code"], answer["remarks"]["error_message"]


def placed(client: Any, **changes: Any) -> str:
    order = {
        "security_id": RELIANCE,
        "exchange_segment": client.NSE,
        "transaction_type": client.BUY,
        "quantity": 10,
        "order_type": client.LIMIT,
        "product_type": client.CNC,
        "price": 1000,
        "tag": NAME,
    }
    return data(client.place_order(**(order | changes)))["orderId"]


def test_an_order_is_placed_and_found_by_its_name(client: Any, dhan: PaperDhan) -> None:
    order_id = placed(client)
    found = data(client.get_order_by_correlationID(NAME))
    assert (found["orderId"], found["quantity"], found["price"]) == (order_id, 10, 1000.0)
    assert dhan.order(order_id)["productType"] == "CNC"


async def test_it_and_our_adapter_mean_the_same_order(client: Any, broker: Broker, dhan: PaperDhan) -> None:
    theirs = dhan.order(placed(client, product_type=client.INTRA))
    wish = replace(WISH, order_type=OrderType.LIMIT, price=Decimal(1000))
    outcome = await broker.place(wish)
    assert isinstance(outcome, Accepted)
    ours = dhan.order(outcome.order_id)
    names = {"orderId", "correlationId"}
    assert {key: ours[key] for key in ours.keys() - names} == {key: theirs[key] for key in theirs.keys() - names}


def test_a_resting_order_is_changed_and_cancelled(client: Any, dhan: PaperDhan) -> None:
    order_id = placed(client)
    dhan.clock.pass_time(seconds=0.4)
    data(client.modify_order(order_id, client.LIMIT, "ENTRY_LEG", 15, 1010.5, 0, 0, client.DAY))
    assert (dhan.order(order_id)["quantity"], dhan.order(order_id)["price"]) == (15, 1010.5)
    dhan.clock.pass_time(seconds=0.4)
    assert data(client.cancel_order(order_id))["orderStatus"] == "CANCELLED"
    assert data(client.get_order_by_id(order_id))["orderStatus"] == "CANCELLED"


def test_the_day_is_told_in_orders_trades_and_positions(client: Any, dhan: PaperDhan) -> None:
    order_id = placed(client, order_type=client.MARKET, price=0, product_type=client.INTRA)
    dhan.clock.pass_time(seconds=1)
    assert [(row["orderId"], row["orderStatus"]) for row in data(client.get_order_list())] == [(order_id, "TRADED")]
    assert [row["tradedQuantity"] for row in data(client.get_trade_book())] == [10]
    assert [row["orderId"] for row in data(client.get_trade_book(order_id))] == [order_id]
    assert [(row["securityId"], row["netQty"]) for row in data(client.get_positions())] == [(RELIANCE, 10)]
    assert data(client.get_fund_limits())["utilizedAmount"] > 0


def test_a_day_later_the_share_is_a_holding_and_the_trade_is_history(client: Any, dhan: PaperDhan) -> None:
    order_id = placed(client, order_type=client.MARKET, price=0)
    dhan.clock.pass_time(seconds=1)
    dhan.book()
    dhan.clock.instant = india("2026-11-26 10:00")
    dhan.sign_in()
    client.dhan_http.header["access-token"] = dhan.http.headers["access-token"]
    assert [(row["securityId"], row["totalQty"]) for row in data(client.get_holdings())] == [(RELIANCE, 10)]
    assert [row["orderId"] for row in data(client.get_trade_history("2026-11-25", "2026-11-25"))] == [order_id]
    assert data(client.get_trade_history("2026-11-25", "2026-11-25", 1)) == []


def test_after_market_orders_wait_for_the_morning(client: Any, dhan: PaperDhan) -> None:
    dhan.clock.instant = EVENING
    order_id = placed(client, after_market_order=True, amo_time="OPEN_30")
    dhan.clock.pass_time(seconds=1)
    assert (dhan.order(order_id)["afterMarketOrder"], dhan.order(order_id)["orderStatus"]) == (True, "PENDING")


def test_a_refusal_has_a_code_and_words(client: Any, dhan: PaperDhan) -> None:
    wrong = client.place_order("1", client.NSE, client.BUY, 1, client.LIMIT, client.CNC, 10)
    assert refusal(wrong) == ("DH-905", BAD_INPUT)
    dhan.end_token()
    code, words = refusal(client.get_order_list())
    assert code == "DH-901"
    assert "token" in words.lower()


def test_the_kill_switch_is_thrown_and_asked_about(client: Any) -> None:
    data(client.kill_switch("activate"))
    assert data(client.status_kill_switch())["killSwitchStatus"] == "ACTIVATE"


def test_last_prices_are_told_by_segment_and_number(client: Any, dhan: PaperDhan) -> None:
    dhan.http.post("/dhan/sandbox/data-plan", json={"active": True})
    prices = data(client.ticker_data({"NSE_EQ": [int(RELIANCE)]}))["data"]["NSE_EQ"]
    assert prices[RELIANCE]["last_price"] > 0


def test_a_token_is_made_with_pin_and_code(login: Any, dhan: PaperDhan) -> None:
    dhan.clock.pass_time(minutes=2)
    code = TOTP(PaperAccount.TOTP_SECRET).at(dhan.clock.now())
    token = login.generate_token(PaperAccount.PIN, code)["accessToken"]
    assert login.user_profile(token)["dhanClientId"] == PaperAccount.CLIENT_ID


def test_a_token_is_made_through_consent(login: Any, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    consent = login.generate_login_session(*APP)
    assert httpx.URL(opened[0]).params["consentAppId"] == consent
    token = login.consume_token_id(dhan.granted(consent), *APP)["accessToken"]
    assert login.user_profile(token)["dhanClientId"] == PaperAccount.CLIENT_ID


def test_a_token_of_the_website_is_renewed(login: Any, dhan: PaperDhan) -> None:
    token = dhan.web_token()
    dhan.clock.pass_time(hours=20)
    renewed = login.renew_token(token)["accessToken"]
    dhan.clock.pass_time(hours=5)  # a day is what the first one had
    assert login.user_profile(renewed)["dhanClientId"] == PaperAccount.CLIENT_ID


async def test_the_socket_tells_of_orders(context: Any, dhan: PaperDhan, capsys: pytest.CaptureFixture[str]) -> None:
    """It says nothing when it is there, so orders are placed until one is heard of."""
    dhan.http.post("/dhan/sandbox/limits", json={})
    heard: list[dict[str, Any]] = []
    order_ids: set[str] = set()
    updates = official.OrderUpdate(context)
    updates.order_feed_wss = f"{dhan.http.base_url}/dhan/order-updates".replace("http://", "ws://")
    updates.on_update = heard.append

    def is_heard() -> bool:
        order_ids.add(dhan.placed(correlationId=None))
        return bool(heard)

    connection = asyncio.create_task(updates.connect_order_update())
    try:
        await until(lambda: is_heard() or connection.done())
    finally:
        connection.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connection
        capsys.readouterr()  # it writes the token on the terminal
    assert heard
    assert {update["Data"]["orderNo"] for update in heard} <= order_ids
