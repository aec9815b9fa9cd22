"""What Dhan's noes mean: a kind, a plain sentence, and what a person does next.

Sources: Dhan API v2 docs, Annexure (trading and data API errors); texts of later rejections as observed in production,
told apart by what they contain, since the numbers in them vary. What is not in the tables keeps Dhan's own words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Trouble(StrEnum):
    """What is in the way of an order or of a call."""

    SIGN_IN = "sign_in"
    ADDRESS = "address"
    ACCESS = "access"
    DATA_PLAN = "data_plan"
    HASTE = "haste"
    INPUT = "input"
    DOUBT = "doubt"
    NOTHING_THERE = "nothing_there"
    MONEY = "money"
    HOLDINGS = "holdings"
    DEPOSITORY = "depository"
    PRODUCT = "product"
    TOO_LATE = "too_late"
    PRICE_BAND = "price_band"
    TICK = "tick"
    LOT = "lot"
    TRIGGER = "trigger"
    NOT_TRADED = "not_traded"
    SESSION = "session"
    FREEZE = "freeze"
    IN_TRANSIT = "in_transit"
    OTHER = "other"


@dataclass(frozen=True)
class Meaning:
    """`sentence` and `next_step` are shown to the operator as they stand."""

    trouble: Trouble
    sentence: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.next_step}"


_T = Trouble
_SIGN_IN = Meaning(_T.SIGN_IN, "Dhan no longer takes the sign-in.", "Sign in again with /login; orders wait for it.")
_PLAN = Meaning(_T.DATA_PLAN, "Quotes need Dhan's paid data plan.", "Trading works without it; buy it at web.dhan.co.")
_HASTE = Meaning(_T.HASTE, "Dhan asks for fewer calls at a time.", "The desk slows down by itself; wait a moment.")
_DOUBT = Meaning(_T.DOUBT, "Dhan had a fault of its own.", "Reads are repeated; an order is looked up before anything.")
_ASKED_WRONG = Meaning(_T.INPUT, "Dhan could not use what it was asked.", "Look at the symbol, prices and quantity.")
_CLOSED = Meaning(_T.SESSION, "Dhan takes no regular order now.", "Send it again as an after-market order.")
_NO_HOLDINGS = Meaning(_T.NOTHING_THERE, "There are no holdings.", "Nothing to do: the list is empty.")
UNEXPLAINED = Meaning(_T.OTHER, "Dhan gave a reason of its own.", "Read its words, then decide whether to send anew.")

SIGN_IN_NAMED = r"(?<!instrument.)(?<!security.)(?<!scrip.)(?<!symbol.)token"
"""The token of our sign-in, and not that of an instrument."""
SIGN_IN_ENDED = rf"invalid token|access token|{SIGN_IN_NAMED} (is |has )?(invalid|expired)"

_KILL_SWITCH = r"kill[ _-]?switch"
"""Its words are unpublished; any that name it will do."""

_BY_TEXT: tuple[tuple[str, Meaning], ...] = (
    (
        r"invalid ip",
        Meaning(
            _T.ADDRESS,
            "Orders must come from a registered address.",
            "Register this machine's address at Dhan (/ip shows it), then /resume.",
        ),
    ),
    (SIGN_IN_ENDED, _SIGN_IN),
    (
        _KILL_SWITCH,
        Meaning(
            _T.ACCESS, "Dhan's kill switch is on for this account.", "Turn it off with /killswitch, then send it again."
        ),
    ),
    (
        r"insufficient fund",
        Meaning(_T.MONEY, "There is not enough money in the account.", "Add funds at Dhan or send a smaller order."),
    ),
    (
        r"cdsl|\bedis\b|tpin|t-pin|validate qty",
        Meaning(
            _T.DEPOSITORY,
            "Selling these shares needs your consent at the depository.",
            "Approve it with your T-PIN in Dhan's app, or set up DDPI once, then send it again.",
        ),
    ),
    (
        r"sell more than the quantity|insufficient holding|scrip limit insufficient",
        Meaning(_T.HOLDINGS, "The account does not hold as many shares.", "See /holdings, and sell what is there."),
    ),
    (
        r"not allowed to be traded in intraday",
        Meaning(_T.PRODUCT, "This share is not allowed intraday.", "Send it for delivery (product C)."),
    ),
    (
        r"intraday orders cannot be placed at this time|square off time",
        Meaning(_T.TOO_LATE, "It is too late for intraday orders.", "Send it tomorrow, or for delivery."),
    ),
    (
        r"exch:16283|multiple of tick",
        Meaning(_T.TICK, "The price is off the tick.", "Use a price on the tick grid."),
    ),
    (
        r"circuit limit|ckt limit|exch:16284|\blpp\b",
        Meaning(
            _T.PRICE_BAND,
            "The price lies outside the day's range: the exchange does not take it.",
            "Use one inside it.",
        ),
    ),
    (
        r"exch:16387|not allowed to trade in this market",
        Meaning(_T.NOT_TRADED, "This instrument cannot be traded there now.", "Look whether it is suspended or moved."),
    ),
    (
        r"exch:16052|function not available",
        Meaning(_T.SESSION, "The exchange does not take this now.", "Send it again in the continuous session."),
    ),
    (
        r"freeze|quantity.{0,60}exceed",
        Meaning(_T.FREEZE, "The quantity is above what one order may have.", "Send it in smaller orders."),
    ),
    (
        r"exch:16328|regular lot",
        Meaning(_T.LOT, "The quantity is no whole number of lots.", "Send a multiple of the lot size."),
    ),
    (r"market is closed", _CLOSED),
    (
        r"markets are offline",
        Meaning(_T.SESSION, "Dhan takes no orders for this market at the moment.", "Send it again a little later."),
    ),
    (
        r"trigger price should be",
        Meaning(
            _T.TRIGGER,
            "Trigger and limit price are the wrong way round.",
            "A stop that buys needs its limit above the trigger, one that sells below it.",
        ),
    ),
    (
        r"order is in transit",
        Meaning(_T.IN_TRANSIT, "The order is still on its way to the exchange.", "The desk tries again in a moment."),
    ),
    (
        r"incorrect request for order",
        Meaning(_T.NOTHING_THERE, "Dhan has no such order that could be acted on.", "See /orders for where it stands."),
    ),
    (r"no holdings", _NO_HOLDINGS),
)

_BY_CODE: Mapping[str, Meaning] = MappingProxyType(
    {
        **dict.fromkeys(("DH-901", "807", "808", "809", "810"), _SIGN_IN),
        "DH-902": Meaning(
            _T.ACCESS, "This account has no access to that at Dhan.", "Look at API access and plans at web.dhan.co."
        ),
        "DH-903": Meaning(
            _T.ACCESS, "The account may not trade there.", "Activate the segment at web.dhan.co, then /resume."
        ),
        **dict.fromkeys(("DH-904", "805"), _HASTE),
        "DH-905": _ASKED_WRONG,
        "DH-906": Meaning(_T.OTHER, "Dhan refused this order.", "Read its words, then decide whether to send it anew."),
        "DH-907": Meaning(_T.INPUT, "Dhan has no data for what was asked.", "Look at the symbol and the dates."),
        **dict.fromkeys(("DH-908", "DH-909", "800", "INTERNAL_SERVER_ERROR"), _DOUBT),
        "DH-910": UNEXPLAINED,
        **dict.fromkeys(("DH-1111", "DH-1112"), _NO_HOLDINGS),
        "DH-911": _BY_TEXT[0][1],
        "804": Meaning(_T.INPUT, "Too many instruments were asked for at once.", "Ask for fewer."),
        **dict.fromkeys(("806",), _PLAN),
        "811": Meaning(_T.INPUT, "That expiry does not exist.", "Look at the contract's expiry."),
        "812": Meaning(_T.INPUT, "That date cannot be read.", "Write it as YYYY-MM-DD."),
        "813": Meaning(_T.INPUT, "Dhan does not know that instrument.", "Look at the symbol: the list changes daily."),
        **dict.fromkeys(("814", "820", "821"), _ASKED_WRONG),
    }
)


def meaning_of(code: str, words: str) -> Meaning:
    """The meaning of an error or a later rejection. The text speaks first: Dhan's codes are generic."""
    for pattern, meaning in _BY_TEXT:
        if re.search(pattern, words, re.IGNORECASE):
            return meaning
    return _BY_CODE.get(code, UNEXPLAINED)


def speaks_of_kill_switch(words: str) -> bool:
    return re.search(_KILL_SWITCH, words, re.IGNORECASE) is not None
