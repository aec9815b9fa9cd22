"""The stand-in's records as Dhan's JSON (Dhan API v2, Orders and Portfolio; quirks as observed in production)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from core.clock import to_india
from core.sandbox.dhan.holding import Holding
from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.matching import security_of
from core.sandbox.dhan.order import Order, Trade
from core.sandbox.dhan.position import Position
from core.sandbox.dhan.security import Security
from core.settings import PaperAccount


def order_json(order: Order) -> dict[str, Any]:
    security = security_of(order)
    return {
        "dhanClientId": PaperAccount.CLIENT_ID,
        "orderId": order.order_id,
        "exchangeOrderId": order.exchange_order_id or "NA",
        "correlationId": order.correlation_id,
        "orderStatus": order.status,
        "transactionType": order.side,
        "exchangeSegment": order.segment,
        "productType": order.product,
        "orderType": order.order_type,
        "validity": order.validity,
        "tradingSymbol": security.symbol,
        "securityId": order.security_id,
        "quantity": order.quantity,
        "disclosedQuantity": order.disclosed,
        "price": float(order.price),
        "triggerPrice": float(order.trigger_price),
        "afterMarketOrder": order.amo_time is not None,
        "boProfitValue": 0.0,
        "boStopLossValue": 0.0,
        "legName": "NA",
        "createTime": stamp(order.entered_at),
        "updateTime": stamp(order.updated_at),
        "exchangeTime": stamp(order.exchange_time) if order.exchange_time else "NA",
        **_derivative(security),
        "omsErrorCode": order.oms_code,
        "omsErrorDescription": order.oms_text,
        "algoId": "0",
        "remainingQuantity": order.remaining,
        "averageTradedPrice": float(order.average_price),
        "filledQty": order.filled,
    }


def trade_json(trade: Trade, order: Order) -> dict[str, Any]:
    security = security_of(order)
    return {
        "dhanClientId": PaperAccount.CLIENT_ID,
        "orderId": order.order_id,
        "exchangeOrderId": order.exchange_order_id or "NA",
        "exchangeTradeId": trade.trade_id,
        "transactionType": order.side,
        "exchangeSegment": order.segment,
        "productType": order.product,
        "orderType": order.order_type,
        "tradingSymbol": security.symbol,
        "customSymbol": security.display,
        "securityId": order.security_id,
        "tradedQuantity": trade.quantity,
        "tradedPrice": float(trade.price),
        "createTime": stamp(order.entered_at),
        "updateTime": stamp(trade.at),
        "exchangeTime": stamp(trade.at),
        **_derivative(security),
    }


def position_json(position: Position, now: datetime) -> dict[str, Any]:
    security = listed_on(position.traded_on)[(position.segment, position.security_id)]
    unrealised = position.net * (security.price_at(now) - position.average)
    return {
        "dhanClientId": PaperAccount.CLIENT_ID,
        "tradingSymbol": security.symbol,
        "securityId": position.security_id,
        "positionType": "LONG" if position.net > 0 else "SHORT" if position.net < 0 else "CLOSED",
        "exchangeSegment": position.segment,
        "productType": position.product,
        "buyAvg": _rupees(position.buy_average),
        "buyQty": position.carried_long + position.bought,
        "costPrice": _rupees(position.average),
        "sellAvg": _rupees(position.sell_average),
        "sellQty": position.carried_short + position.sold,
        "netQty": position.net,
        "realizedProfit": _rupees(position.realised),
        "unrealizedProfit": _rupees(unrealised),
        "rbiReferenceRate": 1.0,
        "multiplier": 1,
        "carryForwardBuyQty": position.carried_long,
        "carryForwardSellQty": position.carried_short,
        "carryForwardBuyValue": _rupees(position.carried_long * position.carried_at),
        "carryForwardSellValue": _rupees(position.carried_short * position.carried_at),
        "dayBuyQty": position.bought,
        "daySellQty": position.sold,
        "dayBuyValue": _rupees(position.bought_for),
        "daySellValue": _rupees(position.sold_for),
        **_derivative(security),
        "crossCurrency": False,
    }


def holding_json(holding: Holding, today: date) -> dict[str, Any]:
    security = listed_on(today)[(holding.segment, holding.security_id)]
    return {
        "exchange": "ALL",
        "tradingSymbol": security.symbol,
        "securityId": holding.security_id,
        "isin": security.isin,
        "totalQty": holding.quantity,
        "dpQty": holding.quantity,
        "t1Qty": 0,
        "availableQty": holding.quantity,
        "collateralQty": 0,
        "avgCostPrice": _rupees(holding.average),
    }


def stamp(instant: datetime) -> str:
    """India time without saying so, as Dhan writes it."""
    return f"{to_india(instant):%Y-%m-%d %H:%M:%S}"


def _derivative(security: Security) -> dict[str, Any]:
    sides = {"CE": "CALL", "PE": "PUT", None: "NA"}
    return {
        "drvExpiryDate": security.expiry.isoformat() if security.expiry else "0001-01-01",
        "drvOptionType": sides[security.option_type],
        "drvStrikePrice": float(security.strike or 0),
    }


def _rupees(amount: Decimal) -> float:
    return float(round(amount, 2)) + 0.0  # never -0.0
