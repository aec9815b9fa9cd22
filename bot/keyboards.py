"""The buttons under a card, only while they mean something."""

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.callback_data import CardTap, Verb, pack
from core.domain.approval import ApprovalPolicy
from core.domain.order import WAITING, OrderState
from core.domain.sessions import spoken
from core.domain.source import IdenticalAlerts, Source
from core.domain.trust import Trust
from core.reports import AlertReport

_GREEN = "success"
_RED = "danger"
_A_ROW = 4
_MOST_LEGS = 80
"""Telegram takes a hundred buttons; a large exit may have more slices."""


def card_buttons(report: AlertReport, nonce: str) -> InlineKeyboardMarkup | None:
    states = {order.state for order in report.orders}
    version = report.alert.card_version
    rows: list[list[InlineKeyboardButton]] = []
    if OrderState.AWAITING_APPROVAL in states:
        rows.append([_button("Approve", Verb.APPROVE, nonce, version, _GREEN), _cancel(nonce, version)])
    elif OrderState.QUEUED in states:  # where Approve was, a second tap must do no harm
        rows.append([_button("Details", Verb.DETAILS, nonce, version), _cancel(nonce, version)])
    rows += _legs(report, nonce, version)
    rows += _offers(report, nonce, version, is_asked=OrderState.AWAITING_APPROVAL in states)
    if OrderState.NEEDS_OPERATOR in states:
        rows.append(
            [
                _button("Send again…", Verb.ASK_SEND_AGAIN, nonce, version),
                _button("Drop it", Verb.DROP, nonce, version, _RED),
            ]
        )
    if states & {OrderState.WORKING, OrderState.PART_FILLED}:
        rows.append([_button("Cancel at Dhan…", Verb.ASK_CANCEL_WORKING, nonce, version)])
    if report.repeats:
        rows.append([_button(f"Execute the copy too ({len(report.repeats)})", Verb.REPEAT, nonce, version)])
    if rows:
        edit = [_button("Edit", Verb.EDIT, nonce, version)] if states & WAITING else []
        has_details = OrderState.QUEUED in states and OrderState.AWAITING_APPROVAL not in states
        rows.append([*edit, *([] if has_details else [_button("Details", Verb.DETAILS, nonce, version)])])
    return InlineKeyboardMarkup([row for row in rows if row]) if rows else None


def _legs(report: AlertReport, nonce: str, version: int) -> list[list[InlineKeyboardButton]]:
    """A way out for each leg of several that waits."""
    waiting = [order.position for order in report.orders if order.state in WAITING]
    if len(report.orders) == 1 or len(waiting) < 2:
        return []
    buttons = [
        InlineKeyboardButton(f"Cancel {leg}", callback_data=pack(CardTap(Verb.CANCEL, nonce, version, leg)))
        for leg in waiting[:_MOST_LEGS]
    ]
    return [buttons[place : place + _A_ROW] for place in range(0, len(buttons), _A_ROW)]


def _offers(report: AlertReport, nonce: str, version: int, *, is_asked: bool) -> list[list[InlineKeyboardButton]]:
    offers = report.offers
    times: list[InlineKeyboardButton] = []
    if offers.sooner is not None:
        when = "closing auction" if offers.sooner.into_auction else spoken(offers.sooner.reaches_exchange_at)
        times.append(_button(f"Sooner: {when}", Verb.SOONER, nonce, version))
    if is_asked:
        times.append(_button("Snooze", Verb.SNOOZE, nonce, version))
    other = offers.opposite
    pair: list[InlineKeyboardButton] = []
    if other is not None:
        pair.append(_button(f"Net with {other.label}", Verb.NET, nonce, version))
    if other is not None and offers.may_supersede:
        pair.append(_button(f"Drop {other.label}, keep this", Verb.SUPERSEDE, nonce, version))
    return [row for row in (times, pair) if row]


def confirm_send_again(nonce: str, version: int) -> InlineKeyboardMarkup:
    """The second step where a mistake would double an order."""
    yes = _button("Yes, send it again", Verb.SEND_AGAIN, nonce, version, _RED)
    return InlineKeyboardMarkup([[yes, _button("Back", Verb.BACK, nonce, version)]])


