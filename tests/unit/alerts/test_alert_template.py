"""What /alert writes is what the webhook takes, once TradingView has filled it in."""

from decimal import Decimal

import pytest

from core.alerts.parse import parse_alert, read_alert_text, secret_in
from core.alerts.template import SECRET_GOES_HERE, write_template
from core.domain.alert import Exchange, InstrumentKind, OrderType, Product, Side


@pytest.mark.parametrize(
    ("kind", "symbol", "price", "expected"),
    [
        ("EQ", "M&M", None, (InstrumentKind.EQUITY, OrderType.MARKET, Product.DELIVERY, None)),
        ("EQ", "TCS", Decimal("3500.5"), (InstrumentKind.EQUITY, OrderType.LIMIT, Product.DELIVERY, Decimal("3500.5"))),
        ("FUT", "NIFTY1!", None, (InstrumentKind.FUTURE, OrderType.MARKET, Product.CARRY_FORWARD, None)),
    ],
)
def test_a_written_alert_is_read_as_it_was_meant(
    kind: str, symbol: str, price: Decimal | None, expected: object
) -> None:
    text = write_template(Side.SELL, 10, symbol, exchange=Exchange.NSE, kind=kind, price=price)
    filled = text.replace("{{timenow}}", "2026-12-01T05:00:00Z").replace("{{interval}}", "1D")
    fields = read_alert_text(filled.encode())
    alert = parse_alert(fields)
    [leg] = alert.legs
    assert (leg.side, leg.quantity, leg.symbol) == (Side.SELL, 10, symbol)
    assert (leg.kind, leg.order_type, leg.product, leg.price) == expected
    assert alert.fired_at is not None
    assert alert.remarks == ()
    assert secret_in(fields) == SECRET_GOES_HERE
