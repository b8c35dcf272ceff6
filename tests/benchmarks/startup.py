"""
What krea's start costs beside a bare Typer program: whole processes, in wall time and
in CPU time, with their bytecode on disk as an installation has it, and how much of the
bare program's time each may take.  Last, what `generate` takes beyond such a start, for
a job of no time, from the request to the saved file, beside a script with httpx.
Run it with: python tests/benchmarks/startup.py
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import NamedTuple

RUNS = 30
JOB = "00000000-0000-4000-8000-000000000000"
LINES = ("gen", "generate -m ", "generate -p aspect_ratio=", "status ")
# At most so many times what the bare program takes.
BUDGET = {"--version": 1.0, "--dry-run": 1.35, "--help": 2.5, "status": 1.25}
TAB = 1.0
# Seconds of a job of no time, beyond the start of the bare program.
MAX_JOB_SECONDS = 0.15
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJ"
    "RU5ErkJggg=="
)
SCRIPT = """
import sys
import httpx
url, path = sys.argv[1:]
with httpx.Client(headers={"Authorization": "Bearer x"}) as client:
    job = client.post(f"{url}/generate/image/google/nano-banana-pro",
                      json={"prompt": "an owl"}).json()
    job = client.get(f"{url}/jobs/{job['job_id']}").json()
    content = client.get(job["result"]["urls"][0]).content
with open(path, "wb") as file:
    file.write(content)
"""
BARE = """
import typer
app = typer.Typer(rich_markup_mode=None, add_completion=False,
                  pretty_exceptions_enable=False, invoke_without_command=True)

@app.callback()
def main(version: bool = typer.Option(False, "--version")):
    if version:
        print("bare 1.0")
        raise typer.Exit

@app.command()
def status(job: str, url: str = "", token: str = ""):
    import httpx
    answer = httpx.Client(headers={"Authorization": f"Bearer {token}"}).get(
        f"{url}/jobs/{job}")
    print(answer.json()["job_id"], answer.json()["status"], sep="\\t")

@app.command()
def wait(job: str, timeout: float = 1.0, output: str = "", json: bool = False):
    pass

app()
"""


class Service(http.server.BaseHTTPRequestHandler):
    """
    One job, completed, with a result of one pixel.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/result.png":
            self.answer(PNG, "image/png")
        else:
            self.answer_job()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        # A job for each request.
        self.answer_job(str(uuid.uuid4()))

    def answer_job(self, job_id: str = JOB) -> None:
        host, port = self.server.server_address
        job = {
            "job_id": job_id,
            "status": "completed",
            "created_at": "2026-01-01T00:00:00Z",
            "result": {"urls": [f"http://{host}:{port}/result.png"]},
        }
        self.answer(json.dumps(job).encode(), "application/json")

    def answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Run(NamedTuple):
    """
    Seconds of one process.
    """

    wall: float
    cpu: float


def run(command: list[str], env: dict[str, str]) -> Run:
    started = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(wall=took, cpu=used.ru_utime + used.ru_stime)


def commands(folder: str, url: str) -> dict[str, tuple[list[str], str]]:
    """
    The words of each row, and the bare program's words that it is measured by.
    """
    bare = Path(folder) / "bare.py"
    bare.write_text(BARE)
    script, out = Path(folder) / "script.py", str(Path(folder) / "out.png")
    script.write_text(SCRIPT)
    krea = [str(Path(sys.executable).with_name("krea"))]
    theirs = [sys.executable, str(bare)]
    rows = {
        "bare --version": ([*theirs, "--version"], ""),
        "bare --help": ([*theirs, "--help"], ""),
        "bare status": ([*theirs, "status", JOB, "--url", url, "--token", "x"], ""),
        "--version": ([*krea, "--version"], "bare --version"),
        "--help": ([*krea, "--help"], "bare --help"),
        "--dry-run": ([*krea, "generate", "an owl", "--dry-run"], "bare --version"),
        "status": ([*krea, "status", JOB], "bare status"),
    }
    rows |= {
        "httpx job": ([sys.executable, str(script), url, out], ""),
        "krea job": ([*krea, "generate", "an owl", "-q", "-fo", out], ""),
    }
    return rows | {f"TAB {line}": (krea, "bare --version") for line in LINES}


def measure(
    rows: dict[str, tuple[list[str], str]], env: dict[str, str]
) -> dict[str, list[Run]]:
    """
    The runs of each row, one of each in turn so that the machine's moods hit all alike.
    """
    runs: dict[str, list[Run]] = {name: [] for name in rows}
    for turn in range(RUNS + 1):
        for name, (words, _) in rows.items():
            tab = {"_KREA_COMPLETE": "fish", "_KREA_LINE": f"krea {name[4:]}"}
            took = run(words, env | tab if name.startswith("TAB ") else env)
            if turn:  # the first one writes the bytecode, and warms the caches
                runs[name].append(took)
    return runs


def show(rows: dict[str, tuple[list[str], str]], runs: dict[str, list[Run]]) -> bool:
    """
    Print a line for each row. Return whether all keep to their budgets, by the least
    processor time of each.
    """
    is_good = True
    print(
        f"{'':30} {'wall':>8} {'ratio':>6} {'CPU':>8} {'ratio':>6} {'least':>6}  most"
    )
    for name, (_, bare) in rows.items():
        mine, base = runs[name], runs[bare or name]
        columns = []
        for kind in ("wall", "cpu"):
            ours, theirs = ([getattr(r, kind) for r in each] for each in (mine, base))
            median = statistics.median(ours)
            ratio = median / statistics.median(theirs)
            columns.append(f"{median * 1000:5.0f} ms {ratio:6.2f}")
        least = min(r.cpu for r in mine) / min(r.cpu for r in base)
        most = BUDGET.get(name, TAB) if bare else 1
        print(f"{name:30} {' '.join(columns)} {least:6.2f}  {most:.2f}")
        is_good &= least <= most
    return is_good


def show_job(runs: dict[str, list[Run]]) -> bool:
    """
    Print what a job of no time takes beyond the start of the bare program, by the least
    wall time of each. Return whether krea keeps to its limit.
    """
    least = {name: min(run.wall for run in runs[name]) for name in runs}
    script, krea = (
        least[name] - least["bare --version"] for name in ("httpx job", "krea job")
    )
    print(
        f"a job of 0 s, beyond the bare start: {krea:.3f} s "
        f"(at most {MAX_JOB_SECONDS}); a script with httpx: {script:.3f} s"
    )
    return krea <= MAX_JOB_SECONDS


def main() -> int:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {
            "KREA_API_URL": url,
            "KREA_API_KEY": "not-a-real-token",
            "KREA_CONFIG_DIR": folder,
            "KREA_STATE_DIR": folder,
            "KREA_CACHE_DIR": folder,
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        rows = commands(folder, url)
        runs = measure(rows, env)
        is_good = show(rows, runs)
        return 0 if show_job(runs) and is_good else 1


if __name__ == "__main__":
    sys.exit(main())
