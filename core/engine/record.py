"""Writing down what became of a POST. Every outcome has one place here; none of them sends anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_never

from sqlalchemy import Connection

from core import journal, notifications, sources
from core.broker.port import Accepted, NotSent, Outcome, Refusal, Refused, Unknown
from core.clock import Moment
from core.db import attempts, orders
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.claim import Claim, ask_again
from core.engine.market_answer import offer_after_market, try_while_open
from core.engine.words import explain

FIRST_LOOKUP = timedelta(seconds=1)
MOST_POSTS = 4
_BACK_OFF = (1, 2, 4, 8)
LOOKS_AGAIN = 8
"""Seconds until a look-up that failed is repeated: Dhan may be away for hours, and each puts a claim into the story."""


@dataclass(frozen=True, kw_only=True)
class Posted:
    """A claim's one POST and its outcome. Refused means: and a look-up did not find it either."""

    claim: Claim
    outcome: Outcome
    moment: Moment


def record_all(connection: Connection, posts: Sequence[Posted]) -> list[None]:
    """Store outcomes that came in together.

    An order that another desk took over meanwhile is left to its look-ups: closing the attempt here would end them.
    """
    now = orders.versions(connection, [post.claim.order.id for post in posts])
    accepted: list[tuple[Claim, str]] = []
    for post in posts:
        if now[post.claim.order.id] != post.claim.order.version:
            continue
        if isinstance(post.outcome, Accepted):
            accepted.append((post.claim, post.outcome.order_id))
        else:
            _not_accepted(connection, post.claim, post.outcome, post.moment)
    _accepted(connection, accepted, posts[-1].moment)
    return [None] * len(posts)


def _not_accepted(connection: Connection, claim: Claim, outcome: Refused | NotSent | Unknown, moment: Moment) -> None:
    match outcome:
        case Refused():
            _refused(connection, claim, outcome, moment)
        case NotSent():
            attempts.settle(connection, claim.attempt_id, AttemptState.NOT_SENT, at=moment.wall, words=outcome.words)
            try_again(connection, claim, moment, words=f"Not sent: {outcome.words}.")
        case Unknown():
            doubt(connection, claim.order, claim.attempt_id, outcome.words, moment)
        case _:
            assert_never(outcome)


def _accepted(connection: Connection, accepted: Sequence[tuple[Claim, str]], moment: Moment) -> None:
    """These claims are orders at Dhan now, with their ids there."""
    ids = [claim.attempt_id for claim, _ in accepted]
    attempts.settle_all(connection, ids, AttemptState.ACCEPTED, at=moment.wall)
    facts: dict[str, Any] = {"reason": "Dhan has the order.", "retry_at": None}
    moves = [(claim.order, facts | {"broker_order_id": there}) for claim, there in accepted]
    orders.move_all(connection, moves, OrderState.WORKING, at=moment.now, actor=journal.DHAN)


def _refused(connection: Connection, claim: Claim, refused: Refused, moment: Moment) -> None:
    words, before = explain(refused), attempts.get(connection, claim.attempt_id)
    is_new = before.refusal != refused.refusal
    attempts.settle(
        connection,
        claim.attempt_id,
        AttemptState.REFUSED if refused.refusal.is_final else AttemptState.NOT_SENT,
        at=moment.wall,
        refusal=refused.refusal,
        code=refused.code,
        words=refused.words,
    )
    match refused.refusal:
        case Refusal.RATE_LIMITED:
            try_again(connection, claim, moment, words=words)
        case Refusal.SIGNED_OUT:
            wait_for_a_sign_in(connection, claim, moment, words=words, is_new=is_new)
        case Refusal.INVALID_IP | Refusal.NO_ACCESS | Refusal.KILL_SWITCH:
            wait(connection, claim, moment, words=words)
        case Refusal.MARKET_OFFLINE:
            try_while_open(connection, claim, moment.now, words=words, is_new=is_new)
        case Refusal.FINAL | Refusal.MARKET_CLOSED | Refusal.IN_TRANSIT:
            is_closed = refused.refusal is Refusal.MARKET_CLOSED
            if not (is_closed and offer_after_market(connection, claim, moment.now, words=words)):
                reject(connection, claim.order, words, moment)
        case _:
            assert_never(refused.refusal)


def reject(connection: Connection, order: Order, words: str, moment: Moment) -> None:
    rejected = orders.move(connection, order, OrderState.REJECTED, at=moment.now, actor=journal.DHAN, reason=words)
    if rejected is not None:
        notifications.ring_order(connection, Notice.REJECTED, rejected, at=moment.now, words=words)
        sources.trust_less(connection, rejected, at=moment.now)


def try_again(connection: Connection, claim: Claim, moment: Moment, *, words: str) -> None:
    """Back to the queue under the same name, later each time; after the last try the operator is asked."""
    attempt = attempts.last_of(connection, claim.order.id)
    posts = attempt.posts if attempt else 1
    queued = wait(connection, claim, moment, words=words, delay=_BACK_OFF[min(posts, MOST_POSTS) - 1])
    if posts >= MOST_POSTS and queued is not None:
        ask_again(connection, queued, f"{words} That was try {posts}: the next one needs your tap.", moment.now)


def wait_for_a_sign_in(connection: Connection, claim: Claim, moment: Moment, *, words: str, is_new: bool) -> None:
    """Back to the queue for one new sign-in; an order that is refused after it, too, may be what Dhan means."""
    queued = wait(connection, claim, moment, words=words)
    if not is_new and queued is not None:
        told = f"{words} It said so after the new sign-in, too: the next try needs your tap."
        ask_again(connection, queued, told, moment.now)


def wait(connection: Connection, claim: Claim, moment: Moment, *, words: str, delay: float = 0) -> Order | None:
    """Provably not at the broker: the order keeps its place in the queue."""
    return orders.move(
        connection,
        claim.order,
        OrderState.QUEUED,
        at=moment.now,
        actor=journal.DESK,
        reason=words,
        retry_at=moment.now + timedelta(seconds=delay),
    )


def doubt(connection: Connection, order: Order, attempt_id: int, words: str, moment: Moment) -> None:
    """Nobody knows whether the broker has it: look it up, never send it again by ourselves."""
    attempts.doubt(connection, attempt_id, next_lookup_at=moment.wall + FIRST_LOOKUP, words=words)
    unsure = orders.move(
        connection, order, OrderState.UNKNOWN, at=moment.now, actor=journal.DESK, reason=f"No clear answer: {words}"
    )
    if unsure is not None:
        told = f"{words.rstrip('.')}. It is being looked up at Dhan: do not send it again meanwhile."
        notifications.ring_order(connection, Notice.UNKNOWN, unsure, at=moment.now, words=told)


def not_yet(connection: Connection, claim: Claim, words: str, moment: Moment, *, delay: float = 1) -> None:
    """The claim was not used: the order goes back to its place in the queue, for so many seconds."""
    if not orders.is_as_seen(connection, claim.order):
        return
    attempts.give_back(connection, claim.attempt_id, at=moment.wall)
    wait(connection, claim, moment, words=f"Not sent yet: {words}", delay=delay)
