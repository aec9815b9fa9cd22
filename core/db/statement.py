"""Statements that run for every alert: put into the driver's words once, and run past the toolkit.

The toolkit's share of a small query on a file of this machine is many times the database's. A server is further away
than the toolkit takes long: there it runs them as usual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

from core.db.bulk import Converter, converter

Values = Mapping[str, Any]
Clause = Select[*tuple[Any, ...]] | Insert | Update | Delete

LONGEST_LIST = 32
"""Longer ones come seldom, and go the usual way."""
_NONE: Values = MappingProxyType({})


class Statement:
    """A query or a change. `bindparam` names the values that it leaves open; an insert and an update take the columns
    that they set beside them.
    """

    def __init__(self, clause: Clause) -> None:
        self._clause = clause
        self._names = [column.name for column in clause.selected_columns] if isinstance(clause, Select) else []
        self._texts: dict[Any, _Text] = {}

    def rows(self, connection: Connection, values: Values = _NONE) -> list[tuple[Any, ...]]:
        """What a query finds."""
        lists = {
            name: _places_for(cast("list[Any]", value)) for name, value in values.items() if isinstance(value, list)
        }
        if _is_far(connection) or any(length > LONGEST_LIST for length in lists.values()):
            return [tuple(row) for row in connection.execute(self._clause, dict(values))]
        text = self._text(connection.dialect, values, lists)
        return text.read(_driver(connection).execute(text.sql, text.bind(values)).fetchall())

    def mappings(self, connection: Connection, values: Values = _NONE) -> list[dict[str, Any]]:
        """The same by the names of the columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self.rows(connection, values)]

    def run(self, connection: Connection, values: Values) -> int:
        """Make one change; returns how many rows it met."""
        return self.run_each(connection, [values])

    def run_each(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Make changes; returns how many rows they met in all. Raises ValueError, and makes none, unless all rows have
        the same names: what only a later one names would be left out without a word.
        """
        if not rows:
            return 0
        names = rows[0].keys()
        if any(values.keys() != names for values in rows):
            raise ValueError("rows of one change must have the same names")
        if _is_far(connection):
            return connection.execute(self._clause, [dict(values) for values in rows]).rowcount
        text = self._text(connection.dialect, rows[0], _NONE)
        return _driver(connection).executemany(text.sql, [text.bind(values) for values in rows]).rowcount

    def _text(self, dialect: Dialect, values: Values, lists: Mapping[str, int]) -> "_Text":
        key = (type(dialect), tuple(values), tuple(lists.items()))
        if key not in self._texts:
            self._texts[key] = _written(self._clause, dialect, values, lists)
        return self._texts[key]


class _Place(NamedTuple):
    """Where a value stands; `member` is its place in a list."""

    number: int
    name: str
    member: int | None
    convert: Converter | None


@dataclass(frozen=True, slots=True)
class _Text:
    """The statement in one database's words: its values, of which some are known, and how a row is read."""

    sql: str
    known: list[Any]
    open: list[_Place]
    readers: list[Converter | None]

    def bind(self, values: Values) -> list[Any]:
        bound = self.known.copy()
        for number, name, member, convert in self.open:
            value = values[name]
            if member is not None:
                value = value[min(member, len(value) - 1)]
            bound[number] = value if convert is None or value is None else convert(value)
        return bound

    def read(self, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        readers = self.readers
        return [
            tuple([value if read is None else read(value) for value, read in zip(row, readers, strict=True)])
            for row in rows
        ]


def _written(clause: Clause, dialect: Dialect, values: Values, lists: Mapping[str, int]) -> _Text:
    readers: list[Converter | None] = []
    compiled: Any
    if isinstance(clause, Select):
        kinds = [column.type.dialect_impl(dialect) for column in clause.selected_columns]
        readers = [kind.result_processor(dialect, None) for kind in kinds]
        nothing = {name: [None] * lists[name] if name in lists else None for name in values}
        compiled = clause.params(nothing).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    else:
        compiled = clause.compile(dialect=dialect, column_keys=list(values))
    members = {
        f"{name}_{index + 1}": (name, index)
        for name, bind in compiled.binds.items()
        if bind.expanding
        for index in range(lists.get(name, len(bind.value or ())))
    }
    known: list[Any] = []
    places: list[_Place] = []
    for number, position in enumerate(compiled.positiontup):
        name, index = members.get(position, (position, None))
        bind = compiled.binds[name]
        convert = converter(bind.type, dialect)
        if name in values:
            places.append(_Place(number, name, index, convert))
            known.append(None)
        else:
            known.append(_converted(bind.effective_value if index is None else bind.value[index], convert))
    return _Text(str(compiled), known, places, readers)


def _places_for(members: list[Any]) -> int:
    """Each length makes a text of its own, so a list takes the next power of two, and repeats its last member there."""
    return 1 << (len(members) - 1).bit_length() if members else 0


def _converted(value: Any, convert: Converter | None) -> Any:
    return value if convert is None or value is None else convert(value)


def _is_far(connection: Connection) -> bool:
    return connection.dialect.paramstyle != "qmark"


def _driver(connection: Connection) -> Any:
    """The driver's own connection, in a transaction; where one was begun past the toolkit, it need not join."""
    driver: Any = connection.connection.dbapi_connection
    if not (driver.in_transaction or connection.in_transaction()):
        connection.begin()
    return driver
