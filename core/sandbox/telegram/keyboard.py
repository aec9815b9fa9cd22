"""What Telegram accepts as an inline keyboard."""

from typing import Any, cast
from urllib.parse import urlsplit

from core.sandbox.telegram.errors import bad_request

_ROW = 8
_BUTTONS = 100
_STYLES = {"danger", "success", "primary"}
_ACTIONS = {"url", "callback_data", "copy_text", "login_url", "web_app"}


def check_keyboard(markup: Any) -> dict[str, Any] | None:
    """The keyboard as it will be kept, or None when there is none. Raises BotApiError as Telegram does."""
    if not markup:
        return None
    if isinstance(markup, dict) and "force_reply" in markup:
        return None  # it opens the reply on the person's side, and is no part of the message
    if not isinstance(markup, dict) or "inline_keyboard" not in markup:
        raise bad_request("object expected as reply markup")
    rows = cast("list[list[dict[str, Any]]]", markup["inline_keyboard"])
    kept = [[_check_button(button) for button in row] for row in rows if row]
    if any(len(row) > _ROW for row in kept) or sum(map(len, kept)) > _BUTTONS:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": kept} if kept else None


def _check_button(button: dict[str, Any]) -> dict[str, Any]:
    if not button.get("text"):
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(_ACTIONS & button.keys()) != 1:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
        raise bad_request("BUTTON_DATA_INVALID")
    if "url" in button:
        _check_url(button["url"])
    if "copy_text" in button and not 1 <= len(button["copy_text"]["text"]) <= 256:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if button.get("style", "primary") not in _STYLES:
        raise bad_request("invalid button style specified")
    return button


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "tg":
        return
    if parts.scheme not in {"http", "https"}:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: unsupported URL protocol")
    if "." not in (parts.hostname or ""):
        raise bad_request("BUTTON_URL_INVALID")
