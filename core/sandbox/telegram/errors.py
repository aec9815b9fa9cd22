"""Refusals in Telegram's own words."""

from typing import Any


class BotApiError(Exception):
    """What the Bot API answers instead of a result: an HTTP status, Telegram's description, sometimes parameters."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return body | ({"parameters": self.parameters} if self.parameters else {})


def bad_request(description: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: {description}")
