"""CSV in which every row carries the hash over the one before it, so that a changed file says where it was changed.

The last hash stands for the whole file: whoever noted it down also notices when rows at the end are missing. A
spreadsheet takes no cell for a formula: one that begins like one gets an apostrophe in front.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import Refusal

HASH = "hash"
_SEED = "munshi csv 1"
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Sheet:
    """`name` without the ending; `text` with its header; `last_hash` is the header's when there are no rows."""

    name: str
    text: str
    rows: int
    last_hash: str


def make(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Sheet:
    """Cells are written as text; None is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, HASH])
    last, count = _first_link(columns), 0
    for row in rows:
        cells = [harmless(cell) for cell in row]
        last = _next_link(last, cells)
        writer.writerow([*cells, last])
        count += 1
    return Sheet(name, out.getvalue(), count, last)


def harmless(cell: object) -> str:
    """On one line, without a tab or a line end in front, and no formula."""
    text = "" if cell is None else " ".join(str(cell).split())
    return f"'{text}" if text.startswith(_FORMULA) else text


def verify(text: str) -> tuple[int, str]:
    """How many rows, and the last hash. Raises Refusal that names the first broken row."""
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    if not rows or rows[0][-1:] != [HASH]:
        raise Refusal(f"this is no file of ours: its header does not end with the column {HASH}")
    header, *body = rows
    last = _first_link(header[:-1])
    for number, row in enumerate(body, start=1):
        if len(row) != len(header) or row[-1] != (last := _next_link(last, row[:-1])):
            what = ", ".join(row[:2]) or "empty"
            raise Refusal(
                f"row {number} ({what}) is broken: it was changed, or the row before it was changed, moved or taken out"
            )
    return len(body), last


def _first_link(columns: Sequence[str]) -> str:
    return _next_link(_SEED, columns)


def _next_link(last: str, cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([last, *cells])
    return hashlib.sha256(line.getvalue().encode()).hexdigest()
