from __future__ import annotations

import math
import random
from bisect import bisect_left
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.jobs.schedule import (
    GUESS_BY_KIND,
    PUBLISHED_GUESSES,
    UNKNOWN_MODEL_GUESS,
    forecast,
    poll_ages,
    seconds_until_next_poll,
)

IMAGE = GUESS_BY_KIND["image"]
SECONDS = st.floats(0, 7200) | st.floats(0, 90) | st.sampled_from([0.0, 2.0, 1e9])
ULP = 1e-6
KNOWN = 30


@settings(max_examples=25, deadline=None)
@given(
    st.lists(SECONDS, max_size=200),
    st.sampled_from([*GUESS_BY_KIND.values(), UNKNOWN_MODEL_GUESS]),
    st.floats(0, 7200),
)
def test_looks_keep_their_limits_whatever_was_seen(durations, guess, seconds):
    """
    Half a second apart, five seconds late at most, and for a job that ends at any time
    no more of them than one each two seconds until it is noticed, the first one of a
    model without known durations after one second.
    """
    times = poll_ages(durations, guess)
    gaps = [after - before for before, after in pairwise([0.0, *times])]
    at = bisect_left(times, seconds)

    assert 0.5 - ULP <= min(gaps) <= max(gaps) <= 5 + ULP
    ahead = 0 if durations else 1
    assert all(time >= 2 * n - ahead - ULP for n, time in enumerate(times, 1))
    fixed = max(1, math.ceil((seconds + ahead + ULP) / 2))
    assert at == len(times) or at + 1 <= fixed
    assert times[-1] > 7190


@settings(max_examples=20, deadline=None)
@given(
    st.lists(SECONDS, max_size=20),
    st.lists(st.floats(0, 3) | st.just(0.0), min_size=1, max_size=80),
)
def test_looks_that_come_late_are_not_made_up_for(durations, late):
    """
    However long each look takes: never half a second apart, never more in all.
    """
    times, age, made = poll_ages(durations, IMAGE), 0.0, 0
    for delay in late:
        seconds = seconds_until_next_poll(times, age)
        assert 0.5 <= seconds <= 5 + ULP
        age, made = age + seconds, made + 1
        assert made <= (age + (not durations)) / 2 + ULP
        age += delay


def test_a_job_older_than_any_is_looked_at_as_advised():
    """
    What is known ends after two hours.
    """
    assert 2.0 == seconds_until_next_poll(poll_ages([23.0], IMAGE), 90_000.0)


def test_chances_are_those_of_what_was_seen():
    """
    They come to one, and lie where jobs of the model ended; a newer one counts for
    more.
    """
    chances = forecast([30.0] * 20 + [10.0] * 20, IMAGE)
    likely = sorted(range(len(chances)), key=chances.__getitem__)[-6:]
    new, old = (max(chances[at - 3 : at + 4]) for at in (86, 58))

    assert 0.999 < sum(chances) <= 1 + ULP
    assert all(abs(at - 86) <= 3 or abs(at - 58) <= 3 for at in likely)
    assert new > 1.5 * old


def test_poll_ages_without_durations_have_a_poll_ahead_where_the_end_is_likely():
    guess = PUBLISHED_GUESSES["google/nano-banana-pro"]
    first, second = poll_ages([], guess), poll_ages([28.0], guess)

    assert any(age < 2 * n - ULP for n, age in enumerate(first, 1))
    assert all(age >= 2 * n - ULP for n, age in enumerate(second, 1))


def test_what_is_known_halves_the_lateness():
    """
    Of models whose jobs end at about the same time, or at one of two, with no more
    looks than fixed ones each two seconds; of one that forgets how old its jobs are
    next to nothing is lost.
    """
    drawn = random.Random(7)
    steady, humps, memoryless = [], [], []
    for _ in range(KNOWN + 300):
        steady.append(drawn.gauss(23, 1.5))
        humps.append(drawn.choice((12, 40)) * drawn.gauss(1, 0.05))
        memoryless.append(drawn.expovariate(1 / 30))

    assert _lateness(steady) <= 0.5 * _fixed(steady)
    assert _lateness(humps) <= 0.5 * _fixed(humps)
    assert _lateness(memoryless) <= 1.1 * _fixed(memoryless)


def _lateness(durations):
    """
    Seconds in all, of the jobs after those that are known.
    """
    times = poll_ages(durations[:KNOWN][::-1], IMAGE)
    return sum(
        times[bisect_left(times, seconds)] - seconds for seconds in durations[KNOWN:]
    )


def _fixed(durations):
    known = durations[KNOWN:]
    return sum(2 * math.ceil(seconds / 2) - seconds for seconds in known)
