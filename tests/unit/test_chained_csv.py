"""Exported files: harmless in a spreadsheet, and a change in one names its place."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chained_csv import Sheet, harmless, make, verify
from core.errors import Refusal

COLUMNS = ("order", "reason")
TEXT = st.text(max_size=30)


def sheet(*reasons: str) -> Sheet:
    return make("orders", COLUMNS, [(f"41.{number}", reason) for number, reason in enumerate(reasons, start=1)])


def edited(made: Sheet, line: int, text: str | None) -> str:
    """The file with one line (the header is 0) replaced or taken out."""
    lines = made.text.splitlines()
    lines[line : line + 1] = [] if text is None else [text]
    return "\n".join(lines) + "\n"


@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_whatever_is_written_verifies_and_no_cell_is_a_formula(rows: list[tuple[str, str]]) -> None:
    made = make("any", COLUMNS, rows)
    assert verify(made.text) == (len(rows), made.last_hash)
    for row in csv.reader(io.StringIO(made.text)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_a_cell_that_begins_like_a_formula_is_text(text: str) -> None:
    assert harmless(text).startswith("'")


def test_a_changed_row_is_named() -> None:
    made = sheet("one", "two", "three")
    changed = made.text.replace("41.2,two", "41.2,zwei")
    with pytest.raises(Refusal, match=r"^row 2 \(41\.2, zwei\) is broken"):
        verify(changed)


def test_a_row_taken_out_shows_in_the_one_after_it() -> None:
    with pytest.raises(Refusal, match=r"^row 2 \(41\.3"):
        verify(edited(sheet("one", "two", "three"), 2, None))


def test_rows_that_changed_places_are_noticed() -> None:
    head, one, two = sheet("one", "two").text.splitlines()
    with pytest.raises(Refusal, match=r"^row 1 "):
        verify(f"{head}\n{two}\n{one}")


@pytest.mark.parametrize("line", ["", "41.1", "41.1,one,x,y"])
def test_a_row_of_another_shape_is_broken(line: str) -> None:
    with pytest.raises(Refusal, match=r"^row 1 "):
        verify(edited(sheet("one", "two"), 1, line or ","))


def test_a_changed_header_breaks_the_first_row() -> None:
    with pytest.raises(Refusal, match=r"^row 1 "):
        verify(sheet("one").text.replace("reason", "because"))


def test_rows_missing_at_the_end_show_in_the_last_hash_alone() -> None:
    made = sheet("one", "two")
    rows, last = verify(edited(made, 2, None))
    assert (rows, last != made.last_hash) == (1, True)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_that_is_not_ours_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Refusal, match="no file of ours"):
        verify(text)


def test_a_spreadsheet_that_saved_it_with_other_line_ends_did_no_harm() -> None:
    made = sheet("one", "two")
    assert verify("\ufeff" + made.text.replace("\n", "\r\n"))[0] == 2
