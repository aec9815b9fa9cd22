"""`munshi token`: hand in a token made on web.dhan.co. It is read without showing it, never taken as an argument."""

import getpass
import sys
from datetime import UTC, datetime
from time import sleep

from core import journal
from core.bootstrap import build_clock, open_database
from core.broker.dhan.auth import claims
from core.clock import Clock, SystemClock, monotonic, to_india
from core.db import leases, logins
from core.db.engine import Database
from core.db.logins import Login
from core.domain.login import LoginState, Way
from core.errors import Refusal
from core.seal import Seal
from core.settings import Settings, load

PATIENCE = 20.0
POLL = 0.1


def run() -> int:
    settings = load()
    clock = build_clock(settings)
    token = _read()
    _check(token, settings, clock)
    sealed = Seal(settings.token_keys).close(token)
    database = open_database(settings)
    with database.transaction() as connection:
        at = clock.now()
        login_id = logins.start(connection, Way.WEB, LoginState.RECEIVED, by=journal.COMMAND_LINE, at=at, sealed=sealed)
    login = _wait(database, login_id)
    database.close()
    print(_words(login))
    return 1 if login is not None and login.state is LoginState.FAILED else 0


def _read() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Token from web.dhan.co (it is not shown): ").strip()
    return sys.stdin.readline().strip()


def _check(token: str, settings: Settings, clock: Clock) -> None:
    """What can be seen without asking Dhan. Raises Refusal."""
    said = claims(token)
    if not said:
        raise Refusal("this is no token: on web.dhan.co, Access DhanHQ APIs, generate one and copy all of it")
    if said.get("dhanClientId", settings.client_id) != settings.client_id:
        raise Refusal("this token is of another account than DHAN_CLIENT_ID; it was not kept")
    ends = said.get("exp")
    if isinstance(ends, int) and ends <= clock.now().timestamp():
        raise Refusal(f"this token ended {to_india(datetime.fromtimestamp(ends, UTC)):%d %b at %H:%M}; make a new one")


def _wait(database: Database, login_id: int) -> Login | None:
    """What the desk made of it; None when no desk runs."""
    until = monotonic() + PATIENCE
    while True:
        with database.snapshot() as connection:
            lease, login = leases.current(connection), logins.get(connection, login_id)
        if lease is None or lease.expires_at <= SystemClock().now():
            return None
        if login is None or login.state.is_final or monotonic() > until:
            return login
        sleep(POLL)


def _words(login: Login | None) -> str:
    if login is None:
        return "Kept, encrypted. No desk runs now: the next one checks the token at Dhan when it starts."
    if login.state is LoginState.COMPLETED:
        return "Signed in at Dhan with this token."
    if login.state is LoginState.FAILED:
        return f"Not signed in: {login.words}"
    return "Kept, encrypted. The desk has not checked it yet; /token in the chat tells."
