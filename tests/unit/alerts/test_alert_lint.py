from decimal import Decimal

import pytest
from alert_samples import FUTURE, MOMENT, OPTION, SHARE, Gone, body, changed

from core.alerts.lint import explain, has_mistakes
from core.alerts.template import write_template
from core.domain.alert import Exchange, InstrumentKind, Leg, Side
from core.domain.instrument import Instrument, Segment
from core.errors import Refusal


def test_a_clean_alert_is_told_in_one_sentence_per_leg() -> None:
    limit = changed(SHARE, orderType="LMT", price="1500.05", productType="C", sort_order="2", quantity="1")
    stop = changed(SHARE, orderType="SL", price="99", triggerPrice="98", transactionType="S", sort_order="3")
    stop_market = changed(SHARE, orderType="SL-M", triggerPrice="98", sort_order="4")

    assert explain(body(SHARE | {"meta": MOMENT}, limit, stop, stop_market)) == [
        "Leg 1: buy 10 shares of RELIANCE on NSE at the market's price, intraday.",
        "Leg 2: buy 1 share of RELIANCE on NSE at 1500.05 or better, for delivery.",
        "Leg 3: sell 10 shares of RELIANCE on NSE at 99 or better once 98 is reached, intraday.",
        "Leg 4: buy 10 shares of RELIANCE on NSE at the market's price once 98 is reached, intraday.",
    ]


def test_what_ioc_means_is_told() -> None:
    assert explain(body(SHARE | {"meta": MOMENT, "validity": "IOC"})) == [
        (
            "Leg 1: buy 10 shares of RELIANCE on NSE at the market's price, intraday"
            "; what is not filled at once is cancelled (IOC)."
        ),
    ]


def test_quantities_of_derivatives_come_with_a_word_about_lots() -> None:
    told = explain(body(OPTION | {"quantity": "65"}, FUTURE | {"sort_order": "2"}, timenow=MOMENT["timenow"]))

    assert told == [
        "Leg 1: buy 65 lots of NIFTY 01 Dec 2026 26000 CE on NSE at the market's price, carried forward.",
        "Leg 2: buy 1 lot of NIFTY1! on NSE at the market's price, carried forward.",
        "Leg 1: quantity 65 counts lots; it is multiplied by the lot size.",
        "Leg 2: quantity 1 counts lots; it is multiplied by the lot size.",
    ]


def test_what_is_missing_for_safety_is_hinted_at() -> None:
    told = explain(body(SHARE, secret=Gone))

    assert any("no timenow" in line for line in told)
    assert any("no secret" in line for line in told)


def test_remarks_are_part_of_the_explanation() -> None:
    assert any("'target'" in line for line in explain(body(SHARE | {"target": "20"})))


def test_mistakes_are_all_that_is_told_of_a_wrong_alert() -> None:
    assert explain(body(SHARE | {"quantity": "1.5"})) == [
        "It would be refused.",
        "Leg 1: quantity is '1.5'; it must be a whole number from 1 to 10000000 in plain digits.",
    ]


def test_a_template_is_recognised() -> None:
    told = explain(body(SHARE | {"quantity": "{{strategy.order.contracts}}"}))

    assert len(told) == 3
    assert "as TradingView sends it" in told[2]


def test_curly_quotes_are_named() -> None:
    told = explain("{“alertType”: “multi_leg_order”}".encode())
    assert any("curly quotes" in line for line in told)


NIFTY = Instrument(
    security_id="1",
    segment=Segment.NSE_FNO,
    exchange=Exchange.NSE,
    kind=InstrumentKind.FUTURE,
    symbol="NIFTY-Dec2026-FUT",
    name="NIFTY",
    lot=65,
    tick=Decimal("0.05"),
)


def test_units_in_place_of_lots_are_noticed() -> None:
    told = explain(body(FUTURE | {"quantity": "130"}), lambda _leg: NIFTY)
    assert "Leg 1: 130 lots × 65 = 8450 units of NIFTY-Dec2026-FUT." in told
    assert "Leg 1: Did you mean 2? Quantities of derivatives are lots, not units." in told
    assert not any("Did you mean" in line for line in explain(body(FUTURE), lambda _leg: NIFTY))


def test_a_price_off_the_tick_is_noticed() -> None:
    limit = FUTURE | {"orderType": "LMT", "price": "26000.03"}
    assert any("off the tick of 0.05" in line for line in explain(body(limit), lambda _leg: NIFTY))


def test_a_symbol_that_is_not_listed_comes_with_the_nearest_ones() -> None:
    def name(leg: Leg) -> Instrument:
        raise Refusal(f"{leg.symbol} is not traded. Did you mean RELIANCE?")

    told = explain(body(SHARE), name)
    assert told[:2] == ["It would be refused.", "Leg 1: RELIANCE is not traded. Did you mean RELIANCE?"]
    assert told[2].startswith("Leg 1: buy 10 shares of RELIANCE")
    assert len([line for line in told if "not traded" in line]) == 1


def test_the_message_that_the_desk_writes_itself_is_explained_without_a_complaint() -> None:
    written = write_template(Side.BUY, 10, "RELIANCE", exchange=Exchange.NSE, kind="EQ", price=None)
    assert explain(written.encode()) == [
        "Leg 1: buy 10 shares of RELIANCE on NSE at the market's price, for delivery.",
        "{{timenow}} is filled in by TradingView when the alert fires.",
    ]


@pytest.mark.parametrize("placeholder", ["{{timenow}}", "{{time}}"])
def test_a_template_of_two_legs_says_once_what_tradingview_fills_in(placeholder: str) -> None:
    meta = {"timenow": placeholder}
    told = explain(body(SHARE | {"meta": meta}, SHARE | {"sort_order": "2", "meta": meta}))
    assert told[2:] == [f"{placeholder} is filled in by TradingView when the alert fires."]


def test_a_misspelt_placeholder_of_a_time_is_still_named() -> None:
    assert any(
        "'{{time_now}}', not filled by TradingView" in line for line in explain(body(SHARE, timenow="{{time_now}}"))
    )


@pytest.mark.parametrize("field", ["quantity", "price", "symbol"])
def test_a_placeholder_in_a_field_that_trades_is_a_mistake_in_a_template_too(field: str) -> None:
    assert has_mistakes(body(SHARE | {field: "{{close}}", "orderType": "LMT", "meta": {"timenow": "{{timenow}}"}}))
