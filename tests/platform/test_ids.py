"""Identifiers of rows: RFC 9562, and in the order in which they were made."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

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


def test_threads_share_no_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            one
            for batch in pool.map(lambda _: [ids.uuid7() for _ in range(2_000)], range(8))
            for one in batch
        ]
    assert len(set(made)) == len(made)
