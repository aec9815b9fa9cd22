"""Where a request comes from, and whether that place may post alerts."""

import re

from starlette.types import Scope

from core.hops import is_in, networks, sender
from core.settings import Settings

TRADINGVIEW = networks("52.89.214.238,34.212.75.30,54.218.53.128,52.32.178.7")
"""TradingView help 43000529348, "About webhooks"."""
_CERTIFICATE_OF = "webhook-server@tradingview.com"
"""Stands in the certificate that TradingView shows (help 43000680459): in its alternative name, once in its CN."""
_FIELD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\\.|[^,;+])+')
"""One part of a certificate's name, as in `O="TradingView, Inc.",CN=TradingView`; what is quoted stays together."""
_SAYS = re.compile(
    rf'(?:[\w.]+\s*=\s*)?(?P<quote>"?)(?:email:|rfc822name:)?{re.escape(_CERTIFICATE_OF)}(?P=quote)', re.IGNORECASE
)
"""The address is all that the part says: `evil.example` may have it in the midst of another one."""


class Callers:
    """Knows the proxies that are trusted; only what they say of a sender counts."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = networks(settings.forwarded_allow_ips)
        self._by_address = settings.tradingview_ips_only
        self._cert_header = (settings.tradingview_cert_header or "").lower().encode()
        self.are_limited = self._by_address or bool(self._cert_header)

    def address(self, scope: Scope) -> str:
        """The sender's, as far as it can be known; empty on a socket without one."""
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return sender(_peer(scope), forwarded, self._trusted)

    def why_not(self, scope: Scope) -> str:
        """Why this sender may not post alerts, in words; empty when it may."""
        if self._by_address and not is_in(address := self.address(scope), TRADINGVIEW):
            return f"Alerts are taken from TradingView's addresses only, and this came from {address or 'nowhere'}."
        if self._cert_header and not self._shows_certificate(scope):
            return "Alerts are taken with TradingView's client certificate only, and the proxy reported none."
        return ""

    def _shows_certificate(self, scope: Scope) -> bool:
        shown = [value for name, value in scope["headers"] if name == self._cert_header]
        return is_in(_peer(scope), self._trusted) and len(shown) == 1 and _is_tradingviews(shown[0].decode("latin-1"))


def _is_tradingviews(name: str) -> bool:
    """`name`: a distinguished name, alternative names, or both, with commas or semicolons, as proxies write them."""
    return any(_SAYS.fullmatch(field.strip()) for field in _FIELD.findall(name))


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
