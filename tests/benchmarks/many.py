"""
How long many jobs take in one process: a hundred at a service that runs eight at once
for a second each, where it keeps a backlog, and where it refuses what is too much.

python tests/benchmarks/many.py [JOBS]

With the word "large": a thousand jobs, of which the service runs 64 at once.

python tests/benchmarks/many.py large
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PARALLEL, SECONDS = 8, 1.0
# How many times the ideal it may take, and how much more memory than a run of one job.
MAX_TIMES = {"backlog": 1.25, "refuse": 1.6}
MAX_GROWTH_MIB = 40
# The same of a large run, with the processor time of each job and the memory in all.
LARGE_JOBS, LARGE_PARALLEL, LARGE_TIMES = 1000, 64, 1.12
LARGE_MILLISECONDS, LARGE_MIB = 5.0, 110
KREA = (sys.executable, "-m", "krea_cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    What a run took: *mib* is the most memory that it had, *files* the most that were
    open in its middle and near its end.
    """

    seconds: float
    cpu: float
    requests: int
    files: tuple[int, int]
    mib: float


class Watch(threading.Thread):
    """
    Looks at a process until it ends: resident memory in MiB, and how many files.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._folder = Path(f"/proc/{pid}")
        self.seen: list[tuple[float, int]] = []

    def run(self) -> None:
        pages = os.sysconf("SC_PAGE_SIZE") / 2**20
        while True:
            try:
                resident = int((self._folder / "statm").read_text().split()[1]) * pages
                self.seen.append((resident, len(list((self._folder / "fd").iterdir()))))
            except (OSError, IndexError):
                return
            time.sleep(0.1)


def measured(jobs: int, over_limit: str, parallel: int = PARALLEL) -> Run:
    """
    Raises:
        SystemExit: it did not end well.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
        env |= {
            f"KREA_{each}_DIR": str(folder / each.lower())
            for each in ("STATE", "CONFIG", "CACHE")
        }
        words = (
            "--port",
            "0",
            "--job-seconds",
            f"{SECONDS}",
            "--over-limit",
            over_limit,
        )
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [*KREA, "sandbox", "serve", "--parallel-jobs", f"{parallel}", *words],
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as service,
        ):
            url = service.stdout.readline().strip() if service.stdout else ""
            try:
                run = _generated(jobs, folder, env | {"KREA_API_URL": url})
            finally:
                service.terminate()
        return run


def _generated(jobs: int, folder: Path, env: dict[str, str]) -> Run:
    began, cpu_before = time.monotonic(), os.times()
    words = ("generate", "an owl", "-n", f"{jobs}", "-o", f"{folder}/out/", "-q")
    process = subprocess.Popen(
        [*KREA, *words],
        env=env | {"KREA_API_KEY": "any-token"},
        stdout=subprocess.DEVNULL,
    )
    watch = Watch(process.pid)
    watch.start()
    code = process.wait()
    took = time.monotonic() - began
    watch.join()
    saved = len(list(folder.glob("out/*")))
    if code or saved != jobs:
        sys.exit(f"exit {code}, {saved} of {jobs} files")
    resident, files = zip(*watch.seen, strict=True)
    after, third = os.times(), len(files) // 3
    cpu = after.children_user - cpu_before.children_user
    cpu += after.children_system - cpu_before.children_system
    return Run(
        seconds=took,
        cpu=cpu,
        requests=len((folder / "log").read_bytes().splitlines()),
        files=(max(files[third:-third]), max(files[-third:])),
        mib=max(resident),
    )


def large() -> int:
    """
    Return 1 where a large run took more than it may.
    """
    one = measured(1, "backlog", LARGE_PARALLEL)
    run = measured(LARGE_JOBS, "backlog", LARGE_PARALLEL)
    times = run.seconds / (SECONDS * LARGE_JOBS / LARGE_PARALLEL)
    each = (run.cpu - one.cpu) / (LARGE_JOBS - 1) * 1000
    print(
        f"{LARGE_JOBS} jobs, {LARGE_PARALLEL} at once: {run.seconds:.1f} s, "
        f"{times:.2f} of the ideal (at most {LARGE_TIMES}); {each:.1f} ms of processor "
        f"time each (at most {LARGE_MILLISECONDS}); {run.mib:.0f} MiB "
        f"(at most {LARGE_MIB})"
    )
    is_good = times <= LARGE_TIMES and run.mib <= LARGE_MIB
    return 0 if is_good and each <= LARGE_MILLISECONDS else 1


def main(argv: list[str]) -> int:
    """
    Return 1 where something took more than it may.
    """
    if argv == ["large"]:
        return large()
    jobs = int(argv[0]) if argv else 100
    ideal = SECONDS * -(-jobs // PARALLEL)
    is_good, one = True, measured(1, "backlog").mib
    print(f"{jobs} jobs of {SECONDS:.0f} s, {PARALLEL} at once: {ideal:.1f} s at best")
    print("above it    seconds  times  most   CPU s  requests  files        MiB more")
    for over_limit, most in MAX_TIMES.items():
        run = measured(jobs, over_limit)
        times = run.seconds / (SECONDS * jobs / PARALLEL)
        growth = run.mib - one
        is_good &= times <= most and growth <= MAX_GROWTH_MIB
        files = " then ".join(map(str, run.files))
        print(
            f"{over_limit:10}  {run.seconds:7.1f}  {times:5.2f}  {most:4.2f}"
            f"  {run.cpu:6.1f}  {run.requests:8}  {files:11}  {growth:8.1f}"
        )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
