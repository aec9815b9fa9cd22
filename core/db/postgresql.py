"""PostgreSQL: a server that several machines share.

One advisory lock stands where SQLite has its write lock. Every writing transaction takes it first and has it until it
ends, however it ends; each statement after it sees what all those before have committed. See
docs/decisions/0016-postgresql.md.
"""

import asyncio
from concurrent.futures import Executor
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from core.db.trouble import DatabaseUnavailable

WRITE_LOCK = 0x4D554E534849
"""MUNSHI, in letters: the number of the lock, within the database."""
TAKE_LOCK = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
_TRY_LOCK = f"SELECT pg_try_advisory_xact_lock({WRITE_LOCK})"
_CONNECT_WITHIN = 5
_LOST_AFTER = 10
"""Seconds after which a server that says nothing is given up, and after which it gives us up and frees the lock."""
_FAILED = 3  # libpq's PQTRANS_INERROR


_RULES = {
    "application_name": "munshi",
    "client_encoding": "utf8",
    "connect_timeout": _CONNECT_WITHIN,
    "keepalives_idle": _LOST_AFTER // 2,
    "keepalives_interval": 1,
    "keepalives_count": _LOST_AFTER // 2,
    "tcp_user_timeout": _LOST_AFTER * 1000,
}
"""A neighbour that has died without a word must not be waited for as long as TCP would."""


class PostgreSQL:
    """`patience`: seconds that it waits for other writers."""

    reading = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}  # noqa: RUF012 - nobody writes to it
    reads_at_once = False

    def __init__(self, url: URL, *, patience: float) -> None:
        self.engine = create_engine(
            url.difference_update_query(["options"]),
            connect_args=_RULES | {"options": _options(patience, url)},
            isolation_level="READ COMMITTED",  # with the lock taken, a later statement must not see an older moment
            pool_size=4,
            pool_pre_ping=True,
        )
        event.listen(self.engine, "connect", _keep_zeros_out)
        event.listen(self.engine, "commit", _check_whole)

    def prepare(self, connection: Connection) -> None:
        """It is as it should be."""

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(TAKE_LOCK)

    def begin_at_once(self, connection: Connection) -> bool:  # noqa: ARG002 - a server is asked beside the loop
        return False

    async def begin_in_turn(self, connection: Connection, patience: float, thread: Executor) -> None:  # noqa: ARG002
        """Others that wait are not overtaken: the server refuses the first try while there are any."""
        if not connection.exec_driver_sql(_TRY_LOCK).scalar_one():
            await asyncio.get_running_loop().run_in_executor(thread, self.begin, connection)

    def begin_to_read(self, connection: Connection) -> None:
        connection.begin()

    def end_reading(self, connection: Connection) -> None:
        connection.rollback()

    def commit(self, connection: Connection, patience: float) -> None:  # noqa: ARG002 - readers keep nobody back
        _check_whole(connection)
        _raw(connection).commit()

    def close(self) -> None:
        self.engine.dispose()

    def has_gone(self, trouble: BaseException) -> bool:
        return isinstance(trouble, DBAPIError) and trouble.connection_invalidated


def _options(patience: float, url: URL) -> str:
    """What the server shall keep to on our connections; what stands in the address comes after it, and counts."""
    rules = {
        "timezone": "UTC",
        "synchronous_commit": "on",
        "lock_timeout": round(patience * 1000),
        "statement_timeout": round((patience + _LOST_AFTER / 2) * 1000),
        "idle_in_transaction_session_timeout": _LOST_AFTER * 1000,
        "tcp_keepalives_idle": _LOST_AFTER // 2,
        "tcp_keepalives_interval": 1,
        "tcp_keepalives_count": _LOST_AFTER // 2,
    }
    theirs = url.query.get("options", "")
    return " ".join([*(f"-c {name}={value}" for name, value in rules.items()), str(theirs)]).strip()


def _keep_zeros_out(connection: Any, _record: Any) -> None:
    """Its text cannot hold the character 0; an alert that does would spoil its neighbours' commit."""
    from psycopg.adapt import Dumper  # noqa: PLC0415 - who runs on SQLite does not have it

    class WithoutZeros(Dumper):
        def dump(self, obj: str) -> bytes:
            return obj.replace("\0", "\ufffd").encode()

    connection.adapters.register_dumper(str, WithoutZeros)


def _check_whole(connection: Connection) -> None:
    """The server takes the COMMIT of a transaction in which a statement failed, undoes all of it and says no word."""
    if _raw(connection).info.transaction_status == _FAILED:
        raise DatabaseUnavailable("nothing was stored: a statement of the transaction had failed")


def _raw(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
