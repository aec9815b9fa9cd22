"""Whom the desk trusts at the other end of https."""

from functools import cache
from ssl import SSLContext

import httpx


@cache
def trusted() -> SSLContext:
    """The usual authorities, read once for all clients of a process: each copy takes a megabyte."""
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context
