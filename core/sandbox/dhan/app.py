"""The stand-in's paths, put together: the API, the login host, the instrument file, and the way backstage."""

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from core.clock import Clock, to_india
from core.sandbox.dhan.addresses import Addresses
from core.sandbox.dhan.backstage import Backstage
from core.sandbox.dhan.controls import Controls
from core.sandbox.dhan.errors import Refused, no_such_path, too_many
from core.sandbox.dhan.exchange import Exchange
from core.sandbox.dhan.faults import Act, Call, Faults, suffer
from core.sandbox.dhan.instruments import detailed_file, instrument_file
from core.sandbox.dhan.ledger import Ledger
from core.sandbox.dhan.limits import PRICES, Limits
from core.sandbox.dhan.login import Login
from core.sandbox.dhan.portfolio import Portfolio
from core.sandbox.dhan.postback import Postbacks
from core.sandbox.dhan.signin import SignIn
from core.sandbox.dhan.store import Store
from core.sandbox.dhan.trading import Trading
from core.sandbox.dhan.updates import Updates

LEDGER_FILE = "sandbox-dhan.db"
CALLBACK = "http://127.0.0.1:8080/auth/callback"
_ORDER_CALLS = {Call.PLACE, Call.MODIFY, Call.CANCEL}
_ANY = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build(data_dir: Path, clock: Clock, *, redirect_url: str = CALLBACK) -> Starlette:
    """The stand-in alone, as an application; serve it with `HangUpProtocol`."""
    return Starlette(routes=routes(data_dir, clock, redirect_url=redirect_url))


def routes(
    data_dir: Path, clock: Clock, *, redirect_url: str = CALLBACK, postback_url: str | None = None
) -> list[BaseRoute]:
    """Absolute paths, for the root of a bigger application. Opens the ledger in `data_dir`, which must exist."""
    store = Store(data_dir / LEDGER_FILE)
    ledger = Ledger(store)
    login = Login(store, clock)
    controls = Controls()
    exchange = Exchange(store, ledger, controls)
    if postback_url:
        exchange.listeners.add(Postbacks(postback_url).hear)
    trading = Trading(clock, ledger, exchange, controls)
    gate = Gate(login, Faults(), Limits(), trading, Addresses(clock))
    return [
        *_trading_routes(gate, trading),
        *_portfolio_routes(gate, Portfolio(clock, exchange, login, controls)),
        *_address_routes(gate),
        *_login_routes(gate, SignIn(login, redirect_url)),
        *_file_routes(gate, clock),
        WebSocketRoute("/dhan/order-updates", Updates(clock, exchange, login, gate.faults).serve),
        *_backstage_routes(Backstage(trading, gate.faults, gate.limits, login, gate.addresses)),
        *(Route(f"/{root}/{{rest:path}}", _not_found(clock), methods=_ANY) for root in ("dhan", "dhan-login")),
    ]


class Gate:
    """What every call passes: faults first, as the network would, then the rate limit, then the token."""

    def __init__(self, login: Login, faults: Faults, limits: Limits, trading: Trading, addresses: Addresses) -> None:
        self.login = login
        self.faults = faults
        self.limits = limits
        self.addresses = addresses
        self._trading = trading
        self._limits_of = {**dict.fromkeys(_ORDER_CALLS, limits), Call.PRICES: Limits(PRICES)}

    def api(self, call: Call, act: Act) -> Act:
        return self.open(call, self._checked(call, act))

    def open(self, call: Call, act: Act) -> Act:
        """A call that needs no token."""

        async def answer(request: Request) -> Response:
            await request.body()
            if call is Call.PLACE:
                self._trading.placements += 1
            fault = self.faults.take(call)
            answered = _refusals_said(act)
            return await (suffer(fault, request, answered) if fault else answered(request))

        return answer

    def _checked(self, call: Call, act: Act) -> Act:
        limits = self._limits_of.get(call)

        def answer(request: Request) -> Awaitable[Response]:
            if limits and not limits.admit():
                raise too_many()
            self.login.check(request.headers.get("access-token"))
            if call in _ORDER_CALLS:
                self.addresses.check(request)
            return act(request)

        return answer


def _trading_routes(gate: Gate, trading: Trading) -> list[Route]:
    orders, trades = "/dhan/v2/orders", "/dhan/v2/trades"
    return [
        Route(orders, gate.api(Call.PLACE, trading.place), methods=["POST"]),
        Route(orders, gate.api(Call.BOOK, trading.book), methods=["GET"]),
        Route(orders + "/external/{correlation_id}", gate.api(Call.LOOKUP, trading.lookup), methods=["GET"]),
        Route(orders + "/{order_id}", gate.api(Call.ORDER, trading.order), methods=["GET"]),
        Route(orders + "/{order_id}", gate.api(Call.MODIFY, trading.modify), methods=["PUT"]),
        Route(orders + "/{order_id}", gate.api(Call.CANCEL, trading.cancel), methods=["DELETE"]),
        Route(trades, gate.api(Call.TRADES, trading.trades), methods=["GET"]),
        Route(trades + "/", gate.api(Call.TRADES, trading.trades), methods=["GET"]),  # as Dhan's own client writes it
        Route(trades + "/{order_id}", gate.api(Call.TRADES, trading.trades_of), methods=["GET"]),
        Route(trades + "/{since}/{until}/{page:int}", gate.api(Call.TRADES, trading.past_trades), methods=["GET"]),
    ]


