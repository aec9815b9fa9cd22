"""What the operator reads: every state has words, texts from outside are escaped, and Telegram takes all of it."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot import card_views, desk_views, order_views, ring_views, why_views
from bot import text as texts
from core.controls import Hold
from core.db.tokens import TokenAge
from core.domain.alert import AlertState, OrderType
from core.domain.instrument import Segment
from core.domain.login import Way
from core.domain.notice import Notice
from core.domain.order import Mode, OrderState
from core.journal import Event
from core.notifications import Message
from core.reports import DeskReport
from core.settings import Mode as DeskMode
from core.settings import Role
from tests.builders import NOON
from tests.unit.bot.reports import ATTEMPT, order, report

PAPER, LIVE = DeskMode.PAPER, DeskMode.LIVE
TAG = re.compile(r"</?(?:b|i)>")
ENTITY = re.compile(r"&(?:amp|lt|gt|quot|#x27);")
OUTSIDE = st.text(st.characters(exclude_categories=["Cs"]), max_size=900)
NASTY = "<b>1 & 2</i> \"x\" 'y' &lt;"


def message(kind: Notice, **payload: Any) -> Message:
    facts = {
        "order": "41.1",
        "side": "BUY",
        "quantity": 10,
        "filled": 10,
        "average": "1412.5",
        "symbol": "M&M",
        "exchange": "NSE",
        "words": "Because.",
    }
    if kind in (Notice.HELD, Notice.BLIND, Notice.DESK_STARTED):
        facts = {"words": "Held."}
    return Message(id=1, chat_id=42, alert_id=41, kind=kind, payload=facts | payload, failures=0)


def read_as_telegram_does(html: str) -> str:
    """The visible text. Fails on a tag or a character that Telegram would refuse."""
    opened: list[str] = []
    for tag in TAG.findall(html):
        if tag.startswith("</"):
            assert opened.pop() == tag[2:-1]
        else:
            opened.append(tag[1:-1])
    assert opened == []
    bare = TAG.sub("", html)
    assert "<" not in bare
    assert ">" not in bare
    assert "&" not in ENTITY.sub("", bare)
    text = unescape(bare)
    assert 0 < len(text.encode("utf-16-le")) // 2 <= 4096
    return text


@pytest.mark.parametrize("state", OrderState)
def test_every_state_has_its_words_on_the_card(state: OrderState) -> None:
    text = read_as_telegram_does(card_views.card(report(order(state)), PAPER))
    assert text.startswith("PAPER · alert 41 · 12:00:00\n\nSide: BUY\nQuantity: 10\nSymbol: M&M\n")
    assert re.search(r"^[🔴🟡🔵🟠⚪🟢] [A-Z][a-z]+", text, re.MULTILINE)


def test_no_two_states_read_alike() -> None:
    assert len({card_views.card(report(order(state)), PAPER) for state in OrderState}) == len(OrderState)


def test_only_a_state_at_the_broker_says_placed_and_only_a_filled_one_says_filled() -> None:
    cards = {state: card_views.card(report(order(state)), PAPER) for state in OrderState}
    assert [state for state, text in cards.items() if "Placed at Dhan" in text] == [OrderState.WORKING]
    assert [state for state, text in cards.items() if "🟢" in text] == [OrderState.FILLED]


FACTS = [
    *("Side: BUY", "Quantity: 10", "Symbol: M&M", "Exchange: NSE", "Type: STOP_LIMIT", "Trigger: ₹1,410.00"),
    *("Price: ₹1,412.50", "Product: DELIVERY", "Value: ₹14,125.00", "Source: tradingview", "Age: under a minute"),
    *(
        "Goes out Wed 25 Nov 17:00, or when you tap later",
        "At the exchange Thu 26 Nov 09:45, as an after-market order",
        "Answer by Thu 26 Nov 08:00, 20 h 00 min left",
        "Id: 41.1",
    ),
]


def test_each_key_fact_stands_on_a_line_of_its_own_in_one_order() -> None:
    asked = order(OrderState.AWAITING_APPROVAL, order_type=OrderType.STOP_LIMIT, trigger_price=Decimal(1410))
    assert read_as_telegram_does(card_views.card(report(asked), PAPER)).splitlines()[2 : 2 + len(FACTS)] == FACTS


def test_a_market_order_has_no_value_to_show_before_its_fill() -> None:
    lines = card_views.card(report(order(order_type=OrderType.MARKET, price=None)), PAPER).splitlines()
    assert {"Type: MARKET", "Price: at the market", "Value: not known before the fill"} <= set(lines)


@pytest.mark.parametrize(
    ("known", "worth"),
    [
        ({"alert_price": Decimal(1400)}, "about ₹14,000.00, by the last known price of ₹1,400.00"),
        (
            {"alert_price": Decimal(1400), "asked_at_price": Decimal(1450)},
            "about ₹14,500.00, by the last known price of ₹1,450.00",
        ),
        ({"alert_price": Decimal(1400), "segment": Segment.MCX_COMM}, "not known before the fill"),
    ],
)
def test_a_market_order_is_valued_by_the_last_price_that_is_known(known: dict[str, Any], worth: str) -> None:
    shown = card_views.card(report(order(order_type=OrderType.MARKET, price=None, **known)), PAPER)
    assert f"Value: {worth}" in shown.splitlines()


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        ({"filled_quantity": 10}, "₹14,123.40"),
        ({"filled_quantity": 4}, "₹5,649.36 filled"),
        ({"filled_quantity": 10, "price": Decimal(1500), "order_type": OrderType.LIMIT}, "₹14,123.40"),
        ({"filled_quantity": 10, "segment": Segment.MCX_COMM}, "not known: Dhan's list leaves out the size of a lot"),
        ({"filled_quantity": 10, "average_price": None}, "not known"),
    ],
)
def test_what_was_filled_is_worth_what_was_paid(changes: dict[str, Any], worth: str) -> None:
    facts: dict[str, Any] = {
        "order_type": OrderType.MARKET,
        "price": None,
        "average_price": Decimal("1412.34"),
    } | changes
    lines = card_views.card(report(order(OrderState.FILLED, **facts)), PAPER).splitlines()
    assert f"Value: {worth}" in lines


@pytest.mark.parametrize(
    ("order_type", "words"),
    [
        (OrderType.MARKET, "Market · delivery · NSE"),
        (OrderType.LIMIT, "Limit ₹1,412.50 · delivery · NSE · ₹14,125.00"),
        (OrderType.STOP_LIMIT, "Stop ₹1,410.00, limit ₹1,412.50 · delivery · NSE · ₹14,125.00"),
        (OrderType.STOP_MARKET, "Stop ₹1,410.00 · delivery · NSE"),
    ],
)
def test_the_terms_of_each_of_several_legs_are_on_a_line(order_type: OrderType, words: str) -> None:
    price = None if order_type in (OrderType.MARKET, OrderType.STOP_MARKET) else Decimal("1412.50")
    leg = order(order_type=order_type, trigger_price=Decimal(1410), price=price)
    assert words in card_views.card(report(leg, leg), PAPER).splitlines()


def test_a_look_alike_or_turned_text_hides_no_fact() -> None:
    hostile = order(OrderState.REJECTED, symbol="REL\u0406ANCE\u202e01", reason="\u202e0001 :ytitnauQ\u2066 x\u200b")
    text = read_as_telegram_does(card_views.card(report(hostile), PAPER))
    assert "Symbol: REL\\u0406ANCE\\u202e01" in text
    assert not {"\u202e", "\u2066", "\u200b"} & set(text)


def test_a_snoozed_question_says_when_it_rings_again() -> None:
    snoozed = order(OrderState.AWAITING_APPROVAL, remind_at=NOON + timedelta(minutes=30))
    assert "Reminder Wed 25 Nov 12:30" in card_views.card(report(snoozed), PAPER)


def test_an_order_of_an_unknown_day_has_no_times_to_show() -> None:
    unknown = order(OrderState.AWAITING_APPROVAL, mode=None, release_at=None, reaches_exchange_at=None)
    text = card_views.card(report(unknown), PAPER)
    assert "Goes out" not in text
    assert "At the exchange" not in text


def test_a_held_order_says_held_and_why() -> None:
    due = order(release_at=NOON, mode=Mode.IMMEDIATE)
    text = card_views.card(report(due, holds={Hold.PAUSED: "Paused by you & yours."}), PAPER)
    assert "🟠 Held\nPaused by you &amp; yours." in text


def test_a_fill_shows_quantity_and_average() -> None:
    filled = order(OrderState.PART_FILLED, filled_quantity=4, average_price=Decimal("1412.345"))
    assert "🔵 Partly filled 4 at ₹1,412.3" in card_views.card(report(filled), PAPER)


def test_live_and_paper_are_told_apart_in_the_first_word() -> None:
    assert card_views.card(report(order()), LIVE).startswith("<b>LIVE</b>")
    assert ring_views.ring(message(Notice.FILLED), LIVE).startswith("<b>LIVE</b>")


def test_legs_are_numbered_when_there_are_several() -> None:
    text = card_views.card(report(order(), order(position=2, symbol="TCS")), PAPER)
    assert "1. <b>BUY 10 M&amp;M</b>" in text
    assert "2. <b>BUY 10 TCS</b>" in text


def test_a_refused_alert_says_why() -> None:
    text = card_views.card(report(state=AlertState.REFUSED, reason="No <such> symbol."), PAPER)
    assert "🔴 Refused\nNo &lt;such&gt; symbol." in text


@pytest.mark.parametrize(("count", "words"), [(1, "1 more time and"), (2, "2 more times and")])
def test_copies_that_wait_are_told(count: int, words: str) -> None:
    assert words in card_views.card(report(order(), repeats=list(range(count))), PAPER)


@pytest.mark.parametrize("kind", Notice)
def test_every_message_has_words_and_names_its_order(kind: Notice) -> None:
    text = read_as_telegram_does(ring_views.ring(message(kind), PAPER))
    assert text.startswith("PAPER · ")
    if kind not in (Notice.DESK_STARTED, Notice.HELD, Notice.MORNING, Notice.BLIND):
        assert "BUY 10 M&M · 41.1" in text


def test_a_fill_without_a_price_is_told_in_words() -> None:
    assert "Because." in ring_views.ring(message(Notice.FILLED, average=None), PAPER)


@given(OUTSIDE, OUTSIDE)
def test_no_text_from_outside_breaks_a_card_or_a_message(symbol: str, words: str) -> None:
    for state in (OrderState.REJECTED, OrderState.NEEDS_OPERATOR):
        read_as_telegram_does(card_views.card(report(order(state, symbol=symbol, reason=words), reason=words), PAPER))
    for kind in (Notice.REJECTED, Notice.FILLED, Notice.CONFLICT):
        read_as_telegram_does(ring_views.ring(message(kind, symbol=symbol, words=words), PAPER))


@given(OUTSIDE, OUTSIDE)
def test_no_text_from_outside_breaks_what_explains_or_lists(symbol: str, words: str) -> None:
    found = report(order(OrderState.REJECTED, symbol=symbol, reason=words), source=words or "x")
    event = Event(at=NOON, alert_id=41, order_id=7, actor=symbol, kind=words, reason=words)
    attempt = replace(ATTEMPT, correlation_id=symbol, code=symbol, words=words)
    read_as_telegram_does(why_views.why(found, [event] * 30, [attempt] * 30, None))
    read_as_telegram_does(card_views.card(report(order(symbol=symbol), order(symbol=symbol)), PAPER))
    read_as_telegram_does(desk_views.queue([order(symbol=symbol)] * 8, NOON, which=symbol or "all", page=(1, 2)))
    read_as_telegram_does(desk_views.all_of("approve", [order(symbol=symbol)] * 60))
    read_as_telegram_does(desk_views.facts(symbol or "x", {words: words}))
    read_as_telegram_does(desk_views.log_lines([words or "x"] * 200))
    read_as_telegram_does(order_views.edited(order(symbol=symbol)))


@example("&" * 900, 20)
@example("x" * 140 + "\n" + "y" * 50, 20)
@given(OUTSIDE, st.integers(1, 20))
def test_the_longest_alert_fits_one_message(words: str, legs: int) -> None:
    orders = [order(OrderState.REJECTED, position=number, reason=words) for number in range(1, legs + 1)]
    read_as_telegram_does(card_views.card(report(*orders, reason=words), PAPER))
    read_as_telegram_does(desk_views.queue(orders * 2, NOON))
    read_as_telegram_does(desk_views.order_list(orders * 2, NOON))


@example("&" * 900, 60)
@given(OUTSIDE, st.integers(0, 60))
def test_the_longest_story_fits_one_message(words: str, length: int) -> None:
    event = Event(at=NOON, alert_id=41, order_id=7, actor="dhan", kind="move", before="queued", reason=words)
    events = [replace(event, after="<rejected>")] * length
    read_as_telegram_does(card_views.story(report(order(reason=words)), events, PAPER))


@given(st.text(max_size=600), st.integers(2, 250))
def test_words_that_are_cut_have_room_by_telegrams_own_count(words: str, most: int) -> None:
    kept = texts.cut(words, most)
    assert len(kept.encode("utf-16-le", "surrogatepass")) // 2 <= most
    assert kept == words or (kept.endswith("…") and words.startswith(kept[:-1]))


@example("x" * 4090, "&" * 900)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map(lambda text: text * 15), OUTSIDE)
def test_an_answer_below_a_question_is_never_too_long_and_never_left_out(question: str, words: str) -> None:
    told = read_as_telegram_does(texts.below(texts.fit(f"<b>Sure?</b>\n{texts.escape(question)}"), words + "."))
    assert (words + ".")[:300] in told


@pytest.mark.parametrize(("days", "stamp"), [(0, "12:00:00"), (1, "Wed 25 Nov 12:00:00"), (400, "Wed 25 Nov 12:00:00")])
def test_what_did_not_happen_today_shows_its_day(days: int, stamp: str) -> None:
    found = replace(report(order(OrderState.FILLED)), at=NOON + timedelta(days=days))
    event = Event(at=NOON, alert_id=41, order_id=7, actor="dhan", kind="move", before="working", after="filled")
    told = card_views.story(found, [event], PAPER).splitlines()
    assert f"<b>PAPER</b> · alert 41 · {stamp}" in told
    assert f"{stamp} <b>41.1</b> working → filled · dhan." in told
    assert f"{stamp} 41.1: it was filled, by dhan." in why_views.why(found, [event], [], None).splitlines()


def test_words_from_outside_make_no_line_of_their_own() -> None:
    spoofed = order(OrderState.REJECTED, reason="No.\n\n🟢 Filled 10 at ₹1.00")
    assert "\n🟢" not in card_views.card(report(spoofed), PAPER)


def test_a_card_full_of_wide_characters_fits_by_telegrams_own_count_too() -> None:
    orders = [order(OrderState.REJECTED, position=number, reason="😀" * 600) for number in range(1, 9)]
    read_as_telegram_does(card_views.card(report(*orders), PAPER))


def test_markup_from_outside_is_shown_as_it_was_written() -> None:
    assert NASTY in read_as_telegram_does(card_views.card(report(order(OrderState.REJECTED, reason=NASTY)), PAPER))


def test_a_text_that_is_cut_says_so() -> None:
    long = texts.fit("line\n" * 2000)
    assert len(long) <= texts.MOST_TEXT
    assert long.endswith("line\n… the rest is on the trace page.")


def test_a_short_text_is_not_touched() -> None:
    assert texts.fit("x" * texts.MOST_TEXT) == "x" * texts.MOST_TEXT


def signed_in(at: datetime) -> TokenAge:
    return TokenAge(Way.TOTP, at, at + timedelta(days=1))


def desk(**changes: Any) -> DeskReport:
    healthy = DeskReport(
        heartbeat_age=0.2,
        holds={},
        token=signed_in(NOON - timedelta(hours=18, minutes=53)),
        counts={OrderState.QUEUED: 2, OrderState.WORKING: 1, OrderState.PART_FILLED: 1, OrderState.UNKNOWN: 3},
        undecided=0,
        oldest_unsent=None,
    )
    return replace(healthy, **changes)


def test_the_status_counts_what_is_open() -> None:
    lines = read_as_telegram_does(desk_views.status(desk(), PAPER, NOON)).splitlines()
    assert lines[0] == "PAPER · Wed 25 Nov 12:00 IST"
    assert {"🟢 Orders go out", "Queued: 2", "At Dhan: 2", "In doubt: 3", "Waiting for your tap: 0"} <= set(lines)
    assert "Signed in at Dhan for 5 h 07 min" in lines


@pytest.mark.parametrize("token", [None, signed_in(NOON - timedelta(days=1))])
def test_the_status_says_when_nobody_is_signed_in(token: TokenAge | None) -> None:
    assert "Not signed in at Dhan" in desk_views.status(desk(token=token), PAPER, NOON)


def test_after_the_clock_was_moved_back_a_sign_in_lasts_no_longer_than_it_was_made_to() -> None:
    ahead = desk(token=signed_in(NOON + timedelta(days=16)))
    assert "Signed in at Dhan for 1 d 0 h" in desk_views.status(ahead, PAPER, NOON)


def test_the_status_shows_holds_instead_of_going_out() -> None:
    text = read_as_telegram_does(desk_views.status(desk(holds={Hold.PAUSED: NASTY}), PAPER, NOON))
    assert f"🟠 {NASTY}" in text
    assert "Orders go out" not in text


@pytest.mark.parametrize("role", Role)
def test_help_and_welcome_are_good_messages(role: Role) -> None:
    read_as_telegram_does(desk_views.help_text(role))
    read_as_telegram_does(desk_views.welcome(PAPER, role))
    assert "it is Wed 25 Nov 12:00 IST" in read_as_telegram_does(desk_views.welcome(PAPER, role, NOON))


def test_the_morning_report_counts_and_names_what_became_of_each_order() -> None:
    rows = [
        {"order": "41.1", "side": "BUY", "quantity": 10, "symbol": "M&M", "state": "filled", "filled": 10},
        {"order": "42.1", "side": "SELL", "quantity": 5, "symbol": "TCS", "state": "rejected", "filled": 0},
    ]
    facts = [rows[0] | {"average": "1412.50", "words": ""}, rows[1] | {"average": None, "words": "No <money>."}]
    told = ring_views.ring(replace(message(Notice.MORNING), payload={"orders": facts, "more": 2}), PAPER)
    assert told.splitlines()[1:] == [
        "🟢 Filled 1 · 🔴 Rejected 1",
        "",
        "<b>BUY 10 M&amp;M</b> · 41.1",
        "🟢 Filled 10 at ₹1,412.50",
        "<b>SELL 5 TCS</b> · 42.1",
        "🔴 Rejected",
        "<i>No &lt;money&gt;.</i>",
        "… and 2 more: /orders",
    ]
