"""
What krea's start costs beside a bare Typer program: medians of whole processes, and
their ratio.  Run it with: python tests/benchmarks/startup.py
"""

from __future__ import annotations

import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RUNS = 20
JOB = "00000000-0000-4000-8000-000000000000"
LINES = ("gen", "generate -m ", "generate -p aspect_ratio=", "status ")
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
    One job, completed.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = json.dumps(
            {
                "job_id": JOB,
                "status": "completed",
                "created_at": "2026-01-01T00:00:00Z",
                "result": {"urls": []},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def seconds(command: list[str], env: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def compare(
    ours: list[str], bare: list[str], env: dict[str, str], more: dict[str, str]
) -> tuple[float, ...]:
    """
    Median seconds of both, ours with *more* in its environment, run in turn so that the
    machine's moods hit both alike.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(RUNS + 1):
        runs = ((ours, env | more), (bare, env))
        for kept, (command, world) in zip(times, runs, strict=True):
            took = seconds(command, world)
            if run:  # the first one warms the caches
                kept.append(took)
    mine, base = (statistics.median(kept) for kept in times)
    return mine, base, mine / base


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        env = os.environ | {
            "KREA_API_URL": url,
            "KREA_API_KEY": "not-a-real-token",
            "KREA_CONFIG_DIR": folder,
            "KREA_STATE_DIR": folder,
            "KREA_CACHE_DIR": folder,
        }
        ours = [str(Path(sys.executable).with_name("krea"))]
        theirs = [sys.executable, str(bare)]
        token = ["--url", url, "--token", "none"]
        dry_run = ["generate", "an owl", "--dry-run"]
        version = [*ours, "--version"]
        rows = {
            "--version": ([*ours, "--version"], [*theirs, "--version"]),
            "status": ([*ours, "status", JOB], [*theirs, "status", JOB, *token]),
            "--dry-run": ([*ours, *dry_run], version),
        }
        tabs = {f"TAB {line}": line for line in LINES}
        rows |= dict.fromkeys(tabs, (ours, version))
        print("krea beside a bare Typer program; --dry-run, TAB beside krea --version")
        print(f"{'':30} {'krea':>9} {'beside':>9} {'ratio':>6}")
        for name, (mine, other) in rows.items():
            line = {"_KREA_COMPLETE": "fish", "_KREA_LINE": f"krea {tabs.get(name)}"}
            a, b, ratio = compare(mine, other, env, line if name in tabs else {})
            print(f"{name:30} {a * 1000:6.0f} ms {b * 1000:6.0f} ms {ratio:6.2f}")


if __name__ == "__main__":
    main()
