"""Registered addresses (Dhan API v2, Static IP): orders from any other are refused. Kept in memory.

A newcomer has none to register, so until somebody says otherwise the primary address is whoever asks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.clock import Clock, to_india
from core.sandbox.dhan.errors import bad_input

LOCKED = timedelta(days=7)
_NAMES = {"PRIMARY": "primary", "SECONDARY": "secondary"}
_UNDOCUMENTED = ("detectedIP", "ipMatchStatus", "ordersAllowed")


@dataclass
class Addresses:
    """`detected` replaces the caller's address; `is_terse` leaves out what the documentation does not know."""

    clock: Clock
    set: dict[str, str] = field(default_factory=lambda: {"primary": "caller", "secondary": "NA"})
    free_from: dict[str, date] = field(default_factory=dict[str, date])
    detected: str | None = None
    is_terse: bool = False

    def check(self, request: Request) -> None:
        """Raises Refused, as for an order from an unregistered address."""
        if not self._match(self._caller(request)):
            raise bad_input("Invalid IP")

    async def show(self, request: Request) -> Response:
        caller = self._caller(request)
        found = self._match(caller)
        body: dict[str, Any] = {
            "modifyDatePrimary": self._free("primary"),
            "primaryIP": self._known("primary", caller),
            "modifyDateSecondary": self._free("secondary"),
            "secondaryIP": self._known("secondary", caller),
            "detectedIP": caller,
            "ipMatchStatus": f"{found.upper()}_MATCH" if found else "MISMATCH",
            "ordersAllowed": bool(found),
        }
        return JSONResponse({key: value for key, value in body.items() if not (self.is_terse and key in _UNDOCUMENTED)})

    async def register(self, request: Request) -> Response:
        """POST sets an empty place, PUT changes a full one, once in seven days. It refuses with a list and HTTP 200."""
        wish = json.loads(await request.body())
        name, today = _NAMES[wish["ipFlag"]], to_india(self.clock.now()).date()
        is_empty = self.set[name] == "NA"
        if (request.method == "POST") is not is_empty:
            return _no("IP is already set" if request.method == "POST" else "IP is not set")
        if not is_empty and self.free_from.get(name, today) > today:
            return _no("IP can be modified only once in 7 days")
        self.set[name], self.free_from[name] = wish["ip"], today + LOCKED
        return JSONResponse({"message": "IP saved successfully", "status": "SUCCESS"})

    def arrange(self, wish: Mapping[str, Any]) -> None:
        """Backstage: `primary`, `secondary` ("NA" for none), `detected`, `terse`; what is left out starts anew."""
        self.set = {"primary": wish.get("primary", "caller"), "secondary": wish.get("secondary", "NA")}
        self.free_from = {name: date.fromisoformat(day) for name, day in wish.get("free_from", {}).items()}
        self.detected, self.is_terse = wish.get("detected"), bool(wish.get("terse"))

    def _caller(self, request: Request) -> str:
        return self.detected or (request.client.host if request.client else "127.0.0.1")

    def _match(self, caller: str) -> str | None:
        return next((name for name in self.set if self._known(name, caller) == caller), None)

    def _known(self, name: str, caller: str) -> str:
        return caller if self.set[name] == "caller" else self.set[name]

    def _free(self, name: str) -> str:
        return self.free_from[name].isoformat() if name in self.free_from else "NA"


def _no(words: str) -> Response:
    return JSONResponse([{"message": words, "status": "ERROR"}], HTTPStatus.OK)
