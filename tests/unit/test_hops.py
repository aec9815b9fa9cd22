"""Where a request comes from: the proxies that are trusted are believed, and nobody else."""

import pytest

from core.hops import is_in, is_reachable, is_this_machine, limited_as, networks, sender

PROXY = networks("127.0.0.1, 10.0.0.0/8,::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["52.89.214.238"], "203.0.113.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["52.89.214.238"], "52.89.214.238"),
        ("127.0.0.1", ["52.89.214.238, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["52.89.214.238, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["52.89.214.238", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["52.89.214.238, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["<script>"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("10.9.9.9", ["10.1.1.1"], "10.1.1.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("", ["203.0.113.7"], ""),
    ],
)
def test_the_sender_is_the_nearest_hop_that_is_no_proxy_of_ours(peer: str, forwarded: list[str], found: str) -> None:
    assert sender(peer, forwarded, PROXY) == found


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert sender("127.0.0.1", ["203.0.113.7"], networks("")) == "127.0.0.1"


def test_an_ipv6_sender_is_counted_by_its_network() -> None:
    assert limited_as("2001:db8:1:2:3::4") == limited_as("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert limited_as("203.0.113.7") == "203.0.113.7"
    assert limited_as("no address") == "no address"


def test_what_is_no_address_is_in_no_network() -> None:
    assert not is_in("no address", networks("0.0.0.0/0"))


@pytest.mark.parametrize(
    ("url", "can"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://[::1]:8080", False),
        ("http://0.0.0.0:8080", False),
        ("http://192.168.1.20", False),
        ("https://desk.example.com", True),
        ("https://localhost.example.com", True),
        ("http://203.0.113.24", True),
    ],
)
def test_an_address_at_home_cannot_be_reached_from_outside(url: str, can: bool) -> None:
    assert is_reachable(url) is can


@pytest.mark.parametrize(
    ("host", "hears_itself_only"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.1.20", "203.0.113.24", "desk.example.com", "")],
)
def test_who_listens_on_loopback_hears_this_machine_only(host: str, hears_itself_only: bool) -> None:
    assert is_this_machine(host) is hears_itself_only
