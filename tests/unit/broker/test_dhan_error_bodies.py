"""Every shape of error body that Dhan is known to send, and what each kind of no means for the order."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker.dhan.client import Reply
from core.broker.dhan.mapping import classify, read_placement
from core.broker.dhan.meanings import Trouble, meaning_of
from core.broker.dhan.wire import DhanError, read_error
from core.broker.port import Accepted, Outcome, Refusal, Refused, Unknown

GATEWAY = {"timestamp": "2026-11-25T10:30:00.000", "status": 404, "error": "Not Found", "path": "/v2/orders"}


def reply(status: int, body: Any) -> Reply:
    return Reply(status, body if isinstance(body, str) else json.dumps(body))


def dhan_says(code: str, words: str = "No reason given", status: int = 400) -> Outcome:
    return read_placement(reply(status, {"errorType": "Any", "errorCode": code, "errorMessage": words}))


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "No"}, "DH-906", "No"),
        ({"status": "failed", "data": {"806": "Data APIs not subscribed"}}, "806", "Data APIs not subscribed"),
        ({"errorCode": 806, "errorMessage": "Not subscribed"}, "806", "Not subscribed"),
        ({"status": "error", "message": "Invalid TOTP"}, "", "Invalid TOTP"),
        ([{"message": "IP not saved", "status": "ERROR"}], "", "IP not saved"),
        (
            {"errorCode": "INTERNAL_SERVER_ERROR", "internalErrorCode": "RS-9005", "internalErrorMessage": "Down"},
            "INTERNAL_SERVER_ERROR",
            "Down",
        ),
        ({"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": None}, "DH-906", ""),
    ],
)
def test_one_parser_reads_every_error_body(body: Any, code: str, words: str) -> None:
    assert read_error(reply(400, body)) == DhanError(code, words)


@pytest.mark.parametrize(
    "body", [GATEWAY, "<html>502 Bad Gateway</html>", "", '{"errorCode":"DH-9', "null", "[]", {"orderId": "1"}]
)
def test_what_is_no_error_body_of_dhan_states_no_error(body: Any) -> None:
    assert read_error(reply(502, body)) is None


@pytest.mark.parametrize(
    ("code", "words", "status", "refusal"),
    [
        ("DH-901", "Client ID or user generated access token is invalid or expired.", 401, Refusal.SIGNED_OUT),
        ("DH-906", "Invalid Token", 400, Refusal.SIGNED_OUT),
        ("DH-905", "Token expired", 400, Refusal.SIGNED_OUT),
        ("DH-902", "No API access", 403, Refusal.NO_ACCESS),
        ("DH-903", "Segment not active", 400, Refusal.NO_ACCESS),
        ("DH-904", "Too many requests", 429, Refusal.RATE_LIMITED),
        ("DH-905", "Invalid IP", 400, Refusal.INVALID_IP),
        ("DH-911", "Invalid IP", 400, Refusal.INVALID_IP),
        ("DH-906", "Trading is blocked for the day by the kill switch", 400, Refusal.KILL_SWITCH),
        ("DH-905", "KillSwitch is activated", 400, Refusal.KILL_SWITCH),
        ("DH-905", "quantity is required", 400, Refusal.FINAL),
        ("DH-906", "Trigger Price should be greater than Price", 400, Refusal.FINAL),
        ("DH-907", "Wrong parameters", 400, Refusal.FINAL),
        ("DH-906", "Market is Closed! Want to place an offline order?", 400, Refusal.MARKET_CLOSED),
        ("DH-906", "Markets are Offline or Blocked", 400, Refusal.MARKET_OFFLINE),
    ],
)
def test_a_well_formed_no_is_a_refusal_of_its_kind(code: str, words: str, status: int, refusal: Refusal) -> None:
    outcome = dhan_says(code, words, status)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.code, outcome.words) == (refusal, code, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("DH-906", "Invalid Token"),
        ("DH-906", "Token is expired"),
        ("DH-906", "Access token missing"),
        ("DH-905", "Token mismatch"),
        ("DH-902", "The token has no access"),
        ("DH-910", "Authentication Failed - Client ID or Token invalid"),
    ],
)
def test_a_dead_token_is_known_by_its_text(code: str, words: str) -> None:
    assert classify(DhanError(code, words)) is Refusal.SIGNED_OUT


@pytest.mark.parametrize("code", ["DH-905", "DH-906"])
@pytest.mark.parametrize(
    "words", ["Instrument token not found", "Instrument token invalid", "instrument_token is invalid", "Security token"]
)
def test_a_token_that_names_an_instrument_is_not_our_sign_in(code: str, words: str) -> None:
    assert classify(DhanError(code, words)) is Refusal.FINAL
    assert meaning_of(code, words).trouble is not Trouble.SIGN_IN


def test_a_token_of_which_nothing_bad_is_said_ends_no_sign_in() -> None:
    assert classify(DhanError("DH-906", "No such token in this segment")) is Refusal.FINAL


@pytest.mark.parametrize("code", ["807", "808", "809"])
def test_a_dead_token_is_known_by_its_data_codes_too(code: str) -> None:
    outcome = read_placement(reply(401, {"status": "failed", "data": {code: "Authentication Failed"}}))
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.SIGNED_OUT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errorCode": "DH-908", "errorMessage": "Internal error"}),
        (400, {"errorCode": "DH-909", "errorMessage": "Network error"}),
        (400, {"errorCode": "DH-910", "errorMessage": "Others"}),
        (400, {"errorCode": "DH-999", "errorMessage": "A code that nobody has seen"}),
        (400, {"errorCode": "INTERNAL_SERVER_ERROR", "internalErrorMessage": "Down"}),
        (400, {"status": "error", "message": "No"}),
        (500, {"errorCode": "DH-906", "errorMessage": "Order refused"}),
        (503, {"errorCode": "DH-904", "errorMessage": "Too many requests"}),
        (200, {"errorCode": "DH-906", "errorMessage": "Order refused"}),
        (200, {"orderStatus": "TRANSIT"}),
        (200, {"orderId": "NA", "orderStatus": "TRANSIT"}),
        (200, {"orderId": 0, "orderStatus": "TRANSIT"}),
        (200, {"orderId": -1, "orderStatus": "TRANSIT"}),
        (200, {"orderId": True, "orderStatus": "TRANSIT"}),
        (200, {"orderId": " ", "orderStatus": "TRANSIT"}),
        (200, {"orderId": "52261125", "orderStatus": "A_WORD_OF_NEXT_YEAR"}),
        (200, {"orderId": "52261125", "orderStatus": 1}),
        (200, {"orderId": "52261125", "orderStatus": {"code": "TRANSIT"}}),
        (200, {"orderId": "52261125", "status": "failed", "errorCode": "DH-906", "errorMessage": "No"}),
        (200, {"orderId": "52261125", "orderStatus": "TRANSIT", "errorCode": "RS-9005"}),
        (200, {"orderId": "52261125", "status": "error", "message": "No"}),
        (200, '{"orderId":"5226'),
        (200, [{"orderId": "1"}, {"orderId": "2"}]),
        (302, ""),
        (404, GATEWAY),
        (429, "<html>Slow down</html>"),
        (502, "<html>Bad gateway</html>"),
    ],
)
def test_whatever_is_no_clear_yes_and_no_clear_no_is_unknown(status: int, body: Any) -> None:
    outcome = read_placement(reply(status, body))
    assert isinstance(outcome, Unknown)
    assert str(status) in outcome.words


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {"errorCode": "DH-908", "errorMessage": "Internal error"}, "Dhan had a fault of its own. "),
        (503, {"errorCode": "DH-909", "errorMessage": "Network error"}, "Dhan had a fault of its own. "),
        (400, {"errorCode": "DH-910", "errorMessage": "Others"}, "Dhan gave a reason of its own. "),
        (429, {"status": "failed", "data": {"805": "Too many requests"}}, "Dhan asks for fewer calls at a time. "),
        (400, {"status": "failed", "data": {"810": "Client ID is invalid"}}, "Dhan no longer takes the sign-in. "),
        (400, {"status": "failed", "data": {"814": "Bad request"}}, "Dhan could not use what it was asked. "),
        (500, {"errorCode": "DH-906", "errorMessage": "Order refused"}, ""),
    ],
)
def test_a_doubt_says_in_our_words_what_dhan_said_and_keeps_dhans_beside_it(status: int, body: Any, words: str) -> None:
    error = read_error(reply(status, body))
    assert error is not None
    outcome = read_placement(reply(status, body))
    assert outcome == Unknown(
        words=f"{words}Dhan answered {status}: {error.code} {error.words}", refusal=classify(error)
    ), "nobody knows, so no next step says to send it once more"


@pytest.mark.parametrize(
    "body", ["<html><h1>Bad gateway</h1></html>", " <!DOCTYPE html>", "no healthy upstream", '{"or']
)
def test_a_page_in_place_of_an_answer_is_named_and_not_quoted(body: str) -> None:
    assert read_placement(reply(502, body)) == Unknown(words="Dhan answered 502 with something that cannot be read")


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": "DH-905", "errorMessage": "RMS:\ud800"},
        {"status": "failed", "data": {"DH-905": "RMS:\0"}},
        {"status": "failed", "message": "RMS:\udfff"},
    ],
)
def test_words_that_no_database_can_hold_do_not_come_further(body: Any) -> None:
    error = read_error(reply(400, body))
    assert error is not None
    assert error.words == "RMS:\ufffd"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_order_id_with_any_2xx_is_a_yes(status: int) -> None:
    assert read_placement(reply(status, {"orderId": "52261125", "orderStatus": "PENDING"})) == Accepted(
        order_id="52261125"
    )


@pytest.mark.parametrize(
    "status",
    [
        *("TRANSIT", "PENDING", "PART_TRADED", "TRADED", "REJECTED", "CANCELLED", "EXPIRED"),
        *("CONFIRM", "CLOSED", "TRIGGERED", "MODIFIED", "INACTIVE", "Pending", None, "", "NA"),
    ],
)
def test_an_order_id_with_any_status_that_dhan_is_known_to_say_is_a_yes(status: str | None) -> None:
    healthy = {"orderId": "52261125", "orderStatus": status, "omsErrorCode": "0", "omsErrorDescription": "CONFIRMED"}
    nothing = {"status": "success", "errorCode": None, "errorMessage": ""}
    for body in (healthy, healthy | nothing, [healthy]):
        assert read_placement(reply(200, body)) == Accepted(order_id="52261125")


def test_an_order_id_that_comes_as_a_number_is_a_yes() -> None:
    assert read_placement(reply(200, {"orderId": 52261125})) == Accepted(order_id="52261125")


def test_evidence_of_an_unreadable_answer_is_kept_short() -> None:
    outcome = read_placement(reply(502, "x" * 100_000))
    assert isinstance(outcome, Unknown)
    assert len(outcome.words) < 300


def test_every_kind_of_refusal_is_reached_by_some_answer() -> None:
    answers = [("DH-901", ""), ("DH-902", ""), ("DH-904", ""), ("DH-905", "Invalid IP"), ("DH-907", "")]
    answers += [("DH-906", "Market is Closed!"), ("DH-906", "Markets are Offline or Blocked")]
    answers += [("DH-906", "Order is in Transit state"), ("DH-906", "Kill Switch is on")]
    assert {classify(DhanError(*answer)) for answer in answers} == set(Refusal)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["orderId", "status", "data", "errorCode"]), inner),
    max_leaves=12,
)


@given(st.integers(100, 599), JSON)
def test_no_body_breaks_the_reading_of_an_answer_and_only_a_2xx_is_a_yes(status: int, body: Any) -> None:
    outcome = read_placement(reply(status, json.dumps(body)))
    assert isinstance(outcome, Unknown | Refused) or 200 <= status < 300


def test_a_body_nested_too_deep_to_read_is_unknown() -> None:
    assert isinstance(read_placement(Reply(200, "[" * 100_000)), Unknown)


def test_an_order_id_that_is_no_text_is_no_yes() -> None:
    assert isinstance(read_placement(reply(200, {"orderId": {"id": "1"}})), Unknown)
