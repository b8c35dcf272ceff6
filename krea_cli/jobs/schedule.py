"""
Plan the polls of a job by how long jobs of its model took, so that its end is noticed
soon and the service is left alone. This module knows nothing about clocks, HTTP or the
journal.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# Ages of a job, in seconds: each cell ends 4 % later than the one before, because
# durations vary by a part of themselves, not by seconds.
STEP, FIRST_SECONDS, LAST_SECONDS = 0.04, 1.0, 7200.0
CELLS = 1 + math.ceil(math.log(LAST_SECONDS / FIRST_SECONDS) / STEP)
EDGES = (0.0, *(FIRST_SECONDS * math.exp(STEP * at) for at in range(CELLS)))

# How much less each duration counts than the next newer one: after an update of a
# model, some 20 jobs teach its new durations.
FADING = 0.97
# A guess counts as this many jobs, and never as less than this share of all.
GUESS_JOBS, GUESS_LEAST = 1.5, 0.04


class Guess(NamedTuple):
    """
    A guess at how long jobs take: half of them end before *seconds*, and two thirds
    within a factor of *spread* of that. *source* says where it comes from.
    """

    seconds: float
    spread: float = 3.0
    source: str = "the kind of the model"


# Guesses, by the kind of a model, for models of which no times were published. The
# advice is to poll images every 5 to 10 s and videos every 10 to 15 s, and a job may
# take three minutes at Krea and two hours elsewhere.
GUESSES = {
    "image": Guess(8.0),
    "enhance": Guess(20.0),
    "audio": Guess(12.0),
    "video": Guess(90.0),
    "3d": Guess(90.0),
    # The sandbox decides itself how long its jobs take.
    "sandbox": Guess(2.0, 1.5, "the sandbox"),
}
UNKNOWN = Guess(20.0, 4.0, "no knowledge of the model")


def _seen(seconds: float) -> Guess:
    """
    Return the guess for a model whose jobs were seen to take so long. Jobs that take
    half as long are noticed later with it than with even polls, so it is no narrower.
    """
    return Guess(seconds, 1.4, "published times of the model")


# Times that were published for models: by Krea's documentation, by its own programs, or
# by people who use them. Where they name a range, the middle of it.
SEEN = {
    "bfl/flux-1-dev": _seen(4.5),
    "bfl/flux-1-kontext-dev": _seen(4.5),
    "bfl/flux-1.1-pro": _seen(4.5),
    "bfl/flux-1.1-pro-ultra": _seen(4.5),
    "bytedance/seedream-4": _seen(20.0),
    "bytedance/seedream-5-lite": _seen(20.0),
    "bytedance/seedream-5-pro": _seen(20.0),
    "google/nano-banana-pro": _seen(28.0),
    "krea/krea-2/medium-turbo": _seen(4.0),
    "openai/gpt-image": _seen(60.0),
    "openai/gpt-image-2": _seen(60.0),
}


def guess_for(model: str | None, kind: str | None) -> Guess:
    """
    Return the guess for a model, by itself or by its *kind*, as far as they are known.
    """
    return SEEN.get(model or "") or GUESSES.get(kind or "", UNKNOWN)


def forecast(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    Return how likely a job ends in each of the CELLS, whose borders are EDGES.

    *durations* are the seconds that jobs of the same model took, the newest first. A
    newer one counts for more, and each is spread as far as its neighbours are apart: no
    shape is assumed, so that two humps stay two. The *guess* moves to the durations
    seen, but keeps its spread: it stands for durations not seen yet.
    """
    weights = [FADING**age for age in range(len(durations))]
    points = sorted(zip(map(_place, durations), weights, strict=True))
    total = sum(weights)
    middle = GUESS_JOBS * _place(guess.seconds) + sum(x * w for x, w in points)
    share = max(GUESS_LEAST, GUESS_JOBS / (GUESS_JOBS + total)) if points else 1.0
    width = math.log(guess.spread) / STEP
    chances = _bell(middle / (GUESS_JOBS + total), width, share)
    near = min(math.ceil(math.sqrt(len(points))), len(points) - 1)
    places = [x for x, _ in points]
    for at, (x, weight) in enumerate(points):
        others = places[max(0, at - near) : at + near + 1]
        reach = max(1.0, sorted(abs(x - other) for other in others)[near])
        _add(chances, x - reach, x + reach, (1 - share) * weight / total)
    return chances


def _place(seconds: float) -> float:
    """
    Return the position of a duration, counted in cells.
    """
    known = min(max(seconds, FIRST_SECONDS / 2), LAST_SECONDS)
    return 1 + math.log(known / FIRST_SECONDS) / STEP if known >= FIRST_SECONDS else 0.5


