from __future__ import annotations

from itertools import pairwise

import pytest

from krea_cli.jobs.rate_limiter import RateLimiter


def test_the_first_turn_is_at_once(time):
    """
    Who looks at one job pays nothing for it.
    """
    RateLimiter(time.clock).wait_turn()

    assert [] == time.slept


def test_turns_are_a_fifth_of_a_second_apart(time):
    """
    Five looks a second, and never two at once.
    """
    pace, turns = RateLimiter(time.clock), []
    for _ in range(301):
        pace.wait_turn()
        turns.append(time.elapsed)

    assert 0.2 == pytest.approx(min(b - a for a, b in pairwise(turns)))
    assert 60.0 == pytest.approx(time.elapsed)


def test_time_that_went_by_is_not_waited_again(time):
    """
    Nor saved up: after a long pause two turns are apart all the same.
    """
    pace = RateLimiter(time.clock)
    pace.wait_turn()
    time.elapsed += 0.15
    pace.wait_turn()
    time.elapsed += 60
    pace.wait_turn()
    pace.wait_turn()

    assert [pytest.approx(0.05), pytest.approx(0.2)] == time.slept
