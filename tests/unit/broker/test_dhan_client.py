"""HTTP to Dhan: which failures prove that nothing was sent, and what the client never does by itself."""

import asyncio
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest

from core.broker.dhan import client as client_module
from core.broker.dhan import lines
from core.broker.dhan.client import CallFailed, DhanClient, NotServed
from tests.builders import until
from tests.integration.paper_dhan import PaperDhan
from tests.patience import PATIENCE
from tests.unit.broker.host import Host


async def test_a_closed_port_means_that_nothing_was_sent(client: DhanClient, free_port: int) -> None:
    with pytest.raises(CallFailed) as failure:
        await client.call("POST", f"http://127.0.0.1:{free_port}/orders", body={})
    assert str(failure.value) == "POST orders: no connection (ConnectionRefusedError)"
    assert not failure.value.sent


async def test_a_host_that_cannot_prove_who_it_is_is_told_nothing(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    with pytest.raises(CallFailed, match="no connection") as failure:
        await client.call("POST", url.replace("http:", "https:"), query={"pin": "971358"}, body={})
    assert not failure.value.sent
    assert there.requests == []


async def test_a_host_that_does_not_take_the_connection_in_time_was_sent_nothing(
    client: DhanClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_CONNECT_SECONDS", 0)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(CallFailed, match="no connection") as failure,
    ):
        await client.call("POST", f"http://127.0.0.1:{server.getsockname()[1]}/orders", body={})
    assert not failure.value.sent


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("drop_before", "the connection "),
        ("drop_after", "the connection "),
        ("half_reply", "the connection ended before the reply did"),
    ],
)
async def test_a_line_that_dies_after_the_request_proves_nothing(
    client: DhanClient, dhan: PaperDhan, kind: str, words: str
) -> None:
    dhan.script("profile", kind)
    with pytest.raises(CallFailed, match=words) as failure:
        await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert failure.value.sent


async def test_a_host_that_falls_silent_is_not_waited_for_without_end(
    client: DhanClient, host: tuple[Host, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_SILENT_SECONDS", 0.05)
    there, url = host
    there.asked = 2
    with pytest.raises(CallFailed, match="nothing came for 0 s") as failure:
        await client.call("POST", url, query={"pin": "971358"})
    assert failure.value.sent
    assert "971358" not in str(failure.value)
    assert failure.value.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "what came is no reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "what came is no reply"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "what came is no reply"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n", "what came is no reply"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "what came is no reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", "the connection ended before the reply did"),
        (b"HTTP/1.1 200", "the connection ended before the reply did"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the connection ended before the reply did"),
        (b"", "the connection ended before the reply did"),
    ],
    ids=[
        *("another protocol", "two lengths", "a head without end", "a change of protocol", "no chunks"),
        *("half a body", "half a head", "not even a head", "nothing"),
    ],
)
async def test_what_is_no_whole_reply_proves_nothing(
    client: DhanClient, host: tuple[Host, str], answer: bytes, words: str
) -> None:
    there, url = host
    there.start, there.answer, there.hangs_up = b"", answer, "ended" in words
    with pytest.raises(CallFailed, match=words) as failure:
        await client.call("POST", url, body={})
    assert failure.value.sent
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2\r\n1]\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[1]",
        b"HTTP/1.0 200 OK\r\n\r\n[1]",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]",
    ],
    ids=["in chunks", "to the end of the line", "of an old host", "after a word before it"],
)
async def test_a_reply_may_come_in_every_way_of_the_protocol(
    client: DhanClient, host: tuple[Host, str], answer: bytes
) -> None:
    there, url = host
    there.start, there.answer, there.hangs_up = b"", answer, True
    for _ in range(2):
        reply = await client.call("POST", url, body={})
        assert (reply.status, reply.text) == (200, "[1]")
    assert len(there.connections) == 2, "and a line that its host has ended is not used again"


@pytest.mark.parametrize("how", ["with the reply", "after it"])
async def test_what_nobody_asked_for_is_not_taken_for_the_next_reply(
    client: DhanClient, host: tuple[Host, str], how: str
) -> None:
    there, url = host
    too_much = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[2]"
    whole = there.answer
    if how == "with the reply":
        there.answer += too_much
    assert (await client.call("POST", url, body={})).text == "{}"
    if how == "after it":
        there.connections[0][1].write(too_much)
        await there.connections[0][1].drain()
    there.answer = whole
    assert (await client.call("POST", url, body={})).text == "{}"
    assert len(there.connections) == 2


