"""The broker token at rest: encrypted with a key that is not in the database; the newest living row counts."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr
from sqlalchemy import Connection, insert, select, update

from core.db.tables import broker_tokens


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    value: str = field(repr=False)
    source: str
    issued_at: datetime
    expires_at: datetime


class TokenVault:
    """Seals and opens tokens. Several keys may be given, comma-separated: the first one seals, all of them open."""

    def __init__(self, keys: SecretStr) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys.get_secret_value().split(",")])

    def store(
        self,
        connection: Connection,
        value: str,
        *,
        client_id: str,
        source: str,
        issued_at: datetime,
        expires_at: datetime,
    ) -> None:
        """Keep a new token; the ones before it are dead, since Dhan allows one at a time."""
        bury(connection, client_id, issued_at)
        connection.execute(
            insert(broker_tokens).values(
                client_id=client_id,
                source=source,
                ciphertext=self._fernet.encrypt(f"{client_id}:{value}".encode()).decode(),
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
        try:
            owner, _, value = self._fernet.decrypt(row.ciphertext.encode()).decode().partition(":")
        except InvalidToken:
            return None
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


def expiry(connection: Connection) -> datetime | None:
    """When the living token ends, for health pages; None when there is none."""
    return connection.execute(
        select(broker_tokens.c.expires_at).where(broker_tokens.c.died_at.is_(None)).order_by(broker_tokens.c.id.desc())
    ).scalar()
