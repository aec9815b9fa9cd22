"""What becomes of a source's alerts: its rules beside the desk's, its steps of trust, its silence."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core import approvals, controls, journal, silence, sources
from core.broker.dhan.instruments import InstrumentList
from core.broker.port import BrokerState, Refusal, Refused
from core.db import alerts, orders
from core.db import sources as rows
from core.db.tables import events
from core.domain.alert import AlertState
from core.domain.approval import ApprovalPolicy
from core.domain.limits import Bound, Limit, Limits
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.domain.silence import Bar, Watch
from core.domain.source import Source
from core.domain.trust import Trust
from core.engine.adopt import follow
from core.engine.claim import claim_all
from core.engine.decide import Decider
from core.errors import Refusal as OperatorRefusal
from core.errors import StaleTap
from tests.builders import an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import (
    CALENDAR,
    MOMENT,
    again,
    at_broker,
    claimed,
    last_words,
    record,
    report,
    rings,
    rules_at,
    tap_on,
    try_claim,
)

NOON = india("2026-11-25 12:00")  # a Wednesday
ACTOR = "operator 42"
LIMIT = SHARE | {"orderType": "LMT", "price": "1400"}


@pytest.fixture
def desk(connection: Connection, listed: InstrumentList) -> "Deciding":
    return Deciding(connection, Decider(resolve=listed.resolve))


class Deciding:
    """A desk in live mode with one source, named swing."""

    def __init__(self, connection: Connection, decider: Decider) -> None:
        self.connection = connection
        self.decider = decider
        self.mode("live")
        self.swing, self.key = sources.add(connection, "swing", at=NOON - timedelta(days=1), actor=ACTOR)

    def mode(self, mode: str) -> None:
        controls.put(self.connection, "mode", {"mode": mode}, at=NOON, actor=journal.DESK)

    def change(self, at: datetime = NOON, **changes: Any) -> Source:
        before = sources.find(self.connection, "swing")
        return sources.save(self.connection, before, replace(before, **changes), at=at, actor=ACTOR, words="changed")

    def order(self, leg: dict[str, Any] = SHARE, *, at: datetime = NOON) -> Order:
        text = body(leg).decode()
        stored = an_alert(self.connection, body=text, received_at=at, source_id=self.swing.id)
        assert self.decider.decide(self.connection, rules_at(self.connection, at)) == 1
        [order] = orders.of_alert(self.connection, stored.id)
        return order


def test_a_new_source_is_on_paper_decided_and_told_and_never_sent(desk: Deciding) -> None:
    order = desk.order()
    assert order.state is OrderState.REFUSED
    assert order.reason.startswith("Not sent: swing is on paper. It would have been:")


def test_with_the_stand_ins_a_source_on_paper_goes_by_the_desks_rules(desk: Deciding) -> None:
    desk.mode("paper")
    assert desk.order().state is OrderState.QUEUED


def test_a_paused_sources_alert_is_kept_and_refused_in_words(desk: Deciding) -> None:
    desk.change(trust=None, paused_at=NOON)
    stored = an_alert(desk.connection, body=body(SHARE).decode(), source_id=desk.swing.id)
    desk.decider.decide(desk.connection, rules_at(desk.connection))
    after = alerts.get(desk.connection, stored.id)
    assert after
    assert (after.state, after.reason) == (AlertState.REFUSED, "Its source swing is paused: /sources swing resume")


def test_each_step_asks_about_what_it_does_not_let_go(desk: Deciding) -> None:
    desk.change(trust=Trust.EACH)
    assert desk.order().reason.startswith("You approve every order of swing.")
    desk.change(trust=Trust.AUTOMATIC, automatic_below=Decimal(5_000))
    small, large = (desk.order(LIMIT | {"quantity": quantity}) for quantity in ("3", "4"))
    assert (small.state, large.state) == (OrderState.QUEUED, OrderState.AWAITING_APPROVAL)
    assert desk.order().state is OrderState.AWAITING_APPROVAL  # at the market nobody knows its value


def test_the_first_of_the_day_is_approved_and_the_others_follow(desk: Deciding) -> None:
    desk.change(trust=Trust.FIRST)
    first = desk.order()
    assert first.state is OrderState.AWAITING_APPROVAL
    approvals.approve(desk.connection, tap_on(desk.connection, first, NOON))
    assert desk.order().state is OrderState.QUEUED
    assert desk.order(at=NOON + timedelta(days=1)).state is OrderState.AWAITING_APPROVAL


def test_the_sources_policy_and_limits_make_the_desks_stricter(desk: Deciding) -> None:
    desk.change(trust=None, approval=ApprovalPolicy.ALWAYS)
    assert desk.order().reason.startswith("You approve every order.")
    limits = Limits(bounds={Limit.DAY_ORDERS: Bound(hard=Decimal(2))})
    desk.change(approval=None, limits=limits)
    an_order(desk.connection, at=NOON)  # of another source: it does not count here
    second, third = desk.order(), desk.order()
    assert (second.state, third.state) == (OrderState.QUEUED, OrderState.REFUSED)
    assert third.reason.startswith("By the limits of swing: The number of orders a day would be 3")


def test_what_was_queued_before_its_source_was_paused_asks_again(desk: Deciding) -> None:
    desk.change(at=NOON - timedelta(days=1), trust=None)
    order = desk.order()
    sources.pause(desk.connection, sources.find(desk.connection, "swing"), at=NOON, actor=ACTOR)
    assert try_claim(desk.connection, order) is None
    asked = again(desk.connection, order)
    assert (asked.state, asked.reason) == (
        OrderState.AWAITING_APPROVAL,
        "Its source swing was paused while it waited.",
    )
    later = NOON + timedelta(seconds=1)
    approvals.approve(desk.connection, tap_on(desk.connection, asked, later))
    assert try_claim(desk.connection, again(desk.connection, order), now=later) is not None


def test_what_was_queued_on_a_higher_step_asks_again(desk: Deciding) -> None:
    desk.change(at=NOON - timedelta(days=1), trust=None)
    order = desk.order()
    desk.change(at=NOON + timedelta(seconds=1), trust=Trust.EACH)
    assert try_claim(desk.connection, order, NOON + timedelta(seconds=2)) is None
    assert again(desk.connection, order).reason == "You approve every order of swing."


def test_what_was_approved_before_its_source_went_on_paper_is_not_sent(desk: Deciding) -> None:
    desk.change(at=NOON - timedelta(days=1), trust=Trust.EACH)
    waiting = desk.order()
    approvals.approve(desk.connection, tap_on(desk.connection, waiting))
    order = again(desk.connection, waiting)
    desk.change(at=NOON + timedelta(seconds=1), trust=Trust.PAPER)
    assert try_claim(desk.connection, order, NOON + timedelta(seconds=2)) is None
    asked = again(desk.connection, order)
    assert (asked.state, asked.reason) == (OrderState.AWAITING_APPROVAL, "Its source swing is on paper now.")
    later = NOON + timedelta(seconds=3)
    approvals.approve(desk.connection, tap_on(desk.connection, asked, later))
    assert try_claim(desk.connection, again(desk.connection, order), later) is not None


def test_orders_that_leave_together_count_for_each_others_source_limits(desk: Deciding) -> None:
    desk.change(at=NOON - timedelta(days=1), trust=None)
    due = [desk.order(), desk.order()]
    desk.change(limits=Limits(bounds={Limit.DAY_ORDERS: Bound(hard=Decimal(1))}))
    assert [each.order.id for each in claim_all(desk.connection, due, rules_at(desk.connection))] == [due[0].id]
    assert again(desk.connection, due[1]).reason.startswith("By the limits of swing:")


def trusted(desk: Deciding, **values: Any) -> Order:
    """An order of the source, which is automatic, at the broker."""
    desk.change(trust=Trust.AUTOMATIC, automatic_below=Decimal(5_000))
    alert = an_alert(desk.connection, state=AlertState.DECIDED, source_id=desk.swing.id)
    return at_broker(desk.connection, alert_id=alert.id, **values)


def test_a_late_rejection_takes_a_step_of_trust_and_says_so(desk: Deciding) -> None:
    order = trusted(desk)
    follow(desk.connection, order, report(order, BrokerState.REJECTED), MOMENT)
    assert sources.find(desk.connection, "swing").trust is Trust.FIRST
    assert rings(desk.connection) == [Notice.REJECTED, Notice.TRUST]
    assert "first: you approve the first of the day" in last_words(desk.connection)


def test_a_refused_post_takes_a_step_of_trust(desk: Deciding) -> None:
    desk.change(trust=Trust.AUTOMATIC)
    alert = an_alert(desk.connection, state=AlertState.DECIDED, source_id=desk.swing.id)
    order = an_order(desk.connection, alert_id=alert.id, approved_at=NOON)
    claim = claimed(desk.connection, order)
    record(desk.connection, claim, Refused(refusal=Refusal.FINAL, code="DH-906", words="no funds"), MOMENT)
    assert again(desk.connection, order).state is OrderState.REJECTED
    assert sources.find(desk.connection, "swing").trust is Trust.FIRST


def test_two_rejected_legs_of_one_alert_take_one_step(desk: Deciding) -> None:
    first = trusted(desk)
    working = {"state": OrderState.WORKING, "broker_order_id": "2"}
    second = an_order(desk.connection, alert_id=first.alert_id, **working)
    for order in (first, second):
        follow(desk.connection, order, report(order, BrokerState.REJECTED), MOMENT)
    assert sources.find(desk.connection, "swing").trust is Trust.FIRST


def test_a_source_without_a_ladder_loses_nothing_by_a_rejection(connection: Connection) -> None:
    order = at_broker(connection)
    follow(connection, order, report(order, BrokerState.REJECTED), MOMENT)
    assert rings(connection) == [Notice.REJECTED]


@pytest.mark.sqlite("it listens to the driver")
def test_the_default_source_costs_no_query_more(connection: Connection, listed: InstrumentList) -> None:
    """What the desk asks the database for one order at once: the same tables as without sources, joined."""
    asked: list[str] = []
    alert = an_alert(connection, body=body(SHARE).decode())
    driver: Any = connection.connection.dbapi_connection
    driver.set_trace_callback(asked.append)
    Decider(resolve=listed.resolve).decide(connection, rules_at(connection))
    assert try_claim(connection, orders.of_alert(connection, alert.id)[0], NOON) is not None
    assert len([words for words in asked if "JOIN sources" in words]) == 2
    assert [words for words in asked if "FROM sources" in words] == []


# Keeping them


def test_a_removed_source_keeps_its_history_and_comes_back_by_its_name(desk: Deciding) -> None:
    order = desk.order()
    sources.remove(desk.connection, sources.find(desk.connection, "swing"), at=NOON, actor=ACTOR)
    with pytest.raises(OperatorRefusal, match="There is no source 'swing'"):
        sources.find(desk.connection, "swing")
    stored = alerts.get(desk.connection, order.alert_id)
    assert stored
    assert stored.source.name == "swing"
    back, key = sources.add(desk.connection, "swing", at=NOON, actor=ACTOR)
    assert (back.id, back.trust, back.paused_at, key != desk.key) == (desk.swing.id, Trust.PAPER, None, True)
    assert len(rows.keys_of(desk.connection, back.id)) == 1


def test_the_default_source_cannot_be_removed(connection: Connection) -> None:
    with pytest.raises(OperatorRefusal, match="paused, not removed"):
        sources.remove(connection, rows.default(connection), at=NOON, actor=ACTOR)


def test_a_renamed_default_source_stays_the_default(connection: Connection) -> None:
    before = rows.default(connection)
    sources.save(connection, before, replace(before, name="charts"), at=NOON, actor=ACTOR, words="renamed")
    assert rows.default(connection).name == "charts"
    assert alerts.source_id(connection) == before.id


def test_names_are_unique_whatever_their_case(desk: Deciding) -> None:
    with pytest.raises(OperatorRefusal):
        sources.add(desk.connection, "SWING", at=NOON, actor=ACTOR)
    with pytest.raises(OperatorRefusal):
        desk.change(name="TradingView")


def test_a_change_of_what_somebody_else_changed_is_refused(desk: Deciding) -> None:
    seen = sources.find(desk.connection, "swing")
    desk.change(trust=Trust.EACH)
    with pytest.raises(StaleTap):
        sources.pause(desk.connection, seen, at=NOON, actor=ACTOR)


def test_two_keys_at_most_and_the_newest_is_never_retired(desk: Deciding) -> None:
    with pytest.raises(OperatorRefusal, match="no old key"):
        sources.retire(desk.connection, desk.swing, at=NOON, actor=ACTOR)
    sources.rotate(desk.connection, desk.swing, at=NOON, actor=ACTOR)
    with pytest.raises(OperatorRefusal, match="retire the old one first"):
        sources.rotate(desk.connection, desk.swing, at=NOON, actor=ACTOR)
    assert sources.retire(desk.connection, desk.swing, at=NOON, actor=ACTOR) == 0
    assert len(rows.keys_of(desk.connection, desk.swing.id)) == 1


def test_no_key_is_in_any_event(desk: Deciding) -> None:
    key = sources.rotate(desk.connection, desk.swing, at=NOON, actor=ACTOR)
    told = [str(row) for row in desk.connection.execute(select(events)).all()]
    assert told
    assert not [words for words in told if key in words or desk.key in words]


# Silence


def test_a_silence_is_told_once_and_again_only_after_it_spoke(desk: Deciding) -> None:
    connection, start = desk.connection, india("2026-11-25 10:00")
    desk.change(trust=None)
    rows.watch(connection, desk.swing.id, Watch(bars=2, bar=Bar.M15), start)

    def look(minutes: int) -> list[Notice]:
        now = start + timedelta(minutes=minutes)
        if silence.anything_to_tell(connection, CALENDAR, now):
            silence.tell(connection, CALENDAR, now)
        return rings(connection)

    assert look(29) == []
    assert look(30) == [Notice.SILENT]
    assert "swing has said nothing for 2 bars of 15m, since Wed 25 Nov 10:00" in last_words(connection)
    assert look(31) == look(300) == [Notice.SILENT]
    an_alert(connection, source_id=desk.swing.id, received_at=start + timedelta(minutes=310))
    assert look(311) == look(312) == [Notice.SILENT]
    rows.hear(connection, desk.swing.id, start + timedelta(minutes=315))
    assert look(325) == [Notice.SILENT]
    assert look(24 * 60 + 60) == [Notice.SILENT, Notice.SILENT]


def test_another_sources_alert_breaks_no_silence_and_a_paused_one_is_let_be(desk: Deciding) -> None:
    connection, start = desk.connection, india("2026-11-25 10:00")
    rows.watch(connection, desk.swing.id, Watch(bars=1, bar=Bar.M5), start)
    an_alert(connection, received_at=start + timedelta(minutes=4))
    later = start + timedelta(minutes=6)
    assert silence.anything_to_tell(connection, CALENDAR, later)
    swing = sources.pause(connection, sources.find(connection, "swing"), at=later, actor=ACTOR)
    assert not silence.anything_to_tell(connection, CALENDAR, later)
    sources.resume(connection, swing, at=later, actor=ACTOR)
    assert not silence.anything_to_tell(connection, CALENDAR, later)
    assert silence.anything_to_tell(connection, CALENDAR, later + timedelta(minutes=5))


def test_an_alert_by_a_retired_key_is_told_once(desk: Deciding) -> None:
    [key] = rows.keys_of(desk.connection, desk.swing.id)
    rows.retire_keys(desk.connection, [key.id], NOON)
    for _ in range(2):
        rows.count_late_uses(desk.connection, {key.id: 3})
        silence.tell(desk.connection, CALENDAR, NOON)
    assert rings(desk.connection) == [Notice.OLD_KEY]
    assert not silence.anything_to_tell(desk.connection, CALENDAR, NOON)