def _portfolio_routes(gate: Gate, portfolio: Portfolio) -> list[Route]:
    paths: dict[str, tuple[Call, Act]] = {
        "profile": (Call.PROFILE, portfolio.profile),
        "fundlimit": (Call.FUNDS, portfolio.funds),
        "holdings": (Call.HOLDINGS, portfolio.holdings),
        "positions": (Call.POSITIONS, portfolio.positions),
        "RenewToken": (Call.LOGIN, portfolio.renew_token),
    }
    return [
        *(Route(f"/dhan/v2/{path}", gate.api(*call), methods=["GET"]) for path, call in paths.items()),
        Route("/dhan/v2/killswitch", gate.api(Call.KILL_SWITCH, portfolio.kill_switch), methods=["GET", "POST"]),
        Route("/dhan/v2/marketfeed/ltp", gate.api(Call.PRICES, portfolio.last_prices), methods=["POST"]),
        Route("/dhan/v2/edis/inquire/{isin}", gate.api(Call.EDIS, portfolio.edis), methods=["GET"]),
    ]


def _address_routes(gate: Gate) -> list[Route]:
    root, known = "/dhan/v2/ip", gate.addresses
    return [
        Route(f"{root}/getIP", gate.api(Call.IP, known.show), methods=["GET"]),
        Route(f"{root}/setIP", gate.api(Call.SET_IP, known.register), methods=["POST"]),
        Route(f"{root}/modifyIP", gate.api(Call.SET_IP, known.register), methods=["PUT"]),
    ]


def _login_routes(gate: Gate, sign_in: SignIn) -> list[Route]:
    root = "/dhan-login"
    return [
        Route(f"{root}/app/generateAccessToken", gate.open(Call.LOGIN, sign_in.generate_token), methods=["POST"]),
        Route(f"{root}/app/generate-consent", gate.open(Call.CONSENT, sign_in.generate_consent), methods=["POST"]),
        Route(f"{root}/login/consentApp-login", sign_in.page, methods=["GET", "POST"]),
        Route(
            f"{root}/app/consumeApp-consent",
            gate.open(Call.CONSUME, sign_in.consume_consent),
            methods=["GET", "POST"],
        ),
    ]


def _file_routes(gate: Gate, clock: Clock) -> list[Route]:
    def serving(make: Callable[[date], bytes]) -> Act:
        async def answer(_request: Request) -> Response:
            return Response(make(to_india(clock.now()).date()), media_type="text/csv")

        return gate.open(Call.INSTRUMENTS, answer)

    root = "/dhan/api-data/api-scrip-master"
    return [
        Route(f"{root}.csv", serving(instrument_file), methods=["GET"]),
        Route(f"{root}-detailed.csv", serving(detailed_file), methods=["GET"]),
    ]


def _backstage_routes(backstage: Backstage) -> list[Route]:
    root = "/dhan/sandbox"
    return [
        Route(f"{root}/orders", backstage.orders, methods=["GET"]),
        Route(f"{root}/faults", backstage.listed, methods=["GET"]),
        Route(f"{root}/faults", backstage.script, methods=["POST"]),
        Route(f"{root}/faults", backstage.clear, methods=["DELETE"]),
        Route(f"{root}/limits", backstage.set_limits, methods=["POST"]),
        Route(f"{root}/addresses", backstage.arrange_addresses, methods=["POST"]),
        Route(f"{root}/token", backstage.web_token, methods=["POST"]),
        Route(f"{root}/token", backstage.end_token, methods=["DELETE"]),
        Route(f"{root}/duplicates", backstage.set_duplicates, methods=["POST"]),
        Route(f"{root}/depository", backstage.set_depository, methods=["POST"]),
        Route(f"{root}/data-plan", backstage.set_data_plan, methods=["POST"]),
    ]


def _refusals_said(act: Act) -> Act:
    async def answer(request: Request) -> Response:
        try:
            return await act(request)
        except Refused as refusal:
            return JSONResponse(refusal.body, refusal.status)

    return answer


def _not_found(clock: Clock) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        refusal = no_such_path(request.url.path, clock.now())
        return JSONResponse(refusal.body, refusal.status)

    return answer
