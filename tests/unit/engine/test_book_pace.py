"""How long the desk looks away after it has read the order book."""

from core.engine.book_pace import LONGEST_REST, rest_after


def test_a_book_that_came_quickly_is_read_again_soon() -> None:
    assert rest_after(0.02) <= 0.1


def test_a_long_book_leaves_most_of_the_time_to_new_orders() -> None:
    assert rest_after(0.3) > 4 * 0.3


def test_a_book_that_was_long_on_its_way_is_no_reason_to_look_away_for_minutes() -> None:
    assert rest_after(10.0) == LONGEST_REST
