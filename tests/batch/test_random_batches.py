"""
At most one bill for each request, whatever happens to the runs of a batch.

2,000 runs with `-m long`, and as many as wanted with
`KREA_BATCH_RUNS=10000 pytest -m long tests/batch/test_random_batches.py`.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from itertools import count

import pytest
from batch.forked import BREAKS
from batch.random_batches import Bench, history

pytestmark = [pytest.mark.long, pytest.mark.posix, pytest.mark.timeout(1800)]
RUNS = int(os.environ.get("KREA_BATCH_RUNS", "2000"))
PARTS = 4
# In so many histories each way of breaking the product shows.
MAX_HISTORIES = 60


@pytest.mark.parametrize("part", range(PARTS))
def test_random_runs_leave_at_most_one_bill_for_each_request(part, tmp_path):
    runs, ends = 0, Counter()
    with Bench() as bench:
        for number in count():
            folder = tmp_path / str(number)
            world = history(bench, folder, f"{part} {number}")
            shutil.rmtree(folder)
            runs += world.runs
            ends += world.ends
            if runs * PARTS >= RUNS:
                break

    # Otherwise nothing much was tried.
    assert ends[0] > runs / 4, ends
    assert ends[None] > runs / 40, ends
    assert ends[11] > runs / 40, ends


@pytest.mark.parametrize("breaks", BREAKS)
def test_random_runs_notice_a_product_that_is_broken(breaks, tmp_path):
    def live_on(bench):
        for number in range(MAX_HISTORIES):
            history(bench, tmp_path / str(number), f"broken {number}")

    with Bench(breaks) as bench, pytest.raises(AssertionError, match=r"[2-9] x "):
        live_on(bench)
