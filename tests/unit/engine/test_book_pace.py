"""How long the desk looks away after it has read the order book."""

from core.engine.book_pace import LONGEST_REST, rest_after


def test_a_short_book_that_came_quickly_is_read_again_soon() -> None:
    assert rest_after(rows=20, took=0.02) <= 0.1


def test_after_a_long_book_orders_have_the_desk_to_themselves_for_longer() -> None:
    assert rest_after(rows=4_000, took=0.1) == 4.0


def test_a_book_that_was_long_on_its_way_is_no_reason_to_look_away_for_minutes() -> None:
    assert rest_after(rows=20, took=10.0) == LONGEST_REST
    assert rest_after(rows=100_000, took=0.1) == LONGEST_REST
