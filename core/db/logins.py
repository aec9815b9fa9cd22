"""Sign-ins as rows: the mailbox between web, the command line and the desk, and the memory of every try.

Every move is guarded by the state it starts from, so that a link opened twice or a callback that comes again moves
nothing. What a browser or a person handed in lies here sealed, and only until the desk has used it.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from core.db.statement import Statement
from core.db.tables import logins
from core.domain.login import LINK_LIVES, TAP_LIVES, LoginRefusal, LoginState, Way

_A_DAY = timedelta(hours=24)
_OPEN = (LoginState.OFFERED, LoginState.REQUESTED, LoginState.PENDING)


@dataclass(frozen=True, kw_only=True)
class Login:
    """`opened_at` is the latest tap on the link, `asked_at` when Dhan was asked for a consent, `words` for people."""

    id: int
    way: Way
    state: LoginState
    requested_at: datetime
    opened_at: datetime | None
    asked_at: datetime | None
    consent_id: str | None
    sealed: str | None = field(repr=False)
    refusal: LoginRefusal | None
    words: str


_COLUMNS = [logins.c[field.name] for field in fields(Login)]
_JUST_OPENED = (logins.c.state == LoginState.REQUESTED) & (
    logins.c.opened_at > bindparam("since", type_=logins.c.opened_at.type)
)
_TO_DO = Statement(
    select(*_COLUMNS).where(_JUST_OPENED | (logins.c.state == LoginState.RECEIVED)).order_by(logins.c.id)
)


def ask(connection: Connection, *, by: str, at: datetime) -> int:
    """A fresh sign-in is wanted, without a person; its id. The desk sees to it within minutes or not at all."""
    login_id = start(connection, Way.ASKED, LoginState.REQUESTED, by=by, at=at)
    connection.execute(update(logins).where(logins.c.id == login_id).values(opened_at=at))
    return login_id


def start(connection: Connection, way: Way, state: LoginState, *, by: str, at: datetime, sealed: str = "") -> int:
    """A new sign-in; its id."""
    row = {"way": way, "state": state, "requested_by": by, "requested_at": at, "sealed": sealed or None, "words": ""}
    return connection.execute(insert(logins).values(row).returning(logins.c.id)).scalar_one()


def get(connection: Connection, login_id: int) -> Login | None:
    return next(iter(_select(connection, logins.c.id == login_id)), None)


def of_consent(connection: Connection, consent_id: str) -> Login | None:
    """The sign-in that Dhan made this consent for."""
    return next(iter(_select(connection, logins.c.consent_id == consent_id)), None)


def to_do(connection: Connection, at: datetime) -> list[Login]:
    """What waits for the desk: links opened a moment ago, and tokens that were handed in; oldest first."""
    return [Login(**row) for row in _TO_DO.mappings(connection, {"since": at - TAP_LIVES})]


def tap(connection: Connection, login_id: int, at: datetime) -> Login | None:
    """The link is opened: the desk shall make a consent, or, where it has, ten new minutes begin. None: too late."""
    login = get(connection, login_id)
    if login is None or login.state not in _OPEN or login.requested_at <= at - LINK_LIVES:
        return None
    state = LoginState.REQUESTED if login.state is LoginState.OFFERED else login.state
    here = (logins.c.id == login_id) & (logins.c.way == Way.LINK) & (logins.c.state == login.state)
    moved = connection.execute(update(logins).where(here).values(state=state, opened_at=at)).rowcount
    return replace(login, state=state, opened_at=at) if moved else None


def asking(connection: Connection, login: Login, at: datetime) -> bool:
    """Written down before Dhan is asked for a consent; False when it was asked before, and the answer got lost."""
    first = (logins.c.id == login.id) & logins.c.asked_at.is_(None)
    return bool(connection.execute(update(logins).where(first).values(asked_at=at)).rowcount)


def forget_asking(connection: Connection, login: Login) -> None:
    """The question never left this machine."""
    connection.execute(update(logins).where(logins.c.id == login.id).values(asked_at=None))


def consents(connection: Connection, at: datetime) -> list[datetime]:
    """When Dhan was asked for consents within the last 24 hours, oldest first."""
    recent = logins.c.asked_at > at - _A_DAY
    return list(connection.execute(select(logins.c.asked_at).where(recent).order_by(logins.c.asked_at)).scalars())


def pend(connection: Connection, login: Login, consent_id: str) -> None:
    """Dhan made the consent: the operator is sent to its page."""
    here = (logins.c.id == login.id) & (logins.c.state == LoginState.REQUESTED)
    connection.execute(update(logins).where(here).values(state=LoginState.PENDING, consent_id=consent_id))


def receive(connection: Connection, login_id: int, sealed: str, at: datetime) -> bool:
    """The browser came back in time. Once: False for a sign-in that is not pending, or was left for too long."""
    pending = (logins.c.id == login_id) & (logins.c.state == LoginState.PENDING)
    in_time = logins.c.opened_at > at - TAP_LIVES
    moved = connection.execute(update(logins).where(pending, in_time).values(state=LoginState.RECEIVED, sealed=sealed))
    return bool(moved.rowcount)


def complete(connection: Connection, login_id: int, at: datetime) -> None:
    _finish(connection, login_id, at, state=LoginState.COMPLETED)


def fail(connection: Connection, login_id: int, refusal: LoginRefusal, words: str, at: datetime) -> None:
    _finish(connection, login_id, at, state=LoginState.FAILED, refusal=refusal, words=words)


def forget(connection: Connection, login_id: int) -> None:
    """A try that never left this machine does not count."""
    connection.execute(delete(logins).where(logins.c.id == login_id))


def close_links(connection: Connection, at: datetime) -> None:
    """The desk is signed in: what else was offered or begun is over."""
    begun = (logins.c.way == Way.LINK) & logins.c.state.in_(_OPEN)
    words = "The desk was signed in meanwhile."
    connection.execute(update(logins).where(begun).values(state=LoginState.EXPIRED, finished_at=at, words=words))


def last_try(connection: Connection, way: Way) -> Login | None:
    newest = select(func.max(logins.c.id)).where(logins.c.way == way).scalar_subquery()
    return next(iter(_select(connection, logins.c.id == newest)), None)


def refused_since(connection: Connection, way: Way, since: datetime) -> list[Login]:
    """The sign-ins of this way that were answered with a no since then, oldest first."""
    noes = [refusal for refusal in LoginRefusal if refusal.is_a_no]
    return _select(connection, (logins.c.way == way) & (logins.c.requested_at >= since) & logins.c.refusal.in_(noes))


def _finish(connection: Connection, login_id: int, at: datetime, **values: Any) -> None:
    connection.execute(update(logins).where(logins.c.id == login_id).values(finished_at=at, sealed=None, **values))


def _select(connection: Connection, where: ColumnElement[bool]) -> list[Login]:
    rows = connection.execute(select(*_COLUMNS).where(where).order_by(logins.c.id))
    return [Login(**row) for row in rows.mappings()]
