"""The desk's sign-in on one database, in front of a stand-in: sessions, the mailbox, and what they leave behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from core import controls
from core.broker.dhan.client import DhanClient
from core.controls import Hold
from core.db import logins as login_rows
from core.db.engine import Database
from core.db.logins import Login
from core.db.tables import broker_tokens, logins, outbox
from core.domain.login import LoginState, Way
from core.domain.notice import Notice
from core.logins import Session
from core.mailbox import Mailbox
from core.seal import Seal
from core.settings import PaperAccount, Settings
from tests.integration.paper_dhan import PaperDhan
from tests.unit.engine.floor import settings_for

BY_LINK = {"dhan_api_key": PaperAccount.API_KEY, "dhan_api_secret": PaperAccount.API_SECRET}
"""Settings of an account that signs in by a link only."""
BY_PIN = {
    "dhan_client_id": PaperAccount.CLIENT_ID,
    "dhan_pin": PaperAccount.PIN,
    "dhan_totp_secret": PaperAccount.TOTP_SECRET,
}
"""Settings of an account that signs in by PIN and one-time code only."""


class Door:
    def __init__(self, database: Database, dhan: PaperDhan, client: DhanClient, folder: Path) -> None:
        self.database = database
        self.dhan = dhan
        self._client = client
        self._folder = folder

    def settings(self, **settings: Any) -> Settings:
        return settings_for(self.dhan, self._folder, **settings)

    def session(self, *, keep_copy: Callable[[str], None] | None = None, **settings: Any) -> Session:
        """As after a restart: nothing is remembered but the rows."""
        settled = self.settings(**settings)
        return Session(self.database, self._client, settled, self.dhan.clock, keep_copy=keep_copy)

    def mailbox(self, session: Session, **settings: Any) -> Mailbox:
        return Mailbox(
            database=self.database,
            client=self._client,
            session=session,
            settings=self.settings(**(settings or BY_LINK)),
            clock=self.dhan.clock,
        )

    # What web and the command line leave

    def link(self) -> int:
        """A link in the chat."""
        with self.database.transaction() as connection:
            return self.link_in(connection)

    def link_in(self, connection: Connection) -> int:
        at = self.dhan.clock.now()
        return login_rows.start(connection, Way.LINK, LoginState.OFFERED, by="operator 42", at=at)

    def tap(self, login_id: int) -> bool:
        with self.database.transaction() as connection:
            return login_rows.tap(connection, login_id, self.dhan.clock.now()) is not None

    def come_back(self, login_id: int, token_id: str) -> bool:
        with self.database.transaction() as connection:
            return login_rows.receive(connection, login_id, self._seal(token_id), self.dhan.clock.now())

    def hand_in(self, token: str) -> int:
        at, sealed = self.dhan.clock.now(), self._seal(token)
        with self.database.transaction() as connection:
            return login_rows.start(connection, Way.WEB, LoginState.RECEIVED, by="command line", at=at, sealed=sealed)

    # What is there

    def login(self, login_id: int) -> Login:
        with self.database.snapshot() as connection:
            login = login_rows.get(connection, login_id)
        assert login
        return login

    def tries(self, way: Way = Way.TOTP) -> list[str]:
        with self.database.snapshot() as connection:
            return list(
                connection.execute(select(logins.c.state).where(logins.c.way == way).order_by(logins.c.id)).scalars()
            )

    def hold(self) -> str | None:
        with self.database.snapshot() as connection:
            return controls.holds(connection).get(Hold.SIGNED_OUT)

    def rings(self, kind: Notice = Notice.SIGN_IN) -> list[dict[str, Any]]:
        with self.database.snapshot() as connection:
            found = connection.execute(select(outbox.c.payload).where(outbox.c.kind == kind).order_by(outbox.c.id))
            return [dict(payload) for payload in found.scalars()]

    def has_token(self) -> bool:
        with self.database.snapshot() as connection:
            return connection.execute(select(broker_tokens.c.id)).first() is not None

    def dump(self) -> bytes:
        """Every byte that the database has on the disk."""
        return b"".join(file.read_bytes() for file in self._folder.iterdir() if file.name.startswith("munshi.db"))

    def _seal(self, secret: str) -> str:
        return Seal(self.settings().token_keys).close(secret)
