"""What would become of an alert if it came at some moment: the very decision, and nothing stored or sent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, market_days
from core.alerts.lint import REFUSED
from core.alerts.parse import parse_alert, read_alert_text
from core.db import sources
from core.domain.alert import Validity
from core.domain.order import Mode, OrderState
from core.domain.routing import Decision
from core.domain.sessions import INDIA, Calendar, spoken, spoken_day, spoken_time
from core.engine.plan import Plan, Resolve, plan_leg
from core.errors import AlertRefused, Refusal
from core.policies import Policies


def foresee(connection: Connection, body: bytes, at: datetime, *, resolve: Resolve, calendar: Calendar) -> list[str]:
    """Sentences: what each leg would do, why, who would be asked, and what else could be done with it."""
    try:
        alert = parse_alert(read_alert_text(body))
    except AlertRefused as refusal:
        return [REFUSED, *refusal.mistakes]
    calendar, policies = market_days.in_force(connection, calendar), Policies.read(connection)
    source = sources.default(connection)
    held = " ".join(controls.holds(connection).values())
    plans: list[Plan] = []
    for leg in alert.legs:
        try:
            plan = plan_leg(
                connection,
                leg,
                resolve=resolve,
                calendar=calendar,
                policies=policies,
                source=source,
                late="",
                now=at,
            )
        except Refusal as refusal:
            return [REFUSED, str(refusal)]
        plans.append(plan)
    told = [f"If it came {_with_year(at)}:", *(words for plan in plans for words in _legs_words(plan, held))]
    if held and any(plan.state is not OrderState.REFUSED for plan in plans):
        told.append(f"It would be held as long as this lasts: {held}")
    return [*told, *alert.remarks]


def read_moment(text: str, now: datetime) -> datetime:
    """Such as 2026-12-01T16:00, in India unless it names another zone. Raises Refusal, with an example after `now`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"'{text}' is no time; write it like {example(now)}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=INDIA)


def example(now: datetime) -> str:
    """A time as `read_moment` takes it: tomorrow afternoon."""
    return f"{now.astimezone(INDIA) + timedelta(days=1):%Y-%m-%d}T16:00"


def _legs_words(plan: Plan, held: str) -> Iterator[str]:
    """`held` says why nothing goes out now; empty when orders may go."""
    decision, leg, instrument = plan.decision, plan.leg, plan.instrument
    validity = "" if leg.validity is Validity.DAY else f", {leg.validity}"
    yield f"{leg.side} {plan.quantity} {instrument.symbol} on {instrument.exchange}{validity}: {_mode(decision)}"
    yield decision.reason
    if plan.state is OrderState.REFUSED:
        yield f"It would be refused: {plan.reason}"
    elif plan.state is OrderState.AWAITING_APPROVAL:
        yield "You would be asked first." if plan.reason == decision.reason else f"You would be asked: {plan.reason}"
    else:
        yield "It would need no tap." if held else "It would go without a tap."
    yield from (f"Or: {way.label}." for way in decision.alternatives)


def _mode(decision: Decision) -> str:
    if decision.mode is None:
        return "held."
    if decision.mode is Mode.IMMEDIATE:
        return "immediate."
    kind = "as an after-market order" if decision.as_amo else "as a regular order"
    leaves = "now" if decision.mode is Mode.AMO else _spoken(decision.release_at)
    return f"{decision.mode}, leaves {leaves} {kind}, reaches the exchange {_spoken(decision.reaches_exchange_at)}."


def _with_year(at: datetime) -> str:
    local = at.astimezone(INDIA)
    return f"{spoken_day(local)} {local.year} {spoken_time(local)}"


def _spoken(at: datetime | None) -> str:
    return "at no known time" if at is None else spoken(at)
