"""
How late krea notices that a job has ended, and with how many looks, beside fixed looks
each 2 s and looks that back off.  Run it with: python tests/benchmarks/waiting.py

Every set is synthetic, drawn by seed from the distributions below: no durations of the
live service are known but one.  Each model of a set starts with no history, and each of
its jobs is looked at by the plan that krea would make of those before it.  Lateness is
in seconds from the end of a job to the look that sees it; looks take no time.

With the path of a journal.db as its argument, the durations recorded there are one more
set for each model that has ten or more.
"""

from __future__ import annotations

import math
import random
import sqlite3
import statistics
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path

from krea_cli.jobs.schedule import GUESS_BY_KIND, PUBLISHED_GUESSES, poll_ages

SEED, MODELS, JOBS = 2026, 5, 120
HISTORY = 200
# Lateness of first runs beside fixed polls: on average, and for each model.
FIRST_RUNS, MAX_FIRST, MAX_FIRST_OF_ONE = 2000, 0.8, 1.1
LONGEST = 7000.0

Draw = Callable[[random.Random], Sequence[float]]


def between(low: float, high: float, drawn: random.Random) -> float:
    return math.exp(drawn.uniform(math.log(low), math.log(high)))


def around(middle: float, spread: float, drawn: random.Random) -> float:
    return min(drawn.lognormvariate(math.log(middle), spread), LONGEST)


def steady(drawn: random.Random) -> list[float]:
    """
    A model that takes 6 to 300 s, give or take 2 to 10 %.
    """
    middle, spread = between(6, 300, drawn), drawn.uniform(0.02, 0.1)
    return [around(middle, spread, drawn) for _ in range(JOBS)]


def two_humped(drawn: random.Random) -> list[float]:
    """
    A quarter to three quarters of the jobs take 2 to 5 times as long as the others.
    """
    short = between(6, 120, drawn)
    long, spread = short * drawn.uniform(2, 5), drawn.uniform(0.02, 0.08)
    share = drawn.uniform(0.25, 0.75)
    return [
        around(short if drawn.random() < share else long, spread, drawn)
        for _ in range(JOBS)
    ]


def heavy_tail(drawn: random.Random) -> list[float]:
    """
    At least 4 to 60 s, and twice as long for a third of those that get so far.
    """
    least = between(4, 60, drawn)
    return [min(least * drawn.paretovariate(1.5), LONGEST) for _ in range(JOBS)]


def broad(drawn: random.Random) -> list[float]:
    """
    Without a shape: anything from a third to three times 6 to 120 s.
    """
    middle, spread = between(6, 120, drawn), drawn.uniform(0.6, 1.2)
    return [around(middle, spread, drawn) for _ in range(JOBS)]


def shifted(drawn: random.Random) -> list[float]:
    """
    A steady model that is 1.25 to 2.5 times as fast or as slow after two thirds.
    """
    durations = steady(drawn)
    factor = between(1.25, 2.5, drawn) ** drawn.choice((1, -1))
    at = JOBS * 2 // 3
    return durations[:at] + [seconds * factor for seconds in durations[at:]]


def memoryless(drawn: random.Random) -> list[float]:
    """
    A job that goes on is as likely to end in the next second as a new one.
    """
    middle = between(6, 200, drawn)
    return [min(drawn.expovariate(1 / middle), LONGEST) for _ in range(JOBS)]


SETS: dict[str, Draw] = {
    "steady": steady,
    "two-humped": two_humped,
    "heavy tail": heavy_tail,
    "broad": broad,
    "shifted": shifted,
    "memoryless": memoryless,
}


def fixed() -> list[float]:
    return [2.0 * look for look in range(1, 3601)]


def backing_off() -> list[float]:
    """
    1 s, and then each gap half as long again, up to 30 s.
    """
    return list(accumulate(min(1.5**look, 30.0) for look in range(300)))


def seen(times: Sequence[float], seconds: float) -> tuple[float, int]:
    """
    How late a job of so many seconds is noticed, and with how many looks.
    """
    at = bisect_left(times, seconds)
    return times[at] - seconds, at + 1


def replay(models: Sequence[Sequence[float]]) -> Iterator[tuple[str, float, int]]:
    guess = GUESS_BY_KIND["image"]
    others = {"fixed": fixed(), "back-off": backing_off()}
    for durations in models:
        for at, seconds in enumerate(durations):
            before = durations[max(0, at - HISTORY) : at][::-1]
            yield "krea", *seen(poll_ages(before, guess), seconds)
            for name, times in others.items():
                yield name, *seen(times, seconds)


def measure(name: str, models: Sequence[Sequence[float]]) -> None:
    late, made = defaultdict(list), defaultdict(list)
    for way, seconds, count in replay(models):
        late[way].append(seconds)
        made[way].append(count)
    mean = {way: statistics.fmean(each) for way, each in late.items()}
    for way, each in late.items():
        most = statistics.quantiles(each, n=20)[-1]
        times = mean[way] / mean["fixed"]
        print(
            f"{name:<24}{way:<10}{mean[way]:>8.2f}{most:>8.2f}"
            f"{statistics.fmean(made[way]):>9.2f}{times:>9.2f}",
            flush=True,
        )
        name = ""


def first_runs() -> None:
    """
    Compare the first run of each model with published times to fixed polls: jobs that
    take as long as published, a third less or two fifths more, give or take 20 %.
    """
    print(
        f"\n{'first run of':<24}{'mean':>8}{'times':>9}  at most 0.80, none over 1.10"
    )
    means, times = [], {}
    for model, guess in PUBLISHED_GUESSES.items():
        drawn, ages, even = (
            random.Random(f"{SEED} {model}"),
            poll_ages([], guess),
            fixed(),
        )
        durations = [
            around(guess.seconds * factor, 0.2, drawn)
            for factor in (0.67, 1.0, 1.4)
            for _ in range(FIRST_RUNS)
        ]
        late, other = (
            statistics.fmean(seen(each, seconds)[0] for seconds in durations)
            for each in (ages, even)
        )
        means.append((late, other))
        times[model] = late / other
        print(f"{model:<24}{late:>8.2f}{times[model]:>9.2f}")
    late, other = map(sum, zip(*means, strict=True))
    most = max(times.values())
    print(f"{'all of them':<24}{late / len(means):>8.2f}{late / other:>9.2f}")
    if late / other > MAX_FIRST or most > MAX_FIRST_OF_ONE:
        raise SystemExit("First runs are noticed too late.")


def recorded(journal: Path) -> dict[str, list[float]]:
    """
    The durations of each model, the oldest first.
    """
    found = defaultdict(list)
    uri = f"{journal.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        for model, seconds in db.execute(
            "SELECT model, seconds FROM records WHERE seconds IS NOT NULL"
            " AND state = 'completed' ORDER BY number"
        ):
            found[model].append(seconds)
    return {model: each for model, each in found.items() if len(each) >= 10}


def main() -> None:
    print("Lateness in seconds, looks for each job, and lateness beside fixed looks.")
    print(f"{'set':<24}{'way':<10}{'mean':>8}{'95 %':>8}{'looks':>9}{'times':>9}")
    for name, draw in SETS.items():
        drawn = random.Random(f"{SEED} {name}")
        measure(name, [draw(drawn) for _ in range(MODELS)])
    for path in sys.argv[1:]:
        for model, durations in recorded(Path(path)).items():
            measure(model[:23], [durations])
    print(
        "memoryless: how long such a job has run says nothing of when it ends, so the\n"
        "best plan is an even one, and the bound is 1.00."
    )
    first_runs()


if __name__ == "__main__":
    main()
