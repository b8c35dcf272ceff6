"""
What a journal of 1,000,000 records costs beside a journal of one: whole processes, in
wall time and in CPU time, and for `krea doctor` also in memory. The least of several
runs counts. Run it with: python tests/benchmarks/journal.py [RECORDS]
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from krea_cli.journal.database import Database

RUNS = 7
RECORDS = 1_000_000
# At most this many times as long as with one record.
BUDGET = 1.3
DOCTOR_SECONDS, DOCTOR_MIB = 1.5, 80
JOB = "{:08x}-0000-4000-8000-000000000000"
# Nine of ten jobs have completed, and the newest records are an hour old.
FABRICATE = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT ?)
INSERT INTO records (record, run, service, created_at, model, request,
  request_sha256, seed, cost_usd, state, job_id, files, seconds, holder, known_by)
SELECT printf('%08x-0000-4000-9000-000000000000', n), 'run-' || (n / 4), 'sandbox',
  strftime('%s', 'now') - 3600.0 - 30 * (? - n),
  CASE n % 3 WHEN 0 THEN 'google/nano-banana' ELSE 'google/nano-banana-pro' END,
  json_object('path', 'image/google/nano-banana', 'body',
    json_object('prompt', 'an owl on a branch in the rain, number ' || n),
    'webhook', NULL, 'inputs', json_array(), 'not_kept', json_array()),
  printf('%064x', n), n, 0.15,
  CASE n % 10 WHEN 1 THEN 'failed' WHEN 2 THEN 'submitted' ELSE 'completed' END,
  printf('%08x-0000-4000-8000-000000000000', n), '[]', 8.0 + n % 5, '', n
FROM numbers
"""


class Case(NamedTuple):
    """
    A command line, with `JOB` for the beginning of a job id.
    """

    name: str
    arguments: tuple[str, ...]


CASES = (
    Case("jobs list", ("jobs", "list")),
    Case("jobs list --status", ("jobs", "list", "--status", "failed")),
    Case("jobs list --since", ("jobs", "list", "--since", "2h")),
    Case("jobs show PREFIX", ("jobs", "show", "{job}")),
    Case("jobs show @last", ("jobs", "show", "@last")),
    Case("generate --no-wait", ("generate", "an owl", "--no-wait")),
)


class Times(NamedTuple):
    """
    Seconds on the wall, and of the CPU.
    """

    wall: float
    cpu: float


def least(times: list[Times]) -> Times:
    return Times(*map(min, zip(*times, strict=True)))


class Journal:
    """
    A state folder whose journal has *records* records of the sandbox.
    """

    def __init__(self, folder: Path, records: int) -> None:
        self.folder = folder
        self.newest = JOB.format(records)[:8]
        with closing(Database(folder / "state", now=time.time)) as database:
            database.check()
        with closing(sqlite3.connect(folder / "state" / "journal.db")) as db:
            db.execute(FABRICATE, (records, records))
            db.commit()

    def run(self, *arguments: str) -> Times:
        """
        Return the seconds that krea takes with these arguments.
        """
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KREA_STATE_DIR": str(self.folder / "state"),
            "KREA_SANDBOX": "1",
        }
        command = [sys.executable, "-m", "krea_cli", *arguments]
        began, cpu = time.perf_counter(), _cpu_of_children()
        subprocess.run(command, check=True, env=env, capture_output=True)
        return Times(time.perf_counter() - began, _cpu_of_children() - cpu)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(large: Journal, small: Journal) -> bool:
    """
    Print a line for each case. Return whether all keep to their budget.
    """
    is_good = True
    for case in CASES:
        times = {large: list[Times](), small: list[Times]()}
        for journal in [large, small] * RUNS:
            arguments = [each.format(job=journal.newest) for each in case.arguments]
            times[journal].append(journal.run(*arguments))
        slow, fast = (least(times[each]) for each in (large, small))
        ratio = slow.wall / fast.wall
        is_good &= ratio <= BUDGET
        print(
            f"{case.name:<20} {slow.wall * 1000:5.0f} ms, with one record "
            f"{fast.wall * 1000:4.0f} ms: {ratio:.2f} (at most {BUDGET}); "
            f"CPU {slow.cpu / fast.cpu:.2f}"
        )
    return is_good


def report_doctor(large: Journal, small: Journal) -> bool:
    """
    Print what `krea doctor` takes. Return whether it keeps to its budget.
    """
    slow = least([large.run("doctor") for _ in range(RUNS)])
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    fast = least([small.run("doctor") for _ in range(RUNS)])
    print(
        f"{'doctor':<20} {slow.wall * 1000:5.0f} ms, with one record "
        f"{fast.wall * 1000:4.0f} ms (at most {DOCTOR_SECONDS * 1000:.0f} ms); "
        f"CPU {slow.cpu * 1000:.0f} ms"
    )
    print(f"{'largest process':<20} {mib:5.0f} MiB (at most {DOCTOR_MIB} MiB)")
    return slow.wall <= DOCTOR_SECONDS and mib <= DOCTOR_MIB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=RECORDS)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        small = Journal(Path(folder, "one"), 1)
        large = Journal(Path(folder, "large"), records)
        size = (large.folder / "state" / "journal.db").stat().st_size
        print(f"{records:,} records, {size / 1e6:.0f} MB")
        is_good = report(large, small)
        return 0 if report_doctor(large, small) and is_good else 1


if __name__ == "__main__":
    sys.exit(main())
