import json
from decimal import Decimal
from typing import Any

import pytest
from alert_samples import FUTURE, OPTION, SHARE, Gone, changed, message

from core.alerts.parse import parse_alert, read_alert_text
from core.errors import AlertRefused

OK = json.dumps(message(SHARE))

NOT_JSON: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "line 1, column 1: the alert is empty"),
    "only white space": (" \n ", "the alert is empty"),
    "prose": ("BUY RELIANCE", "does not start with {"),
    "a text": ('"BUY"', "must be one JSON object"),
    "a list": ("[]", "must be one JSON object"),
    "null": ("null", "must be one JSON object"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8 text: byte 8"),
    "too long": (" " * 16_385, "16385 bytes; at most 16384"),
    "cut short": (OK[:-2], "cut short"),
    "cut inside a text": ('{"symbol": "RELI', "never ends"),
    "curly quotes": ("{\n  \u201csecret\u201d: 1}", "line 2, column 3: curly quotes"),
    "curly quotes around a value": ('{"symbol": \u201cTCS\u201d}', "column 12: curly quotes"),
    "single quotes": ("{'symbol': 1}", "column 2: single quotes"),
    "a comment": ('{"symbol": 1, // mine\n "b": 2}', "column 15: a comment"),
    "a comment after a value": ('{"symbol": 1 /* mine */}', "column 14: a comment"),
    "a comment after the end": ('{"symbol": 1} // mine', "column 15: a comment"),
    "dots": ('{"order_legs": [{}, ...]}', "column 21: dots that stand for"),
    "dots after a value": ('{"a": 1 ...}', "column 9: dots that stand for"),
    "a bare placeholder": ('{"quantity": {{strategy.order.contracts}} }', "column 15: TradingView did not fill"),
    "no value": ('{"quantity": , "b": 1}', "column 14: a value is missing"),
    "no last value": ('{"quantity": }', "column 14: a value is missing"),
    "comma too many": ('{"quantity": 1,}', "comma before is one too many"),
    "None": ('{"price": None}', "column 11: a word of Python"),
    "True": ('{"price": True}', "a word of Python"),
    "na": ('{"price": na}', "no value here"),
    "NaN": ('{"note": "NaN", "price": NaN}', "column 26: NaN is not a number"),
    "Infinity": ('{"price": -Infinity}', "column 11: -Infinity is not a number"),
    "unquoted text": ('{"symbol": RELIANCE}', "column 12: text without quotes"),
    "unquoted key": ("{symbol: 1}", "column 2: text without quotes"),
    "no comma": ('{"a": 1\n "b": 2}', "line 2, column 2: a comma is missing"),
    "a quote inside a text": ('{"note": "say "hi" now"}', "double quote inside the text"),
    "no colon": ('{"a" 1}', "a colon is missing"),
    "a line break inside a text": ('{"a": "x\ny"}', "a line break or other control character"),
    "a tab inside a text": ('{"a": "x\ty"}', "control character"),
    "a backslash": ('{"a": "C:\\dir"}', "a backslash"),
    "a no-break space": ('{\u00a0"a": 1}', "column 2: an invisible character"),
    "text after the end": ('{"a": 1} Sent from my phone', "column 10: there is more text"),
    "two alerts": ('{"a": 1}{"a": 1}', "column 9: there is more text"),
    "a key twice": ('{"quantity": 1, "quantity": 100}', "'quantity' stands twice"),
    "a key twice in a leg": ('{"order_legs": [{"quantity": 1, "quantity": 1}]}', "'quantity' stands twice"),
    "a huge number": ('{"quantity": 1' + "0" * 9_999 + "}", "column 14: a number has 10000 digits"),
    "a long decimal": ('{"price": 1.' + "1" * 99 + "}", "column 11: a number has"),
    "an exponent": ('{"price": 1e400}', "column 11: write the number 1e400 in plain digits"),
    "17 lists deep": ('{"a":' + "[" * 16 + "]" * 16 + "}", "column 21: objects and lists are nested more than 16"),
    "a depth bomb": ("[" * 16_000, "nested more than 16"),
    "a depth bomb of objects": ('{"a":' * 3_000, "nested more than 16"),
}


@pytest.mark.parametrize(("text", "words"), NOT_JSON.values(), ids=NOT_JSON.keys())
def test_text_that_is_no_strict_json_is_refused_in_words(text: str | bytes, words: str) -> None:
    with pytest.raises(AlertRefused) as refusal:
        read_alert_text(text if isinstance(text, bytes) else text.encode())

    (mistake,) = refusal.value.mistakes
    assert words in mistake
    assert mistake.isascii()


