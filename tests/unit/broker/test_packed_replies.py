"""Replies that come packed: read whole or not at all, and in little room."""

import gzip
import tracemalloc

import pytest

from core.broker.dhan import client as client_module
from core.broker.dhan.client import CallFailed, DhanClient
from tests.unit.broker.host import Host

REFUSED = "not read"


@pytest.mark.parametrize(
    ("encoding", "body", "read"),
    [
        ("gzip", gzip.compress(b"[1]"), "[1]"),
        ("GZIP", gzip.compress(b"[1]"), "[1]"),
        ("gzip", gzip.compress(b"[1]")[:-4], REFUSED),
        ("gzip", gzip.compress(b"[1]") + b"[2]", REFUSED),
        ("gzip", b"[1]", REFUSED),
        ("gzip", b"", ""),
        ("br", b"[1]", REFUSED),
    ],
    ids=["packed", "in capitals", "cut short", "with more after it", "not packed", "nothing", "packed otherwise"],
)
async def test_a_packed_reply_is_read_whole_or_not_at_all(
    client: DhanClient, host: tuple[Host, str], encoding: str, body: bytes, read: str
) -> None:
    there, url = host
    there.answer = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (encoding.encode(), len(body), body)
    if read != REFUSED:
        assert (await client.call("GET", url)).text == read
        return
    with pytest.raises(CallFailed, match="the reply ") as failure:
        await client.call("GET", url)
    assert failure.value.sent


async def test_a_small_reply_that_unpacks_without_end_takes_no_room(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    body = gzip.compress(b"0" * 128 * 1024 * 1024)
    there.answer = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    tracemalloc.start()
    try:
        with pytest.raises(CallFailed, match="larger than any order book") as failure:
            await client.call("GET", url)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.value.sent
    assert most < 2 * client_module.MOST_BYTES


async def test_what_comes_after_the_packing_is_not_read_to_its_end(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    packed = gzip.compress(b"[1]")
    there.answer = b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n" + packed + b"[2]"
    with pytest.raises(CallFailed, match="does not end where its packing does"):
        await client.call("GET", url)
