"""
Plan the polls of a job from the durations of earlier jobs of its model, so that its end
is noticed soon with few requests. Independent of clocks, HTTP and the journal.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# The age of a job, in seconds, is divided into cells. Each cell ends at an age 4 %
# higher than the previous one, because durations vary in proportion to their length.
CELL_GROWTH, FIRST_SECONDS, MAX_AGE_SECONDS = 0.04, 1.0, 7200.0
CELLS = 1 + math.ceil(math.log(MAX_AGE_SECONDS / FIRST_SECONDS) / CELL_GROWTH)
EDGES = (0.0, *(FIRST_SECONDS * math.exp(CELL_GROWTH * at) for at in range(CELLS)))

# The weight of each duration relative to the next newer one. After an update of a
# model, about 20 jobs are enough to learn its new durations.
WEIGHT_DECAY = 0.97
# A guess has the weight of this many jobs, but at least this share of the total.
GUESS_JOBS, MIN_GUESS_SHARE = 1.5, 0.04


class Guess(NamedTuple):
    """
    A guess at how long jobs take: half of them end before `seconds`, and two thirds
    within a factor of `spread` of that. `source` describes its origin.
    """

    seconds: float
    spread: float = 3.0
    source: str = "the kind of the model"


# For models without published times, by the kind of the model. Krea advises to poll
# images every 5 to 10 s and videos every 10 to 15 s.
GUESS_BY_KIND = {
    "image": Guess(8.0),
    "enhance": Guess(20.0),
    "audio": Guess(12.0),
    "video": Guess(90.0),
    "3d": Guess(90.0),
    # The sandbox chooses the durations of its jobs.
    "sandbox": Guess(2.0, 1.5, "the sandbox"),
}
UNKNOWN_MODEL_GUESS = Guess(20.0, 4.0, "no knowledge of the model")


def _published(seconds: float) -> Guess:
    """
    Return the guess for a model with a published duration. A narrower spread would
    notice jobs that take half as long later than evenly spaced polls do.
    """
    return Guess(seconds, 1.4, "how long Krea says that this model takes")


# Durations from Krea's documentation, Krea's own programs, or reports of users. For a
# published range, this is the middle.
PUBLISHED_GUESSES = {
    "bfl/flux-1-dev": _published(4.5),
    "bfl/flux-1-kontext-dev": _published(4.5),
    "bfl/flux-1.1-pro": _published(4.5),
    "bfl/flux-1.1-pro-ultra": _published(4.5),
    "bytedance/seedream-4": _published(20.0),
    "bytedance/seedream-5-lite": _published(20.0),
    "bytedance/seedream-5-pro": _published(20.0),
    "google/nano-banana-pro": _published(28.0),
    "krea/krea-2/medium-turbo": _published(4.0),
    "openai/gpt-image": _published(60.0),
    "openai/gpt-image-2": _published(60.0),
}


def guess_for(model: str | None, kind: str | None) -> Guess:
    """
    Return the guess for a model, else for its `kind`, else for an unknown model.
    """
    return PUBLISHED_GUESSES.get(model or "") or GUESS_BY_KIND.get(
        kind or "", UNKNOWN_MODEL_GUESS
    )


def forecast(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    Return the probability that a job ends in each of the CELLS, whose borders are
    EDGES.

    `durations` are the seconds that jobs of the same model took, newest first. Newer
    ones have more weight. Each is spread over the distance to its neighbours, so that
    a distribution with two peaks keeps both. The `guess` moves towards the durations
    but keeps its spread, and stands for durations not seen so far.
    """
    weights = [WEIGHT_DECAY**age for age in range(len(durations))]
    points = sorted(zip(map(_cell_position, durations), weights, strict=True))
    total = sum(weights)
    middle = GUESS_JOBS * _cell_position(guess.seconds) + sum(x * w for x, w in points)
    share = max(MIN_GUESS_SHARE, GUESS_JOBS / (GUESS_JOBS + total)) if points else 1.0
    width = math.log(guess.spread) / CELL_GROWTH
    chances = _normal_chances(middle / (GUESS_JOBS + total), width, share)
    near = min(math.ceil(math.sqrt(len(points))), len(points) - 1)
    places = [x for x, _ in points]
    for at, (x, weight) in enumerate(points):
        others = places[max(0, at - near) : at + near + 1]
        reach = max(1.0, sorted(abs(x - other) for other in others)[near])
        _spread_chance(chances, x - reach, x + reach, (1 - share) * weight / total)
    return chances


def _cell_position(seconds: float) -> float:
    """
    Return the position of a duration in units of cells.
    """
    known = min(max(seconds, FIRST_SECONDS / 2), MAX_AGE_SECONDS)
    return (
        1 + math.log(known / FIRST_SECONDS) / CELL_GROWTH
        if known >= FIRST_SECONDS
        else 0.5
    )


