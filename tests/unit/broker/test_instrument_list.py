"""Dhan's instrument file: what is taken from it, and what a leg names."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.broker.dhan.instruments import BadInstrumentFile, Loaded
from core.domain.alert import Exchange, OptionType
from core.domain.instrument import Segment, SegmentClass
from core.errors import Refusal, Unavailable
from core.sandbox.dhan.instruments import DETAILED_HEADER, HEADER, detailed_file, instrument_file
from tests.unit.broker.shelf import (
    FILLERS,
    FUTURE,
    MORE,
    SHARE_DETAILS,
    TODAY,
    Shelf,
    detailed,
    future,
    option,
    share,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_before_the_first_file_the_desk_waits_and_refuses_nothing(shelf: Shelf) -> None:
    with pytest.raises(Unavailable):
        shelf.find("RELIANCE")


def test_a_share_is_read_with_its_tick_in_rupees(shelf: Shelf) -> None:
    shelf.load(share("RELIANCE", "2885"))
    found = shelf.find("RELIANCE")
    assert (found.security_id, found.segment, found.tick, found.lot) == ("2885", Segment.NSE_EQ, Decimal("0.1"), 1)
    assert found.segment_class is SegmentClass.CASH


def test_columns_are_read_by_name_in_any_order_and_new_ones_are_ignored(shelf: Shelf) -> None:
    names = HEADER.split(",")
    row = dict(zip(names, share("RELIANCE", "2885").split(","), strict=True)) | {"SEM_NEW": "?"}
    order = [*reversed(names), "SEM_NEW"]
    fillers = [",".join([*reversed(line.split(",")), ""]) for line in FILLERS]
    shelf.load(",".join(row[name] for name in order), header=",".join(order), fillers=fillers)
    assert shelf.find("RELIANCE").security_id == "2885"


def test_a_row_that_breaks_off_is_skipped(shelf: Shelf) -> None:
    whole = "\n".join([HEADER, *FILLERS, share("RELIANCE", "2885")])
    loaded = shelf.load_bytes(whole[:-60].encode())
    assert loaded.skipped == 1


def test_the_same_id_in_two_segments_is_two_instruments(shelf: Shelf) -> None:
    shelf.load(share("RELIANCE", "2885"), share("RELIANCE", "2885", "A", "BSE"))
    assert shelf.find("RELIANCE").segment is Segment.NSE_EQ
    assert shelf.find("RELIANCE", exchange=Exchange.BSE).segment is Segment.BSE_EQ


def test_a_new_list_replaces_the_old_one_whole(shelf: Shelf) -> None:
    shelf.load(share("OLDNAME", "1"))
    assert shelf.find("OLDNAME").security_id == "1"
    shelf.load(share("NEWNAME", "1"))
    assert shelf.find("NEWNAME").security_id == "1"
    with pytest.raises(Refusal):
        shelf.find("OLDNAME")


def test_test_symbols_other_markets_and_unreadable_rows_are_skipped_and_counted(shelf: Shelf) -> None:
    loaded = shelf.load(
        share("011NSETEST", "1"),
        "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,,,,5.0000,NA,INDEX,X,",
        share("NOTICK", "2", tick=""),
        share("", "3"),
    )
    assert loaded == Loaded(rows=20, skipped=4)


def test_a_share_with_a_tick_of_zero_is_skipped_since_no_price_fits_it(shelf: Shelf) -> None:
    assert shelf.load(share("ZEROTICK", "1", tick="0.0000")).skipped == 1


@pytest.mark.parametrize("written", ["26-11-2026 14:30", "", "NA"])
def test_a_contract_without_a_readable_last_day_is_skipped(shelf: Shelf, written: str) -> None:
    row = future("RELIANCE", "2026-11-26", "1").replace("2026-11-26 14:30:00", written)
    assert shelf.load(row).skipped == 1


def test_an_option_that_is_neither_call_nor_put_is_skipped(shelf: Shelf) -> None:
    row = option("NIFTY", "2026-11-26", "26000", "CE", "1").replace(",CE,", ",XX,")
    assert shelf.load(row).skipped == 1


def test_a_lot_that_no_contract_has_is_skipped(shelf: Shelf) -> None:
    assert shelf.load(future("RELIANCE", "2026-11-26", "1", lot="1e30")).skipped == 1


def test_an_option_without_a_strike_does_not_hide_its_neighbours(shelf: Shelf) -> None:
    nameless = option("NIFTY", "2026-12-01", "26050", "CE", "50").replace("26050.00000", "")
    shelf.load(nameless, option("NIFTY", "2026-12-01", "26000", "CE", "51"))
    assert shelf.call("NIFTY", "26000", "2026-12-01").security_id == "51"


@pytest.mark.parametrize(("listed", "charted"), [("M&M", "M_M"), ("BAJAJ-AUTO", "BAJAJ_AUTO"), ("M&M", "M&M")])
def test_the_charts_underscore_stands_for_ampersand_and_hyphen(shelf: Shelf, listed: str, charted: str) -> None:
    shelf.load(share(listed, "2031"))
    assert shelf.find(charted).symbol == listed


def test_a_name_that_fits_two_shares_is_refused_with_both(shelf: Shelf) -> None:
    shelf.load(share("A&B", "1"), share("A-B", "2"))
    with pytest.raises(Refusal, match="could mean A&B, A-B"):
        shelf.find("A_B")
    assert shelf.find("A-B").security_id == "2"


@pytest.mark.parametrize(("series", "chosen"), [(("BZ", "BE", "EQ"), "3"), (("BZ", "BE"), "2"), (("GB", "BZ"), "2")])
def test_of_several_series_the_most_usual_one_is_meant(shelf: Shelf, series: tuple[str, ...], chosen: str) -> None:
    shelf.load(*(share("IRCON", str(number), name) for number, name in enumerate(series, 1)))
    assert shelf.find("IRCON").security_id == chosen


@pytest.mark.parametrize(("kind", "series"), [("DBT", "N5"), ("DEB", "N0"), ("W", "W1")])
def test_what_bears_a_shares_ticker_and_is_none_is_refused(shelf: Shelf, kind: str, series: str) -> None:
    bond = share("IRFC", "1", series).replace(",ES,", f",{kind},")
    shelf.load(bond)
    with pytest.raises(Refusal, match=r"has IRFC on NSE only as a bond or the like"):
        shelf.find("IRFC")
    assert shelf.listed.named(Segment.NSE_EQ, "1").symbol == "IRFC"
    shelf.load(bond, share("IRFC", "2"))
    assert shelf.find("IRFC").security_id == "2"


def test_an_exchange_traded_fund_is_found_by_its_exact_ticker(shelf: Shelf) -> None:
    shelf.load(
        *(share(name, str(place), "EQ").replace(",ES,", ",ETF,") for place, name in enumerate(("BEES", "A-BEES")))
    )
    assert shelf.find("BEES").security_id == "0"
    assert shelf.find("A-BEES").security_id == "1"
    with pytest.raises(Refusal):
        shelf.find("A_BEES")


def test_an_unknown_share_is_refused_with_the_nearest_names(shelf: Shelf) -> None:
    shelf.load(share("RELIANCE", "2885"))
    with pytest.raises(Refusal, match=r"RELIANC is not traded on NSE .* Did you mean RELIANCE"):
        shelf.find("RELIANC")
    with pytest.raises(Refusal, match=r"far as Dhan's list goes\.$"):
        shelf.find("ZZZZZZ")


def test_the_continuous_future_is_the_nearest_and_the_next_contract(shelf: Shelf) -> None:
    shelf.load(
        future("NIFTY", "2026-12-29", "60"), future("NIFTY", "2026-11-24", "59"), future("NIFTY", "2027-01-26", "61")
    )
    assert [shelf.find(name, FUTURE).security_id for name in ("NIFTY1!", "NIFTY2!")] == ["60", "61"]
    assert shelf.find("NIFTY1!", FUTURE).expiry == date(2026, 12, 29)


def test_the_second_contract_is_that_of_the_second_expiry(shelf: Shelf) -> None:
    twice = future("NIFTY", "2026-12-29", "61").replace("NIFTY-Dec2026-FUT", "NIFTY-29Dec2026-FUT")
    shelf.load(future("NIFTY", "2026-12-29", "60"), twice, future("NIFTY", "2027-01-26", "62"))
    assert shelf.find("NIFTY2!", FUTURE).security_id == "62"
    with pytest.raises(Refusal, match="could mean NIFTY-29Dec2026-FUT, NIFTY-Dec2026-FUT"):
        shelf.find("NIFTY1!", FUTURE)


def test_a_future_still_counts_on_its_last_day(shelf: Shelf) -> None:
    shelf.load(future("NIFTY", TODAY.isoformat(), "59"), future("NIFTY", "2026-12-29", "60"))
    assert shelf.find("NIFTY1!", FUTURE).security_id == "59"


@pytest.mark.parametrize("name", ["BAJAJ-AUTO-Dec2026-FUT", "BAJAJ-AUTO-DEC2026-FUT"])
def test_a_future_can_be_named_by_its_exact_symbol_as_an_alert_writes_it_in_capitals(shelf: Shelf, name: str) -> None:
    shelf.load(future("BAJAJ-AUTO", "2026-12-29", "60", lot="75.0"))
    found = shelf.find(name, FUTURE)
    assert (found.underlying, found.units_per_alert_quantity) == ("BAJAJ-AUTO", 75)


@pytest.mark.parametrize("charted", ["M_M1!", "M&M1!"])
def test_the_charts_underscore_stands_for_ampersand_in_futures_too(shelf: Shelf, charted: str) -> None:
    shelf.load(future("M&M", "2026-12-29", "60"))
    assert shelf.find(charted, FUTURE).security_id == "60"


def test_a_future_that_is_not_listed_is_refused(shelf: Shelf) -> None:
    shelf.load(future("NIFTY", "2026-12-29", "60"))
    with pytest.raises(Refusal, match="No future of NIFTY2! on NSE"):
        shelf.find("NIFTY2!", FUTURE)


def test_an_option_is_one_strike_one_side_one_day(shelf: Shelf) -> None:
    shelf.load(
        option("NIFTY", "2026-12-01", "26000", "CE", "1"),
        option("NIFTY", "2026-12-01", "26000", "PE", "2"),
        option("NIFTY", "2026-12-01", "26050", "CE", "3"),
        option("NIFTY", "2026-12-08", "26000", "CE", "4"),
    )
    assert shelf.call("NIFTY", "26000.0", "2026-12-01").security_id == "1"
    assert shelf.call("NIFTY", "26000", "2026-12-01", OptionType.PUT).security_id == "2"
    assert shelf.call("NIFTY", "26000", "2026-12-08").security_id == "4"
    assert shelf.call("NIFTY", "26050", "2026-12-01").strike == Decimal(26050)


def test_an_option_of_a_past_day_or_an_unlisted_strike_is_refused(shelf: Shelf) -> None:
    shelf.load(option("NIFTY", "2026-11-24", "26000", "CE", "1"), option("NIFTY", "2026-12-01", "26000", "CE", "2"))
    for strike, expiry in (("26000", "2026-11-24"), ("25975", "2026-12-01"), ("26000", "2026-12-02")):
        with pytest.raises(Refusal, match="No option of NIFTY on NSE matches"):
            shelf.call("NIFTY", strike, expiry)


def test_a_share_with_contracts_keeps_other_hours_on_both_exchanges(shelf: Shelf) -> None:
    shelf.load(
        share("RELIANCE", "2885"),
        share("RELIANCE", "500325", "A", "BSE"),
        share("IRCON", "4986"),
        future("RELIANCE", "2026-12-29", "60"),
    )
    assert shelf.find("RELIANCE").segment_class is SegmentClass.CASH_WITH_DERIVATIVES
    assert shelf.find("RELIANCE", exchange=Exchange.BSE).segment_class is SegmentClass.CASH_WITH_DERIVATIVES
    assert shelf.find("IRCON").segment_class is SegmentClass.CASH


def test_a_commodity_counts_in_lots(shelf: Shelf) -> None:
    row = "MCX,M,449735,FUTCOM,0,CRUDEOIL-18Dec2026-FUT,1.0,CRUDEOIL DEC FUT,2026-12-18 23:30:00,-0.01,XX,100.0,M,FUT,,"
    shelf.load(row)
    found = shelf.find("CRUDEOIL1!", FUTURE, exchange=Exchange.MCX)
    assert (found.segment, found.units_per_alert_quantity) == (Segment.MCX_COMM, 1)


def test_the_stand_ins_file_is_read_whole(shelf: Shelf) -> None:
    content = instrument_file(TODAY)
    loaded = shelf.load_bytes(content)
    assert loaded.rows + loaded.skipped == content.count(b"\n") - 1
    assert loaded.skipped == 6  # five indices and a test symbol
    assert shelf.find("RELIANCE").security_id == "2885"


def test_the_detailed_file_says_band_freeze_quantity_and_isin(shelf: Shelf) -> None:
    shelf.load(detailed(), detailed(**SHARE_DETAILS), header=DETAILED_HEADER, fillers=MORE)
    option = shelf.call("NIFTY", "26000", "2026-12-01")
    assert (option.security_id, option.freezes_at, option.most_units) == ("35084", 1756, 1755)
    assert option.band == (Decimal("0.05"), Decimal("420.1"))
    share = shelf.find("RELIANCE")
    assert (share.symbol, share.isin, share.tick) == ("RELIANCE", "INE002A01018", Decimal("0.1"))


@pytest.mark.parametrize("day", [TODAY, TODAY - timedelta(days=1)])
def test_an_instrument_says_of_which_day_its_list_is(shelf: Shelf, day: date) -> None:
    shelf.load(detailed(), header=DETAILED_HEADER, fillers=MORE, today=day)
    assert shelf.call("NIFTY", "26000", "2026-12-01").listed_on == day
    assert shelf.listed.named(Segment.NSE_FNO, "35084").listed_on == day


def test_a_bad_list_leaves_the_good_one_the_day_that_it_is_of(shelf: Shelf) -> None:
    shelf.load(share("RELIANCE", "2885"), today=TODAY)
    with pytest.raises(BadInstrumentFile):
        shelf.load(share("RELIANCE", "2885"), fillers=(), today=TODAY + timedelta(days=1))
    assert shelf.find("RELIANCE").listed_on == TODAY


def test_an_instrument_is_known_by_its_id_too(shelf: Shelf) -> None:
    shelf.load(share("RELIANCE", "2885"))
    assert shelf.listed.named(Segment.NSE_EQ, "2885").symbol == "RELIANCE"
    with pytest.raises(Refusal):
        shelf.listed.named(Segment.BSE_EQ, "2885")


def test_a_wrong_day_or_strike_is_refused_with_those_that_exist(shelf: Shelf) -> None:
    strikes = [option("NIFTY", "2026-12-01", str(25000 + 50 * n), "CE", str(n)) for n in range(9)]
    shelf.load(*strikes, option("NIFTY", "2026-12-08", "26000", "CE", "90"))
    with pytest.raises(Refusal, match=r"the next expiries are 2026-12-01, 2026-12-08\.$"):
        shelf.call("NIFTY", "25000", "2026-12-02")
    with pytest.raises(Refusal, match=r"the nearest strikes of that day are 25050, 25100, 25150\.$"):
        shelf.call("NIFTY", "25110", "2026-12-01")


def test_an_unknown_underlying_is_refused_with_the_nearest_names(shelf: Shelf) -> None:
    shelf.load(future("BANKNIFTY", "2026-12-29", "60"))
    with pytest.raises(Refusal, match=r"No futures of BNKNIFTY .* Did you mean BANKNIFTY"):
        shelf.find("BNKNIFTY1!", FUTURE)


def test_weekly_options_that_share_a_symbol_are_told_apart_by_their_day(shelf: Shelf) -> None:
    symbol = {"SYMBOL_NAME": "NIFTY-Dec2026-26000-CE"}
    week = detailed(SECURITY_ID="35085", SM_EXPIRY_DATE="2026-12-08", **symbol)
    shelf.load(detailed(), week, header=DETAILED_HEADER, fillers=MORE)
    assert shelf.call("NIFTY", "26000", "2026-12-08").security_id == "35085"


def test_the_stand_ins_detailed_file_names_the_same_instruments(shelf: Shelf) -> None:
    compact = shelf.load_bytes(instrument_file(TODAY))
    assert shelf.load_bytes(detailed_file(TODAY)) == compact
    found = shelf.find("RELIANCE")
    assert (found.security_id, found.segment_class) == ("2885", SegmentClass.CASH_WITH_DERIVATIVES)
    assert found.band is not None


def test_a_file_of_real_size_loads_to_the_last_row(shelf: Shelf) -> None:
    rows = [share(f"S{number}", str(number)) for number in range(100_000, 340_000)]
    assert shelf.load(*rows, fillers=()) == Loaded(rows=240_000, skipped=0)
    assert shelf.find("S339999").security_id == "339999"
