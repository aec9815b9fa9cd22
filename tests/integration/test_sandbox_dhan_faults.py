"""What the Dhan stand-in does wrong on request, how its limits bite, and that its ledger outlives it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from paper_dhan import HandClock, PaperDhan, Stage, india

from core.clock import PaperClock

IN_SESSION = india("2026-11-25 10:30")  # a Wednesday


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage().raised() as stage:
        yield stage


@pytest.fixture
def dhan(stage: Stage, tmp_path: Path) -> Iterator[PaperDhan]:
    with stage.dhan(tmp_path, IN_SESSION) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "error", "orders"),
    [
        ("drop_before", httpx.RemoteProtocolError, 0),
        ("drop_after", httpx.RemoteProtocolError, 1),
        ("half_reply", httpx.RemoteProtocolError, 1),
        ("hang", httpx.ReadTimeout, 0),
    ],
)
def test_the_line_dies(dhan: PaperDhan, kind: str, error: type[Exception], orders: int) -> None:
    dhan.script("place", kind)
    dhan.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(error):
        dhan.place()
    assert len(dhan.ledger()["orders"]) == orders
    assert dhan.place(correlationId="tb-2").status_code == 200


@pytest.mark.parametrize(("recorded", "orders"), [(False, 0), (True, 1)])
def test_a_scripted_status_answers_with_and_without_an_order(dhan: PaperDhan, recorded: bool, orders: int) -> None:
    dhan.script("place", "status", status=502, body="<html>Bad gateway</html>", recorded=recorded)
    reply = dhan.place()
    assert (reply.status_code, reply.text) == (502, "<html>Bad gateway</html>")
    assert len(dhan.ledger()["orders"]) == orders


def test_a_client_that_gives_up_on_a_slow_broker_may_have_an_order(dhan: PaperDhan) -> None:
    dhan.script("place", "delay", seconds=0.5, recorded=True)
    dhan.http.timeout = httpx.Timeout(0.1)
    with pytest.raises(httpx.ReadTimeout):
        dhan.place()
    assert dhan.lookup("tb-1").status_code == 200


def test_a_reply_can_be_cut_without_its_id_or_an_error_with_http_200(dhan: PaperDhan) -> None:
    dhan.script("place", "bad_json")
    dhan.script("place", "no_id")
    dhan.script("place", "error_body_200")
    cut, without, error = [dhan.place() for _ in range(3)]
    assert [cut.status_code, without.status_code, error.status_code] == [200, 200, 200]
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        cut.json()
    assert without.json() == {"orderStatus": "TRANSIT"}
    assert error.json()["errorCode"] == "DH-906"
    assert len(dhan.ledger()["orders"]) == 2


def test_a_reply_can_drip(dhan: PaperDhan) -> None:
    dhan.script("place", "drip", seconds=0.1)
    reply = dhan.place()
    assert reply.json()["orderStatus"] == "TRANSIT"
    assert reply.elapsed.total_seconds() >= 0.1


def test_the_index_can_lag_behind_the_book(dhan: PaperDhan) -> None:
    dhan.script("lookup", "index_lag", times=2)
    order_id = dhan.placed()
    assert [dhan.lookup("tb-1").status_code for _ in range(3)] == [404, 404, 200]
    assert dhan.book()[0]["orderId"] == order_id


def test_an_index_that_lags_for_seconds_lags_until_it_is_cleared(dhan: PaperDhan) -> None:
    dhan.script("lookup", "index_lag", seconds=60)
    dhan.placed()
    assert [dhan.lookup("tb-1").status_code for _ in range(3)] == [404, 404, 404]
    dhan.http.delete("/dhan/sandbox/faults")
    assert dhan.lookup("tb-1").status_code == 200


def test_an_order_can_be_rejected_late_get_stuck_or_come_twice(dhan: PaperDhan) -> None:
    dhan.script("place", "late_reject", text="RMS:1:Price outside Circuit Limits")
    dhan.script("place", "stuck")
    dhan.script("place", "twice")
    ids = [dhan.placed(correlationId=f"tb-{number}") for number in range(3)]
    dhan.clock.pass_time(seconds=5)
    assert dhan.order(ids[0])["omsErrorDescription"] == "RMS:1:Price outside Circuit Limits"
    assert [dhan.order(order_id)["orderStatus"] for order_id in ids] == ["REJECTED", "TRANSIT", "TRADED"]
    assert [order["correlationId"] for order in dhan.book()].count("tb-2") == 2


def test_an_unknown_fault_is_refused(dhan: PaperDhan) -> None:
    for wish in ({"call": "place", "kind": "nonsense"}, {"call": "place", "kind": "hang", "second": 1}, {}):
        assert dhan.http.post("/dhan/sandbox/faults", json=wish).status_code == 400
    assert dhan.http.get("/dhan/sandbox/faults").json() == []


@pytest.mark.parametrize("path", ["faults", "limits", "duplicates"])
def test_a_foreign_page_cannot_script_anything(dhan: PaperDhan, path: str) -> None:
    plain = {"Content-Type": "text/plain"}  # what a page may post elsewhere without being asked for its origin
    assert dhan.http.post(f"/dhan/sandbox/{path}", content=b"{}", headers=plain).status_code == 415


def test_the_eleventh_order_in_a_second_is_refused_and_leaves_no_order(dhan: PaperDhan) -> None:
    replies = [dhan.place(correlationId=f"tb-{number}") for number in range(11)]
    assert [reply.status_code for reply in replies] == [200] * 10 + [429]
    assert replies[10].json()["errorCode"] == "DH-904"
    ledger = dhan.ledger()
    assert (len(ledger["orders"]), ledger["placements"]) == (10, 11)


def test_limits_can_be_switched_off(dhan: PaperDhan) -> None:
    dhan.http.post("/dhan/sandbox/limits", json={})
    assert {dhan.place(correlationId=f"tb-{number}").status_code for number in range(30)} == {200}


def test_the_ledger_survives_kill_9_and_orders_go_on(tmp_path: Path) -> None:
    clock = PaperClock(tmp_path / "clock.json")
    clock.jump_to(IN_SESSION)
    with _running(tmp_path) as (first, process):
        dhan = PaperDhan(HandClock(IN_SESSION), first)
        dhan.sign_in()
        order_id = dhan.placed(orderType="LIMIT", price=1000, productType="CNC")
        process.send_signal(signal.SIGKILL)
        token = first.headers["access-token"]
    with _running(tmp_path) as (second, _):
        dhan = PaperDhan(HandClock(IN_SESSION), second)
        second.headers["access-token"] = token
        assert dhan.lookup("tb-1").json()["orderId"] == order_id
        clock.jump_to(india("2026-11-25 15:16"))
        [order] = dhan.ledger()["orders"]
        assert order["orderStatus"] == "EXPIRED"


@contextmanager
def _running(data_dir: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[Any]"]]:
    command = [sys.executable, "-m", "core.sandbox.dhan", "--data-dir", str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with httpx.Client(base_url=process.stdout.readline().strip(), trust_env=False, verify=False) as http:
                yield http, process
        finally:
            process.kill()
