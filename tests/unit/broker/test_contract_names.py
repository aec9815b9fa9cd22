"""What contracts are called, so that no two have one name."""

import pytest

from core.broker.dhan.names import contract_name


@pytest.mark.parametrize(
    ("theirs", "expiry", "ours"),
    [
        ("NIFTY-Dec2026-26000-CE", "2026-12-08", "NIFTY-08Dec2026-26000-CE"),
        ("NIFTY-Dec2026-26000-CE", "2026-12-15", "NIFTY-15Dec2026-26000-CE"),
        ("USDINR-Dec2026-89.25-PE", "2026-12-24 12:30:00", "USDINR-24Dec2026-89.25-PE"),
        ("BAJAJ-AUTO-Dec2026-9000-PE", "2026-12-29", "BAJAJ-AUTO-29Dec2026-9000-PE"),
        ("CRUDEOIL-18Dec2026-5400-CE", "2026-12-18", "CRUDEOIL-18Dec2026-5400-CE"),
        ("NIFTY-Dec2026-FUT", "2026-12-29", "NIFTY-Dec2026-FUT"),
        ("RELIANCE", "0001-01-01", "RELIANCE"),
        ("NIFTY-Dec2026-26000-CE", "NA", "NIFTY-Dec2026-26000-CE"),
        ("NIFTY-Dec2026-26000-CE", "", "NIFTY-Dec2026-26000-CE"),
    ],
)
def test_an_options_name_has_the_day_on_which_it_expires(theirs: str, expiry: str, ours: str) -> None:
    assert contract_name(theirs, expiry) == ours