async def test_a_request_leaves_in_one_piece(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    await client.call("POST", url, body={"correlationId": "x" * 20})
    assert there.pieces == 1


async def test_a_reply_that_drips_ends_at_the_deadline(
    client: DhanClient, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TOTAL_SECONDS", 0.1)
    dhan.script("profile", "drip", seconds=1)
    with pytest.raises(CallFailed, match="no complete reply") as failure:
        await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert failure.value.sent


async def test_a_reply_larger_than_any_order_book_is_not_read_to_its_end(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("profile", "status", status=200, body="x" * (client_module.MOST_BYTES + 1))
    with pytest.raises(CallFailed, match="larger than any order book"):
        await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")


@pytest.mark.parametrize(
    "url",
    ["ftp://dhan.test/orders", "dhan.test/orders", "https://dhan.test:x/orders", "https://[::1/", "https://ä.test/"],
)
async def test_what_is_no_address_is_not_called(client: DhanClient, url: str) -> None:
    with pytest.raises(CallFailed, match="no request can say this") as failure:
        await client.call("GET", url)
    assert not failure.value.sent


async def test_a_token_that_no_header_can_hold_is_not_sent(client: DhanClient, host: tuple[Host, str]) -> None:
    with pytest.raises(CallFailed) as failure:
        await client.call("GET", host[1], headers={"access-token": "\u0905"})
    assert not failure.value.sent


async def test_a_request_says_its_length_and_where_it_goes(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    await client.call("POST", f"{url}/a b?of=1", query={"name": "M&M FIN"}, body={"price": Decimal("70.5")})
    await client.call("POST", url)
    first, second = there.requests
    assert first.startswith(b"POST /orders/a%20b?of=1&name=M%26M%20FIN HTTP/1.1\r\n")
    assert f"Host: {url.split('/')[2]}\r\n".encode() in first
    assert first.endswith(b'Content-Length: 15\r\n\r\n{"price": 70.5}')
    assert b"\r\nContent-Length: 0\r\n" in second


async def test_calls_at_once_have_a_line_each_and_later_ones_take_those(
    client: DhanClient, host: tuple[Host, str]
) -> None:
    there, url = host
    there.asked = 30
    assert len(await asyncio.gather(*(client.call("GET", url) for _ in range(30)))) == 30
    assert len(there.connections) == 30
    there.asked = 1
    for _ in range(5):
        await client.call("GET", url)
    there.asked = 20
    await asyncio.gather(*(client.call("GET", url) for _ in range(20)))
    assert len(there.connections) == 30, "the lines were kept"


async def test_a_line_that_the_host_closed_meanwhile_is_not_used(client: DhanClient, host: tuple[Host, str]) -> None:
    there, url = host
    await client.call("GET", url)
    await there.hang_up()
    await client.call("POST", url, body={})
    assert len(there.connections) == 2


async def test_a_line_that_was_idle_for_long_is_not_used(
    client: DhanClient, host: tuple[Host, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_IDLE_SECONDS", 0)
    there, url = host
    for _ in range(2):
        await client.call("GET", url)
    assert len(there.connections) == 2


async def test_a_line_on_which_a_call_was_given_up_is_not_used_again(
    client: DhanClient, host: tuple[Host, str]
) -> None:
    there, url = host
    there.asked = 2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.call("GET", url)
    there.asked = 1
    await client.call("GET", url)
    await client.call("GET", url)
    assert len(there.connections) == 2


async def test_a_reply_that_comes_when_all_is_closed_keeps_no_line(host: tuple[Host, str]) -> None:
    there, url = host
    there.asked = 2
    early, late = DhanClient(), DhanClient()
    under_way = asyncio.create_task(early.call("GET", url))
    await until(lambda: there.requests)
    await early.close()
    await late.call("GET", url)
    assert (await under_way).status == 200
    served, _ = there.connections[0]
    assert served is not None
    async with asyncio.timeout(PATIENCE):
        await served
    await late.close()


async def test_a_redirect_is_not_followed(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("profile", "status", status=307, headers={"location": "/dhan/v2/orders"})
    reply = await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert reply.status == 307


async def test_nothing_is_tried_a_second_time(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("place", "drop_before")
    with pytest.raises(CallFailed):
        await client.call("POST", f"{dhan.http.base_url}/dhan/v2/orders", body={})
    assert dhan.ledger()["placements"] == 1


async def test_numbers_of_a_reply_are_exact(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("profile", "status", status=200, body='{"price": 1412.05}')
    reply = await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert str(reply.json()["price"]) == "1412.05"


async def test_a_download_goes_to_its_file(client: DhanClient, dhan: PaperDhan, tmp_path: Path) -> None:
    await client.download(f"{dhan.http.base_url}/dhan/api-data/api-scrip-master.csv", tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text().startswith("SEM_EXM_EXCH_ID,")


async def test_a_download_that_drips_ends_at_its_own_deadline_and_would_again(
    client: DhanClient, dhan: PaperDhan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "DOWNLOAD_SECONDS", 0.1)
    dhan.script("instruments", "drip", seconds=1)
    with pytest.raises(NotServed, match=r"api-scrip-master\.csv: no complete reply within 0 s"):
        await client.download(f"{dhan.http.base_url}/dhan/api-data/api-scrip-master.csv", tmp_path / "list.csv")


async def test_a_download_that_is_refused_fails(client: DhanClient, dhan: PaperDhan, tmp_path: Path) -> None:
    dhan.script("instruments", "status", status=503)
    with pytest.raises(CallFailed, match="503"):
        await client.download(f"{dhan.http.base_url}/dhan/api-data/api-scrip-master.csv", tmp_path / "list.csv")


async def test_a_proxy_of_the_environment_is_ignored(
    dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch, find_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{find_port()}")
    client = DhanClient()
    reply = await client.call("GET", f"{dhan.http.base_url}/dhan/v2/orders", headers=dict(dhan.http.headers))
    await client.close()
    assert json.loads(reply.text) == []


@pytest.mark.parametrize(
    "header",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Wed, 25 Nov 2026 10:00:00 +99999999999999999999",
        "Wed, 25 Nov 99999999999 10:00:00 GMT",
        "soon",
    ],
)
async def test_an_absurd_date_of_a_reply_ends_nothing(client: DhanClient, header: str) -> None:
    client._note_date(header)
    client.clock_skew()


async def test_a_second_of_dhans_clock_is_counted_from_its_first_reply_on(client: DhanClient) -> None:
    """The replies of a rush share a Date; the first of them lies closest to when that second began."""
    date = format_datetime(datetime.now(UTC), usegmt=True)
    client._note_date(date)
    first = client._their_time
    client._note_date(date)
    assert client._their_time == first
    client._note_date(format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True))
    assert client._their_time != first