def _bell(middle: float, width: float, share: float) -> list[float]:
    below = [
        math.erf((edge - middle) / (width * math.sqrt(2))) for edge in range(CELLS + 1)
    ]
    return [share * (after - before) / 2 for before, after in pairwise(below)]


def _add(chances: list[float], start: float, end: float, share: float) -> None:
    """
    Spread the share evenly from *start* to *end*.
    """
    start, end = max(start, 0.0), min(end, float(CELLS))
    for cell in range(int(start), math.ceil(end)):
        part = min(end, cell + 1) - max(start, cell)
        chances[cell] += share * part / (end - start)


SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 5.0
# The service advises to poll every 2 to 5 s.
ADVISED_SECONDS = 2.0
# Polls a second.
_MOST, _LEAST, _ADVISED = (
    1 / seconds for seconds in (SHORTEST_SECONDS, LONGEST_SECONDS, ADVISED_SECONDS)
)
_HALVINGS = 14
# Polls that may be spent before they are saved.
_ADVANCE = 0.5
# A sleep until a moment may end before it, by the last digit.
_EARLY = 1e-6

# A span of time: its seconds, and the root of how likely a job ends in one of them.
Span = tuple[float, float]


def poll_ages(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    Return the ages in seconds at which a job is best polled, up to two hours.

    *durations* are the seconds that jobs of the same model took, the newest first.

    The reasoning: a job that ends at some moment is noticed, on average, half a gap
    later. With f(t) the chance that it ends at the age t, and r(t) the polls a second
    then, the expected lateness is the sum of f / 2r. The way to gain: while the job
    hardly ever ends, poll every 5 s, the least that the service advises, and spend the
    polls that this saves against one every 2 s where f is high. The limits are

    - 0.2 <= r <= 2: never over 5 s late, never under 0.5 s apart;
    - up to any age, at most (age + 1) / 2 polls, so that, whenever the job ends, fixed
      polls at 1 s, 3 s and so on would have been as many or more.

    Under them the sum is least where r = z * sqrt(f), and z does not fall with t: it
    rises only where all savings are spent, as nothing can be borrowed. Where f falls
    from the start (a job whose end never comes nearer), that is everywhere: r = 0.5 is
    the best possible, and no schedule can gain.
    """
    ages: list[float] = []
    counted = 0.0
    rates = _rates(_spans(forecast(durations, guess)))
    for start, (seconds, rate) in zip(EDGES, rates, strict=False):
        ended = counted + seconds * rate
        while len(ages) + 1 <= ended:
            ages.append(start + (len(ages) + 1 - counted) / rate)
        counted = ended
    return ages


def seconds_until_next_poll(ages: Sequence[float], age: float) -> float:
    """
    Return the seconds until the next poll of a job that was polled at that *age*.

    *ages* come from `poll_ages`. A poll that comes late moves no other.
    """
    following = bisect_right(ages, age + _EARLY)
    if following == len(ages):
        return ADVISED_SECONDS
    return max(ages[following] - age, SHORTEST_SECONDS)


def _spans(chances: Sequence[float]) -> list[Span]:
    return [
        (end - start, math.sqrt(chance / (end - start)) + 1e-9)
        for (start, end), chance in zip(pairwise(EDGES), chances, strict=True)
    ]


def _rates(spans: Sequence[Span]) -> list[Span]:
    """
    Return spans as seconds and polls a second.

    Spans in which z would fall are joined, with one z, until it falls nowhere.
    """
    parts: list[tuple[float, list[Span]]] = []
    for rising in _rises(spans):
        part, z = rising, _solve(rising)
        while parts and parts[-1][0] >= z:
            part = parts.pop()[1] + part
            z = _solve(part)
        parts.append((z, part))
    first = parts[0][1]
    parts[0] = _solve(first, advance=_ADVANCE), first
    return [(seconds, _within(z * root)) for z, part in parts for seconds, root in part]


def _rises(spans: Sequence[Span]) -> list[list[Span]]:
    """
    Split the spans into parts in each of which the end never gets less likely.
    """
    parts = [[spans[0]]]
    for before, span in pairwise(spans):
        if span[1] >= before[1]:
            parts[-1].append(span)
        else:
            parts.append([span])
    return parts


def _solve(part: Sequence[Span], *, advance: float = 0.0) -> float:
    """
    Return the greatest z that spends no more than the advised polls on the part, and
    so many in *advance*.
    """
    allowed = _ADVISED * sum(seconds for seconds, _ in part) + advance
    low = _ADVISED / max(root for _, root in part)
    high = _MOST / min(root for _, root in part)
    for _ in range(_HALVINGS if len(part) > 1 else 0):
        z = math.sqrt(low * high)
        if sum(seconds * _within(z * root) for seconds, root in part) > allowed:
            high = z
        else:
            low = z
    return low


def _within(rate: float) -> float:
    return min(max(rate, _LEAST), _MOST)