def test_brackets_inside_texts_and_sixteen_levels_are_no_nesting() -> None:
    deep: Any = json.loads("[" * 15 + "]" * 15)

    assert read_alert_text(json.dumps({"a": '[{\\"' * 30, "b": deep}).encode()) == {"a": '[{\\"' * 30, "b": deep}


def test_a_mistake_never_repeats_an_unquoted_secret() -> None:
    with pytest.raises(AlertRefused) as refusal:
        read_alert_text(b'{"secret": hunter2, "a": 1}')

    assert "hunter2" not in str(refusal.value)


def leg(**changes: Any) -> dict[str, Any]:
    return message(changed(SHARE, **changes))


def option(**changes: Any) -> dict[str, Any]:
    return message(changed(OPTION, **changes))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "order_legs is missing"),
    "no legs": (message(), "order_legs is an empty list; it must be a list with at least one leg"),
    "legs as an object": (message(order_legs=SHARE), "order_legs is an object"),
    "a leg as text": (message("B"), "Leg 1 is 'B'; it must be an object"),
    "21 legs": (message(*[SHARE] * 21), "21 legs; it must be 20 at most"),
    "another type": (message(SHARE, alertType="cancel_order"), "alertType is 'cancel_order'"),
    "sort_order twice": (message(SHARE, SHARE), "sort_order 1 is given to more than one leg"),
    "sort_order and place collide": (
        message(changed(SHARE, sort_order="2"), changed(SHARE, sort_order=Gone)),
        "sort_order 2",
    ),
    "another order at the root": (message(SHARE, transactionType="S", quantity="10"), "none of its legs"),
    "another quantity at the root": (message(SHARE, quantity="11"), "none of its legs"),
    "a spelling given twice": (leg(order_type="LMT"), "orderType is given twice"),
    "symbol and another ticker": (leg(ticker="TCS"), "symbol is given twice"),
    # sides and kinds
    "no side": (leg(transactionType=Gone), "Leg 1: transactionType is missing; it must be B or S"),
    "a side nobody knows": (leg(transactionType="long"), "transactionType is 'long'; it must be B or S"),
    "a long s": (leg(transactionType="\u017f"), r"transactionType is '\u017f'"),
    "side as true": (leg(transactionType=True), "transactionType is true"),
    "side as a list": (leg(transactionType=["B"]), "transactionType is a list"),
    "an exchange nobody knows": (leg(exchange="BINANCE"), "exchange is 'BINANCE'; it must be NSE, BSE or MCX"),
    "shares on NFO": (
        leg(exchange="NFO"),
        "Leg 1: exchange is 'NFO'; it must be NSE or BSE for shares (instrument EQ): NFO has none.",
    ),
    "shares on BFO": (leg(exchange="bfo"), "exchange is 'bfo'; it must be NSE or BSE for shares (instrument EQ)"),
    "shares on CDS": (leg(exchange="CDS"), "exchange is 'CDS'; it must be NSE or BSE for shares (instrument EQ)"),
    "shares on MCX_COMM": (leg(exchange="MCX_COMM"), "exchange is 'MCX_COMM'; it must be NSE or BSE for shares"),
    "shares by their symbol on NFO": (leg(exchange="NFO", symbol="TCS-EQ", instrument=Gone), "exchange is 'NFO'"),
    "a future on NSE_EQ": (
        changed(FUTURE, exchange="NSE_EQ"),
        "Leg 1: exchange is 'NSE_EQ'; it must be NSE for futures and options: NSE_EQ has only shares.",
    ),
    "an option on BSE_EQ": (
        changed(OPTION, exchange="BSE_EQ"),
        "exchange is 'BSE_EQ'; it must be BSE for futures and options: BSE_EQ has only shares.",
    ),
    "an order type nobody knows": (leg(orderType="ICEBERG"), "orderType is 'ICEBERG'"),
    "a bad amoTime": (leg(amoTime="OPEN_15"), "amoTime is 'OPEN_15'; it must be PRE_OPEN, OPEN, OPEN_30, OPEN_60"),
    "a validity that Dhan has not": (leg(validity="GTC"), "Leg 1: validity is 'GTC'; it must be DAY or IOC."),
    "a bad validity at the root": (message(SHARE, validity=True), "The alert: validity is true; it must be DAY or IOC"),
    "a stop order that waits for nothing": (
        leg(orderType="SL", price="100", triggerPrice="99", validity="IOC"),
        "Leg 1: validity IOC cannot be a stop order's: that waits for its trigger, and IOC for nothing.",
    ),
    "a bad amoTime at the root": (message(SHARE, amoTime=5), "The alert: amoTime is 5"),
    # quantity
    "no quantity": (leg(quantity=None), "quantity is missing"),
    "quantity 0": (leg(quantity="0"), "quantity is '0'; it must be a whole number from 1 to 10000000"),
    "quantity negative": (leg(quantity=-5), "quantity is -5"),
    "quantity signed": (leg(quantity="+5"), "quantity is '+5'"),
    "quantity in part": (leg(quantity="1.5"), "quantity is '1.5'"),
    "quantity with exponent": (leg(quantity="1e2"), "quantity is '1e2'"),
    "quantity as Decimal with exponent": (leg(quantity=Decimal("1e2")), "quantity is 1E+2"),
    "quantity true": (leg(quantity=True), "quantity is true"),
    "quantity with commas": (leg(quantity="1,000"), "quantity is '1,000'"),
    "quantity with spaces": (leg(quantity=" 10"), "quantity is ' 10'"),
    "quantity in other digits": (leg(quantity="\uff11\uff10"), r"quantity is '\uff11\uff10'"),
    "quantity too large": (leg(quantity=10_000_001), "quantity is 10000001"),
    "quantity huge": (leg(quantity=10**10_000), "quantity is a huge number"),
    "quantity NaN": (leg(quantity=Decimal("NaN")), "quantity is NaN"),
    # prices
    "limit without price": (leg(orderType="LMT"), "price is '0'; it must be more than 0 for a limit order"),
    "price negative": (leg(orderType="LMT", price="-1"), "price is '-1'"),
    "price NaN": (leg(price="NaN"), "price is 'NaN'"),
    "price too large": (leg(orderType="LMT", price="10000000.01"), "price is '10000000.01'"),
    "price too fine": (leg(orderType="LMT", price="1.23456"), "at most 4 decimals"),
    "price infinite": (leg(price=float("inf")), "price is inf"),
    "stop without trigger": (leg(orderType="SL-M"), "triggerPrice is missing; it must be more than 0 for a stop"),
    "stop limit without price": (leg(orderType="SL", triggerPrice="5"), "price is '0'; it must be more than 0"),
    "trigger on a market order": (leg(triggerPrice="1499"), "triggerPrice is '1499'; it must be left out"),
    # placeholders
    "unfilled side": (leg(transactionType="{{strategy.order.acton}}"), "TradingView did not fill this placeholder"),
    "unfilled quantity": (leg(quantity="{{qty}}"), "quantity is '{{qty}}': TradingView did not fill"),
    "unfilled price": (leg(price="{{close}}"), "price is '{{close}}': TradingView did not fill"),
    "unfilled symbol": (leg(symbol="{{ticker}}"), "symbol is '{{ticker}}': TradingView did not fill"),
    "unfilled sort_order": (leg(sort_order="{{n}}"), "sort_order is '{{n}}': TradingView did not fill"),
    "unfilled strike of a share": (leg(strike_price="{{k}}"), "strike_price is '{{k}}': TradingView did not fill"),
    # symbols
    "no symbol": (leg(symbol=""), "symbol is missing"),
    "a Cyrillic A": (leg(symbol="T\u0410TA"), "not U+0410 CYRILLIC CAPITAL LETTER A"),
    "a zero-width space": (leg(symbol="TCS\u200b"), "not U+200B ZERO WIDTH SPACE"),
    "a right-to-left mark": (leg(symbol="\u202eTCS"), "not U+202E RIGHT-TO-LEFT OVERRIDE"),
    "full-width letters": (leg(symbol="\uff34CS"), "not U+FF34 FULLWIDTH LATIN CAPITAL LETTER T"),
    "a dotless i": (leg(symbol="\u0131TC"), "not U+0131 LATIN SMALL LETTER DOTLESS I"),
    "a NUL": (leg(symbol="TCS\0"), "not U+0000"),
    "a lone surrogate": (leg(symbol="TCS\ud800"), "not U+D800"),
    "a space": (leg(symbol=" TCS"), "not U+0020 SPACE"),
    "an exchange in front": (leg(symbol="NSE:TCS"), "not U+003A COLON"),
    "51 characters": (
        leg(symbol="A" * 51),
        "symbol is 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'...; it must be 1 to 50",
    ),
    "symbol as a number of wrong kind": (leg(symbol={}), "symbol is an object"),
    "symbol true": (leg(symbol=True), "symbol is true"),
    # instruments
    "no instrument": (leg(instrument=Gone), "instrument is missing; it must be EQ, FUT or OPT, because the symbol"),
    "an instrument nobody knows": (leg(instrument="CRYPTO"), "instrument is 'CRYPTO'"),
    "a continuous future as share": (leg(symbol="NIFTY1!"), "it must be the future that the symbol NIFTY1! names"),
    "an option symbol as share": (leg(symbol="NIFTY261201C26000"), "it must be the option that the symbol"),
    "a share symbol as future": (message(changed(FUTURE, symbol="TCS-EQ")), "it must be the equity"),
    "an option symbol of no day": (option(symbol="NIFTY261301C26000"), "with a day that exists"),
    "another contract beside the symbol": (option(symbol="NIFTY261201P26000"), "it must be the same option"),
    "option without type": (option(option_type=Gone), "option_type is missing; it must be CE or PE"),
    "option without strike": (option(strike_price=None), "strike_price is missing; it must be more than 0"),
    "strike NaN": (option(strike_price="NaN"), "strike_price is 'NaN'"),
    "strike 0": (option(strike_price=0), "strike_price is 0; it must be more than 0"),
    "option without expiry": (option(expiry_date=""), "expiry_date is missing"),
    "expiry the Indian way": (option(expiry_date="01-12-2026"), "expiry_date is '01-12-2026'; it must be a day"),
    "expiry as a week": (option(expiry_date="2026-W01-1"), "expiry_date is '2026-W01-1'"),
    "expiry of no day": (option(expiry_date="2026-02-30"), "expiry_date is '2026-02-30'; it must be a day that exists"),
    "a share with an option's fields": (leg(option_type="CE"), "option_type is 'CE'; it must be left out"),
    "a future with an expiry": (message(FUTURE | {"expiry_date": "2026-12-29"}), "expiry_date is '2026-12-29'"),
    # products
    "no product": (leg(productType=Gone), "productType is missing; it must be I, C, M or MTF"),
    "an option for delivery": (option(productType="C"), "only shares can be delivered"),
    # time
    "epoch seconds": (message(SHARE, timenow=1764043260), "timenow is 1764043260; it must be a time such as"),
    "epoch milliseconds": (leg(meta={"timenow": "1764043260000"}), "timenow is '1764043260000'"),
    "a date only": (leg(meta={"timenow": "2026-11-25"}), "timenow is '2026-11-25'"),
    "hour 25": (leg(meta={"timenow": "2026-11-25T25:01:00Z"}), "timenow is '2026-11-25T25:01:00Z'"),
    "offset of 99 hours": (leg(meta={"timenow": "2026-11-25T04:01:00+99:00"}), "timenow is"),
    "the year 1": (leg(meta={"timenow": "0001-01-01T00:00:00+05:30"}), "timenow is"),
    "timenow as an object": (leg(meta={"timenow": {}}), "timenow is an object"),
}


