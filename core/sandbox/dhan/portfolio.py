"""The account's calls: profile, money, holdings and positions (Dhan API v2)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.clock import Clock, to_india
from core.sandbox.dhan.account import OPENING_BALANCE
from core.sandbox.dhan.controls import Controls
from core.sandbox.dhan.errors import BAD_INPUT, bad_input, no_data_plan, no_holdings, order_error
from core.sandbox.dhan.exchange import Exchange
from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.login import Login
from core.sandbox.dhan.wire import holding_json, position_json
from core.sandbox.json_body import read_json
from core.settings import PaperAccount


@dataclass
class Portfolio:
    clock: Clock
    exchange: Exchange
    login: Login
    desk: Controls

    async def profile(self, request: Request) -> Response:
        ends = self.login.check(request.headers.get("access-token"))
        return JSONResponse(
            {
                "dhanClientId": PaperAccount.CLIENT_ID,
                "tokenValidity": f"{to_india(ends):%d/%m/%Y %H:%M}",
                "activeSegment": "E, D, C, M, ",
                "ddpi": "Active" if self.desk.has_ddpi else "Deactive",
                "mtf": "Deactive",
                "dataPlan": "Active" if self.desk.has_data_plan else "Deactive",
                "dataValidity": "NA",
            }
        )

    async def funds(self, _request: Request) -> Response:
        free = self.exchange.spendable(self._advance())
        return JSONResponse(
            {
                "dhanClientId": PaperAccount.CLIENT_ID,
                "availabelBalance": float(round(free, 2)),  # Dhan's spelling
                "sodLimit": float(OPENING_BALANCE),
                "collateralAmount": 0.0,
                "receiveableAmount": 0.0,
                "utilizedAmount": float(round(OPENING_BALANCE - free, 2)),
                "blockedPayoutAmount": 0.0,
                "withdrawableBalance": float(round(max(free, Decimal(0)), 2)),
            }
        )

    async def holdings(self, _request: Request) -> Response:
        today = to_india(self._advance()).date()
        holdings = self.exchange.account.holdings(today)
        if not holdings:
            raise no_holdings()
        return JSONResponse([holding_json(holding, today) for holding in holdings])

    async def positions(self, _request: Request) -> Response:
        now = self._advance()
        positions = self.exchange.account.positions(to_india(now).date())
        return JSONResponse([position_json(position, now) for position in positions])

    async def kill_switch(self, request: Request) -> Response:
        """GET tells, POST sets. It goes on only when nothing is open (Dhan API v2, Trader's Control)."""
        if request.method == "POST":
            wanted = request.query_params.get("killSwitchStatus")
            if wanted not in ("ACTIVATE", "DEACTIVATE"):
                raise bad_input(BAD_INPUT)
            today = to_india(self._advance()).date()
            is_busy = self.exchange.has_open_orders or any(p.net for p in self.exchange.account.positions(today))
            if wanted == "ACTIVATE" and is_busy:
                raise order_error("Kill switch can not be activated with open positions or pending orders")
            self.desk.is_stopped = wanted == "ACTIVATE"
            words = f"Kill Switch has been successfully {wanted.lower()}d"
            return JSONResponse({"dhanClientId": PaperAccount.CLIENT_ID, "killSwitchStatus": words})
        status = "ACTIVATE" if self.desk.is_stopped else "DEACTIVATE"
        return JSONResponse({"dhanClientId": PaperAccount.CLIENT_ID, "killSwitchStatus": status})

    async def last_prices(self, request: Request) -> Response:
        """Ids that are not listed are silently left out (Dhan API v2, Market Quote)."""
        if not self.desk.has_data_plan:
            raise no_data_plan()
        now = self.clock.now()
        listed = listed_on(to_india(now).date())
        data = {
            segment: {
                str(number): {"last_price": float(listed[segment, str(number)].price_at(now))}
                for number in numbers
                if (segment, str(number)) in listed
            }
            for segment, numbers in (await read_json(request)).items()
        }
        return JSONResponse({"data": data, "status": "success"})

    async def edis(self, request: Request) -> Response:
        """How many shares of an ISIN the owner consented to sell."""
        isin = request.path_params["isin"]
        approved = self.desk.approved.get(isin, 0)
        return JSONResponse(
            {
                "clientId": PaperAccount.CLIENT_ID,
                "isin": isin,
                "totalQty": approved,
                "aprvdQty": approved,
                "status": "SUCCESS",
                "remarks": "eDIS transaction done successfully" if approved else "NA",
            }
        )

    async def renew_token(self, request: Request) -> Response:
        return JSONResponse(self.login.renew(request.headers["access-token"]))

    def _advance(self) -> datetime:
        now = self.clock.now()
        self.exchange.advance(now)
        return now
