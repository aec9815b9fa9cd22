"""What the OpenAPI document promises is kept: no undocumented status, no 5xx but 503, no answer over two seconds.

A few hundred generated calls; `MUNSHI_FUZZ=5000 ./test tests/integration/webhook/test_openapi.py` makes so many.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, cycle, product
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from core.clock import monotonic
from tests.canary import FUZZED
from tests.integration.webhook.running_web import SECRET, RunningWeb, running_web
from tests.integration.webhook.test_status_and_trace import ADMIN, LIVE

if TYPE_CHECKING:
    import schemathesis

CASES = int(os.environ.get("MUNSHI_FUZZ", "200"))
CASES_AT_ONCE = max(8, CASES // 50)
SLOWEST = 2.0
ALWAYS = {"405"}
KNOWN = {"live": {"Authorization": f"Bearer {ADMIN}"}, "paper": dict[str, str]()}

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", params=["paper", "live"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, RunningWeb]]:
    mode: dict[str, Any] = LIVE if request.param == "live" else {}
    with running_web(tmp_path_factory.mktemp(f"{FUZZED}{request.param}"), **mode) as web:
        yield request.param, web


def test_every_answer_is_one_that_the_document_promises(door: tuple[str, RunningWeb]) -> None:
    import schemathesis  # noqa: PLC0415 - a second of imports, which only the process that runs this needs to spend

    mode, web = door
    calls = Calls(web, KNOWN[mode])
    document = web.client.get("/openapi.json").json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    for operation, generation in cycle(product(operations, schemathesis.GenerationMode)):
        promised = {*map(str, operation.definition.raw["responses"]), *ALWAYS}
        with suppress(Unsatisfiable):  # what takes no values cannot be given wrong ones
            calls.hold_to(promised, operation.as_strategy(generation), cases=CASES_AT_ONCE)
        if calls.seen.total() >= CASES / 2:
            break
    print(
        f"{mode}: {calls.seen.total()} calls, {dict(sorted(calls.seen.items()))}, slowest {calls.slowest * 1000:.0f} ms"
    )
    assert {"200", "401" if mode == "live" else "422"} <= calls.seen.keys()


class Calls:
    """Generated calls to one web process, every other one by somebody who knows its secrets."""

    def __init__(self, web: RunningWeb, known: dict[str, str]) -> None:
        self.seen: Counter[str] = Counter()
        self.slowest = 0.0
        self._url = f"http://127.0.0.1:{web.port}"
        self._known = known
        self._turns = count()
        self._session = requests.Session()
        self._session.trust_env = False

    def hold_to(self, promised: set[str], strategy: Any, cases: int) -> None:
        def check(case: "schemathesis.Case") -> None:
            began = monotonic()
            reply = self._ask(case)
            self.slowest = max(self.slowest, monotonic() - began)
            self.seen[str(reply.status_code)] += 1
            said = f"{case.method} {case.path}: {reply.status_code} {reply.text[:200]}"
            assert str(reply.status_code) in promised, said
            assert reply.status_code < 500 or reply.status_code == 503, said

        rules = settings(max_examples=cases, database=None, suppress_health_check=list(HealthCheck))
        rules(given(strategy)(check))()

    def _ask(self, case: "schemathesis.Case") -> "schemathesis.Response":
        knows = next(self._turns) % 2
        if knows and isinstance(case.body, dict):
            case.body["secret"] = SECRET
        headers = self._known if knows else {}
        return case.call(
            base_url=self._url, headers=headers, session=self._session, timeout=SLOWEST, allow_redirects=False
        )
