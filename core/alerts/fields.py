"""The named values of one JSON object of an alert, read as text, and what was found wrong or odd about them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeGuard, TypeVar

from core.alerts import words

T = TypeVar("T")

MAX_AMOUNT = 10_000_000
SHOWN_CHARACTERS = 40
_SHOWN_KEYS = 6
_LONGEST_WORD = 64
_WRONG_KIND = "\0"  # stands for a list, an object or true: no table knows it, no pattern takes it
_AMOUNT = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,4}0{0,8})?")
_WHOLE = re.compile(r"([0-9]{1,8})(?:\.0{1,8})?")


@dataclass(slots=True)
class Fields:
    """`values` are keyed by Dhan's field names. Reading a wrong value adds a mistake and gives None."""

    name: str
    values: dict[str, Any]
    mistakes: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])

    def text(self, name: str) -> str:
        """The value as it was written, numbers included; empty when it is missing or null."""
        value = self.values.get(name)
        return value if isinstance(value, str) else text_of(value)

    def has(self, name: str) -> bool:
        """Whether the field says something: templates fill unused ones with 0 or NaN."""
        return name in self.values and self.text(name).strip("0.") not in ("", "NaN")

    def choose(self, name: str, table: Mapping[str, T], expected: str) -> T | None:
        word = self.text(name)
        choice = table.get(word)
        if choice is None and word.isascii() and len(word) <= _LONGEST_WORD:
            choice = table.get(word.upper())
        if choice is None:
            self.refuse(name, expected)
        return choice

    def amount(self, name: str) -> Decimal | None:
        """Rupees; zero when the field is missing."""
        amount = amount_of(self.text(name) or "0")
        if amount is not None:
            return amount
        self.refuse(name, f"an amount from 0 to {MAX_AMOUNT} in plain digits, with at most 4 decimals")
        return None

    def whole(self, name: str, least: int, most: int) -> int | None:
        match = _WHOLE.fullmatch(self.text(name))
        if match and least <= (number := int(match[1])) <= most:
            return number
        self.refuse(name, f"a whole number from {least} to {most} in plain digits")
        return None

    def refuse(self, name: str, expected: str) -> None:
        """Note that the field is wrong. `expected` completes "it must be"."""
        text = self.text(name)
        if not text:
            reason = f"is missing; it must be {expected}"
        elif "{{" in text:
            reason = (
                f"is {shown(text)}: TradingView did not fill this placeholder; "
                "it is misspelt, or the alert comes from alert(), which fills none"
            )
        else:
            reason = f"is {shown(self.values[name])}; it must be {expected}"
        self.mistakes.append(f"{self.name}: {name} {reason}.")


def read_fields(name: str, raw: Mapping[str, Any], known: Mapping[str, str]) -> Fields:
    """Sort an object's keys into fields, wishes that are not honoured, and the unknown; only fields have effects."""
    values: dict[str, Any] = {}
    fields = Fields(name, values)
    ignored: list[str] = []
    for key, value in raw.items():
        field_name = words.field_named(key, known)
        if field_name is None:
            ignored.append(key)
        elif field_name not in values:
            values[field_name] = value
        elif text_of(values[field_name]) != text_of(value):
            fields.mistakes.append(f"{name}: {field_name} is given twice, with different values.")
    if ignored:
        _remark_ignored(fields, ignored)
    return fields


def _remark_ignored(fields: Fields, keys: list[str]) -> None:
    not_honoured = [key for key in keys if words.is_not_honoured(key)]
    unknown = [key for key in keys if not words.is_not_honoured(key)]
    if not_honoured:
        fields.remarks.append(f"{fields.name}: not honoured, no such order is placed: {_shown_keys(not_honoured)}.")
    if unknown:
        fields.remarks.append(f"{fields.name}: unknown and without effect: {_shown_keys(unknown)}.")


def _shown_keys(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else ""
    return ", ".join(shown(key) for key in keys[:_SHOWN_KEYS]) + more


@lru_cache(maxsize=512)
def amount_of(text: str) -> Decimal | None:
    """Rupees in plain digits; None for anything else."""
    if _AMOUNT.fullmatch(text) and (amount := Decimal(text)) <= MAX_AMOUNT:
        return amount
    return None


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return _WRONG_KIND
    if isinstance(value, int) and value.bit_length() > 64:
        return _WRONG_KIND  # spelling out a huge number takes long, or raises
    return str(value)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def shown(value: object) -> str:
    """A value for a sentence: short, plain ASCII, nothing invisible."""
    match value:
        case str():
            return ascii(value[:SHOWN_CHARACTERS]) + ("..." if len(value) > SHOWN_CHARACTERS else "")
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case Mapping():
            return "an object"
        case int() | Decimal() | float():
            text = text_of(value)
            return "a huge number" if text == _WRONG_KIND else text[:SHOWN_CHARACTERS]
        case _:
            return "a list" if value else "an empty list"
