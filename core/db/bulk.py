"""Statements compiled once, for the few places where building them each time would cost more than running them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.sql.type_api import TypeEngine

Converter = Callable[[Any], Any]


class BulkInsert:
    """Many rows of a table in one statement, past the toolkit, whose share would be the largest.

    `columns` are given row by row, in their order; `constants` are pieces of SQL that are the same for every row.
    """

    def __init__(self, table: Table, columns: Sequence[str], constants: Mapping[str, str], dialect: Dialect) -> None:
        self._converters = [converter(table.c[name].type, dialect) for name in columns]
        names = ", ".join(map(dialect.identifier_preparer.quote, [*columns, *constants]))
        self._start = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608 - our own names
        self._row = f"({', '.join([marks(len(columns)), *constants.values()])})"

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Add the rows inside the connection's transaction."""
        values = [
            value if convert is None or value is None else convert(value)
            for row in rows
            for value, convert in zip(row, self._converters, strict=True)
        ]
        run(connection, self._start + ", ".join([self._row] * len(rows)), values)


def marks(count: int) -> str:
    """Placeholders for that many values."""
    return ", ".join("?" * count)


def run(connection: Connection, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """One statement in the driver's own words, inside the connection's transaction; `?` marks a value."""
    if connection.dialect.paramstyle != "qmark":  # a server is further away than the toolkit takes long
        result = connection.exec_driver_sql(statement.replace("?", "%s"), tuple(values))
        return list(result.fetchall()) if result.returns_rows else []
    driver: Any = connection.connection.dbapi_connection
    return driver.execute(statement, values).fetchall()


def reserve_ids(connection: Connection, table: Table, count: int) -> int:
    """For rows that are given their ids: the one before the first of so many. Needs the write lock until they stand."""
    if connection.dialect.name == "sqlite":
        ((newest,),) = run(connection, f"SELECT max(id) FROM {table.name}")  # noqa: S608 - our own name
        return newest or 0
    sequence = f"'{table.name}_id_seq'"
    taken = f"setval({sequence}, nextval({sequence}) + {count} - 1)"
    ((last,),) = run(connection, f"SELECT {taken}")
    return last - count


def converter(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    """How a value is stored; None where values are stored as they are."""
    return kind.dialect_impl(dialect).bind_processor(dialect)
