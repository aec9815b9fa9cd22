"""HTTP to Dhan: which failures prove that nothing was sent, and what the client never does by itself."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import httpcore
import pytest

from core.broker.dhan import client as client_module
from core.broker.dhan import lines
from core.broker.dhan.client import CallFailed, DhanClient
from tests.integration.paper_dhan import PaperDhan

URL = "https://dhan.test/v2/orders"
NOTHING_LEFT = {"ConnectError", "ConnectTimeout", "UnsupportedProtocol"}
OF_THE_LIBRARY = sorted(
    {value for value in vars(httpcore).values() if isinstance(value, type) and issubclass(value, Exception)}
    - {httpcore.ConnectionNotAvailable},  # never: a line has one call at a time
    key=lambda kind: kind.__name__,
)


@pytest.fixture
def network_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """From now on the library raises this for every request."""

    def fail_with(error: Exception) -> None:
        async def send(*_arguments: object, **_named: object) -> None:
            raise error

        monkeypatch.setattr(httpcore.AsyncHTTPConnection, "handle_async_request", send)

    return fail_with


@pytest.mark.parametrize("kind", OF_THE_LIBRARY, ids=lambda kind: kind.__name__)
async def test_every_error_of_the_library_becomes_ours_and_only_three_prove_that_nothing_left(
    client: DhanClient, network_fails: Callable[[Exception], None], kind: type[Exception]
) -> None:
    network_fails(kind("no"))
    with pytest.raises(CallFailed) as failure:
        await client.call("POST", URL, query={"pin": "971358"})
    assert failure.value.sent is (kind.__name__ not in NOTHING_LEFT)


async def test_an_error_never_shows_the_query(client: DhanClient, network_fails: Callable[[Exception], None]) -> None:
    network_fails(httpcore.ReadTimeout(f"{URL}?pin=971358"))
    with pytest.raises(CallFailed) as failure:
        await client.call("POST", URL, query={"pin": "971358"})
    assert str(failure.value) == "POST /v2/orders: ReadTimeout"
    assert failure.value.__suppress_context__


async def test_an_error_that_is_not_of_the_network_passes_unchanged(
    client: DhanClient, network_fails: Callable[[Exception], None]
) -> None:
    network_fails(KeyError("a bug of ours"))
    with pytest.raises(KeyError):
        await client.call("POST", URL)


async def test_a_closed_port_means_that_nothing_was_sent(client: DhanClient, free_port: int) -> None:
    with pytest.raises(CallFailed) as failure:
        await client.call("POST", f"http://127.0.0.1:{free_port}/orders", body={})
    assert not failure.value.sent


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half_reply"])
async def test_a_line_that_dies_after_the_request_proves_nothing(
    client: DhanClient, dhan: PaperDhan, kind: str
) -> None:
    dhan.script("profile", kind)
    with pytest.raises(CallFailed) as failure:
        await client.call("GET", f"{dhan.http.base_url}/dhan/v2/profile")
    assert failure.value.sent


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
    with pytest.raises(CallFailed, match="UnsupportedProtocol") as failure:
        await client.call("GET", url)
    assert not failure.value.sent


async def test_a_token_that_no_header_can_hold_is_not_sent(client: DhanClient, host: tuple["Host", str]) -> None:
    with pytest.raises(CallFailed) as failure:
        await client.call("GET", host[1], headers={"access-token": "\u0905"})
    assert not failure.value.sent


async def test_a_request_says_its_length_and_where_it_goes(client: DhanClient, host: tuple["Host", str]) -> None:
    there, url = host
    await client.call("POST", f"{url}/a b?of=1", query={"name": "M&M FIN"}, body={"price": Decimal("70.5")})
    await client.call("POST", url)
    first, second = there.requests
    assert first.startswith(b"POST /orders/a%20b?of=1&name=M%26M%20FIN HTTP/1.1\r\n")
    assert f"Host: {url.split('/')[2]}\r\n".encode() in first
    assert first.endswith(b'Content-Length: 15\r\n\r\n{"price": 70.5}')
    assert b"\r\nContent-Length: 0\r\n" in second


@pytest.mark.parametrize(
    ("encoding", "body", "read"),
    [
        ("gzip", gzip.compress(b"[1]"), "[1]"),
        ("GZIP", gzip.compress(b"[1]"), "[1]"),
        ("gzip", gzip.compress(b"[1]")[:-4], "RemoteProtocolError"),
        ("gzip", gzip.compress(b"[1]") + b"[2]", "RemoteProtocolError"),
        ("gzip", b"[1]", "RemoteProtocolError"),
        ("gzip", b"", ""),
        ("br", b"[1]", "RemoteProtocolError"),
    ],
    ids=["packed", "in capitals", "cut short", "with more after it", "not packed", "nothing", "packed otherwise"],
)
async def test_a_packed_reply_is_read_whole_or_not_at_all(
    client: DhanClient, host: tuple["Host", str], encoding: str, body: bytes, read: str
) -> None:
    there, url = host
    there.answer = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (encoding.encode(), len(body), body)
    if read != "RemoteProtocolError":
        assert (await client.call("GET", url)).text == read
        return
    with pytest.raises(CallFailed, match=read) as failure:
        await client.call("GET", url)
    assert failure.value.sent


class Host:
    """Answers, no request before `asked` are there at once."""

    def __init__(self) -> None:
        self.asked = 1
        self.answer = b"Content-Length: 2\r\n\r\n{}"
        self.requests: list[bytes] = []
        self.connections: list[tuple[asyncio.Task[None] | None, asyncio.StreamWriter]] = []
        self._waiting: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append((asyncio.current_task(), writer))
        while request := await _request(reader):
            self.requests.append(request)
            self._waiting.append(writer)
            if len(self._waiting) >= self.asked:
                for each in self._waiting:
                    each.write(b"HTTP/1.1 200 OK\r\n" + self.answer)
                self._waiting.clear()

    async def hang_up(self) -> None:
        for task, writer in self.connections:
            writer.close()
            if task:
                await task


async def _request(reader: asyncio.StreamReader) -> bytes:
    """The next one; empty when the other side hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = re.search(rb"Content-Length: (\d+)", head)
    return head + await reader.readexactly(int(length[1]) if length else 0)


@pytest.fixture
async def host() -> AsyncIterator[tuple[Host, str]]:
    host = Host()
    async with await asyncio.start_server(host.serve, "127.0.0.1") as server:
        yield host, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/orders"
        await host.hang_up()


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
    assert len(there.connections) == 30, "twenty were kept"


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


async def test_a_download_that_drips_ends_at_its_own_deadline(
    client: DhanClient, dhan: PaperDhan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "DOWNLOAD_SECONDS", 0.1)
    dhan.script("instruments", "drip", seconds=1)
    with pytest.raises(CallFailed, match=r"api-scrip-master\.csv: no complete reply within 0 s"):
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
