"""Dhan's words: the codes of its JSON, and the one parser for every shape of error body it is known to send."""

import re
from dataclasses import dataclass
from typing import Any, cast

from core.broker.dhan.client import Reply

Row = dict[str, Any]
LACKS_DATA_PLAN = frozenset({"806", "DH-902"})
"""Codes for want of the paid data plan; they come with HTTP 401, too, and are no dead token."""
EMPTY = ("", "NA", "0", "0001-01-01", "CONFIRMED")
NO_NUMBER = (None, "", "NA")
"""How the fields of an order say that they have no number, beside a plain 0 (Dhan API v2, as observed)."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Text of JSON that no database takes: one such order would keep the whole book from being followed."""


@dataclass(frozen=True)
class DhanError:
    """What an error body says. `code` is like DH-905 or 808; empty when the body carries none."""

    code: str
    words: str

    def says(self, *phrases: str) -> bool:
        return any(phrase.lower() in self.words.lower() for phrase in phrases)


def as_row(body: Any) -> Row | None:
    """An object, or the one object of a list (Dhan's order look-ups answer either way)."""
    if isinstance(body, list):
        members = cast("list[Any]", body)
        body = members[0] if len(members) == 1 else None
    return cast("Row", body) if isinstance(body, dict) else None


def read_error(reply: Reply) -> DhanError | None:
    """The error that the body states, or None when it states none (a gateway's page, half a reply, a success)."""
    row = as_row(reply.json())
    if row is None:
        return None
    code = row.get("errorCode")
    words = row.get("errorMessage") or row.get("internalErrorMessage")
    if code is not None and (words or str(code).startswith("DH-")):
        return DhanError(_storable(code), _storable(words or ""))
    if str(row.get("status", "")).lower() in ("failed", "failure", "error"):
        return _from_status(row)
    return None


def _from_status(row: Row) -> DhanError:
    data = row.get("data")
    if isinstance(data, dict) and data:
        code, words = next(iter(cast("Row", data).items()))
        return DhanError(_storable(code), _storable(words))
    return DhanError("", _storable(row.get("message") or row.get("remarks") or ""))


def text(row: Row, key: str) -> str:
    """A text field, or a whole number as text; Dhan's many ways to say nothing all become an empty string."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    said = _storable(value).strip()
    return said if said not in EMPTY else ""


def _storable(value: Any) -> str:
    return _UNSTORABLE.sub("\ufffd", str(value))
