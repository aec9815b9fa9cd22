"""What a start says once everything answers: where things are, and a first alert to paste."""

import json
import shlex
from datetime import datetime

from core.domain.sessions import spoken
from core.settings import Settings

FIRST_ALERT = {
    "alertType": "multi_leg_order",
    "order_legs": [
        {
            "transactionType": "B",
            "orderType": "MKT",
            "quantity": "1",
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "instrument": "EQ",
            "productType": "C",
            "sort_order": "1",
            "price": "0",
            "amoTime": "OPEN_30",
        }
    ],
}


def banner(
    settings: Settings, *, seconds: float, reasons: list[str], moved_to: datetime | None = None, to_terminal: bool
) -> str:
    """The text. Live mode shows no secret; on paper a terminal is shown it, and a log where it guards nothing anyway,
    since nobody but this machine reaches the desk.

    `reasons` say why orders cannot go out yet, if so; `moved_to` what a paper clock says that is not the real time.
    """
    mode = "paper mode: no real money" if settings.paper else "LIVE: real orders, real money"
    lines = [f"Munshi is up after {seconds:.1f} s, in {mode}.", ""]
    lines += [f"  {name:<9} {where}" for name, where in _places(settings).items()]
    if moved_to is not None:
        lines.append(f"  {'Clock':<9} moved to {spoken(moved_to)}, India time; the chat page sets it back")
    lines += [f"  {'Not yet' if number == 0 else '':<9} {reason}" for number, reason in enumerate(reasons)]
    if settings.paper and (to_terminal or settings.needs_no_admin):
        lines += ["", "A first alert, to paste into another terminal:", "", _curl(settings)]
    elif settings.paper:
        lines += ["", "An alert needs the secret: `./munshi secret` prints it."]
    lines += ["", "Ctrl-C stops everything."]
    return "\n".join(lines)


def local_web(settings: Settings) -> str:
    """Where web answers on this machine, whatever address it has outside."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}"


def _places(settings: Settings) -> dict[str, str]:
    chat = f"{settings.sandbox_url}/" if settings.uses_sandbox_telegram else "your bot in Telegram"
    return {"Chat": chat, "Webhook": f"{settings.web_url}/webhook", "Health": f"{local_web(settings)}/health"}


def _curl(settings: Settings) -> str:
    alert = {"secret": settings.webhook_secret.get_secret_value(), **FIRST_ALERT}
    body = shlex.quote(json.dumps(alert, separators=(",", ":")))
    return f"curl -s {local_web(settings)}/webhook -H 'Content-Type: application/json' -d {body}"
