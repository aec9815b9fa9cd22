"""Reports and summaries in words: within Telegram's limits, whatever stands in them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import notice_views
from bot.callback_data import unpack
from core.domain.notice import Loudness, Loudnesses, Notice, Topic
from core.domain.order import OrderState
from core.domain.readiness import Cure, Light
from core.engine.morning import MOST_TOLD
from core.notifications import Message
from core.settings import Mode
from core.summaries import MOST_IN_ONE
from tests.builders import NOON
from tests.unit.bot.test_views import read_as_telegram_does

OUTSIDE = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def row(number: int = 1, **facts: Any) -> dict[str, Any]:
    usual = {"order": f"{number}.1", "side": "BUY", "quantity": 10, "symbol": "M&M", "filled": 10, "average": "1412.5"}
    return usual | {"words": "So it went.", "exchange": "NSE"} | facts


def told(kind: Notice, **payload: Any) -> str:
    message = Message(id=1, chat_id=42, alert_id=None, kind=kind, payload=payload, failures=0)
    return read_as_telegram_does(notice_views.told(message, Mode.PAPER))


def readiness(*lines: tuple[Light, str], late: bool = False) -> dict[str, Any]:
    rows = [{"light": light, "words": words, "cures": [Cure.LOGIN]} for light, words in lines]
    return {"looked_at": NOON.isoformat(), "late": late, "lines": rows}


def the_day(**facts: Any) -> dict[str, Any]:
    usual = {"day": "2026-11-25", "late": False, "alerts": 3, "states": {}, "filled": [], "failed": [], "waiting": 0}
    return {**usual, "pnl": None, **facts}


def test_a_summary_groups_by_what_happened_and_names_every_order() -> None:
    rows = [row(1, kind="filled"), row(2, kind="rejected", average=None, words="No money."), row(3, kind="filled")]
    text = told(Notice.SUMMARY, rows=rows, messages=9)
    assert text.startswith("PAPER · 9 messages in one")
    assert "1.1 BUY 10 M&M: 10 at ₹1,412.50\n3.1 BUY" in text
    assert "2.1 BUY 10 M&M: No money." in text


def test_the_fullest_summary_names_all_its_orders() -> None:
    rows = [
        row(1_000_000 + number, kind="filled", symbol="NIFTY-Dec2026-24000-CE", quantity=100_000, filled=100_000)
        for number in range(MOST_IN_ONE)
    ]
    text = told(Notice.SUMMARY, rows=rows, messages=300)
    assert all(str(each["order"]) in text for each in rows)


def test_the_readiness_card_counts_what_is_to_be_seen_to() -> None:
    text = told(Notice.READINESS, **readiness((Light.RED, "Not <signed> in."), (Light.GREEN, "Funds."), late=True))
    assert "1 thing to see to" in text
    assert "12:00, late" in text
    assert "🔴 Not <signed> in." in text.replace("&lt;", "<").replace("&gt;", ">")


def test_a_card_without_red_lines_is_ready_and_can_be_looked_at_again() -> None:
    facts = readiness((Light.GREEN, "Funds."))
    assert "Ready" in told(Notice.READINESS, **facts)
    buttons = [button for line in notice_views.cure_buttons(facts).inline_keyboard for button in line]
    assert [button.text for button in buttons] == ["Sign in", "Look again"]


def test_the_day_has_a_title() -> None:
    assert told(Notice.DAY, **the_day()).startswith("PAPER · Report of Wed 25 Nov")


def test_the_day_says_what_is_not_known() -> None:
    text = told(Notice.DAY, **the_day(failed=[row(state=OrderState.REJECTED, average=None, words="No money.")]))
    assert "Profit and loss not known" in text
    assert "No money." in text
    losing = the_day(pnl={"at": NOON.isoformat(), "total": "-1200", "open": 2})
    assert "−₹1,200.00 at 12:00, 2 open" in told(Notice.DAY, **losing)


LONG = "Not enough money: the account has 1,200.00 left and the order needs 142,500.00, so Dhan took none. Add money."


def test_a_day_with_few_failures_tells_their_reasons_whole() -> None:
    refused = row(state=OrderState.REFUSED, average=None, words=LONG)
    cancelled = row(2, state=OrderState.CANCELLED, average=None, filled=0, words="Cancelled by you.")
    text = told(Notice.DAY, **the_day(refused=1, failed=[refused], cancelled=[cancelled]))
    assert "3 alerts, 1 refused" in text
    assert f"Not filled\n1.1 BUY 10 M&M: {LONG}" in text
    assert "Cancelled or dropped\n2.1 BUY 10 M&M: Cancelled by you." in text


def test_a_day_names_what_is_in_doubt_and_what_dhan_still_has() -> None:
    doubtful = row(state=OrderState.UNKNOWN, average=None, words="No clear answer.")
    resting = row(2, state=OrderState.WORKING, average=None, words="It rests.")
    text = told(Notice.DAY, **the_day(doubtful=[doubtful], at_dhan=[resting]))
    assert "In doubt\n1.1 BUY 10 M&M: No clear answer." in text
    assert "At Dhan\n2.1 BUY 10 M&M: It rests." in text


def test_a_reason_that_is_too_long_is_cut_between_words() -> None:
    text = told(Notice.SUMMARY, rows=[row(kind="rejected", average=None, words=LONG)])
    assert text.endswith("Not enough money: the account has 1,200.00 left…")


def test_a_day_full_of_failures_still_ends_with_where_the_account_stood() -> None:
    failed = [row(1_000_000 + n, symbol="NIFTY-Dec2026-24000-CE", average=None, words=LONG) for n in range(40)]
    text = told(Notice.DAY, **the_day(filled=[row(n) for n in range(40)], failed=failed, cancelled=failed))
    assert "Profit and loss not known" in text


@given(OUTSIDE, OUTSIDE)
def test_no_text_from_outside_breaks_a_report(symbol: str, words: str) -> None:
    facts = row(symbol=symbol, words=words, kind="rejected", average=None, state=OrderState.REJECTED)
    for text in (
        told(Notice.SUMMARY, rows=[facts] * MOST_IN_ONE, messages=50),
        told(Notice.SUMMARY, rows=[{"kind": "held", "words": words}] * MOST_IN_ONE, messages=50),
        told(Notice.READINESS, **readiness((Light.RED, words))),
        told(Notice.DAY, **the_day(failed=[facts] * 20, filled=[facts] * 20, cancelled=[facts] * 20)),
    ):
        assert len(text.encode("utf-16-le")) <= 2 * 4096


@pytest.mark.parametrize("loudness", Loudness)
def test_every_button_fits_and_is_understood(loudness: Loudness) -> None:
    wished = Loudnesses(topics=dict.fromkeys(Topic, loudness))
    for line in notice_views.notify_buttons(wished).inline_keyboard:
        for button in line:
            assert len(str(button.callback_data)) <= 64
            assert unpack(str(button.callback_data))
    for topic in Topic:
        assert f"<b>{topic}</b> {wished.of(topic)}" in notice_views.notify(wished, NOON)


def morning(count: int, more: int = 0, **facts: Any) -> str:
    orders = [row(number, state="rejected", filled=0, average=None, **facts) for number in range(1, count + 1)]
    return told(Notice.MORNING, orders=orders, more=more, reached=[NOON.isoformat()])


def test_a_long_morning_report_names_each_order_and_says_how_many_more_there_are() -> None:
    said = "Dhan refused this order. Dhan said: RMS: margin exceeds, required 12000, available 5000 " * 6
    report = morning(MOST_TOLD, 3, symbol="BANKNIFTY-29Dec2026-52000-CE", quantity=1755, words=said)
    assert [f"· {number}.1\n" in report for number in range(1, MOST_TOLD + 1)] == [True] * MOST_TOLD
    assert report.count("Dhan refused this order. Dhan said: RMS: margin exceeds,") == MOST_TOLD
    assert report.splitlines()[-1] == "… and 3 more: /orders"


def test_of_few_orders_the_morning_report_tells_the_reasons_whole() -> None:
    said = "Dhan refused this order. Dhan said: RMS: margin exceeds, required 12000, available 5000."
    assert morning(9, words=said).count(said) == 9


@given(OUTSIDE, OUTSIDE)
def test_a_morning_report_fits_into_one_message(symbol: str, words: str) -> None:
    morning(MOST_TOLD, 3, symbol=symbol, words=words)


def test_the_reports_of_one_morning_are_told_apart_by_when_their_orders_reached_the_exchange() -> None:
    reached = ["2026-11-26T03:45:00+00:00", "2026-11-26T04:15:00+00:00"]
    for times, title in ((reached[1:], "of 09:45"), (reached, "of 09:15, 09:45"), ([], "this morning")):
        report = told(Notice.MORNING, orders=[row(state="filled")], more=0, reached=times)
        assert report.splitlines()[0] == f"PAPER · After-market orders {title}"
