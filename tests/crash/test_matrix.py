"""Web, worker, relay and scheduler killed with SIGKILL at named points: the order ends right without help.

`make test` plays a fixed selection; CRASH_MATRIX=full plays every case (docs/reliability.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.crash import cases
from tests.crash.cases import Case
from tests.crash.journeys import Played, Stage, mails_to, what_is_wrong
from tests.live.shop import LiveShop, running
from tests.verify import differences

CASES = cases.matrix() if os.environ.get("CRASH_MATRIX") == "full" else cases.selection()
SHORT_WAITS = {"GATEWAY_CONNECT_SECONDS": "5", "GATEWAY_READ_SECONDS": "5", "GATEWAY_TOTAL_SECONDS": "5"}
# Half of the cases are a gateway that does not answer, one after the other: the breaker would rightly open and refuse
# the next cases before they begin. It has tests of its own (tests/checkout/test_cards_unavailable.py).
NO_BREAKER = {"GATEWAY_BREAKER_FAILURES": "1000000"}
pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    with running(tmp_path_factory.mktemp("crash"), **SHORT_WAITS, **NO_BREAKER) as shop:
        yield shop


@pytest.fixture(scope="module")
def played(shop: LiveShop, request: pytest.FixtureRequest) -> dict[Case, Played | Exception]:
    """All cases that were asked for (`-k`). Those where reconciliation dies come last: it would end the others without
    their next actor."""
    stage = Stage(shop)
    asked = {item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")}
    chosen = [case for case in CASES if case in asked] or CASES
    late = [case for case in chosen if case.point in cases.RECONCILIATION]
    early = [case for case in chosen if case not in late]
    return _play(stage, early) | _play(stage, late)


def _play(stage: Stage, chosen: list[Case]) -> dict[Case, Played | Exception]:
    """Each crashes and its next actor comes at once, while the quote is good. Those that need nobody more are judged
    before reconciliation runs; then time passes for all of them together."""
    results: dict[Case, Played | Exception] = {}
    for case in chosen:
        try:
            results[case] = one = stage.crash(case)
            stage.go_on(one)
            if case.point in cases.RECONCILIATION:
                stage.judge([one])  # the next case has reconciliation run again
        except Exception as error:
            stage.shop.disarm(case.point)
            results[case] = error
    on_their_way = [one for one in results.values() if isinstance(one, Played)]
    stage.judge([one for one in on_their_way if one.case.point not in cases.RECONCILIATION])
    stage.drain()
    stage.let_reconcile(on_their_way)
    stage.drain()
    return results


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_order_ends_right(case: Case, played: dict[Case, Played | Exception]) -> None:
    result = played[case]
    if isinstance(result, Exception):
        raise result
    assert what_is_wrong(result) == []


def test_the_books_are_right_after_all_of_it(shop: LiveShop, played: dict[Case, Played | Exception]) -> None:
    assert differences(shop) == []


def test_nobody_misses_a_receipt(shop: LiveShop, played: dict[Case, Played | Exception]) -> None:
    """Mails are sent at least once: a second copy only where a worker died between sending and marking."""
    for case, result in played.items():
        if not isinstance(result, Played) or case.ends != "paid":
            continue
        receipts = [mail for mail in mails_to(shop, result.shopper) if result.number in mail["subject"]]
        kinds = [mail["subject"] for mail in receipts]
        most = 2 if case.point == "mail.before_mark" else 1
        assert all(1 <= kinds.count(kind) <= most for kind in kinds), (case, kinds)
        assert kinds, case


def test_every_named_point_is_in_the_matrix() -> None:
    """A point that somebody adds belongs to a journey."""
    from tests.crash.points import named_in_the_code

    assert {case.point for case in cases.matrix()} == named_in_the_code()
