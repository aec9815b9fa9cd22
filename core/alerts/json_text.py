"""Reading the bytes of an alert as strict JSON, and saying in words what is wrong with them.

Python's own parser takes NaN, repeated keys and numbers of any size; an order desk must not.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from core.errors import AlertRefused

MAX_BYTES = 16_384
MAX_DEPTH = 16
_LONGEST_NUMBER = 32
BOM = b"\xef\xbb\xbf"

# A string that never ends is taken to the end of the text: no place is looked at twice.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_BRACKETS = re.compile(rf"{_STRING}|[\[{{]|[\]}}]", re.DOTALL)


class _Misread(ValueError):
    """JSON's grammar allows this and the desk does not. `token` is where to point at, when it can be found."""

    def __init__(self, mistake: str, token: str = "") -> None:
        super().__init__(mistake)
        self.token = token


def read_alert_text(body: bytes) -> dict[str, Any]:
    """The alert's JSON object: UTF-8 with or without a byte order mark, whatever its content type says.

    Numbers come as int or Decimal. Raises AlertRefused with the mistake, its line and its column.
    """
    if len(body) > MAX_BYTES:
        raise AlertRefused([f"The alert has {len(body)} bytes; at most {MAX_BYTES} are read."])
    try:
        text = body.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise AlertRefused([f"The alert is not UTF-8 text: byte {error.start + 1} cannot be read."]) from None
    _refuse_deep_nesting(text)
    try:
        fields = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(text, error.pos, _explain(text, error))
    except _Misread as error:
        _refuse(text, _find_outside_strings(text, error.token), str(error))
    if not isinstance(fields, dict):
        raise AlertRefused(["The alert must be one JSON object, from { to }, and it is something else."])
    return fields  # pyright: ignore[reportUnknownVariableType] - JSON's keys are text, its values anything


def _refuse(text: str, place: int, mistake: str) -> NoReturn:
    if place < 0:
        raise AlertRefused([f"The alert is not usable JSON: {mistake}."]) from None
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    raise AlertRefused([f"The alert is not usable JSON, line {line}, column {column}: {mistake}."]) from None


def _refuse_deep_nesting(text: str) -> None:
    """Before parsing, because the parser recurses: it would hit the interpreter's limit, not ours."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        sign = match[0]
        if sign in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                _refuse(text, match.start(), f"objects and lists are nested more than {MAX_DEPTH} deep")
        elif sign in "]}":
            depth -= 1


def _find_outside_strings(text: str, token: str) -> int:
    if token:
        for match in re.finditer(rf"{_STRING}|{re.escape(token)}", text, re.DOTALL):
            if match[0] == token:
                return match.start()
    return -1


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise _Misread(f"the key {twice[:40]!a} stands twice in one object, so its meaning is unclear")
    return fields


def _read_whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise _Misread(f"a number has {len(text)} digits, more than {_LONGEST_NUMBER}", text)
    return int(text)


def _read_decimal(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise _Misread(f"a number has {len(text)} digits, more than {_LONGEST_NUMBER}", text)
    if "e" in text or "E" in text:
        raise _Misread(f"write the number {text} in plain digits, without an exponent", text)
    return Decimal(text)


def _read_constant(text: str) -> NoReturn:
    raise _Misread(f"{text} is not a number; the script had no value here", text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_int=_read_whole, parse_float=_read_decimal, parse_constant=_read_constant
)

# What stands where JSON broke off. Never the words themselves: they may be the secret.
_SIGNS = (
    (re.compile("[\u2018-\u201f\u00ab\u00bb]"), 'curly quotes; type straight ones (")'),
    (re.compile("['`]"), 'single quotes; JSON needs double ones (")'),
    (re.compile(r"//|/\*|#"), "a comment; JSON has none, take it out"),
    (re.compile(r"\.\.\.|\u2026"), "dots that stand for left-out text; put the whole text there"),
    (re.compile(r"\{\{"), "TradingView did not fill this placeholder: misspelt, or the alert comes from alert()"),
    (re.compile("[\u00a0\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff]"), "an invisible character; type the space anew"),
)
_SIGNS_FOR_A_VALUE = (
    (re.compile(r"(?:None|True|False)\b"), "a word of Python; JSON writes null, true and false"),
    (re.compile(r"(?:na|nan|NAN|undefined)\b"), "no number; the script had no value here"),
    (re.compile(r"[,}\]]"), "a value is missing here, or the comma before is one too many"),
    (re.compile(r"\w"), 'text without quotes; put double quotes (") around it'),
)
_REASONS = {
    "Expecting value": "a value is missing here",
    "Expecting property name": "a key in double quotes is missing here",
    "Illegal trailing comma": "the comma is one too many",
    "Expecting ','": "a comma is missing here, or there is a double quote inside the text before",
    "Expecting ':'": "a colon is missing after a key",
    "Extra data": "there is more text after the end of the alert; take it out",
    "Unterminated string": "a text starts here and never ends: the alert was cut short or a closing quote is missing",
    "Invalid control character": "a line break or other control character inside a text",
    "Invalid \\": "a backslash inside a text that JSON does not know",
}


def _explain(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the alert is empty"
    if not text.lstrip().startswith("{"):
        return "the alert does not start with {; paste the whole JSON message into TradingView"
    if error.pos >= len(text.rstrip()):
        return "the alert was cut short: it ends before its last }"
    place = error.pos - 1 if text[error.pos - 1 : error.pos + 1] == "{{" else error.pos
    wants_value = error.msg.startswith(("Expecting value", "Expecting property name", "Illegal trailing comma"))
    signs = _SIGNS + _SIGNS_FOR_A_VALUE if wants_value else _SIGNS
    seen = (mistake for sign, mistake in signs if sign.match(text, place))
    known = (reason for start, reason in _REASONS.items() if error.msg.startswith(start))
    return next(seen, None) or next(known, "JSON breaks off here")
