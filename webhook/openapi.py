"""What `/docs` says of the webhook, which is a plain route that the framework does not describe by itself."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_LEG = {
    "transactionType": "B",
    "orderType": "MKT",
    "quantity": "1",
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "instrument": "EQ",
    "productType": "C",
    "sort_order": "1",
    "price": "0",
    "amoTime": "OPEN_30",
    "meta": {"interval": "1D", "time": "{{time}}", "timenow": "{{timenow}}"},
}
_ALERT = {"secret": "your secret", "alertType": "multi_leg_order", "order_legs": [_LEG]}
_ANSWER: dict[str, Any] = {
    "status": "success",
    "alert_id": "41",
    "order_status": "placed",
    "placement_mode": "immediate",
    "duplicate": False,
    "orders": [],
    "message": "Dhan has the order.",
}


def _text(description: str, example: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


def _error(description: str, message: str) -> dict[str, Any]:
    return _text(description, {"status": "error", "message": message})


_WEBHOOK: dict[str, Any] = {
    "post": {
        "tags": ["alerts"],
        "summary": "Take one TradingView alert in Dhan's format",
        "description": "Stored before it is answered. The content type does not matter. `Prefer: wait=0` answers right "
        "after the commit; otherwise the desk's decision is waited for, 0.8 s at most.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}, "example": _ALERT}}},
        "responses": {
            "200": _text("Stored; this is where it stands", _ANSWER),
            "401": _error("Wrong secret", "Invalid webhook secret"),
            "408": _error("The body did not arrive in two seconds", "The alert did not arrive in time."),
            "413": _error("Larger than 16 KiB", "The alert is larger than 16384 bytes."),
            "422": _error("The first mistakes in words", "Leg 1: the quantity is missing."),
            "503": _error("Not stored; send it again", "Not stored, send it again: the database is locked."),
        },
    }
}


_BY_KEY: dict[str, Any] = {
    "post": {
        **_WEBHOOK["post"],
        "summary": "Take one alert of a source with a key of its own",
        "description": "The key in the path says whose alert it is, so the body needs no secret; `/sources` in the "
        'chat makes keys. `{"heartbeat": true}` carries no order and only says that the strategy is alive.',
        "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
    }
}


def describe(app: FastAPI) -> None:
    """Make the application's OpenAPI document include the webhook."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_ABOUT)
            made["paths"] = {"/webhook": _WEBHOOK, "/webhook/{key}": _BY_KEY, **made.get("paths", {})}
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document


_ABOUT = "The web process of a Telegram-first order desk: it stores alerts and says where they stand."
