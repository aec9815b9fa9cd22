"""From a stored alert to orders: what each leg means, when it can go, and whether the operator is asked first."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from core import approvals, journal, notifications
from core.alerts.parse import parse_alert, read_alert_text
from core.db import alerts, orders
from core.db.alerts import StoredAlert
from core.domain.alert import Alert, AlertState, Leg
from core.domain.notice import Notice
from core.domain.order import OrderState, why_queued
from core.engine.apart import apart
from core.engine.plan import Resolve, Word, plan_leg, times, too_late
from core.engine.rules import Rules
from core.errors import AlertRefused, Refusal

DecideOne = Callable[[Connection, StoredAlert, Rules], None]
AT_ONCE = 16
_NOTHING_SENT = "Nothing of this alert was sent."
_OUR_FAULT = (
    "The desk made a mistake over this alert and did not execute it. "
    "Do by hand what it asked for, or fire it again once the log says why."
)


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Decides received alerts. `resolve` names a leg's instrument as of a day, or raises Refusal."""

    resolve: Resolve

    def decide(self, connection: Connection, rules: Rules) -> int:
        """Turn the oldest undecided alerts into orders, in one transaction; returns how many."""
        return self._decide_each(connection, rules, self._decide_one)

    def decide_apart(self, connection: Connection, rules: Rules) -> int:
        """The same where `decide` has met a bug of ours: it costs the alert that brings it out, and no other."""
        return self._decide_each(connection, rules, self._decide_surely)

    def _decide_each(self, connection: Connection, rules: Rules, decide_one: DecideOne) -> int:
        waiting = alerts.undecided(connection, AT_ONCE)
        for stored in waiting:
            notifications.open_cards(connection, stored.id, rules.now)
            decide_one(connection, stored, rules)
        return len(waiting)

    def _decide_surely(self, connection: Connection, stored: StoredAlert, rules: Rules) -> None:
        with apart(connection, "alert_not_decided", alert=stored.id) as trial:
            self._decide_one(connection, stored, rules)
        if trial.has_failed:
            alerts.decided(connection, stored, AlertState.REFUSED, at=rules.now, reason=_OUR_FAULT)
            words = f"Alert {stored.id}: {_OUR_FAULT}"
            notifications.ring(connection, Notice.ALERT_FAILED, at=rules.now, alert_id=stored.id, words=words)

    def _decide_one(self, connection: Connection, stored: StoredAlert, rules: Rules) -> None:
        policies, now, legs = rules.policies, rules.now, list[Leg]()
        try:
            alert = _readable(stored)
            legs = sorted(alert.legs, key=lambda leg: leg.position)
            given = approvals.word_for(connection, stored)
            word = None if given is None else Word(came=stored.received_at, given=given)
            late = _late(alert, stored, word, rules)
            plans = [
                plan_leg(
                    connection,
                    leg,
                    resolve=self.resolve,
                    calendar=rules.calendar,
                    policies=policies,
                    source=stored.source,
                    late=late,
                    now=now,
                    word=word,
                )
                for leg in legs
            ]
        except Refusal as refusal:
            words = f"{refusal} {_NOTHING_SENT}" if len(legs) > 1 else str(refusal)
            alerts.decided(connection, stored, AlertState.REFUSED, at=now, reason=words)
            return
        rows = [plan.facts | vars(ticket) | times(plan, policies, now) for plan in plans for ticket in plan.tickets]
        for place, row in enumerate(rows, start=1):
            if row["state"] is OrderState.QUEUED:
                row["reason"] = why_queued(place, row["reason"])
            orders.add(connection, {"alert_id": stored.id, "position": place, **row}, at=now, actor=journal.DESK)
        remarks = [*alert.remarks, *(remark for plan in plans for remark in plan.remarks)]
        alerts.decided(connection, stored, AlertState.DECIDED, at=now, reason=" ".join(remarks))


def _late(alert: Alert, stored: StoredAlert, word: Word | None, rules: Rules) -> str:
    """How old it is, when that is too old. One that came fresh counts from the word that it was given soon; how old it
    came, nobody has seen who gave that word.
    """
    fired, stale = alert.fired_at or stored.received_at, rules.policies.stale
    came_fresh = not too_late(fired, stored.received_at, stale)
    if word is not None and came_fresh and word.was_given_soon:
        return too_late(word.given, rules.now, stale)
    return too_late(fired, rules.now, stale)


def _readable(stored: StoredAlert) -> Alert:
    refused = stored.reason or stored.source.why_not_taken
    if refused:
        raise AlertRefused([refused])
    return parse_alert(read_alert_text(stored.body.encode()))
