"""Secrets that people paste into the chat by mistake: known ones by value, tokens by their looks."""

import re

from core.settings import Settings

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.?[A-Za-z0-9_-]*")
_LEAST = 4
_NAMES = {
    "webhook_secret": "the webhook secret",
    "admin_token": "the admin token",
    "postback_key": "the key of the postback address",
    "dhan_pin": "your Dhan PIN",
    "dhan_totp_secret": "the secret of Dhan's one-time codes",
    "dhan_api_secret": "the secret of Dhan's API key",
    "telegram_bot_token": "this bot's token",
    "token_keys": "the keys that secrets are sealed with",
}


class Secrets:
    def __init__(self, settings: Settings) -> None:
        found = {name: getattr(settings, name) for name in _NAMES}
        self._known = {_NAMES[name]: value.get_secret_value() for name, value in found.items() if value is not None}

    def in_text(self, text: str) -> str:
        """What secret the text holds, in words; empty when there is none."""
        for what, secret in self._known.items():
            if len(secret) >= _LEAST and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text):
                return what
        return "what looks like a token" if _TOKEN.search(text) else ""
