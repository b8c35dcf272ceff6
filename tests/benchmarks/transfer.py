"""
How fast krea saves a large result beside curl, over loopback in the same run, and how
much memory that takes.  Run it with: python tests/benchmarks/transfer.py

Both write to the same folder.  krea also checks, hashes and syncs what it saves; curl
does none of this.  What the start of either program takes is told apart: a throughput
is the bytes that a large file has beyond a small one, by the seconds that it takes
beyond it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RUNS = 9
SIZE, SMALL = 200_000_000, 1_000
JOBS = {
    "large": "00000000-0000-4000-8000-000000000001",
    "small": "00000000-0000-4000-8000-000000000002",
}


def wav(path: Path, size: int) -> None:
    """
    A sound of so many bytes, which do not repeat.
    """
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 48_000, 192_000, 4, 16)
    data = struct.pack("<4sI", b"data", size - 44)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE") + form + data)
        for at in range(44, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - at)))


def serve(folder: str) -> None:
    """
    The service, as a process of its own: two completed jobs and their results.  It
    sends files as fast as the system can.
    """
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    print(port, flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(
            target=answer, args=(connection, folder, port), daemon=True
        ).start()


def answer(connection: socket.socket, folder: str, port: int) -> None:
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            while requests.readline().strip():
                pass
            name = line.split()[1].decode().rpartition("/")[2]
            found = [kind for kind, job_id in JOBS.items() if job_id == name]
            if found:
                url = f"http://127.0.0.1:{port}/{found[0]}"
                job = {
                    "job_id": name,
                    "status": "completed",
                    "created_at": "2026-01-01T00:00:00Z",
                    "result": {"urls": [url]},
                }
                body = json.dumps(job).encode()
                connection.sendall(head(len(body)) + body)
                continue
            with (Path(folder) / name).open("rb") as file:
                connection.sendall(head(os.fstat(file.fileno()).st_size))
                connection.sendfile(file)


def head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()


def measure(command: list[str], target: Path, env: dict[str, str]) -> tuple[float, int]:
    """
    Seconds and the most memory in bytes that the command takes.
    """
    target.unlink(missing_ok=True)
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}.")
    return took, usage.ru_maxrss * 1024


def compare(folder: Path, port: int) -> dict[str, dict[str, tuple[float, float]]]:
    """
    Medians by program and file, run in turn so that the machine's moods hit all alike.
    """
    env = os.environ | {
        "KREA_API_URL": f"http://127.0.0.1:{port}",
        "KREA_API_KEY": "not-a-real-token",
        "KREA_CONFIG_DIR": str(folder),
        "KREA_STATE_DIR": str(folder),
        "KREA_CACHE_DIR": str(folder),
    }
    krea = str(Path(sys.executable).with_name("krea"))
    out = folder / "out.wav"
    commands = {
        "curl": lambda kind: [
            "curl",
            "-sfo",
            str(out),
            f"http://127.0.0.1:{port}/{kind}",
        ],
        "krea": lambda kind: [krea, "download", JOBS[kind], "-o", str(out)],
    }
    taken: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for run in range(RUNS + 1):
        for name, command in commands.items():
            for kind in JOBS:
                result = measure(command(kind), out, env)
                if run:  # the first one warms the caches
                    taken.setdefault((name, kind), []).append(result)
    return {
        name: {
            kind: (
                statistics.median(seconds for seconds, _ in taken[name, kind]),
                statistics.median(memory for _, memory in taken[name, kind]),
            )
            for kind in JOBS
        }
        for name in commands
    }


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    if shutil.which("curl") is None:
        raise SystemExit("There is no curl to compare with.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wav(folder / "large", SIZE)
        wav(folder / "small", SMALL)
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", name], stdout=subprocess.PIPE, text=True
        )
        try:
            results = compare(folder, int(server.stdout.readline()))
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
    rates = {}
    print(f"a result of {SIZE / 1e6:.0f} MB, medians of {RUNS} runs")
    print(f"{'':6}{'small':>9}{'large':>9}{'throughput':>14}{'memory':>11}")
    for name, result in results.items():
        (small, base), (large, peak) = result["small"], result["large"]
        rates[name] = (SIZE - SMALL) / (large - small) / 1e6
        print(
            f"{name:6}{small:7.3f} s{large:7.3f} s{rates[name]:9.0f} MB/s"
            f"{(peak - base) / 2**20:+7.0f} MiB"
        )
    whole = results["curl"]["large"][0] / results["krea"]["large"][0]
    print(
        f"krea / curl: {rates['krea'] / rates['curl']:.2f} of the throughput,", end=" "
    )
    print(f"{whole:.2f} with the start of both programs")


if __name__ == "__main__":
    main()
