"""What a leg becomes at the broker: product, prices on the grid, lots, and one order or several."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker.dhan.meanings import meaning_of
from core.domain.alert import Exchange, InstrumentKind, Leg, OrderType, Product, Side
from core.domain.instrument import Instrument, Segment
from core.domain.protection import lies_beyond, on_tick, protected_limit, trigger_on_tick
from core.errors import Refusal
from core.tickets import EquityProduct, Ticket, Written, write_tickets

TODAY = date(2026, 11, 25)
SHARE = Instrument(
    security_id="2885",
    segment=Segment.NSE_EQ,
    exchange=Exchange.NSE,
    kind=InstrumentKind.EQUITY,
    symbol="RELIANCE",
    name="Reliance",
    lot=1,
    tick=Decimal("0.1"),
)
NIFTY = replace(
    SHARE, segment=Segment.NSE_FNO, kind=InstrumentKind.FUTURE, symbol="NIFTY-Dec2026-FUT", lot=65, freezes_at=1756
)
LEG = Leg(
    position=1,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=10,
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    kind=InstrumentKind.EQUITY,
    product=Product.INTRADAY,
    price=Decimal("1412.5"),
)
FUTURE = replace(LEG, kind=InstrumentKind.FUTURE, product=Product.CARRY_FORWARD, quantity=1)
STOP = replace(LEG, order_type=OrderType.STOP_MARKET, price=None, trigger_price=Decimal(1400))


def written(
    leg: Leg = LEG,
    instrument: Instrument = SHARE,
    policy: EquityProduct = EquityProduct.CNC,
    reaches_on: date | None = TODAY,
) -> Written:
    return write_tickets(leg, instrument, policy, reaches_on)


def ticket(leg: Leg = LEG, instrument: Instrument = SHARE, policy: EquityProduct = EquityProduct.CNC) -> Ticket:
    [only] = written(leg, instrument, policy).tickets
    return only


@pytest.mark.parametrize("product", Product)
def test_shares_are_taken_for_delivery_whatever_the_alert_says(product: Product) -> None:
    made = written(replace(LEG, product=product))
    assert made.tickets[0].product is Product.DELIVERY
    assert bool(made.remarks) is (product is not Product.DELIVERY), "a changed product is said"


@pytest.mark.parametrize("product", [Product.INTRADAY, Product.DELIVERY, Product.MARGIN_FUNDED])
def test_by_setting_shares_go_as_they_were_sent(product: Product) -> None:
    assert ticket(replace(LEG, product=product), policy=EquityProduct.AS_SENT).product is product


def test_shares_on_margin_are_refused_where_the_alert_is_obeyed() -> None:
    with pytest.raises(Refusal, match="M is for futures"):
        written(replace(LEG, product=Product.CARRY_FORWARD), policy=EquityProduct.AS_SENT)


@pytest.mark.parametrize("policy", EquityProduct)
def test_derivatives_keep_their_product(policy: EquityProduct) -> None:
    assert ticket(FUTURE, NIFTY, policy).product is Product.CARRY_FORWARD


@pytest.mark.parametrize("segment", [None, Segment.NSE_FNO])
def test_the_segment_that_an_alert_names_is_the_instruments(segment: Segment | None) -> None:
    assert ticket(replace(FUTURE, segment=segment), NIFTY).quantity == 65


def test_an_instrument_of_another_segment_than_the_alert_names_is_refused_in_words() -> None:
    words = "NIFTY-Dec2026-FUT is of NSE_FNO, and the alert's exchange names NSE_CURRENCY: write NSE if it is meant"
    with pytest.raises(Refusal, match=words):
        written(replace(FUTURE, segment=Segment.NSE_CURRENCY), NIFTY)


@pytest.mark.parametrize(("side", "taken"), [(Side.BUY, "1412.5"), (Side.SELL, "1412.6")])
def test_a_limit_off_the_tick_is_never_made_worse_and_that_is_said(side: Side, taken: str) -> None:
    made = written(replace(LEG, side=side, price=Decimal("1412.53")))
    assert made.tickets[0].price == Decimal(taken)
    assert f"The limit 1412.53 is off the tick of 0.1: {taken} is used." in made.remarks


def test_a_price_on_its_tick_is_kept_exactly_and_nothing_is_said() -> None:
    made = written(replace(LEG, product=Product.DELIVERY))
    assert (made.tickets[0].price, made.remarks) == (Decimal("1412.5"), ())


def test_lots_become_units() -> None:
    assert ticket(replace(FUTURE, quantity=2), NIFTY).quantity == 130


def test_above_the_freeze_quantity_an_order_becomes_several_in_whole_lots() -> None:
    made = written(replace(FUTURE, quantity=60), NIFTY)
    assert [slice_.quantity for slice_ in made.tickets] == [1755, 1755, 390]
    assert made.remarks == (
        "60 lots × 65 = 3900 units of NIFTY-Dec2026-FUT.",
        "3900 NIFTY-Dec2026-FUT go as 3 orders of at most 1755 units.",
    )


@pytest.mark.parametrize(("lots", "orders"), [(27, 1), (28, 2)])
def test_the_freeze_quantity_itself_is_one_too_many(lots: int, orders: int) -> None:
    assert len(written(replace(FUTURE, quantity=lots), NIFTY).tickets) == orders


def test_a_quantity_that_would_take_dozens_of_orders_is_taken_for_a_mistake() -> None:
    with pytest.raises(Refusal, match="is the quantity in lots"):
        written(replace(FUTURE, quantity=27 * 26), NIFTY)


@given(st.integers(1, 600), st.sampled_from([1, 20, 65]), st.none() | st.integers(66, 5000))
def test_slices_add_up_and_each_one_is_below_the_freeze_quantity(lots: int, lot: int, freezes_at: int | None) -> None:
    contract = replace(NIFTY, lot=lot, freezes_at=freezes_at)
    try:
        made = written(replace(FUTURE, quantity=lots), contract).tickets
    except Refusal:
        return
    assert sum(slice_.quantity for slice_ in made) == lots * lot
    assert all(slice_.quantity % lot == 0 and slice_.quantity > 0 for slice_ in made)
    assert freezes_at is None or all(slice_.quantity < freezes_at for slice_ in made)


def test_a_stop_at_the_market_becomes_a_protected_stop_with_a_limit_and_that_is_said() -> None:
    made = written(STOP)
    [only] = made.tickets
    assert (only.order_type, only.trigger_price, only.price) == (OrderType.STOP_LIMIT, Decimal(1400), Decimal(1407))
    assert any("Sent as a stop with the limit 1407" in remark for remark in made.remarks)


def test_a_stop_that_sells_has_its_limit_below() -> None:
    assert ticket(replace(STOP, side=Side.SELL)).price == Decimal(1393)


@pytest.mark.parametrize(
    ("side", "price"), [(Side.BUY, "1400"), (Side.BUY, "1399"), (Side.SELL, "1400"), (Side.SELL, "1401")]
)
def test_a_stop_whose_limit_lies_not_beyond_its_trigger_is_refused(side: Side, price: str) -> None:
    stop = replace(STOP, order_type=OrderType.STOP_LIMIT, side=side, price=Decimal(price))
    with pytest.raises(Refusal, match="at least one tick"):
        written(stop)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "1400.1"), (Side.SELL, "1399.9")])
def test_a_stop_whose_limit_lies_one_tick_beyond_its_trigger_is_taken(side: Side, price: str) -> None:
    stop = replace(STOP, order_type=OrderType.STOP_LIMIT, side=side, price=Decimal(price))
    assert ticket(stop).price == Decimal(price)


def test_a_stop_that_sells_at_the_lowest_price_of_all_has_no_room_for_a_limit() -> None:
    with pytest.raises(
        Refusal, match=r"^A stop that sells at 0\.1 has no room for its limit, at least one tick below\.$"
    ):
        written(replace(STOP, side=Side.SELL, trigger_price=Decimal("0.1")))


def test_a_stop_that_buys_at_the_lowest_price_of_all_has_its_limit_one_tick_above() -> None:
    assert ticket(replace(STOP, trigger_price=Decimal("0.1"))).price == Decimal("0.2")


BAND = {"band": (Decimal(1200), Decimal(1500)), "listed_on": TODAY}


def test_a_price_outside_a_fixed_band_is_refused_with_the_band() -> None:
    with pytest.raises(Refusal, match="The limit 1600 lies outside the day's range of RELIANCE, 1200 to 1500"):
        written(replace(LEG, price=Decimal(1600)), replace(SHARE, **BAND))


def test_a_price_outside_the_days_range_is_told_in_the_same_words_before_it_is_sent_and_by_the_exchange() -> None:
    with pytest.raises(Refusal) as before:
        written(replace(LEG, price=Decimal(1600)), replace(SHARE, **BAND))
    ours = str(before.value).replace("limit 1600", "price").replace(" of RELIANCE, 1200 to 1500", "")
    assert ours == str(meaning_of("", "EXCH:16284:The price is beyond the day's price range."))


@pytest.mark.parametrize("trigger", ["1199.9", "1500.1"])
@pytest.mark.parametrize("side", Side)
def test_a_trigger_outside_a_fixed_band_is_refused_as_well(side: Side, trigger: str) -> None:
    limit = Decimal(trigger) + (Decimal(10) if side is Side.BUY else Decimal(-10))
    stop = replace(STOP, order_type=OrderType.STOP_LIMIT, side=side, price=limit, trigger_price=Decimal(trigger))
    with pytest.raises(Refusal, match=f"The trigger {trigger} lies outside the day's range of RELIANCE"):
        written(stop, replace(SHARE, **BAND))
    moved = written(stop, replace(SHARE, **BAND, has_derivatives=True))
    assert any(remark.startswith(f"The trigger {trigger} lies outside the") for remark in moved.remarks)


@pytest.mark.parametrize(
    ("listed_on", "reaches_on", "said"),
    [
        (TODAY, date(2026, 11, 26), "on Wed 25 Nov"),
        (date(2026, 11, 24), TODAY, "on Tue 24 Nov"),
        (TODAY, None, "on Wed 25 Nov"),
        (None, TODAY, "last"),
        (None, None, "last"),
    ],
)
def test_a_band_of_another_day_than_the_one_that_it_reaches_the_exchange_on_refuses_nothing(
    listed_on: date | None, reaches_on: date | None, said: str
) -> None:
    share = replace(SHARE, **BAND | {"listed_on": listed_on})
    made = written(replace(LEG, price=Decimal(1600), product=Product.DELIVERY), share, reaches_on=reaches_on)
    [remark] = made.remarks
    assert remark == (
        f"The limit 1600 lies outside the range that RELIANCE had {said}, 1200 to 1500: "
        "it goes, and the exchange refuses it unless the range has moved by then."
    )


@pytest.mark.parametrize("changes", [{"has_derivatives": True}, {"segment": Segment.NSE_FNO}])
def test_where_the_exchange_moves_the_band_a_price_outside_it_is_only_remarked_on(changes: dict[str, Any]) -> None:
    made = written(replace(LEG, price=Decimal(1600)), replace(SHARE, **BAND, **changes))
    assert any("the exchange may refuse it" in remark for remark in made.remarks)


@pytest.mark.parametrize("price", [Decimal(1200), Decimal(1500), None])
def test_a_price_on_the_edge_of_the_band_or_none_at_all_is_fine(price: Decimal | None) -> None:
    order_type = OrderType.LIMIT if price else OrderType.MARKET
    assert ticket(replace(LEG, order_type=order_type, price=price), replace(SHARE, **BAND)).price == price


@pytest.mark.parametrize("changes", [{}, {"has_derivatives": True}])
@pytest.mark.parametrize(
    ("side", "trigger", "limit"),
    [
        (Side.SELL, "1204", "1200"),
        (Side.SELL, "1200.1", "1200"),
        (Side.SELL, "1300", "1293.5"),
        (Side.BUY, "1497", "1500"),
        (Side.BUY, "1499.9", "1500"),
    ],
)
def test_the_limit_of_a_stop_at_the_market_stays_within_the_days_range(
    side: Side, trigger: str, limit: str, changes: dict[str, Any]
) -> None:
    share = replace(SHARE, **BAND, **changes)
    made = written(replace(STOP, side=side, trigger_price=Decimal(trigger), product=Product.DELIVERY), share)
    assert (made.tickets[0].price, made.tickets[0].trigger_price) == (Decimal(limit), Decimal(trigger))
    [remark] = made.remarks
    assert remark.startswith(f"Sent as a stop with the limit {limit}: ")


def test_a_range_that_ends_off_the_tick_gives_a_limit_on_it() -> None:
    share = replace(SHARE, band=(Decimal("1200.03"), Decimal("1499.98")), listed_on=TODAY)
    assert ticket(replace(STOP, side=Side.SELL, trigger_price=Decimal(1204)), share).price == Decimal("1200.1")
    assert ticket(replace(STOP, trigger_price=Decimal(1497)), share).price == Decimal("1499.9")


@pytest.mark.parametrize(("side", "trigger", "does"), [(Side.SELL, 1200, "sells"), (Side.BUY, 1500, "buys")])
def test_a_stop_at_the_market_whose_range_has_no_room_for_a_limit_is_refused_in_words(
    side: Side, trigger: int, does: str
) -> None:
    stop = replace(STOP, side=side, trigger_price=Decimal(trigger))
    beyond = "below" if side is Side.SELL else "above"
    words = (
        f"^A stop that {does} at {trigger} has no room for its limit, at least one tick {beyond}: "
        "the day's range of RELIANCE is 1200 to 1500\\.$"
    )
    with pytest.raises(Refusal, match=words):
        written(stop, replace(SHARE, **BAND))


@pytest.mark.parametrize("changes", [{"has_derivatives": True}, {"listed_on": date(2026, 11, 24)}])
def test_where_the_range_may_move_a_stop_at_its_end_keeps_its_limit_and_that_is_said(changes: dict[str, Any]) -> None:
    made = written(replace(STOP, side=Side.SELL, trigger_price=Decimal(1200)), replace(SHARE, **BAND | changes))
    assert made.tickets[0].price == Decimal(1194)
    assert any(remark.startswith("The limit 1194 lies outside the ") for remark in made.remarks)


TICKS = st.sampled_from([Decimal(tick) for tick in ("0.01", "0.05", "0.1", "0.5", "1", "5")])
PRICES = st.decimals(min_value=Decimal("0.01"), max_value=100_000, places=2)


@given(PRICES, TICKS, st.sampled_from(Side))
def test_a_rounded_limit_is_on_the_grid_less_than_a_tick_away_and_no_worse(
    price: Decimal, tick: Decimal, side: Side
) -> None:
    taken = on_tick(price, tick, side)
    assert taken % tick == 0
    assert taken >= tick
    if price >= tick:
        assert abs(taken - price) < tick
        assert taken <= price if side is Side.BUY else taken >= price


@given(PRICES, TICKS, st.sampled_from(Side), st.sampled_from(InstrumentKind))
def test_a_protected_limit_lies_beyond_its_trigger_on_the_grid(
    price: Decimal, tick: Decimal, side: Side, kind: InstrumentKind
) -> None:
    trigger = trigger_on_tick(price, tick)
    limit = protected_limit(trigger, tick, side, kind)
    assert limit % tick == 0
    assert limit > 0
    assert lies_beyond(limit, trigger, side) is (side is Side.BUY or trigger > tick)
    if side is Side.BUY:
        assert trigger + tick <= limit <= trigger * Decimal("1.05") + 2 * tick
    elif trigger > tick:
        assert trigger * Decimal("0.95") - 2 * tick <= limit <= trigger - tick
