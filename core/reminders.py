"""Asking the operator to sign in: once per need, and with a link where links can be made."""

from datetime import datetime

from sqlalchemy import Connection

from core import controls, journal, link_messages, notifications
from core.controls import Hold
from core.db import logins, orders
from core.domain.login import LoginState
from core.domain.notice import Notice
from core.domain.sessions import spoken
from core.ladder import signs_in_by_itself
from core.login_link import Offer, offer
from core.settings import Settings

_PROMPT = "sign_in.prompt"
_WARNED = "sign_in.warned"
_MOST_COUNTED = 1_000


def prompt(connection: Connection, settings: Settings, words: str, at: datetime) -> None:
    """Ring unless it was done already; again only when the link that went with it was tried and failed, or when the
    desk, which tried by itself until now, stops that."""
    stands = controls.fetch(connection, _PROMPT)
    stops = not signs_in_by_itself(connection, settings, at)
    is_new = stops and stands is not None and not stands.get("stopped", True)
    if stands and stands["open"] and not is_new and not _has_failed(connection, stands["login"]):
        return
    login_id = _ring(connection, settings, words, at)
    controls.put(connection, _PROMPT, {"open": True, "login": login_id, "stopped": stops}, at=at, actor=journal.DESK)


def settle(connection: Connection, at: datetime) -> None:
    """Signed in: links that lie around in the chat do nothing any more, and the next need rings again."""
    logins.close_links(connection, at)
    link_messages.put_away(connection, at)
    stands = controls.fetch(connection, _PROMPT)
    if stands and stands["open"]:
        controls.put(connection, _PROMPT, {"open": False, "login": None}, at=at, actor=journal.DESK)


def tell(connection: Connection, until: datetime, at: datetime) -> None:
    """Say that the link did it: how long the sign-in lasts, and what becomes of the orders that are due."""
    due = len(orders.due(connection, at, _MOST_COUNTED))
    others = [reason for hold, reason in controls.holds(connection).items() if hold is not Hold.SIGNED_OUT]
    words = f"Until {spoken(until)}."
    if due and others:
        words += f" {due} {'orders still wait' if due > 1 else 'order still waits'}: {others[0]}"
    elif due:
        go = "orders that waited go on, or ask" if due > 1 else "order that waited goes on, or asks"
        words += f" {due} {go} if too old."
    notifications.ring(connection, Notice.SIGNED_IN, at=at, words=words)
    link_messages.put_away(connection, at)


def warn(connection: Connection, settings: Settings, words: str, about: str, at: datetime) -> None:
    """Ring once about this: a token's end, or a morning."""
    if (controls.fetch(connection, _WARNED) or {}).get("about") == about:
        return
    _ring(connection, settings, words, at)
    controls.put(connection, _WARNED, {"about": about}, at=at, actor=journal.DESK)


def _has_failed(connection: Connection, login_id: int | None) -> bool:
    login = logins.get(connection, login_id) if login_id else None
    return login is not None and login.state is LoginState.FAILED


def _ring(connection: Connection, settings: Settings, words: str, at: datetime) -> int | None:
    offered = offer(connection, by=journal.DESK, at=at) if settings.api_key_and_secret else Offer(None, "")
    said = f"{words} {offered.words}".rstrip()
    notifications.ring(connection, Notice.SIGN_IN, at=at, words=said, login=offered.login_id)
    return offered.login_id
