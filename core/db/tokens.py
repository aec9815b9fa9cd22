"""The broker token at rest: encrypted with a key that is not in the database; the newest living row counts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Connection, insert, select, update

from core.db.tables import broker_tokens
from core.domain.login import Way
from core.seal import Seal


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    value: str = field(repr=False)
    source: Way
    issued_at: datetime
    expires_at: datetime


class TokenVault:
    """Keeps tokens sealed, each together with the account it is of."""

    def __init__(self, keys: SecretStr) -> None:
        self._seal = Seal(keys)

    def store(
        self,
        connection: Connection,
        value: str,
        *,
        client_id: str,
        source: Way,
        issued_at: datetime,
        expires_at: datetime,
    ) -> None:
        """Keep a new token; the ones before it are dead, since Dhan allows one at a time."""
        bury(connection, client_id, issued_at)
        connection.execute(
            insert(broker_tokens).values(
                client_id=client_id,
                source=source,
                ciphertext=self._seal.close(f"{client_id}:{value}"),
                issued_at=issued_at,
                expires_at=expires_at,
            )
        )

    def load(self, connection: Connection, client_id: str) -> StoredToken | None:
        """The living token of this account; None when there is none that our keys open and that names this account."""
        row = connection.execute(
            select(broker_tokens)
            .where(broker_tokens.c.client_id == client_id, broker_tokens.c.died_at.is_(None))
            .order_by(broker_tokens.c.id.desc())
        ).first()
        if row is None:
            return None
        owner, _, value = (self._seal.open(row.ciphertext) or "").partition(":")
        if owner != client_id:
            return None
        return StoredToken(value=value, source=row.source, issued_at=row.issued_at, expires_at=row.expires_at)


def bury(connection: Connection, client_id: str, at: datetime) -> None:
    """Dhan no longer takes this account's tokens."""
    connection.execute(
        update(broker_tokens)
        .where(broker_tokens.c.client_id == client_id, broker_tokens.c.died_at.is_(None))
        .values(died_at=at)
    )


@dataclass(frozen=True)
class TokenAge:
    """What may be told of the token in force."""

    source: Way
    issued_at: datetime
    expires_at: datetime
    number: int = 0

    def left(self, now: datetime) -> timedelta:
        """How long it lives yet, never longer than it was made to: a paper clock may have been moved back since."""
        return self.expires_at - max(now, self.issued_at)


def age(connection: Connection) -> TokenAge | None:
    """Of the living token; None when there is none."""
    columns = broker_tokens.c.source, broker_tokens.c.issued_at, broker_tokens.c.expires_at, broker_tokens.c.id
    row = connection.execute(
        select(*columns).where(broker_tokens.c.died_at.is_(None)).order_by(broker_tokens.c.id.desc())
    ).first()
    return None if row is None else TokenAge(*row)


def expiry(connection: Connection) -> datetime | None:
    """When the living token ends, for health pages; None when there is none."""
    living = age(connection)
    return living.expires_at if living else None
