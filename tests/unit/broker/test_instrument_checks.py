"""What makes an instrument file a bad one, which leaves the last good list in use."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from core.broker.dhan.instruments import BadInstrumentFile, InstrumentList, Loaded
from core.errors import Unavailable
from core.sandbox.dhan.instruments import HEADER, instrument_file
from tests.unit.broker.shelf import FILLERS, TODAY, Shelf, future, option, share


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Service unavailable</html>",
        HEADER.replace("SEM_TICK_SIZE", "TICK").encode() + b"\n" + "\n".join(FILLERS).encode(),
        (HEADER + "\n" + "\n".join(FILLERS[:19])).encode(),
        (HEADER + "\n" + "\n".join([*FILLERS, FILLERS[0]])).encode(),
    ],
    ids=["empty", "a page", "a column renamed", "too few rows", "one id twice"],
)
def test_a_bad_file_leaves_the_old_list_in_use(shelf: Shelf, content: bytes) -> None:
    shelf.load(share("RELIANCE", "2885"))
    with pytest.raises(BadInstrumentFile):
        shelf.load_bytes(content)
    assert shelf.find("RELIANCE").security_id == "2885"


def test_a_file_that_is_no_text_is_a_bad_file(shelf: Shelf) -> None:
    garbage = (HEADER + "\n" + "\n".join(FILLERS) + "\n").encode() + b"NSE,E,1,EQUITY,0,\xff\xfe\x80"
    with pytest.raises(BadInstrumentFile):
        shelf.load_bytes(garbage)


def chain(expiry: str, size: int, first_id: int) -> list[str]:
    return [option("NIFTY", expiry, str(20_000 + 50 * n), "CE", str(first_id + n)) for n in range(size)]


def test_a_file_that_has_lost_most_of_a_market_leaves_the_old_list_in_use(shelf: Shelf) -> None:
    contracts = [future("RELIANCE", "2026-12-29", "60"), *chain("2026-12-29", 100, 1000)]
    shelf.load(share("RELIANCE", "2885"), *contracts)
    for gutted in ([], contracts[:80]):
        with pytest.raises(BadInstrumentFile, match="options in NSE_FNO, where the list in use has 100"):
            shelf.load(share("RELIANCE", "2885"), *gutted)
    assert shelf.find("RELIANCE").has_derivatives
    shelf.load(share("RELIANCE", "2885"), *contracts[:81])


def test_contracts_that_have_expired_since_are_not_missed(shelf: Shelf) -> None:
    """After a monthly expiry more than half of all options are gone at once."""
    far = chain("2026-12-29", 40, 2000)
    shelf.load(*chain("2026-11-24", 60, 1000), *far, today=date(2026, 11, 24))
    assert shelf.load(*far, today=TODAY) == Loaded(rows=60, skipped=0)


def test_a_small_market_may_lose_a_handful(shelf: Shelf) -> None:
    shelf.load(*(future("NIFTY", f"2026-12-{day}", str(day)) for day in range(10, 20)))
    shelf.load(future("NIFTY", "2026-12-10", "10"))


def test_a_file_of_which_a_large_share_cannot_be_read_is_a_bad_file(shelf: Shelf) -> None:
    unreadable = [share(f"NOTICK{number}", str(number), tick="") for number in range(6)]
    with pytest.raises(BadInstrumentFile, match="6 of 26 rows cannot be read"):
        shelf.load(*unreadable)
    shelf.load(*unreadable[:5])


def test_the_first_list_has_as_many_rows_as_an_exchange_has_instruments(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(instrument_file(TODAY))
    with pytest.raises(BadInstrumentFile, match="has only 62 shares in NSE_EQ, where 1,500 are the least"):
        InstrumentList(tmp_path / "instruments.db").load(tmp_path / "list.csv", TODAY)


def zeroed(content: bytes) -> bytes:
    """All but the first page: what a machine has on its disk that lost its power too soon."""
    return content[:4096] + bytes(len(content) - 4096)


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"no database", lambda content: content[:4096], zeroed],
    ids=["empty", "something else", "broken off", "zeroes"],
)
def test_a_damaged_list_is_no_list_until_there_is_a_new_one(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    Shelf(tmp_path).load(share("RELIANCE", "2885"))
    file = tmp_path / "instruments.db"
    file.write_bytes(damage(file.read_bytes()))
    shelf = Shelf(tmp_path)
    assert not shelf.listed.is_there
    with pytest.raises(Unavailable, match="instrument list is damaged"):
        shelf.find("RELIANCE")
    shelf.load(share("RELIANCE", "2885"))
    assert shelf.listed.is_there
    assert shelf.find("RELIANCE").security_id == "2885"


def test_a_list_that_is_damaged_while_it_is_in_use_is_no_list_any_more(shelf: Shelf, tmp_path: Path) -> None:
    shelf.load(*(share(f"S{number}", str(number)) for number in range(5_000)))
    assert shelf.find("S1").security_id == "1"
    file = tmp_path / "instruments.db"
    file.write_bytes(zeroed(file.read_bytes()))
    with pytest.raises(Unavailable, match="instrument list is damaged"):
        [shelf.find(f"S{number}") for number in range(5_000)]
    assert not shelf.listed.is_there