@pytest.mark.parametrize(("fields", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_said_with_leg_and_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(AlertRefused) as refusal:
        parse_alert(fields)

    (mistake,) = refusal.value.mistakes
    assert words in mistake
    assert mistake.isascii()
    assert mistake.isprintable()
    assert len(mistake) < 300


def test_a_mistake_names_its_leg() -> None:
    with pytest.raises(AlertRefused) as refusal:
        parse_alert(message(SHARE, changed(SHARE, sort_order="2", quantity="x")))

    assert refusal.value.mistakes == [
        "Leg 2: quantity is 'x'; it must be a whole number from 1 to 10000000 in plain digits."
    ]


def test_five_sentences_at_most_and_the_rest_is_counted() -> None:
    with pytest.raises(AlertRefused) as refusal:
        parse_alert(message({"note": 1}, {"note": 2}))

    assert len(refusal.value.mistakes) == 5
    assert refusal.value.mistakes[0] == "Leg 1: transactionType is missing; it must be B or S."
    assert refusal.value.mistakes[-1] == "There are 10 more mistakes."


def test_two_spellings_of_the_secret_are_refused_without_repeating_it() -> None:
    with pytest.raises(AlertRefused) as refusal:
        parse_alert(message(SHARE, Secret="hunter2"))

    assert "secret is given twice" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "aB3xK" not in str(refusal.value)
