"""TradingView text to domain Alert: Dhan's native alert message, and what public alerts make of it.

Reading (`read_alert_text`) and understanding (`parse_alert`) are apart, because the sender is checked in between.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast

from core.alerts import words
from core.alerts.fields import Fields, is_object, read_fields, shown, text_of
from core.alerts.json_text import read_alert_text
from core.alerts.leg import read_amo_time, read_leg, read_validity
from core.alerts.secret import hide, secret_in, secret_in_broken_text, without_secret
from core.domain.alert import Alert, AmoTime, Leg, Validity
from core.errors import AlertRefused

__all__ = [
    "hide",
    "not_filled",
    "parse_alert",
    "read_alert_text",
    "secret_in",
    "secret_in_broken_text",
    "without_secret",
]

MAX_LEGS = 20
_MAX_MISTAKES = 5
_MOMENT = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_INTERVAL = re.compile(r"[A-Za-z0-9]{1,8}")


def parse_alert(fields: Mapping[str, Any]) -> Alert:
    """The alert's legs in their order, its firing time, and remarks on everything that has no effect.

    Raises AlertRefused with up to five mistakes, the first one most worth reading.
    """
    root = read_fields("The alert", fields, words.ROOT_FIELDS)
    _check_type(root)
    drafts = _find_legs(root)
    _hand_down_close(root, drafts)
    amo_time, validity = read_amo_time(root, AmoTime.OPEN_30), read_validity(root, Validity.DAY)
    legs = [read_leg(draft, place=place, amo_time=amo_time, validity=validity) for place, draft in enumerate(drafts, 1)]
    read = [leg for leg in legs if leg]
    metas = _find_metas(root, drafts)
    fired_at = _read_fired_at(root, metas)
    if len(read) == len(drafts):
        _refuse_equal_places(root, read)
        _compare_order_at_root(root, drafts, read)
    mistakes = [*root.mistakes, *(mistake for draft in drafts for mistake in draft.mistakes)]
    if mistakes:
        raise AlertRefused(_most_important(mistakes))
    remarks = [*root.remarks, *(remark for draft in drafts for remark in draft.remarks)]
    return Alert(
        legs=tuple(sorted(read, key=attrgetter("position"))),
        fired_at=fired_at,
        interval=_read_interval(metas),
        remarks=tuple(remarks),
    )


def _most_important(mistakes: list[str]) -> list[str]:
    if len(mistakes) <= _MAX_MISTAKES:
        return mistakes
    shown_ones = mistakes[: _MAX_MISTAKES - 1]
    return [*shown_ones, f"There are {len(mistakes) - len(shown_ones)} more mistakes."]


def _check_type(root: Fields) -> None:
    if root.text("alertType") == "":
        root.remarks.append("The alert: alertType is missing, it was read as an order.")
    else:
        root.choose("alertType", words.ALERT_TYPES, "multi_leg_order or single_order; other wishes go through the chat")


def _find_legs(root: Fields) -> list[Fields]:
    raw: Any = root.values.get("order_legs")
    if not raw and _asks_for_an_order(root):
        return [Fields("Leg 1", _order_at_root(root))]
    if not raw or not isinstance(raw, list):
        root.refuse("order_legs", "a list with at least one leg")
        return []
    entries = cast("list[Any]", raw)
    if len(entries) > MAX_LEGS:
        root.mistakes.append(f"The alert: order_legs has {len(entries)} legs; it must be {MAX_LEGS} at most.")
        return []
    drafts: list[Fields] = []
    for place, entry in enumerate(entries, 1):
        if is_object(entry):
            drafts.append(read_fields(f"Leg {place}", entry, words.LEG_FIELDS))
        else:
            root.mistakes.append(f"Leg {place} is {shown(entry)}; it must be an object with the fields of an order.")
    return drafts


def _order_at_root(root: Fields) -> dict[str, Any]:
    return {name: value for name, value in root.values.items() if name in words.ORDER_FIELDS and text_of(value)}


def _asks_for_an_order(root: Fields) -> bool:
    return bool(root.text("transactionType") or root.text("quantity"))


def _compare_order_at_root(root: Fields, drafts: list[Fields], legs: list[Leg]) -> None:
    """An order written at the root and in order_legs is one order; two different ones are a riddle."""
    at_root = _order_at_root(root)
    if not at_root:
        return
    if not _asks_for_an_order(root):
        root.remarks.append(f"The alert: outside of order_legs and without effect: {', '.join(at_root)}.")
        return
    for draft, leg in zip(drafts, legs, strict=True):
        laid_over = Fields(draft.name, draft.values | at_root)
        at_root_too = read_leg(laid_over, place=leg.position, amo_time=leg.amo_time, validity=leg.validity)
        if at_root_too and replace(at_root_too, segment=at_root_too.segment or leg.segment) == leg:
            return
    root.mistakes.append("The alert: the order outside of order_legs is none of its legs; write each order once.")


def _refuse_equal_places(root: Fields, legs: list[Leg]) -> None:
    places = [leg.position for leg in legs]
    for place in sorted({place for place in places if places.count(place) > 1}):
        root.mistakes.append(
            f"The alert: sort_order {place} is given to more than one leg; the order of legs is unclear."
        )


def _hand_down_close(root: Fields, drafts: list[Fields]) -> None:
    """The price of the alert's chart is its only leg's; of several legs nobody knows which one's it is."""
    meta: Any = root.values.get("meta")
    close: Any = root.values.get("close") or (meta.get("close") if is_object(meta) else None)
    if close and len(drafts) == 1:
        drafts[0].values.setdefault("close", close)


def _find_metas(root: Fields, drafts: list[Fields]) -> list[Mapping[str, Any]]:
    """What TradingView's placeholders said about the moment: timenow at the root counts as well."""
    metas: list[Mapping[str, Any]] = [{"timenow": root.values.get("timenow")}]
    for part in (root, *drafts):
        meta: Any = part.values.get("meta")
        if is_object(meta):
            metas.append(meta)
        elif meta:
            part.remarks.append(f"{part.name}: meta is {shown(meta)}, no object, and has no effect.")
    return metas


def _read_fired_at(root: Fields, metas: list[Mapping[str, Any]]) -> datetime | None:
    for meta in metas:
        written = meta.get("timenow")
        if isinstance(written, str) and "{{" in written:
            root.remarks.append(not_filled(written))
        elif written is not None and written != "":
            return _read_moment(root, written)
    return None


def not_filled(written: str) -> str:
    """The remark on a firing time that is a placeholder still, though it should be a time by now."""
    return f"The alert: timenow is {shown(written)}, not filled by TradingView; its age counts from its arrival."


def _read_moment(root: Fields, written: Any) -> datetime | None:
    match = _MOMENT.fullmatch(written) if isinstance(written, str) else None
    try:
        moment = datetime.fromisoformat(match[0]) if match else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        example = "2026-11-25T04:01:00Z, which {{timenow}} gives"
        root.mistakes.append(f"The alert: timenow is {shown(written)}; it must be a time such as {example}.")
        return None
    if match[1] is None:
        root.remarks.append("The alert: timenow names no time zone, it was read as UTC.")
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _read_interval(metas: list[Mapping[str, Any]]) -> str | None:
    for meta in metas:
        if "interval" in meta and _INTERVAL.fullmatch(interval := text_of(meta["interval"])):
            return interval
    return None
