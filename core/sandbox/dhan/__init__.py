"""A stand-in for the broker Dhan, spoken to over real HTTP (DhanHQ API v2).

It shares no code with the desk's own idea of hours, holidays, wire shapes or order states: in paper mode it is the
broker, and in fault tests its durable ledger is the witness that there was exactly one order.
"""

from core.sandbox.dhan.app import build, routes
from core.sandbox.dhan.connection import HangUpProtocol

__all__ = ["HangUpProtocol", "build", "routes"]
