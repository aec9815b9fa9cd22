"""Who may speak to the web process. Every comparison takes the same time whatever was sent."""

import hashlib
import hmac

from starlette.requests import Request

from core.settings import Settings


def same_secret(given: str, expected: str) -> bool:
    """Compare without telling by time how much was right; text of any kind and length may be given."""
    return hmac.compare_digest(_fixed(given), _fixed(expected))


def may_administer(request: Request, settings: Settings) -> bool:
    """The admin token as a bearer; in paper mode these calls are open, so that a newcomer's curl works."""
    if settings.paper:
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same_secret(token, settings.admin_token.get_secret_value())


def _fixed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).digest()