def confirm_cancel_working(nonce: str, version: int) -> InlineKeyboardMarkup:
    yes = _button("Yes, cancel it", Verb.CANCEL_WORKING, nonce, version, _RED)
    return InlineKeyboardMarkup([[yes, _button("Back", Verb.BACK, nonce, version)]])


def queue_buttons(
    which: str, page: int, last: int, states: set[OrderState], *, is_empty: bool
) -> InlineKeyboardMarkup | None:
    """Below the list of what waits: pages, kinds, and all at once for whoever may decide. An empty list of one kind
    leads to all kinds, and one of all kinds nowhere.
    """
    if is_empty:
        return None if which == "all" else InlineKeyboardMarkup([[_button("All", Verb.QUEUE, "all", 0)]])
    pages = [_button("Refresh", Verb.QUEUE, which, page)]
    if page > 0:
        pages.insert(0, _button("Back", Verb.QUEUE, which, page - 1))
    if page < last:
        pages.append(_button("More", Verb.QUEUE, which, page + 1))
    kinds = [_button(kind.capitalize(), Verb.QUEUE, kind, 0) for kind in ("all", "asked", "queued") if kind != which]
    together: list[InlineKeyboardButton] = []
    if OrderState.AWAITING_APPROVAL in states:
        together.append(_button("Approve all…", Verb.APPROVE_ALL, which, 0))
    if states & WAITING:
        together.append(_button("Cancel all…", Verb.CANCEL_ALL, which, 0))
    return InlineKeyboardMarkup([row for row in (pages, kinds, together) if row])


def confirm_approval(nonce: str, version: int, sure: Verb) -> InlineKeyboardMarkup:
    """The second step above a soft limit."""
    yes = _button("Yes, approve it", sure, nonce, version, _GREEN)
    return InlineKeyboardMarkup([[yes, _button("Back", Verb.BACK, nonce, version)]])


def confirm(question: str, words: str) -> InlineKeyboardMarkup:
    """The second step of a command: the button carries the question's name, the facts stay in its row."""
    return InlineKeyboardMarkup([[_button(words, Verb.YES, question, 0, _RED)]])


def source_list(found: Sequence[Source]) -> InlineKeyboardMarkup:
    """One button for each source."""
    return InlineKeyboardMarkup([[_source_button(source, source.name)] for source in found])


def source(source: Source, keys: int, *, can_be_removed: bool) -> InlineKeyboardMarkup:
    """What can be done with a source without typing; each button stands for the words of `/sources NAME …`."""
    stop = ("Resume", "resume") if source.paused_at else ("Pause", "pause")
    key = ("Retire the old key", "retire") if keys > 1 else ("New key", "rotate")
    policies = [word for word in ("desk", *ApprovalPolicy) if word != (source.approval or "desk")]
    rows = [
        [stop, key],
        [(f"Trust: {step.replace(',', ' ')}", f"trust,{step}") for step in _steps(source)],
        [(f"Identical: {word}", f"identical,{word}") for word in IdenticalAlerts if word != source.identical_alerts],
        [(f"Approval: {word}", f"approval,{word}") for word in policies],
        [("Remove…", "remove")] if can_be_removed else [],
    ]
    return InlineKeyboardMarkup([[_source_button(source, *each) for each in row] for row in rows if row])


def _steps(source: Source) -> list[str]:
    """The other steps of the ladder; the automatic one only where its amount was given once."""
    steps = [step for step in Trust if step is not source.trust]
    known = source.automatic_below
    found = [step.value for step in steps if step is not Trust.AUTOMATIC]
    return [*found, f"{Trust.AUTOMATIC},{known:f}"] if known is not None and Trust.AUTOMATIC in steps else found


def _source_button(source: Source, text: str, words: str = "") -> InlineKeyboardButton:
    nonce = f"{source.id},{words}" if words else str(source.id)
    return _button(text, Verb.SOURCE, nonce, source.version)


def _cancel(nonce: str, version: int) -> InlineKeyboardButton:
    return _button("Cancel", Verb.CANCEL, nonce, version, _RED)


def _button(text: str, verb: Verb, nonce: str, version: int, style: str | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text, callback_data=pack(CardTap(verb, nonce, version)), style=style)
