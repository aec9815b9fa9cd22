"""Refusals in Dhan's own body shapes (Dhan API v2, Annexure, Trading API Error; spelling as observed in production)."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from core.clock import to_india

BAD_INPUT = "Missing required fields, bad values for parameters etc."
NOT_FOUND = "Incorrect request for order and cannot be processed"
CLOSED = "Market is Closed! Want to place an offline order?"
NO_AMO_NOW = "Markets are Offline or Blocked"
NO_IOC_OFFLINE = "Validity IOC is not allowed for an offline order"  # our words: Dhan's are not published
IN_TRANSIT = "Order is in Transit state"


class Refused(Exception):
    """The broker says no: HTTP `status` and a JSON `body`."""

    def __init__(self, status: HTTPStatus, body: Any) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def bad_input(text: str) -> Refused:
    return _refused(HTTPStatus.BAD_REQUEST, "Input_Exception", "DH-905", text)


def order_error(text: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Refused:
    return _refused(status, "Order_Error", "DH-906", text)


def bad_token() -> Refused:
    text = "Client ID or user generated access token is invalid or expired."
    return _refused(HTTPStatus.UNAUTHORIZED, "Invalid_Authentication", "DH-901", text)


def too_many() -> Refused:
    text = "Too many requests on server from single user breaching rate limits. Try throttling API calls."
    return _refused(HTTPStatus.TOO_MANY_REQUESTS, "Rate_Limit", "DH-904", text)


def no_holdings() -> Refused:
    return _refused(HTTPStatus.INTERNAL_SERVER_ERROR, "HOLDING_ERROR", "DH-1111", "No holdings available")


def no_data_plan() -> Refused:
    """A data endpoint's shape, with a status that elsewhere means a dead token."""
    return Refused(HTTPStatus.UNAUTHORIZED, {"status": "failed", "data": {"806": "Data APIs not subscribed"}})


def sign_in_error(text: str) -> Refused:
    """The login host refuses with HTTP 200."""
    return Refused(HTTPStatus.OK, {"status": "error", "message": text})


def consent_limit() -> Refused:
    text = "Consent limit exceeded for the day"
    body = {"status": "error", "errorCode": "CONSENT_LIMIT_EXCEED", "errorMessage": text}
    return Refused(HTTPStatus.OK, body)


def no_such_path(path: str, now: datetime) -> Refused:
    """The gateway in front of the API answers, in another shape than the API."""
    stamp = to_india(now).isoformat(timespec="milliseconds")
    body = {"timestamp": stamp, "status": 404, "error": "Not Found", "path": path}
    return Refused(HTTPStatus.NOT_FOUND, body)


def _refused(status: HTTPStatus, kind: str, code: str, text: str) -> Refused:
    return Refused(status, {"errorType": kind, "errorCode": code, "errorMessage": text})
