"""How many wrong credentials are answered: so many a minute for each address, and for all together."""

from webhook.failures import MOST_ADDRESSES, Failures


class Ticking:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_its_share_again_as_time_passes() -> None:
    clock = Ticking()
    failures = Failures(per_address=6, altogether=1000, monotonic=clock)
    assert [failures.are_too_many("203.0.113.7") for _ in range(8)] == [False] * 6 + [True] * 2
    clock.now += 10
    assert [failures.are_too_many("203.0.113.7") for _ in range(2)] == [False, True]
    clock.now += 3600
    assert [failures.are_too_many("203.0.113.7") for _ in range(8)] == [False] * 6 + [True] * 2


def test_a_network_of_ipv6_addresses_counts_as_one() -> None:
    failures = Failures(per_address=2, monotonic=Ticking())
    assert [failures.are_too_many(f"2001:db8::{number}") for number in range(3)] == [False, False, True]


def test_a_flood_from_everywhere_keeps_no_memory_of_everybody() -> None:
    failures = Failures(altogether=100, monotonic=Ticking())
    for number in range(3 * MOST_ADDRESSES):
        failures.are_too_many(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(failures._one) == MOST_ADDRESSES
    assert (failures.refused, failures.limited) == (100, 3 * MOST_ADDRESSES - 100)
