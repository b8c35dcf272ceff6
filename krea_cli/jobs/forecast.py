"""
When a job is likely to end, from how long jobs of its model took.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# Ages of a job, in seconds: each cell ends 4 % later than the one before.  What is
# known of durations is known in parts of them, not in seconds.
STEP, FIRST_SECONDS, LAST_SECONDS = 0.04, 1.0, 7200.0
CELLS = 1 + math.ceil(math.log(LAST_SECONDS / FIRST_SECONDS) / STEP)
EDGES = (0.0, *(FIRST_SECONDS * math.exp(STEP * at) for at in range(CELLS)))

# How much less each duration counts than the next newer one: a model that was updated
# is known anew after some 20 jobs.
FADING = 0.97
# A guess counts as so many jobs, and never for less than a part of all.
GUESS_JOBS, GUESS_LEAST = 1.5, 0.04


class Guess(NamedTuple):
    """
    Half of the jobs end before *seconds*, and two thirds of them within a factor of
    *spread* of that.
    """

    seconds: float
    spread: float = 3.0


# Guesses, by the kind of a model.  All that is published is one picture that took 23 s,
# that pictures are best looked at each 5 to 10 s and videos each 10 to 15 s, and that a
# job may take three minutes at Krea and two hours elsewhere.
GUESSES = {
    "image": Guess(8.0),
    "enhance": Guess(20.0),
    "audio": Guess(12.0),
    "video": Guess(90.0),
    "3d": Guess(90.0),
    # Its jobs take as long as it wants them to.
    "sandbox": Guess(2.0, 1.5),
}
UNKNOWN = Guess(20.0, 4.0)


def forecast(durations: Sequence[float], guess: Guess) -> list[float]:
    """
    How likely a job ends in each of the CELLS, whose borders are EDGES.

    *durations* are seconds of jobs of the same model, the newest first.  A newer one
    counts for more, and each is spread as far as its neighbours are apart: no shape is
    assumed, so that two humps stay two.  The *guess* moves to what was seen, but keeps
    its spread: it stands for what never was.
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
    Where that is, counted in cells.
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
