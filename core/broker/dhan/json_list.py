"""A JSON list read entry by entry: a whole book of thousands of orders is parsed for longer than an order may wait."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_DECODER = json.JSONDecoder(parse_float=Decimal)
_BLANK = re.compile(r"[ \t\n\r]*")


def entries(text: str) -> Iterator[Any]:
    """The entries of a list, with exact numbers, as they are reached. Raises ValueError for what is none or damaged."""
    at = _expect("[", text, 0)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return
    while True:
        entry, at = _DECODER.raw_decode(text, at)
        yield entry
        at = _after_blank(text, at)
        if text[at : at + 1] == "]":
            _expect_end(text, at + 1)
            return
        at = _expect(",", text, at)


def _expect(mark: str, text: str, at: int) -> int:
    """Where what comes after the mark begins."""
    at = _after_blank(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"no {mark!r} at {at}")
    return _after_blank(text, at + 1)


def _expect_end(text: str, at: int) -> None:
    if _after_blank(text, at) != len(text):
        raise ValueError("more after the list")


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
