"""The stand-in's instruments of a day, as a desk has them after the morning's download."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from core.broker.dhan.instrument_counts import LEAST_ON_PAPER
from core.broker.dhan.instruments import InstrumentList
from core.sandbox.dhan.instruments import detailed_file


@contextmanager
def listed_on(day: date, folder: Path) -> Generator[InstrumentList]:
    (folder / "list.csv").write_bytes(detailed_file(day))
    with closing(InstrumentList(folder / "instruments.db", least=LEAST_ON_PAPER)) as listed:
        listed.load(folder / "list.csv", day)
        yield listed
