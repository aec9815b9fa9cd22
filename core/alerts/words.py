"""The vocabulary of alerts: Dhan's own words first, then the spellings that public alerts use for them.

Every table is closed: a word that is not in it is refused, never guessed. Values are looked up in upper case.
"""

from collections.abc import Iterable, Mapping

from core.domain.alert import AmoTime, Exchange, InstrumentKind, OptionType, OrderType, Product, Segment, Side, Validity

OPTION_FIELDS = ("option_type", "strike_price", "expiry_date")
ORDER_FIELDS = (
    "transactionType",
    "orderType",
    "quantity",
    "exchange",
    "symbol",
    "instrument",
    "productType",
    "price",
    "triggerPrice",
    *OPTION_FIELDS,
)
_OTHER_NAMES = {
    "qty": "quantity",
    "ticker": "symbol",
    "tradingsymbol": "symbol",
    "product": "productType",
    "strike": "strike_price",
    "expiry": "expiry_date",
}


def _spellings(names: Iterable[str]) -> Mapping[str, str]:
    known = tuple(names)
    others = {other: name for other, name in _OTHER_NAMES.items() if name in known}
    return {name: name for name in known} | {_plain(name): name for name in known} | others


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


LEG_FIELDS = _spellings((*ORDER_FIELDS, "sort_order", "amoTime", "validity", "meta", "close"))
ROOT_FIELDS = _spellings(
    (
        *ORDER_FIELDS,
        *("sort_order", "amoTime", "validity", "meta", "secret", "alertType", "order_legs", "timenow", "close"),
    )
)

# What senders rely on and nobody does: Dhan's webhook ignores these as well.
NOT_HONOURED = frozenset(
    {
        *("target", "targetprice", "takeprofit", "stoploss", "stoplossprice", "trail", "trailing", "trailingjump"),
        *("trailingstop", "delay", "manageposition", "closeposition"),
    }
)


def field_named(key: str, fields: Mapping[str, str]) -> str | None:
    """Dhan's name for a key: snake_case, camelCase and upper case are one. None when it is no field of ours."""
    return fields.get(key) or (fields.get(_plain(key)) if key.isascii() else None)


def is_not_honoured(key: str) -> bool:
    return _plain(key) in NOT_HONOURED


ALERT_TYPES = {"MULTI_LEG_ORDER": "multi_leg_order", "SINGLE_ORDER": "single_order"}

SIDES = {"B": Side.BUY, "BUY": Side.BUY, "S": Side.SELL, "SELL": Side.SELL}

ORDER_TYPES = {
    **dict.fromkeys(("MKT", "MARKET"), OrderType.MARKET),
    **dict.fromkeys(("LMT", "LIMIT"), OrderType.LIMIT),
    **dict.fromkeys(("SL", "SL-L", "SLL", "STOP_LOSS", "STOP_LIMIT", "STOP_LOSS_LIMIT"), OrderType.STOP_LIMIT),
    **dict.fromkeys(("SL-M", "SLM", "SL_M", "STOP_MARKET", "STOP_LOSS_MARKET"), OrderType.STOP_MARKET),
}

PRODUCTS = {
    **dict.fromkeys(("I", "INTRADAY", "MIS"), Product.INTRADAY),
    **dict.fromkeys(("C", "CNC", "DELIVERY"), Product.DELIVERY),
    **dict.fromkeys(("M", "MARGIN", "NRML", "CARRYFORWARD", "CARRY_FORWARD"), Product.CARRY_FORWARD),
    **dict.fromkeys(("F", "MTF"), Product.MARGIN_FUNDED),
}

# TradingView marks exchanges of delayed feeds with _DL or _DLY.
DELAYED_EXCHANGES = {f"{exchange}{mark}": exchange for exchange in Exchange for mark in ("_DL", "_DLY")}
# NSE, BSE and MCX alone name no segment: Dhan's alerts have them on futures and options as well.
SEGMENTS = {
    **{segment.value: segment for segment in Segment},
    "NFO": Segment.NSE_FNO,
    "CDS": Segment.NSE_CURRENCY,
    "BFO": Segment.BSE_FNO,
    "BCD": Segment.BSE_CURRENCY,
}
EXCHANGES = {
    **{exchange.value: exchange for exchange in Exchange},
    **{word: segment.exchange for word, segment in SEGMENTS.items()},
    **DELAYED_EXCHANGES,
}

INSTRUMENTS = {
    **dict.fromkeys(("EQ", "EQUITY"), InstrumentKind.EQUITY),
    **dict.fromkeys(("FUT", "FUTURE", "FUTURES", "FUTIDX", "FUTSTK", "FUTCOM", "FUTCUR"), InstrumentKind.FUTURE),
    **dict.fromkeys(("OPT", "OPTION", "OPTIONS", "OPTIDX", "OPTSTK", "OPTFUT", "OPTCUR"), InstrumentKind.OPTION),
}

OPTION_TYPES = {
    **dict.fromkeys(("CE", "C", "CALL"), OptionType.CALL),
    **dict.fromkeys(("PE", "P", "PUT"), OptionType.PUT),
}

AMO_TIMES = {time.value: time for time in AmoTime}

VALIDITIES = {validity.value: validity for validity in Validity}
