"""What `/docs` says of the webhook, which is a plain route that the framework does not describe by itself."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from webhook.failures import TOO_MANY

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
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["secret", "order_legs"],
    "properties": {
        "secret": {"type": "string"},
        "alertType": {"enum": ["multi_leg_order", "single_order"]},
        "order_legs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["transactionType", "orderType", "quantity", "exchange", "symbol", "instrument"],
                "properties": {
                    **{name: {"type": ["string", "number"]} for name in ("quantity", "price", "triggerPrice")},
                    "transactionType": {"enum": ["B", "S"]},
                    "orderType": {"enum": ["MKT", "LMT", "SL", "SLM"]},
                    "exchange": {"enum": ["NSE", "BSE", "NFO", "BFO", "MCX", "CDS"]},
                    "symbol": {"type": "string"},
                    "instrument": {"enum": ["EQ", "FUT", "OPT"]},
                    "productType": {"enum": ["C", "I", "M"]},
                    "amoTime": {"enum": ["PRE_OPEN", "OPEN", "OPEN_30", "OPEN_60"]},
                },
            },
        },
    },
}
_ANSWER: dict[str, Any] = {
    "status": "success",
    "alert_id": "41",
    "order_status": "placed",
    "placement_mode": "immediate",
    "duplicate": False,
    "orders": [],
    "message": "Dhan has the order.",
}


def text(description: str, example: Any) -> dict[str, Any]:
    """One answer, with an example of it."""
    return {"description": description, "content": {"application/json": {"example": example}}}


def error_text(description: str, message: str) -> dict[str, Any]:
    return text(description, {"status": "error", "message": message})


BUSY = error_text("The database cannot be read now", "Try again in a moment: the database is locked.")
ADMIN: dict[int | str, dict[str, Any]] = {
    401: error_text(
        "Not an administrator (on a paper desk that only this machine reaches, everybody is)",
        "This needs the admin token.",
    ),
    429: error_text("Too many tries with wrong credentials", TOO_MANY),
    503: error_text("The database, or Google's keys, cannot be read now", "Try again in a moment: …"),
}
_WEBHOOK: dict[str, Any] = {
    "post": {
        "tags": ["alerts"],
        "summary": "Take one TradingView alert in Dhan's format",
        "description": "Stored before it is answered. The content type does not matter. `Prefer: wait=0` answers right "
        "after the commit; otherwise the desk's decision is waited for, 0.8 s at most.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA, "example": _ALERT}}},
        "responses": {
            "200": text("Stored; this is where it stands", _ANSWER),
            "401": error_text("Wrong secret", "Invalid webhook secret"),
            "403": error_text(
                "Not from TradingView, where only TradingView may post",
                "Alerts are taken from TradingView's addresses only, and this came from 203.0.113.7.",
            ),
            "408": error_text("The body did not arrive in two seconds", "The alert did not arrive in time."),
            "413": error_text("Larger than 16 KiB", "The alert is larger than 16384 bytes."),
            "422": error_text("The first mistakes in words", "Leg 1: the quantity is missing."),
            "429": error_text("Too many tries with wrong secrets", TOO_MANY),
            "503": error_text("Not stored; send it again", "Not stored, send it again: the database is locked."),
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
            for path in made["paths"].values():
                for call in path.values():
                    _say_errors_our_way(call)
            made.get("components", {}).pop("schemas", None)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document


def _say_errors_our_way(call: dict[str, Any]) -> None:
    """The framework promises its own shape of a 422 where it can give none, or we give another."""
    answers = call["responses"]
    if "422" in answers and "schema" in answers["422"].get("content", {}).get("application/json", {}):
        answers["422"] = error_text("The call is incomplete, or a value cannot be", "consent_app_id: field required")


_ABOUT = "The web process of a Telegram-first order desk: it stores alerts and says where they stand."
