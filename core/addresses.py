"""Static addresses: compare what Dhan has with where we are, hold orders that it would refuse, register a new one."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import structlog
from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import Broker
from core.clock import Clock, to_india
from core.controls import Hold
from core.db.engine import Database
from core.domain.address import LOCKED_DAYS, Addresses, Slot, read_address
from core.domain.notice import Notice
from core.domain.sessions import spoken_day
from core.errors import Refusal

log = structlog.get_logger()

_WISH = "ip.wish"
_ANSWER_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """An address that waits for the operator's yes, and what it would replace. `nonce` names it on the button."""

    nonce: str
    address: str
    slot: Slot
    replaces: str


class AddressBook:
    def __init__(self, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock

    async def check(self) -> Addresses:
        """What Dhan has, now; a hold of ours follows it. Raises BrokerUnavailable, SignInNeeded.

        A hold that a refused order set stays: there Dhan has shown that it thinks otherwise than it says.
        """
        addresses = await self._broker.addresses()
        await self._database.write(lambda connection: _follow(connection, addresses, self._clock.now()))
        return addresses

    async def propose(self, wanted: str, by: str) -> Proposal:
        """Ask to register `wanted`, or the address that Dhan sees. Raises Refusal, BrokerUnavailable, SignInNeeded."""
        addresses = await self._broker.addresses()
        now = self._clock.now()
        proposal = _proposal(addresses, wanted, now)
        values = {"nonce": proposal.nonce, "address": proposal.address, "until": (now + _ANSWER_WITHIN).isoformat()}
        await self._database.write(lambda c: controls.put(c, _WISH, values, at=now, actor=by))
        return proposal

    async def register(self, nonce: str, by: str) -> Addresses:
        """The operator said yes: register it, and look. Raises Refusal, BrokerUnavailable, SignInNeeded."""
        address = await self._database.write(lambda connection: self._take_wish(connection, nonce, by))
        addresses = await self._broker.addresses()
        proposal = _proposal(addresses, address, self._clock.now())
        await self._broker.register_address(proposal.address, proposal.slot, is_change=bool(proposal.replaces))
        log.info("address_registered", slot=proposal.slot, by=by)
        at = self._clock.now()
        await self._database.write(lambda c: controls.lift_hold(c, Hold.INVALID_IP, at=at, actor=by))
        return await self.check()

    def _take_wish(self, connection: Connection, nonce: str, by: str) -> str:
        now = self._clock.now()
        wish = controls.fetch(connection, _WISH) or {}
        if wish.get("nonce") != nonce or now > datetime.fromisoformat(wish["until"]):
            raise Refusal("That question is out of date. Send /ip set again.")
        controls.put(connection, _WISH, {}, at=now, actor=by)
        return str(wish["address"])


def _follow(connection: Connection, addresses: Addresses, now: datetime) -> None:
    trouble = addresses.trouble()
    if trouble is None:
        if addresses.allowed and controls.set_by(connection, Hold.INVALID_IP) == journal.DESK:
            controls.lift_hold(connection, Hold.INVALID_IP, at=now, actor=journal.DESK)
    elif controls.set_hold(connection, Hold.INVALID_IP, trouble, at=now, actor=journal.DESK):
        notifications.ring(connection, Notice.HELD, at=now, words=trouble)


def _proposal(addresses: Addresses, wanted: str, now: datetime) -> Proposal:
    address = _read(wanted or addresses.detected)
    if addresses.is_registered(str(address)):
        raise Refusal(f"{address} is registered already.")
    if not address.is_global or address.is_multicast:
        raise Refusal(
            f"{address} is no address of the public internet, so no order can come from it: name the one by which this "
            "machine is seen from outside, /ip set and the address."
        )
    slot = addresses.slot_for(to_india(now).date())
    if slot is None:
        free = addresses.free_from()
        until = f" before {spoken_day(free)}" if free else ""
        raise Refusal(f"Both addresses are fixed for {LOCKED_DAYS} days; Dhan changes none of them{until}.")
    return Proposal(nonce=secrets.token_urlsafe(12), address=str(address), slot=slot.slot, replaces=slot.address)


def _read(text: str) -> IPv4Address | IPv6Address:
    if not text:
        raise Refusal("Dhan did not say which address it sees. Name it: /ip set 203.0.113.24")
    try:
        return read_address(text)
    except ValueError:
        raise Refusal(f"{text} is no address. For example: /ip set 203.0.113.24") from None
