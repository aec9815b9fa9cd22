"""The trace: everything that happened to one alert, readable on a phone, without a script or a foreign byte."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from core.clock import to_india
from core.db.attempts import Attempt
from core.domain.alert import Validity
from core.domain.money import quoted
from core.domain.order import Order
from core.journal import Event
from core.reports import AlertReport

STYLE = """
:root{--ink:#16191d;--soft:#5c6570;--line:#e3e6ea;--paper:#fff;--ground:#f5f6f8;--accent:#0f766e}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa4b0;--line:#2b3138;--paper:#1a1e23;--ground:#121519;
--accent:#5eead4}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:44rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.2;margin:0 0 .25rem;letter-spacing:-.01em}h2{font-size:1rem;margin:2.25rem 0 .75rem}
p{margin:.25rem 0}.soft{color:var(--soft)}a{color:var(--accent)}
.sheet{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:1rem 1.15rem;margin:.75rem 0}
.sheet strong{font-size:1.05rem}.state{color:var(--accent);font-weight:600}
ol{list-style:none;margin:0;padding:0 0 0 1.1rem;border-left:2px solid var(--line)}
li{position:relative;padding:0 0 1.1rem}li::before{content:"";position:absolute;left:-1.47rem;top:.5rem;width:.6rem;
height:.6rem;border-radius:50%;background:var(--accent)}
time{font-variant-numeric:tabular-nums;color:var(--soft);font-size:.875rem;margin-right:.5rem}
code,pre{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.75rem 0 0}summary{cursor:pointer;color:var(--soft)}
"""


def trace_page(report: AlertReport, events: Sequence[Event], attempts: Sequence[Attempt]) -> str:
    """HTML of the whole story, oldest first; times are India's."""
    alert = report.alert
    labels = {order.id: order.label for order in report.orders}
    came = f'<p class="soft">Received {_stamp(alert.received_at)}</p>'
    return _page(
        f"Alert {alert.id}",
        f"<h1>Alert {alert.id}</h1>{came}"
        + (f"<p>{escape(alert.reason)}</p>" if alert.reason else "")
        + "".join(_order(order, attempts) for order in report.orders)
        + "<h2>What happened</h2><ol>"
        + "".join(_event(event, labels) for event in events)
        + "</ol><details><summary>The alert as it came, without its secret</summary>"
        + f"<pre>{escape(alert.body)}</pre></details>",
    )


def not_found_page(alert_id: str) -> str:
    return _page("No such alert", f"<h1>There is no alert {escape(alert_id)}.</h1>")


def list_page(reports: Sequence[AlertReport]) -> str:
    """The latest alerts, each with a link to its trace."""
    rows = "".join(
        f'<div class="sheet"><a href="/trace/{report.alert.id}"><strong>Alert {report.alert.id}</strong></a> '
        f'<span class="state">{escape(_states(report))}</span>'
        f"<p>{escape(_summary(report))}</p><p class='soft'>{_stamp(report.alert.received_at)}</p></div>"
        for report in reports
    )
    return _page("Alerts", f"<h1>Latest alerts</h1>{rows or '<p class=soft>None yet.</p>'}")


def _states(report: AlertReport) -> str:
    states = {order.state.replace("_", " ") for order in report.orders} or {report.alert.state.value}
    return ", ".join(sorted(states))


def _summary(report: AlertReport) -> str:
    wishes = [f"{order.side} {order.quantity} {order.symbol}" for order in report.orders]
    return ", ".join(wishes) or report.alert.reason


def _order(order: Order, attempts: Sequence[Attempt]) -> str:
    tries = "".join(
        f'<p class="soft">Attempt {attempt.number} <code>{escape(attempt.correlation_id)}</code>'
        f"{f', sent {attempt.posts} times' if attempt.posts > 1 else ''}: "
        f"{escape(attempt.state.replace('_', ' '))}{_said(attempt)}</p>"
        for attempt in attempts
        if attempt.order_id == order.id
    )
    price = f" at {quoted(order.price)}" if order.price is not None else ""
    validity = "" if order.validity is Validity.DAY else f" · {order.validity}"
    fill = f" · {order.filled_quantity} at {quoted(order.average_price)}" if order.average_price is not None else ""
    ids = f" · Dhan order <code>{escape(order.broker_order_id)}</code>" if order.broker_order_id else ""
    return (
        f'<div class="sheet"><strong>{order.side} {order.quantity} {escape(order.symbol)}</strong>'
        f'<p class="state">{escape(order.state.replace("_", " "))}{fill}</p>'
        f'<p class="soft">{order.label} · {escape(order.order_type.replace("_", " ").lower())}{price}{validity} · '
        f"{escape(order.product.lower())} · {order.exchange}{ids}</p>"
        f"<p>{escape(order.reason)}</p>{tries}</div>"
    )


def _said(attempt: Attempt) -> str:
    said = " ".join(filter(None, (attempt.code, attempt.words)))
    return f", {escape(said)}" if said else ""


def _event(event: Event, labels: dict[int, str]) -> str:
    subject = labels.get(event.order_id or 0, "alert")
    moved = f"{event.before or 'new'} → {event.after}" if event.after else event.kind
    said = f"<p>{escape(event.reason)}</p>" if event.reason else ""
    return (
        f"<li><time>{_stamp(event.at)}</time><time>{escape(event.actor)}</time>"
        f"<p><strong>{escape(subject)}</strong> {escape(moved.replace('_', ' '))}</p>{said}</li>"
    )


def _stamp(instant: datetime) -> str:
    return to_india(instant).strftime("%a %d %b %H:%M:%S")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · Munshi</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
