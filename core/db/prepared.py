"""A statement compiled once, for the few places where building it again each time would cost more than running it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql import ClauseElement


class Prepared:
    """A Core statement in the words of one dialect. Values are converted as its columns say; rows come as they are."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        if not isinstance(statement, ClauseElement):
            raise TypeError("only a Core statement can be prepared")
        compiled: Any = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names: list[str] | None = compiled.positiontup
        self._converters = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Execute inside the connection's transaction; returns what the statement returns, unconverted."""
        given = {**self._fixed, **values}
        for name, convert in self._converters.items():
            given[name] = convert(given[name])
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, [given[name] for name in self._names] if self._names else given)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()
