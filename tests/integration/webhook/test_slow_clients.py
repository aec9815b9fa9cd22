"""Senders who say nothing, or not all of it: they go after a while, and keep nobody else out."""

import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.webhook.running_web import RunningWeb, an_alert_text, running_web, wait_until
from webhook.crowd import Crowd

HALF_HEAD = b"POST /webhook HTTP/1.1\r\nHost: desk\r\nX-Half: "
HEAD = b"POST /webhook HTTP/1.1\r\nHost: desk\r\nContent-Length: 100\r\n\r\n"
PAGE = b"GET /health HTTP/1.1\r\nHost: desk\r\n\r\n"
ELSEWHERE = HEAD.replace(b"/webhook", b"/")
CHUNKED = b"POST /health HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG_PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: desk\r\n\r\n"
HURRIED = 0.5


@pytest.fixture(params=["httptools", "h11"])
def hurried(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWeb]:
    """A web process that waits half a second, on each of the two servers."""
    if request.param == "h11":
        monkeypatch.setitem(sys.modules, "webhook.quick_connections", None)
    with running_web(tmp_path, Crowd(arrive_within=HURRIED, take_within=HURRIED)) as web:
        yield web


@pytest.fixture(params=["httptools", "h11"])
def patient(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWeb]:
    """A web process that waits for ever, on each of the two servers: only what it counts makes it close."""
    if request.param == "h11":
        monkeypatch.setitem(sys.modules, "webhook.quick_connections", None)
    with running_web(tmp_path, Crowd(arrive_within=3600, take_within=3600)) as web:
        yield web


@contextmanager
def open_connections(web: RunningWeb, *first_words: bytes) -> Generator[list[socket.socket]]:
    with ExitStack() as stack:
        opened: list[socket.socket] = []
        for words in first_words:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=30))
            connection.sendall(words)
            opened.append(connection)
        yield opened


def is_closed(connection: socket.socket) -> bool:
    """Waits for it; whatever came before the end is of no interest."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


def is_open(connection: socket.socket) -> bool:
    """Nothing of an end has come, so far."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize(
    "words", [b"", b"P", HALF_HEAD, HEAD, HEAD + b"{", PAGE + HALF_HEAD, PAGE, HEAD.replace(b"/webhook", b"/")]
)
def test_who_does_not_go_on_is_let_go(hurried: RunningWeb, words: bytes) -> None:
    with open_connections(hurried, words) as [slow]:
        assert is_closed(slow)


def test_a_head_that_comes_a_byte_at_a_time_is_let_go_as_well(hurried: RunningWeb) -> None:
    with open_connections(hurried, HALF_HEAD) as [slow]:
        slow.settimeout(0.02)
        for _ in range(250):
            try:
                slow.sendall(b"x")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        else:
            pytest.fail("it was listened to for five seconds")


def test_among_three_hundred_slow_ones_an_honest_alert_is_acked_and_stored(tmp_path: Path) -> None:
    with running_web(tmp_path) as web, open_connections(web, *[b"", HALF_HEAD, HEAD + b"{"] * 100):
        assert web.post(an_alert_text()).status_code == 200
        assert len(web.stored()) == 1


def test_where_too_many_are_connected_the_most_silent_one_goes_for_the_newcomer(tmp_path: Path) -> None:
    with running_web(tmp_path, Crowd(most=5)) as web, open_connections(web, *[HALF_HEAD] * 5) as slow:
        assert web.post(an_alert_text()).status_code == 200
        assert is_closed(slow[0])
        assert is_open(slow[4])


@pytest.mark.parametrize("slow_ones", [[], [HALF_HEAD] * 3], ids=["all idle", "some half-spoken"])
def test_where_too_many_are_connected_who_had_an_answer_goes_before_a_newcomer(
    tmp_path: Path, slow_ones: list[bytes]
) -> None:
    crowd = Crowd(most=5, arrive_within=3600, take_within=3600)
    idle = [b""] * (5 - len(slow_ones))
    with running_web(tmp_path, crowd) as web, open_connections(web, *slow_ones, *idle) as there:
        answered = there[len(slow_ones) :]
        for connection in answered:
            connection.sendall(PAGE)
            assert connection.recv(1)
        assert web.post(an_alert_text()).status_code == 200
        assert crowd.sent_away == 1
        assert is_closed(answered[0])
        for other in there:
            if other is not answered[0]:
                assert is_open(other)


def test_idle_connections_keep_no_newcomers_out(tmp_path: Path) -> None:
    crowd = Crowd(most=5, arrive_within=3600, take_within=3600)
    with running_web(tmp_path, crowd) as web, open_connections(web, *[PAGE] * 5) as idle:
        assert all(connection.recv(1) for connection in idle)
        length = b"Content-Length: %d" % len(an_alert_text())
        head = HEAD.replace(b"Content-Length: 100", b"Connection: close\r\n" + length)
        for _ in range(10):
            assert web.send_raw(head, an_alert_text().encode()).startswith(b"HTTP/1.1 200 ")


def test_an_endless_head_is_refused(hurried: RunningWeb) -> None:
    with open_connections(hurried, HALF_HEAD) as [greedy]:
        try:
            for _ in range(100):
                greedy.sendall(b"x" * 4096)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert is_closed(greedy)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (CHUNKED + b"0\r\n", b"ab: cd\r\n"),
        (CHUNKED + b"0\r\nab: ", b"xxxxxxxx"),
        (CHUNKED + b"0\r\n", b"xxxxxxxx"),
        (CHUNKED + b"1;ab=", b"xxxxxxxx"),
    ],
    ids=["trailers", "one trailer's value", "one trailer's name", "one chunk's extension"],
)
def test_what_stands_beside_a_body_is_bounded_as_the_head_is(
    patient: RunningWeb, begins: bytes, goes_on: bytes
) -> None:
    with open_connections(patient, begins) as [greedy]:
        try:
            for _ in range(1_000):
                greedy.sendall(goes_on * 1_000)
        except (ConnectionResetError, BrokenPipeError):
            return
        pytest.fail("8 megabytes were listened to")


def test_a_body_in_many_pieces_is_no_offence(web: RunningWeb) -> None:
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in an_alert_text(note="x" * 8_000).encode())
    ask = CHUNKED.replace(b"/health", b"/webhook").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert web.send_raw(ask, pieces, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_who_takes_no_answers_is_let_go(tmp_path: Path) -> None:
    crowd = Crowd(arrive_within=HURRIED, take_within=HURRIED)
    with running_web(tmp_path, crowd) as web, open_connections(web, LONG_PAGE * 1000):
        wait_until(lambda: crowd.sent_away == 1)
        assert web.post(an_alert_text()).status_code == 200


def test_a_pause_between_two_requests_is_no_offence(tmp_path: Path) -> None:
    with running_web(tmp_path, Crowd(arrive_within=HURRIED)) as web:
        for number in range(3):
            assert web.post(an_alert_text(note=str(number))).status_code == 200
        assert len(web.stored()) == 3
