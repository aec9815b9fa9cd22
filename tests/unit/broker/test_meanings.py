"""Dhan's noes, row by row: every body, code and later rejection has a kind, a plain sentence and a next step."""

import json
from typing import Any

import pytest

from core.broker.dhan.client import Reply
from core.broker.dhan.mapping import read_order, read_placement
from core.broker.dhan.meanings import UNEXPLAINED, Trouble, meaning_of
from core.broker.dhan.wire import read_error
from core.broker.port import BrokerState, Refusal, Refused, Unknown
from core.engine.words import explain

SHAPES: dict[str, tuple[Any, Trouble]] = {
    "trading": (
        {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Invalid Token"},
        Trouble.SIGN_IN,
    ),
    "data": ({"status": "failed", "data": {"806": "Data APIs not subscribed"}}, Trouble.DATA_PLAN),
    "number": ({"errorCode": 806, "errorMessage": "Not subscribed"}, Trouble.DATA_PLAN),
    "sign-in host": ({"status": "error", "message": "Invalid Token"}, Trouble.SIGN_IN),
    "address": ([{"message": "Invalid IP", "status": "ERROR"}], Trouble.ADDRESS),
    "internal": (
        {"errorCode": "INTERNAL_SERVER_ERROR", "internalErrorCode": "RS-9005", "internalErrorMessage": "Down"},
        Trouble.DOUBT,
    ),
}
GATEWAY = {"timestamp": "2026-11-25T10:30:00.000", "status": 404, "error": "Not Found", "path": "/v2/orders"}

CODES = {
    "DH-901": Trouble.SIGN_IN,
    "DH-902": Trouble.ACCESS,
    "DH-903": Trouble.ACCESS,
    "DH-904": Trouble.HASTE,
    "DH-905": Trouble.INPUT,
    "DH-906": Trouble.OTHER,
    "DH-907": Trouble.INPUT,
    "DH-908": Trouble.DOUBT,
    "DH-909": Trouble.DOUBT,
    "DH-910": Trouble.OTHER,
    "DH-911": Trouble.ADDRESS,
    "DH-1111": Trouble.NOTHING_THERE,
    "DH-1112": Trouble.NOTHING_THERE,
    "800": Trouble.DOUBT,
    "804": Trouble.INPUT,
    "805": Trouble.HASTE,
    "806": Trouble.DATA_PLAN,
    "807": Trouble.SIGN_IN,
    "808": Trouble.SIGN_IN,
    "809": Trouble.SIGN_IN,
    "810": Trouble.SIGN_IN,
    "811": Trouble.INPUT,
    "812": Trouble.INPUT,
    "813": Trouble.INPUT,
    "814": Trouble.INPUT,
    "820": Trouble.INPUT,
    "821": Trouble.INPUT,
}
"""Dhan API v2, Annexure: trading and data API errors."""

AT_ONCE = {
    ("DH-905", "Invalid IP"): (Trouble.ADDRESS, Refusal.INVALID_IP),
    ("DH-906", "Invalid Token"): (Trouble.SIGN_IN, Refusal.SIGNED_OUT),
    ("DH-905", "Missing required fields, bad values for parameters etc."): (Trouble.INPUT, Refusal.FINAL),
    ("DH-905", "quantity is required"): (Trouble.INPUT, Refusal.FINAL),
    ("DH-906", "Market is Closed! Want to place an offline order?"): (Trouble.SESSION, Refusal.MARKET_CLOSED),
    ("DH-906", "Markets are Offline or Blocked"): (Trouble.SESSION, Refusal.MARKET_OFFLINE),
    ("DH-906", "Trading is blocked for the day by the kill switch"): (Trouble.ACCESS, Refusal.KILL_SWITCH),
    ("DH-906", "Trigger Price should be greater than Price"): (Trouble.TRIGGER, Refusal.FINAL),
    ("DH-906", "Order is in Transit state"): (Trouble.IN_TRANSIT, Refusal.IN_TRANSIT),
    ("DH-906", "Incorrect request for order and cannot be processed"): (Trouble.NOTHING_THERE, Refusal.FINAL),
}
"""Texts that come in the answer to a call, as observed."""

LATER = {
    "RMS:81233:You have insufficient funds. Please add Rs.1,204.50 to trade.": Trouble.MONEY,
    "RMS:7:You cannot sell more than the quantity you currently hold.": Trouble.HOLDINGS,
    "Insufficient Holding Quantity": Trouble.HOLDINGS,
    "RMS:9:Scrip limit insufficient": Trouble.HOLDINGS,
    "RMS:2:Please Validate Qty from CDSL": Trouble.DEPOSITORY,
    "eDIS authorisation pending": Trouble.DEPOSITORY,
    "Enter TPIN to authorise": Trouble.DEPOSITORY,
    "This scrip is not allowed to be traded in Intraday": Trouble.PRODUCT,
    "Intraday orders cannot be placed at this time": Trouble.TOO_LATE,
    "Order refused after square off time": Trouble.TOO_LATE,
    "RMS:3:Price outside Circuit Limits": Trouble.PRICE_BAND,
    "RMS:4:Rate Not Within Ckt Limit": Trouble.PRICE_BAND,
    "EXCH:16284:The price is beyond the day's price range": Trouble.PRICE_BAND,
    "Order price is beyond LPP limit": Trouble.PRICE_BAND,
    "EXCH:16283:The order price is not multiple of tick size.": Trouble.TICK,
    "Price is not a multiple of tick size": Trouble.TICK,
    "EXCH:16387:Security is not allowed to trade in this market": Trouble.NOT_TRADED,
    "EXCH:16052 Function Not Available": Trouble.SESSION,
    "Quantity is above the freeze limit": Trouble.FREEZE,
    "Order quantity 5000 exceeds the allowed 1800": Trouble.FREEZE,
    "EXCH:16328:Quantity is not a multiple of the regular lot.": Trouble.LOT,
}
"""Texts that come later in the order book, as observed; the numbers in them vary."""
CONTAINED = {
    Trouble.MONEY: ["insufficient fund"],
    Trouble.HOLDINGS: [
        "sell more than the quantity you currently hold",
        "Insufficient Holding Quantity",
        "Scrip limit insufficient",
    ],
    Trouble.DEPOSITORY: ["CDSL", "eDIS", "TPIN", "Validate Qty from CDSL"],
    Trouble.PRODUCT: ["not allowed to be traded in Intraday"],
    Trouble.TOO_LATE: ["Intraday orders cannot be placed at this time", "square off time"],
    Trouble.PRICE_BAND: ["Circuit Limits", "Rate Not Within Ckt Limit", "EXCH:16284", "LPP"],
    Trouble.TICK: ["EXCH:16283", "multiple of tick size"],
    Trouble.NOT_TRADED: ["EXCH:16387", "not allowed to trade in this market"],
    Trouble.SESSION: ["EXCH:16052 Function Not Available"],
    Trouble.FREEZE: ["freeze", "quantity 1800 exceeds"],
}
"""What alone tells a later rejection, whatever stands around it."""


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_error_body_has_a_meaning(shape: str) -> None:
    body, trouble = SHAPES[shape]
    error = read_error(Reply(400, json.dumps(body)))
    assert error is not None
    assert meaning_of(error.code, error.words).trouble is trouble


@pytest.mark.parametrize("body", [json.dumps(GATEWAY), "<html>Bad gateway</html>", ""])
def test_the_gateways_own_answers_say_nothing_about_an_order(body: str) -> None:
    assert read_error(Reply(502, body)) is None
    assert isinstance(read_placement(Reply(502, body)), Unknown)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_kind_a_sentence_and_a_next_step(code: str) -> None:
    meaning = meaning_of(code, "")
    assert meaning.trouble is CODES[code]
    assert_reads_well(str(meaning.sentence), str(meaning.next_step))


@pytest.mark.parametrize(("code", "words"), AT_ONCE)
def test_every_text_of_an_answer_says_what_it_is_and_what_happens_to_the_order(code: str, words: str) -> None:
    trouble, refusal = AT_ONCE[code, words]
    meaning = meaning_of(code, words)
    assert meaning.trouble is trouble
    assert_reads_well(meaning.sentence, meaning.next_step)
    body = {"errorType": "Any", "errorCode": code, "errorMessage": words}
    outcome = read_placement(Reply(400, json.dumps(body)))
    assert isinstance(outcome, Refused)
    assert outcome.refusal is refusal
    assert words.rstrip(".") in explain(outcome), "Dhan's own words are kept"


@pytest.mark.parametrize("words", LATER)
def test_every_later_rejection_says_what_it_is_in_our_words_beside_dhans(words: str) -> None:
    meaning = meaning_of("", words)
    assert meaning.trouble is LATER[words]
    assert_reads_well(meaning.sentence, meaning.next_step)
    row = {"orderId": "1", "orderStatus": "REJECTED", "quantity": 1, "omsErrorDescription": words}
    order = read_order(row)
    assert order is not None
    assert (order.state, order.words, order.advice) == (BrokerState.REJECTED, words, str(meaning))


@pytest.mark.parametrize("trouble", CONTAINED)
def test_each_phrase_tells_a_later_rejection_by_itself(trouble: Trouble) -> None:
    for words in CONTAINED[trouble]:
        assert meaning_of("", words).trouble is trouble
        assert meaning_of("", f"RMS:81233: {words}, order 52.").trouble is trouble


@pytest.mark.parametrize("case", [str.upper, str.lower])
@pytest.mark.parametrize("words", LATER)
def test_the_spelling_of_a_rejection_does_not_matter(words: str, case: Any) -> None:
    assert meaning_of("", case(words)).trouble is LATER[words]


def test_what_nobody_has_seen_keeps_dhans_words() -> None:
    assert meaning_of("DH-999", "The stars are wrong") is UNEXPLAINED
    assert meaning_of("", "margin exceeds the limit") is UNEXPLAINED, "only quantities are sliced"


def test_an_order_that_is_well_has_no_advice() -> None:
    order = read_order({"orderId": "1", "orderStatus": "TRADED", "quantity": 1, "omsErrorDescription": "CONFIRMED"})
    assert order is not None
    assert order.advice == ""


def assert_reads_well(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "DH-" not in sentence
        assert "_" not in sentence
