"""A list that is read entry by entry says what the whole of it says."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker.dhan import client as client_module
from core.broker.dhan.client import DhanClient, Reply
from core.broker.dhan.json_list import entries
from tests.integration.paper_dhan import PaperDhan

BLANKS = st.text(" \t\r\n", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def lists(draw: st.DrawFn) -> str:
    """A list as some host may write it."""
    members = draw(st.lists(VALUES, max_size=6))
    pieces = [draw(BLANKS) + json.dumps(member, ensure_ascii=draw(st.booleans())) + draw(BLANKS) for member in members]
    inner = ",".join(pieces) or draw(BLANKS)
    return f"{draw(BLANKS)}[{inner}]{draw(BLANKS)}"


def whole(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


@given(lists())
def test_entries_are_those_of_the_whole(text: str) -> None:
    assert list(entries(text)) == whole(text)


@given(lists(), st.integers(0, 200), st.text("[]{},:\"'0a \n", max_size=2))
def test_what_the_whole_is_damaged_by_damages_the_entries_too(text: str, at: int, more: str) -> None:
    damaged = text[:at] + more + text[at + 1 :]
    try:
        expected = whole(damaged)
    except ValueError:
        expected = None
    if not isinstance(expected, list):
        with pytest.raises(ValueError, match=r"."):
            list(entries(damaged))
    else:
        assert list(entries(damaged)) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "{}", '{"a": [1]}', "[", "[1", "[1,", "[1,]", "[,1]", "[1] [2]", "[1]]", "null"]
)
def test_what_is_no_list_has_no_entries(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(entries(text))


@pytest.mark.parametrize("text", ['[{"price": 70.05}]', '{"price": 70.05}', "<html>", "[1,"])
async def test_a_body_that_was_read_by_and_by_says_the_same(text: str) -> None:
    reply = Reply(200, text)
    await reply.read_by_and_by()
    assert reply.json() == Reply(200, text).json()


async def test_a_long_reply_is_read_by_and_by_and_to_its_end(client: DhanClient, dhan: PaperDhan) -> None:
    rows = [{"orderId": str(number), "price": 1412.05} for number in range(client_module.LONG // 20)]
    dhan.script("profile", "status", status=200, body=json.dumps(rows))
    reply = await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert len(reply.text) > client_module.LONG
    assert "_body" in vars(reply)
    assert reply.json() == whole(reply.text)
