"""
The time and memory of batches beside single commands, each in one process: planning
1,000 items beside one `krea generate --dry-run`, a finished batch of 500, 100 items
beside `krea generate -n 100`, and the memory of 1,000 items.

python tests/benchmarks/batch.py
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

KREA = (sys.executable, "-m", "krea_cli")
RUNS = 3
MODEL = ("-m", "flux-1-dev")
MAX_WITH_IMAGES, MAX_WITHOUT = 12.0, 5.0
MAX_BESIDE_GENERATE, MAX_MIB, MAX_FINISHED_SECONDS = 1.2, 150.0, 1.5
SERVE = ("--port", "0", "--parallel-jobs", "8", "--job-seconds")


class Bench:
    """
    A folder with sources, and the environment of runs in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {
            f"KREA_{each}_DIR": str(folder / each.lower())
            for each in ("STATE", "CONFIG", "CACHE")
        }
        self.env["KREA_API_KEY"] = "any-token"
        self.mib = 0.0

    def table(self, name: str, rows: int) -> None:
        lines = "".join(f"{name}{n},thing {n} of {name}\n" for n in range(rows))
        (self.folder / f"{name}.csv").write_text(f"name,prompt\n{lines}")

    def photos(self, count: int) -> None:
        (self.folder / "photos").mkdir()
        file = io.BytesIO()
        Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
        for number in range(count):
            # Bytes after the end make it another photo.
            data = file.getvalue() + number.to_bytes(4, "big")
            (self.folder / "photos" / f"{number}.jpg").write_bytes(data)

    def run(self, *words: str) -> float:
        """
        Return the seconds of a run; its memory goes to `mib`.

        Raises:
            SystemExit: it did not end well.
        """
        began = time.perf_counter()
        with subprocess.Popen(
            [*KREA, *words],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{words}: exit {process.returncode}")
        self.mib = used.ru_maxrss / 1024
        return time.perf_counter() - began

    def least(self, *words: str) -> float:
        return min(self.run(*words) for _ in range(RUNS))

    def serve(self, seconds: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*KREA, "sandbox", "serve", *SERVE, seconds],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.env["KREA_API_URL"] = (
            process.stdout.readline().strip() if process.stdout else ""
        )
        return process


def planning(bench: Bench) -> dict[str, tuple[float, float]]:
    """
    Return each ratio, and the most that it may be.
    """
    bench.table("plain", 1000)
    bench.photos(1000)
    one = bench.least("generate", "an owl", *MODEL, "--dry-run")
    output = ("-o", "out/{name}.png", "--dry-run", "-q")
    plain = bench.least("batch", "plain.csv", *MODEL, *output)
    photos = bench.least(
        *("batch", "photos", "a watercolor", "-o", "out/{stem}.png", "--dry-run", "-q")
    )
    return {
        "plan 1,000 prompts / generate --dry-run": (plain / one, MAX_WITHOUT),
        "plan 1,000 photos / generate --dry-run": (photos / one, MAX_WITH_IMAGES),
    }


def running(bench: Bench) -> dict[str, tuple[float, float]]:
    """
    Return each ratio, time or size, and the most that it may be.
    """
    found = {}
    with bench.serve("1") as service:
        bench.table("hundred", 100)
        # The sandbox draws an image for each prompt. At the default size, drawing 100
        # takes it longer than the jobs, so both runs ask for the smallest.
        small = (*MODEL, "-p", "width=512", "-p", "height=512")
        beside = bench.run("generate", "an owl", *small, "-n", "100", "-o", "single/")
        took = bench.run("batch", "hundred.csv", *small, "-o", "out/{name}.png")
        found["100 items / generate -n 100"] = (took / beside, MAX_BESIDE_GENERATE)
        service.terminate()
    with bench.serve("0.1") as service:
        bench.table("finished", 500)
        batch = ("batch", "finished.csv", *MODEL, "-o", "out/{name}.png")
        bench.run(*batch)
        bench.table("thousand", 1000)
        bench.run("batch", "thousand.csv", *MODEL, "-o", "out/{name}.png")
        found["MiB of 1,000 items"] = (bench.mib, MAX_MIB)
        service.terminate()
        service.wait()
    # Nobody listens any more, so that a request would be an error.
    found["seconds of a finished batch of 500"] = (
        bench.least(*batch),
        MAX_FINISHED_SECONDS,
    )
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        found = planning(bench) | running(bench)
    for name, (value, most) in found.items():
        print(f"{name:<42} {value:7.2f}  at most {most}")
    return 0 if all(value <= most for value, most in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
