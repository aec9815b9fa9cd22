"""Statements compiled once, for the few places where building them each time would cost more than running them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.sql.type_api import TypeEngine

Converter = Callable[[Any], Any]


class BulkInsert:
    """Many rows of a table in one statement and one step, past the toolkit, whose share would be the largest.

    One step matters: at every step the driver lets go of the interpreter, and a busy event loop gives it back late.
    """

    def __init__(self, table: Table, columns: Sequence[str], dialect: Dialect) -> None:
        self._columns = columns
        self._converters = [_converter(table.c[name].type, dialect) for name in columns]
        names = ", ".join(dialect.identifier_preparer.quote(name) for name in columns)
        self._start = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608 - our own names
        self._row = f"({marks(len(columns))})"

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows inside the connection's transaction."""
        values = [
            value if convert is None or value is None else convert(value)
            for row in rows
            for value, convert in zip((row[name] for name in self._columns), self._converters, strict=True)
        ]
        run(connection, self._start + ", ".join([self._row] * len(rows)), values)


def marks(count: int) -> str:
    """Placeholders for that many values."""
    return ", ".join("?" * count)


def run(connection: Connection, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """One statement in the driver's own words, inside the connection's transaction."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, tuple(values))
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        cursor.close()


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)
