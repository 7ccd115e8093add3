"""Identifiers of rows: RFC 9562, and in the order in which they were made."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.kernel import ids


def test_a_row_id_is_a_uuid_of_version_7_of_this_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_ids_made_in_a_row_stand_in_that_order() -> None:
    made = [ids.uuid7() for _ in range(5_000)]
    assert made == sorted(made)


@pytest.mark.parametrize(("seconds", "still_rises"), [(0.5, True), (3_600, False)])
def test_only_a_clock_set_far_back_is_followed(
    monkeypatch: pytest.MonkeyPatch, seconds: float, still_rises: bool
) -> None:
    before = ids.uuid7()
    then = time.time_ns() - int(seconds * 1_000_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: then)
    first, second = ids.uuid7(), ids.uuid7()
    assert (first > before) is still_rises
    assert first < second
    assert abs((second.int >> 80) - then // 1_000_000) <= 1_000


def test_threads_share_no_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            one
            for batch in pool.map(lambda _: [ids.uuid7() for _ in range(2_000)], range(8))
            for one in batch
        ]
    assert len(set(made)) == len(made)