def _normal_chances(middle: float, width: float, share: float) -> list[float]:
    below = [
        math.erf((edge - middle) / (width * math.sqrt(2))) for edge in range(CELLS + 1)
    ]
    return [share * (after - before) / 2 for before, after in pairwise(below)]


def _spread_chance(
    chances: list[float], start: float, end: float, share: float
) -> None:
    """
    Add `share` to the cells between `start` and `end`, evenly.
    """
    start, end = max(start, 0.0), min(end, float(CELLS))
    for cell in range(int(start), math.ceil(end)):
        part = min(end, cell + 1) - max(start, cell)
        chances[cell] += share * part / (end - start)


MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.5, 5.0
# The service advises to poll every 2 to 5 s.
ADVISED_POLL_SECONDS = 2.0
# Polls a second.
_MAX_RATE, _MIN_RATE, _ADVISED_RATE = (
    1 / seconds
    for seconds in (MIN_POLL_SECONDS, MAX_POLL_SECONDS, ADVISED_POLL_SECONDS)
)
_HALVINGS = 14
# Polls that the first job of a model may have before they are saved: its end is only
# roughly known.
_ADVANCE_POLLS = 0.5
# A sleep may end earlier by a rounding error.
_TOLERANCE_SECONDS = 1e-6

# (seconds, square root of the probability per second that a job ends). In the result of
# `_rates`, the second number is polls per second.
Span = tuple[float, float]


def poll_ages(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    Return the best ages, in seconds, at which to poll a job, up to two hours.

    `durations` are the seconds that jobs of the same model took, newest first.

    The end of a job is noticed, on average, half a gap between polls later. If f(t) is
    the probability that the job ends at the age t, and r(t) the polls per second at
    that age, the expected delay is the sum of f / 2r. While the job is unlikely to end,
    poll every 5 s, the least that the service advises. Where f is high, spend the polls
    that this saves compared with polling every 2 s. The constraints are:

    - 0.2 <= r <= 2: polls are at most 5 s and at least 0.5 s apart;
    - up to any age, there are at most age / 2 polls, so that a job never needs more
      polls than with a fixed interval of 2 s. Without durations there are at most
      (age + 1) / 2, as if that began after 1 s.

    The delay is minimal if r = z * sqrt(f), where z never falls with t: it rises only
    where all savings are spent, since polls cannot be borrowed from later ages. If f
    falls from the start, r = 0.5 everywhere is the best possible.
    """
    ages: list[float] = []
    counted = 0.0
    advance = 0.0 if durations else _ADVANCE_POLLS
    rates = _rates(_spans(forecast(durations, guess)), advance=advance)
    for start, (seconds, rate) in zip(EDGES, rates, strict=False):
        ended = counted + seconds * rate
        while len(ages) + 1 <= ended:
            ages.append(start + (len(ages) + 1 - counted) / rate)
        counted = ended
    return ages


def seconds_until_next_poll(ages: Sequence[float], age: float) -> float:
    """
    Return the seconds until the next poll of a job that was just polled at `age`.

    `ages` are from `poll_ages`. A late poll does not delay the following ones.
    """
    following = bisect_right(ages, age + _TOLERANCE_SECONDS)
    if following == len(ages):
        return ADVISED_POLL_SECONDS
    return max(ages[following] - age, MIN_POLL_SECONDS)


def _spans(chances: Sequence[float]) -> list[Span]:
    return [
        (end - start, math.sqrt(chance / (end - start)) + 1e-9)
        for (start, end), chance in zip(pairwise(EDGES), chances, strict=True)
    ]


def _rates(spans: Sequence[Span], *, advance: float) -> list[Span]:
    """
    Return the spans with their polls per second, `advance` polls more than are saved.

    Join neighbouring parts to share one z as long as z would fall from one to the next.
    """
    parts: list[tuple[float, list[Span]]] = []
    for rising in _rising_parts(spans):
        part, z = rising, _solve(rising)
        while parts and parts[-1][0] >= z:
            part = parts.pop()[1] + part
            z = _solve(part)
        parts.append((z, part))
    first = parts[0][1]
    parts[0] = _solve(first, advance=advance), first
    return [
        (seconds, _clamp_rate(z * root)) for z, part in parts for seconds, root in part
    ]


def _rising_parts(spans: Sequence[Span]) -> list[list[Span]]:
    """
    Split the spans into parts within which the probability never falls.
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
    Return the greatest z with which a part has no more than the advised polls, and
    `advance` more.
    """
    allowed = _ADVISED_RATE * sum(seconds for seconds, _ in part) + advance
    low = _ADVISED_RATE / max(root for _, root in part)
    high = _MAX_RATE / min(root for _, root in part)
    for _ in range(_HALVINGS if len(part) > 1 else 0):
        z = math.sqrt(low * high)
        if sum(seconds * _clamp_rate(z * root) for seconds, root in part) > allowed:
            high = z
        else:
            low = z
    return low


def _clamp_rate(rate: float) -> float:
    return min(max(rate, _MIN_RATE), _MAX_RATE)
