"""What the desk relies on in a broker's static addresses, whichever broker it is."""

from datetime import date
from typing import Any

import pytest

from core.broker.port import Broker, Refused
from core.broker.port import Refusal as Kind
from core.domain.address import Slot
from core.errors import BrokerUnavailable, Refusal
from tests.contract.test_broker_contract import WISH
from tests.integration.paper_dhan import PaperDhan, india


async def test_the_addresses_are_what_was_registered(broker: Broker, dhan: PaperDhan) -> None:
    dhan.arrange_addresses(primary="203.0.113.24", free_from={"primary": "2026-12-01"}, detected="203.0.113.24")
    found = await broker.addresses()
    assert (found.primary.address, found.primary.free_from) == ("203.0.113.24", date(2026, 12, 1))
    assert (found.secondary.address, found.secondary.free_from) == ("", None)
    assert (found.detected, found.allowed) == ("203.0.113.24", True)


async def test_from_another_address_orders_are_refused_and_reads_are_not(broker: Broker, dhan: PaperDhan) -> None:
    dhan.arrange_addresses(primary="203.0.113.24", detected="198.51.100.9")
    assert (await broker.addresses()).allowed is False
    outcome = await broker.place(WISH)
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Kind.INVALID_IP
    assert await broker.find(WISH.correlation_id) is None
    assert await broker.book() == []


async def test_without_the_undocumented_fields_nothing_is_claimed(broker: Broker, dhan: PaperDhan) -> None:
    dhan.arrange_addresses(primary="203.0.113.24", terse=True)
    found = await broker.addresses()
    assert (found.primary.address, found.detected, found.allowed) == ("203.0.113.24", "", None)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"ipMatchStatus": "MISMATCH"}, False),
        ({"ipMatchStatus": "SECONDARY_MATCH"}, True),
        ({"ipMatchStatus": "MATCH"}, True),
        ({"detectedIP": "203.0.113.24"}, True),
        ({"detectedIP": "198.51.100.9"}, False),
        ({"ipMatchStatus": "mismatch", "detectedIP": "203.0.113.24"}, False),
        ({"ipMatchStatus": "Primary_Match", "detectedIP": "198.51.100.9"}, True),
        ({"ipMatchStatus": "NOT_MATCHED"}, None),
        ({"ipMatchStatus": "NOT_MATCHED", "detectedIP": "198.51.100.9"}, False),
        ({"ipMatchStatus": "NOT_MATCHED", "detectedIP": "203.0.113.24"}, True),
        ({"ordersAllowed": "yes"}, None),
        ({"primaryIP": "2001:0DB8:0:0:0:0:0:1", "detectedIP": "2001:db8::1"}, True),
        ({"detectedIP": "::ffff:203.0.113.24"}, True),
        ({"primaryIP": "desk.example.com", "detectedIP": "198.51.100.9"}, False),
        ({"ordersAllowed": False, "ipMatchStatus": "MATCH"}, False),
    ],
)
async def test_any_one_of_the_fields_tells_whether_orders_are_taken(
    broker: Broker, dhan: PaperDhan, fields: dict[str, Any], allowed: bool | None
) -> None:
    dhan.script("ip", "status", status=200, body={"primaryIP": "203.0.113.24", "secondaryIP": "NA", **fields})
    assert (await broker.addresses()).allowed is allowed


async def test_an_answer_that_names_no_address_is_not_an_account_without_one(broker: Broker, dhan: PaperDhan) -> None:
    dhan.script("ip", "status", status=200, body={"status": "success", "data": {"primaryIP": "203.0.113.24"}})
    with pytest.raises(BrokerUnavailable):
        await broker.addresses()


async def test_an_address_is_registered_in_an_empty_place_and_changed_in_a_full_one(
    broker: Broker, dhan: PaperDhan
) -> None:
    dhan.arrange_addresses(primary="NA", detected="203.0.113.24")
    await broker.register_address("203.0.113.24", Slot.PRIMARY, is_change=False)
    found = await broker.addresses()
    assert (found.primary.address, found.primary.free_from, found.allowed) == (
        "203.0.113.24",
        date(2026, 12, 2),
        True,
    )
    dhan.clock.instant = india("2026-12-02 07:00")
    dhan.http.headers["access-token"] = dhan.web_token()
    await broker.register_address("203.0.113.25", Slot.PRIMARY, is_change=True)
    assert (await broker.addresses()).primary.address == "203.0.113.25"


@pytest.mark.parametrize("is_change", [False, True])
async def test_a_refused_address_says_why(broker: Broker, dhan: PaperDhan, is_change: bool) -> None:
    dhan.arrange_addresses(primary="203.0.113.24", free_from={"primary": "2026-12-01"})
    with pytest.raises(Refusal, match="only once in 7 days" if is_change else "already set"):
        await broker.register_address("203.0.113.25", Slot.PRIMARY, is_change=is_change)
    assert (await broker.addresses()).primary.address == "203.0.113.24"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "status", "status": 502, "body": "<html>Bad gateway</html>"},
        {"kind": "status", "status": 200, "body": {"message": "Queued"}},
    ],
)
async def test_an_address_without_a_clear_answer_is_not_called_registered(
    broker: Broker, dhan: PaperDhan, fault: dict[str, Any]
) -> None:
    dhan.script("set_ip", **fault)
    with pytest.raises(BrokerUnavailable):
        await broker.register_address("203.0.113.25", Slot.SECONDARY, is_change=False)
