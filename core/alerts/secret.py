"""The shared secret inside an alert: taking it out to compare it, and out of what is stored or shown."""

import json
import re
from collections.abc import Mapping
from typing import Any

from core.alerts.fields import SHOWN_CHARACTERS
from core.alerts.json_text import BOM, MAX_BYTES, read_alert_text
from core.errors import AlertRefused

# A value that never ends is taken to the end of the text, so that no text makes a search go back.
_IN_JSON = re.compile(
    r"""("secret"\s*+:\s*+)(?:"((?:[^"\\]|\\.)*+)"?|([\w.+-]++)(?=\s*+[,}\]]))""", re.IGNORECASE | re.DOTALL
)
# Broken alerts come with curly quotes, single quotes or none.
_IN_BROKEN_TEXT = re.compile(
    r"""(secret\w{0,20}+["'\u2018-\u201f]?+[\s:=>]++)"""
    r"""(?:["'\u2018-\u201f]([^"'\u2018-\u201f\r\n]*+)["'\u2018-\u201f]?+|([^,}\]\r\n]++))""",
    re.IGNORECASE,
)
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def secret_in(fields: Mapping[str, Any]) -> str:
    """The alert's secret; empty when it has none or it is not text."""
    secret = fields.get("secret")
    return secret if isinstance(secret, str) else ""


def secret_in_broken_text(body: bytes) -> str:
    """The secret of a body that is no JSON, as far as it can be made out, so that its owner can be told."""
    text = _text_of(body)
    match = _IN_JSON.search(text) or _IN_BROKEN_TEXT.search(text)
    return (match[2] or match[3] or "").strip() if match else ""


def without_secret(body: bytes) -> str:
    """The first 16 KiB of the body as they may be stored and shown: no secret, nothing invisible.

    A well-formed alert stays one and means the same: the desk reads it again from here.
    """
    text = _text_of(body)
    masked, found = _IN_JSON.subn(_mask, text)
    if not found:
        masked = _without_hidden_secret(body, text)
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", masked)


def hide(secret: str, text: str) -> str:
    """The text with every copy of the secret masked, wherever it was pasted; a sentence may show only its beginning."""
    return text.replace(secret, "***").replace(secret[:SHOWN_CHARACTERS], "***")


def _mask(secret: re.Match[str]) -> str:
    return f'{secret[1]}"***"'


def _text_of(body: bytes) -> str:
    """Zero bytes are left out: JSON has none, and without them a secret in UTF-16 is found as well."""
    return body[:MAX_BYTES].removeprefix(BOM).replace(b"\0", b"").decode(errors="backslashreplace")


def _without_hidden_secret(body: bytes, text: str) -> str:
    """For a key that is spelt with escapes, and for text that is no JSON."""
    try:
        fields = read_alert_text(body)
    except AlertRefused:
        return _IN_BROKEN_TEXT.sub(_mask, text)
    return json.dumps({**fields, "secret": "***"}, default=str) if "secret" in fields else text
