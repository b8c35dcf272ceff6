"""
When to look at a job, so that its end is noticed soon and the service is left alone.

Knows nothing of clocks, of HTTP, or of the journal.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from krea_cli.jobs.forecast import EDGES, Guess, forecast

SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 5.0
# The service advises to look each 2 to 5 s.
ADVISED_SECONDS = 2.0
# Looks a second.
_MOST, _LEAST, _ADVISED = (
    1 / seconds for seconds in (SHORTEST_SECONDS, LONGEST_SECONDS, ADVISED_SECONDS)
)
_HALVINGS = 14
# Who sleeps until a time may wake at it, by the last digit.
_EARLY = 1e-6

# A part of the time: seconds, and the root of how likely a job ends in one of them.
Span = tuple[float, float]


def looks(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    The ages in seconds at which a job is best looked at, up to two hours.

    *durations* are seconds of jobs of the same model, the newest first.

    The reasoning: a job that ends at a moment is noticed, on average, half a gap later.
    With f(t) the chance that it ends at the age t, and r(t) the looks a second then,
    the expected lateness is the sum of f / 2r.  So much can be gained: time when the
    job hardly ends is looked at each 5 s, which is what the service is owed least, and
    what is saved of one look each 2 s is spent where f is high.  The limits are

    - 0.2 <= r <= 2: never over 5 s late, never under 0.5 s apart;
    - up to any age no more than age / 2 looks, so that, whenever the job ends, fixed
      looks each 2 s would have been as many or more.

    Under them the sum is least where r = z * sqrt(f), and z does not fall with t: it
    rises only where all that was saved is spent, as nothing can be borrowed.  Where f
    falls from the start (a job whose end never comes nearer) that is everywhere:
    r = 0.5 is the best there is, and no schedule can gain.
    """
    times: list[float] = []
    counted = 0.0
    rates = _rates(_spans(forecast(durations, guess)))
    for start, (seconds, rate) in zip(EDGES, rates, strict=False):
        ended = counted + seconds * rate
        while len(times) + 1 <= ended:
            times.append(start + (len(times) + 1 - counted) / rate)
        counted = ended
    return times


def pause(times: Sequence[float], age: float) -> float:
    """
    Seconds until the next look at a job of that *age*, at which it was looked at;
    *times* are those of `looks`.  A look that comes late moves no other.
    """
    following = bisect_right(times, age + _EARLY)
    if following == len(times):
        return ADVISED_SECONDS
    return max(times[following] - age, SHORTEST_SECONDS)


def _spans(chances: Sequence[float]) -> list[Span]:
    return [
        (end - start, math.sqrt(chance / (end - start)) + 1e-9)
        for (start, end), chance in zip(pairwise(EDGES), chances, strict=True)
    ]


def _rates(spans: Sequence[Span]) -> list[Span]:
    """
    Seconds, and looks a second in them.

    Parts in which z would fall are taken together, with one z, until it falls nowhere.
    """
    parts: list[tuple[float, list[Span]]] = []
    for rising in _rises(spans):
        part, z = rising, _solve(rising)
        while parts and parts[-1][0] >= z:
            part = parts.pop()[1] + part
            z = _solve(part)
        parts.append((z, part))
    return [(seconds, _within(z * root)) for z, part in parts for seconds, root in part]


def _rises(spans: Sequence[Span]) -> list[list[Span]]:
    """
    The spans in parts in each of which a job never ends less likely than before.
    """
    parts = [[spans[0]]]
    for before, span in pairwise(spans):
        if span[1] >= before[1]:
            parts[-1].append(span)
        else:
            parts.append([span])
    return parts


def _solve(part: Sequence[Span]) -> float:
    """
    The greatest z with which no more than the advised looks fall into the part.
    """
    allowed = _ADVISED * sum(seconds for seconds, _ in part)
    low = _ADVISED / max(root for _, root in part)
    high = _ADVISED / min(root for _, root in part)
    for _ in range(_HALVINGS if len(part) > 1 else 0):
        z = math.sqrt(low * high)
        if sum(seconds * _within(z * root) for seconds, root in part) > allowed:
            high = z
        else:
            low = z
    return low


def _within(rate: float) -> float:
    return min(max(rate, _LEAST), _MOST)
