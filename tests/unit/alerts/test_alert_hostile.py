"""Nothing that anybody can send does more than be refused, and nothing takes long."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from alert_samples import OPTION, SHARE, message
from hypothesis import example, given
from hypothesis import strategies as st

from core.alerts.lint import explain
from core.alerts.parse import parse_alert, read_alert_text, secret_in, secret_in_broken_text, without_secret
from core.alerts.words import ROOT_FIELDS
from core.errors import AlertRefused

MEGABYTE = 1_000_000
UNSEEN = {chr(code) for code in range(32)} - set("\t\n\r") | set("\x7f\x85\u200b\u202e\ufeff")
JSON_SIGNS = "{}[]\",:\\/.'0123456789eE+-NaInfty \n\u201c\u201dsecret"
NAMES = st.sampled_from(sorted(set(ROOT_FIELDS.values()))) | st.text(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.sampled_from(["{{x}}", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
LEGS = st.dictionaries(NAMES, VALUES, max_size=4).map(lambda odd: SHARE | odd) | st.dictionaries(
    NAMES, VALUES, max_size=4
).map(lambda odd: OPTION | odd)


def outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except AlertRefused as refusal:
        return refusal


def is_worded(refusal: AlertRefused) -> bool:
    printable = all(mistake.isascii() and mistake.isprintable() for mistake in refusal.mistakes)
    return printable and 1 <= len(refusal.mistakes) <= 5


@given(st.binary(max_size=20_000) | st.text(JSON_SIGNS, max_size=2_000).map(str.encode))
@example(b'{"a":' * 3_000)
@example(b"]" * 100 + b"[" * 16_000)
@example(b'"\\' * 8_000)
@example(b"\xff\xfe{\x00}\x00")
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    read = outcome(lambda: read_alert_text(body))

    assert isinstance(read, dict) or is_worded(read)
    assert isinstance(secret_in_broken_text(body), str)
    assert not UNSEEN.intersection(without_secret(body))
    assert explain(body)


@given(st.dictionaries(NAMES, VALUES, max_size=8) | st.lists(LEGS, max_size=3).map(lambda legs: message(*legs)))
def test_any_fields_are_an_alert_or_refused(fields: dict[str, Any]) -> None:
    alert = outcome(lambda: parse_alert(fields))

    if isinstance(alert, AlertRefused):
        assert is_worded(alert)
    else:
        assert all(1 <= leg.quantity <= 10_000_000 for leg in alert.legs)
        assert all(remark.isascii() and remark.isprintable() for remark in alert.remarks)
    assert isinstance(secret_in(fields), str)


@given(LEGS)
def test_a_stored_alert_is_judged_as_the_one_that_came(leg: dict[str, Any]) -> None:
    text = json.dumps(message(leg), default=str, ensure_ascii=False).encode(errors="replace")
    read = outcome(lambda: read_alert_text(text))
    if isinstance(read, dict):
        stored = read_alert_text(without_secret(text).encode())
        assert judge(stored) == judge(read)


def judge(fields: dict[str, Any]) -> tuple[Any, Any]:
    judged = outcome(lambda: parse_alert(fields))
    return (judged.mistakes, None) if isinstance(judged, AlertRefused) else (judged.legs, judged.remarks)


MANY_BRACKETS = '{"a": "[[[[[[[[[[[[[[[[[[[[", "b": '

HOSTILE = {
    "quotes": '"',
    "escaped quotes": '\\"',
    "open texts with escapes": '"\\',
    "texts": '"",',
    "closed lists in texts": '"[]"',
    "lists": "[],",
    "secrets": "secret",
    "secret keys": '"secret"',
    "secret keys and space": '"secret" ',
    "secrets without end": '"secret":"',
    "secret words": '"secret":a ',
    "bare secrets": "secret: ",
    "colons": "secret::::",
    "spaces": " ",
    "line breaks": "\n",
    "digits": "1",
    "placeholders": "{{",
    "curly quotes": "\u201csecret\u201d:\u201c",
    "slashes": "//",
    "zero-width spaces": "\u200b",
}


def cost_of(act: Callable[[], Any]) -> float:
    """Seconds of this process's own work, at its best of five."""
    costs: list[float] = []
    for _ in range(5):
        start = time.process_time()
        outcome(act)
        costs.append(time.process_time() - start)
    return min(costs)


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("frame", ["%s", '{"a": %s', '{"secret": "%s', '{"secret %s', "[%s", MANY_BRACKETS + "%s"])
def test_a_hostile_megabyte_costs_less_than_50_milliseconds(piece: str, frame: str) -> None:
    """A search that goes back costs seconds already for the 16 KiB that are looked at."""
    for size in (16_000, MEGABYTE):
        text = (frame % (piece * (size // len(piece.encode())))).encode()
        assert cost_of(lambda text=text: read_alert_text(text)) < 0.05
        assert cost_of(lambda text=text: without_secret(text)) < 0.05
        assert cost_of(lambda text=text: secret_in_broken_text(text)) < 0.05


@pytest.mark.parametrize("name", sorted(set(ROOT_FIELDS.values()) - {"secret"}))
@pytest.mark.parametrize("piece", ["1", "A", "{", "0.", "-EQ", "261201C", "\u200b"])
def test_a_field_of_a_megabyte_costs_less_than_50_milliseconds(name: str, piece: str) -> None:
    value = piece * (MEGABYTE // len(piece))
    for fields in (message(SHARE | {name: value}), message(SHARE, **{name: value})):
        assert cost_of(lambda fields=fields: parse_alert(fields)) < 0.05


def test_a_leg_with_many_keys_costs_in_proportion() -> None:
    fields = message(SHARE | {f"key{number}": number for number in range(10_000)})

    assert cost_of(lambda: parse_alert(fields)) < 0.05
