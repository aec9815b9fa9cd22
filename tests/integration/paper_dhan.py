"""The Dhan stand-in, running for a test, and the client that the tests talk to it with."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pyotp.totp import TOTP
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import INDIA
from core.sandbox.dhan import HangUpProtocol, build
from core.settings import PaperAccount
from tests.patience import PATIENCE

RELIANCE, IRCON = "2885", "4986"  # with derivatives, and without


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def pass_time(self, **duration: float) -> None:
        self.instant += timedelta(**duration)


@dataclass
class HeldBack:
    """An answer that Dhan has decided on, and that does not arrive before it is let go."""

    call: tuple[str, str]
    decided: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    async def wait(self) -> None:
        self.decided.set()
        assert await asyncio.to_thread(self.let_go.wait, PATIENCE)


@dataclass
class PaperDhan:
    clock: HandClock
    http: httpx.Client
    held_back: list[HeldBack] = field(default_factory=list[HeldBack])

    def sign_in(self, pin: str = PaperAccount.PIN) -> httpx.Response:
        code = TOTP(PaperAccount.TOTP_SECRET).at(self.clock.now())
        query = {"dhanClientId": PaperAccount.CLIENT_ID, "pin": pin, "totp": code}
        reply = self.http.post("/dhan-login/app/generateAccessToken", params=query)
        if "accessToken" in reply.json():
            self.http.headers["access-token"] = reply.json()["accessToken"]
        return reply

    def place(self, **changes: Any) -> httpx.Response:
        return self.http.post("/dhan/v2/orders", json=wish(**changes))

    def placed(self, **changes: Any) -> str:
        """The order's id, after the broker said it has it."""
        reply = self.place(**changes)
        assert reply.status_code == 200, reply.text
        return reply.json()["orderId"]

    def order(self, order_id: str) -> dict[str, Any]:
        return self.http.get(f"/dhan/v2/orders/{order_id}").json()

    def lookup(self, correlation_id: str) -> httpx.Response:
        return self.http.get(f"/dhan/v2/orders/external/{correlation_id}")

    def book(self) -> list[dict[str, Any]]:
        return self.http.get("/dhan/v2/orders").json()

    def ledger(self) -> dict[str, Any]:
        return self.http.get("/dhan/sandbox/orders").json()

    def granted(self, consent_id: str, account: str = PaperAccount.CLIENT_ID) -> str:
        """The operator signs in at the page of this consent; the token id that his browser carries back."""
        page = f"/dhan-login/login/consentApp-login?consentAppId={consent_id}"
        reply = self.http.post(page, data={"account": account})
        assert reply.status_code == 302, reply.text
        return httpx.URL(reply.headers["location"]).params["tokenId"]

    def web_token(self) -> str:
        """A token that the account's owner makes on the website."""
        return self.http.post("/dhan/sandbox/token").json()["accessToken"]

    def end_token(self) -> None:
        """As when another program signs in with this account."""
        self.http.delete("/dhan/sandbox/token")

    def arrange_addresses(self, **wish: Any) -> None:
        self.http.post("/dhan/sandbox/addresses", json=wish)

    @contextmanager
    def holding_back(self, method: str, path: str) -> Generator[HeldBack]:
        """The answer to the next such call, until the end of the block."""
        held = HeldBack((method, path))
        self.held_back.append(held)
        try:
            yield held
        finally:
            held.let_go.set()

    def script(self, call: str, kind: str, **more: Any) -> None:
        reply = self.http.post("/dhan/sandbox/faults", json={"call": call, "kind": kind, **more})
        assert reply.status_code == 200, reply.text


class Stage:
    """One server for many tests: each puts its own fresh stand-in on it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._app: ASGIApp | None = None
        self._held_back: list[HeldBack] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        call = (scope.get("method"), scope.get("path"))
        held = next((held for held in self._held_back if held.call == call), None)
        if held is None:
            await self._app(scope, receive, send)
            return
        self._held_back.remove(held)

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start":
                await held.wait()
            await send(message)

        await self._app(scope, receive, send_later)

    @contextmanager
    def raised(self) -> Generator["Stage"]:
        config = uvicorn.Config(self, http=HangUpProtocol, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self._listener]})
        thread.start()
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join()
            self._listener.close()

    @contextmanager
    def dhan(self, data_dir: Path, at: datetime) -> Generator[PaperDhan]:
        """Signed in, with the clock standing still at `at`."""
        clock = HandClock(at)
        self._app, self._held_back = build(data_dir, clock), []
        with httpx.Client(base_url=self.url, trust_env=False, verify=False) as http:
            dhan = PaperDhan(clock, http, self._held_back)
            assert "accessToken" in dhan.sign_in().json()
            yield dhan


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


def wish(**changes: Any) -> dict[str, Any]:
    """The body of a small market order for RELIANCE, changed as named; None leaves a field out."""
    body = {
        "dhanClientId": PaperAccount.CLIENT_ID,
        "correlationId": "tb-1",
        "transactionType": "BUY",
        "exchangeSegment": "NSE_EQ",
        "productType": "INTRADAY",
        "orderType": "MARKET",
        "validity": "DAY",
        "securityId": RELIANCE,
        "quantity": 10,
        "disclosedQuantity": 0,
        "price": 0,
        "triggerPrice": 0.0,
        "afterMarketOrder": False,
    }
    return {name: value for name, value in (body | changes).items() if value is not None}
