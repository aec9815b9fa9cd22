"""The panel beside the chat: fire alerts as TradingView would, move the paper clock, find the desk's addresses."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.clock import PaperClock, SystemClock
from core.domain.sessions import Calendar
from core.sandbox.json_body import read_json
from core.sandbox.jumps import JUMPS, find_instant
from core.sandbox.samples import SAMPLES, write_alert, write_leg
from core.sandbox.tradingview import Delivery, TradingView
from core.settings import Settings

_SYMBOL = re.compile(r"[A-Z0-9&_-]{1,30}")
_REAL_TIME = "real time"
_WORDS: Mapping[str, str] = {
    "placed": "Placed: the broker has it.",
    "queued": "Queued: it goes out by itself when its window opens.",
    "awaiting_approval": "Waiting for your approval in the chat.",
    "refused": "Refused by the desk's own rules.",
    "rejected": "Rejected by the broker.",
    "held": "Held: it may go, but something blocks it.",
    "accepted": "Stored. The desk is deciding; the chat will tell.",
}

_REFUSALS: Mapping[int, str] = {
    401: "Turned away: the secret is wrong.",
    422: "Turned away: the alert has a mistake.",
    429: "Turned away: too many alerts at once.",
}


class Panel:
    def __init__(self, settings: Settings, clock: PaperClock, calendar: Calendar, tradingview: TradingView) -> None:
        self._settings = settings
        self._clock = clock
        self._calendar = calendar
        self._tradingview = tradingview

    def routes(self) -> list[Route]:
        return [
            Route("/panel/state", self.show_state),
            Route("/panel/alerts", self.fire_alert, methods=["POST"]),
            Route("/panel/clock", self.move_clock, methods=["POST"]),
        ]

    async def show_state(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's shape
        web = self._settings.web_url
        body = self._write(SAMPLES["buy"].legs)
        return JSONResponse(
            {
                "now": self._clock.now().isoformat(),
                "samples": [{"id": k, "title": s.title, "detail": s.detail} for k, s in SAMPLES.items()],
                "jumps": JUMPS,
                "webhook_url": f"{web}/webhook",
                "curl": f"curl -sS {web}/webhook -H 'Content-Type: application/json' -d '{body}'",
                "links": {"health": f"{web}/health", "docs": f"{web}/docs"},
            }
        )

    async def fire_alert(self, request: Request) -> Response:
        """Body: `{"sample": id}` or `{"leg": {side, symbol, quantity, order_type, price}}`."""
        try:
            legs, times = _read_wish(await read_json(request))
        except ValueError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        alert = self._write(legs)
        deliveries = [await self._tradingview.fire(alert) for _ in range(times)]
        return JSONResponse({"deliveries": [self._describe(delivery) for delivery in deliveries]})

    async def move_clock(self, request: Request) -> Response:
        wish = str((await read_json(request)).get("to", "")).strip()
        now = self._clock.now()
        try:
            real = wish.lower() == _REAL_TIME
            self._clock.jump_to(SystemClock().now() if real else find_instant(wish, now, self._calendar))
        except ValueError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        return JSONResponse({"now": self._clock.now().isoformat()})

    def _write(self, legs: tuple[Mapping[str, str], ...]) -> str:
        secret = self._settings.webhook_secret.get_secret_value()
        return write_alert(legs, secret=secret, now=self._clock.now())

    def _describe(self, delivery: Delivery) -> dict[str, Any]:
        answer = _read_answer(delivery)
        alert_id, traces = answer.get("alert_id"), self._settings.open_traces
        return {
            "http_status": delivery.status,
            "sends": delivery.sends,
            "answer": answer,
            "words": _words(delivery, answer),
            "trace": f"{traces}/{alert_id}" if alert_id and traces else None,
        }


def _read_wish(wish: dict[str, Any]) -> tuple[tuple[Mapping[str, str], ...], int]:
    if "sample" in wish:
        sample = SAMPLES.get(str(wish["sample"]))
        if sample is None:
            raise ValueError("There is no such sample.")
        return sample.legs, sample.times
    leg = {key: str(value).strip() for key, value in dict(wish.get("leg") or {}).items()}
    symbol = leg.get("symbol", "").upper()
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError("A symbol is letters and digits, like RELIANCE or M&M.")
    leg = write_leg(
        side="S" if leg.get("side") == "S" else "B",
        symbol=symbol,
        order_type="LMT" if leg.get("order_type") == "LMT" else "MKT",
        quantity=leg.get("quantity") or "1",
        price=leg.get("price") or "0",
    )
    return (leg,), 1


def _read_answer(delivery: Delivery) -> dict[str, Any]:
    try:
        answer = json.loads(delivery.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _words(delivery: Delivery, answer: dict[str, Any]) -> str:
    """One sentence for the person who fired it."""
    if delivery.status is None:
        return f"The webhook did not answer ({delivery.body}). Is the web process running?"
    if delivery.status >= 500:
        return f"Not stored (HTTP {delivery.status}); TradingView gave up after {delivery.sends} sends."
    if answer.get("duplicate"):
        return "The same alert again: not carried out a second time."
    if delivery.status >= 400:
        return _REFUSALS.get(delivery.status, f"Turned away (HTTP {delivery.status}).")
    return _WORDS.get(str(answer.get("order_status")), f"The webhook answered HTTP {delivery.status}.")
