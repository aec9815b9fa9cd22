"""Looking an order up by our name: what an answer proves, and what it does not."""

import pytest

from core.broker.port import Broker
from core.errors import BrokerUnavailable
from tests.contract.test_broker_contract import RESTING, WISH, found, placed
from tests.integration.paper_dhan import PaperDhan


@pytest.mark.parametrize(("status", "body"), [(404, True), (500, True), (200, False)])
async def test_no_such_order_is_understood_in_every_spelling(
    broker: Broker, dhan: PaperDhan, status: int, body: bool
) -> None:
    words = "Incorrect request for order and cannot be processed"
    error = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": words}
    dhan.script("lookup", "status", status=status, body=error if body else [])
    assert await broker.find(WISH.correlation_id) is None


async def test_a_look_up_may_answer_with_a_list_of_one(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, WISH)
    dhan.script("lookup", "status", status=200, body=dhan.book())
    assert (await found(broker, WISH)).order_id == order_id


async def test_of_several_orders_under_one_name_the_one_that_stands_is_found(broker: Broker, dhan: PaperDhan) -> None:
    order_id = await placed(broker, RESTING)
    [standing] = dhan.book()
    rejected = standing | {"orderId": "1", "orderStatus": "REJECTED"}
    dhan.script("lookup", "status", status=200, body=[rejected, standing | {"correlationId": "by-hand"}, standing])
    assert (await found(broker, RESTING)).order_id == order_id


@pytest.mark.parametrize("other", [{"correlationId": "by-hand"}, {"correlationId": "NA"}, {"dhanClientId": "1"}])
@pytest.mark.parametrize("is_list", [True, False])
async def test_an_answer_about_another_name_or_account_proves_nothing(
    broker: Broker, dhan: PaperDhan, other: dict[str, str], is_list: bool
) -> None:
    await placed(broker, WISH)
    row = dhan.book()[0] | other
    dhan.script("lookup", "status", status=200, body=[row, row] if is_list else row)
    with pytest.raises(BrokerUnavailable, match="another order"):
        await broker.find(WISH.correlation_id)
