"""
How fast krea moves large files beside curl, over loopback in the same run, and how much
memory that takes.  Run it with: python tests/benchmarks/transfer.py

Three ways: a result of 200 MB is saved; 200 MB are uploaded as three files, one after
the other, since the service takes no larger ones than 75 MB; an image of 75 MB is sent
inline, 100 MB of base64.  krea also checks and hashes all of it, syncs what it saves,
and encodes what it sends inline; curl does none of this, and its inline request lies
ready on disk.  What the start of either program takes is told apart: a throughput is
the bytes that a large run has beyond a small one, by the seconds that it takes beyond
it, and so is the memory.

Then many results are saved: 100 over a link where each new connection takes 0.16 s to
answer, 300 that are each 0.2 s late, one job with 100 such results, and 300 of 1.5 MB,
for the processor time that each takes beyond one result.  Last, 300 files of 100 kB are
uploaded that the service takes 0.2 s for each, beside curl with eight at once.  Alone,
these are run with:
python tests/benchmarks/transfer.py many [KREA]...  Several programs are run in turn.
"""

from __future__ import annotations

import base64
import hashlib
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
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

RUNS = 7
SIZE, SMALL, INLINE = 200_000_000, 1_000, 75_000_000
FILES = 3
JOBS = {
    "large": "00000000-0000-4000-8000-000000000001",
    "small": "00000000-0000-4000-8000-000000000002",
}
# How many jobs with how many results each, of which kind of result.
MANY = {
    "link": (100, 1, "100 results, 0.16 s for each connection"),
    "late": (300, 1, "300 results, each 0.2 s late"),
    "one": (1, 100, "one job with 100 results, each 0.2 s late"),
    "plain": (300, 1, "300 results of 1.5 MB"),
    "single": (1, 1, "one result of 1.5 MB"),
}
MANY_RUNS = 3
# What these may take: seconds by kind, connections, and milliseconds of processor time
# for each result of 1.5 MB.
MAX_SECONDS = {"link": 1.5, "late": 7.0, "one": 3.5}
MAX_CONNECTIONS, MAX_MILLISECONDS = 12, 2.5
UPLOADS, UPLOAD_BYTES, UPLOAD_SECONDS, CURL_AT_ONCE = 300, 100_000, 0.2, 8
# How many times the seconds of curl.
MAX_UPLOAD = 1.3
CONNECTION_SECONDS, LATE_SECONDS, PLAIN_BYTES = 0.16, 0.2, 1_500_000
WAYS = {
    "download": (SIZE, "saved: 200 MB"),
    "upload": (SIZE, f"uploaded: 200 MB in {FILES} files"),
    "inline": (INLINE * 4 // 3, "sent inline: 75 MB as 100 MB of base64"),
}


class Taken(NamedTuple):
    """
    Seconds, the most memory in bytes, and the seconds of processor time.
    """

    seconds: float
    memory: float
    processor: float


def sound(path: Path, size: int) -> None:
    """
    A WAV of so many bytes, which do not repeat.
    """
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 48_000, 192_000, 4, 16)
    data = struct.pack("<4sI", b"data", size - 44)
    head = struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE") + form + data
    fill(path, head, size)


def picture(path: Path, size: int) -> None:
    """
    So many bytes that begin as a PNG; krea is told to send them as they are.
    """
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64, 64)
    fill(path, head, size)


def fill(path: Path, head: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(head)
        for at in range(len(head), size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - at)))


def prepare(folder: Path) -> None:
    for kind, size in {"large": SIZE, "small": SMALL}.items():
        sound(folder / kind, size)
        for number in range(FILES):
            sound(folder / f"{kind}-{number}", size // FILES)
    for kind, size in {"link": 200_000, "late": SMALL, "plain": PLAIN_BYTES}.items():
        sound(folder / f"many-{kind}", size)
    (folder / "files").mkdir()
    for number in range(UPLOADS):
        sound(folder / "files" / f"{number}.wav", UPLOAD_BYTES)
    for kind, size in {"large": INLINE, "small": SMALL}.items():
        image = folder / f"{kind}.png"
        picture(image, size)
        with image.open("rb") as file, (folder / f"{kind}.json").open("wb") as ready:
            ready.write(b'{"prompt":"a cat","image_urls":["data:image/png;base64,')
            # In pieces, as a program that is started is taken to need what this needs.
            while chunk := file.read(3 << 18):
                ready.write(base64.b64encode(chunk))
            ready.write(b'"]}')


def serve(folder: str) -> None:
    """
    The service, as a process of its own: two completed jobs and their results, and
    what takes files and requests.  It sends as fast as the system can, and forgets what
    it receives.
    """
    server = socket.create_server(("127.0.0.1", 0), backlog=100)
    port = server.getsockname()[1]
    print(port, flush=True)
    connections = [0]
    while True:
        connection, _ = server.accept()
        connections[0] += 1
        threading.Thread(
            target=answer, args=(connection, folder, port, connections), daemon=True
        ).start()


def answer(
    connection: socket.socket, folder: str, port: int, connections: list[int]
) -> None:
    is_new = True
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            length = 0
            while field := requests.readline().strip():
                if field.lower().startswith(b"content-length:"):
                    length = int(field.partition(b":")[2])
            skip(requests, length)
            method, path, _ = line.decode().split()
            if path == "/connections":
                body = str(connections[0] - 1).encode()
                connections[0] = 0
                connection.sendall(head(len(body)) + body)
                continue
            if is_new and "/link" in path:
                time.sleep(CONNECTION_SECONDS)
            is_new = False
            if "/many-late" in path:
                time.sleep(LATE_SECONDS)
            if path.startswith("/slow/") and method == "POST":
                time.sleep(UPLOAD_SECONDS)
            name = path.partition("?")[0].rpartition("/")[2]
            if (Path(folder) / name).is_file():
                with (Path(folder) / name).open("rb") as file:
                    connection.sendall(head(os.fstat(file.fileno()).st_size))
                    connection.sendfile(file)
                continue
            url = f"http://127.0.0.1:{port}"
            is_many = path.split("/")[1] in MANY
            data = listed(path, url) if is_many else told(method, name, url)
            body = json.dumps(data).encode()
            connection.sendall(head(len(body)) + body)


def skip(requests: BinaryIO, length: int) -> None:
    buffer = memoryview(bytearray(1 << 20))
    while length:
        length -= requests.readinto(buffer[: min(length, len(buffer))])


def told(method: str, name: str, url: str) -> dict[str, object]:
    """
    An asset and a job in one, so that each finds what it looks for.
    """
    job: dict[str, object] = {
        "job_id": name,
        "status": "completed",
        "created_at": "2026-01-01T00:00:00Z",
        "result": {
            "urls": [f"{url}/{kind}" for kind, job_id in JOBS.items() if job_id == name]
        },
    }
    if method == "POST":
        job |= {"job_id": os.urandom(16).hex(), "status": "queued", "result": {}}
        job |= {"id": "asset", "image_url": "https://krea.test/asset"}
    return job


def many_ids(kind: str) -> list[str]:
    at = list(MANY).index(kind) + 1
    return [f"{at:08x}-0000-4000-8000-{n:012x}" for n in range(MANY[kind][0])]


def listed(path: str, url: str) -> dict[str, object]:
    """
    A page of the list of jobs, or one job, of a kind that the path begins with.
    """
    kind = path.split("/")[1]
    file = {"one": "late", "single": "plain"}.get(kind, kind)
    prefix = "link/" if kind == "link" else ""
    jobs = [
        {
            "job_id": job_id,
            "status": "completed",
            "created_at": "2026-01-01T00:00:00Z",
            "result": {
                "urls": [
                    f"{url}/{prefix}{n}-{at}/many-{file}" for at in range(MANY[kind][1])
                ]
            },
        }
        for n, job_id in enumerate(many_ids(kind))
    ]
    place, _, query = path.partition("?")
    for job in jobs:
        if place.endswith(str(job["job_id"])):
            return job
    asked = dict(word.split("=") for word in query.split("&") if word)
    start, limit = int(asked.get("cursor", 0)), int(asked.get("limit", 100))
    end = start + limit
    cursor = str(end) if end < len(jobs) else None
    return {"items": jobs[start:end], "next_cursor": cursor}


def head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()


def measure(command: list[str], target: Path, env: dict[str, str]) -> Taken:
    target.unlink(missing_ok=True)
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}.")
    processor = usage.ru_utime + usage.ru_stime
    return Taken(took, usage.ru_maxrss * 1024, processor)


def commands(folder: Path, url: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """
    Way, program, kind and command.
    """
    krea, out = str(Path(sys.executable).with_name("krea")), str(folder / "out.wav")
    # Without waiting for leave to send.
    curl = ["curl", "-sf", "-H", "Expect:"]
    for kind, job_id in JOBS.items():
        yield "download", "curl", kind, [*curl, "-o", out, f"{url}/{kind}"]
        yield "download", "krea", kind, [krea, "download", job_id, "-o", out]
        files = [str(folder / f"{kind}-{number}") for number in range(FILES)]
        one_by_one = [
            word
            for file in files
            for word in ("--next", *curl[1:], "-F", f"file=@{file}", f"{url}/assets")
        ]
        yield "upload", "curl", kind, ["curl", *one_by_one[1:]]
        yield "upload", "krea", kind, [krea, "upload", *files]
        ready, image = str(folder / f"{kind}.json"), str(folder / f"{kind}.png")
        generate = f"{url}/generate/image/google/nano-banana-pro"
        inline = ["--inline", "--keep-metadata", "--no-wait"]
        yield "inline", "curl", kind, [*curl, "-X", "POST", "-T", ready, generate]
        yield "inline", "krea", kind, [krea, "generate", "a cat", "-i", image, *inline]


def environment(folder: Path, url: str) -> dict[str, str]:
    return os.environ | {
        # The bytecode is on disk, as an installation has it.
        "PYTHONDONTWRITEBYTECODE": "",
        "KREA_API_URL": url,
        "KREA_API_KEY": "not-a-real-token",
        "KREA_CONFIG_DIR": str(folder),
        "KREA_STATE_DIR": str(folder),
        "KREA_CACHE_DIR": str(folder),
    }


def compare_many(folder: Path, port: int, programs: list[str]) -> bool:
    """
    Save many results with each of the programs in turn, and print the least of each.
    Return whether all keep to their limits.
    """
    is_good = True
    url = f"http://127.0.0.1:{port}"
    taken: dict[tuple[str, str], list[Taken]] = {}
    opened: dict[tuple[str, str], int] = {}
    for _ in range(MANY_RUNS):
        for kind in MANY:
            for program in programs:
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                command = [program, "download", "-q", *many_ids(kind), "-o", f"{out}/"]
                with urllib.request.urlopen(f"{url}/connections"):
                    pass
                result = measure(
                    command, out / "x", environment(folder, f"{url}/{kind}")
                )
                with urllib.request.urlopen(f"{url}/connections") as told_:
                    opened[kind, program] = int(told_.read())
                count = MANY[kind][0] * MANY[kind][1]
                if len(list(out.iterdir())) != count:
                    raise SystemExit(f"{command[:3]} saved less than {count} files.")
                taken.setdefault((kind, program), []).append(result)
    print(f"\nmany results, the least of {MANY_RUNS} runs")
    for program in programs:
        print(f"\n{program}")
        least = {
            kind: Taken(*map(min, zip(*taken[kind, program], strict=True)))
            for kind in MANY
        }
        for kind, (_, _, title) in MANY.items():
            print(
                f"{title:44}{least[kind].seconds:7.2f} s"
                f"{most(MAX_SECONDS.get(kind))}"
                f"{opened[kind, program]:5} connections"
                f"{least[kind].processor * 1000:8.0f} ms of processor time"
            )
        more = least["plain"].processor - least["single"].processor
        each = more / (MANY["plain"][0] - 1) * 1000
        print(f"each result of 1.5 MB: {each:.2f} ms{most(MAX_MILLISECONDS)}")
        print(f"connections: at most {MAX_CONNECTIONS}")
        is_good &= each <= MAX_MILLISECONDS
        is_good &= opened["link", program] <= MAX_CONNECTIONS
        is_good &= all(least[kind].seconds <= MAX_SECONDS[kind] for kind in MAX_SECONDS)
    least_possible = min(bare_milliseconds(folder, port) for _ in range(MANY_RUNS))
    print(f"sockets, SHA-256 and fsync alone: {least_possible:.2f} ms")
    return is_good


def bare_milliseconds(folder: Path, port: int) -> float:
    """
    Return the processor time for each of the results of 1.5 MB when nothing is done but
    to receive, hash, write and sync it.
    """
    began = time.process_time()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number in range(MANY["plain"][0]):
            connection.sendall(f"GET /{number}/many-plain HTTP/1.1\r\n\r\n".encode())
            left = PLAIN_BYTES + len(head(PLAIN_BYTES))
            digest = hashlib.sha256()
            with (folder / "bare").open("wb", buffering=0) as file:
                while left:
                    chunk = connection.recv(2**18)
                    digest.update(chunk)
                    file.write(chunk)
                    left -= len(chunk)
                os.fsync(file.fileno())
    return (time.process_time() - began) / MANY["plain"][0] * 1000


def most(limit: float | None) -> str:
    return f" (at most {limit})" if limit else " " * 14


def compare_uploads(folder: Path, port: int, programs: list[str]) -> bool:
    """
    Upload many files with curl and each of the programs in turn, and print the least of
    each. Return whether all keep to their limit.
    """
    is_good = True
    url = f"http://127.0.0.1:{port}/slow"
    files = [str(folder / "files" / f"{number}.wav") for number in range(UPLOADS)]
    lines = [f'next\nurl = "{url}/assets"\nform = "file=@{file}"' for file in files]
    config = folder / "curl.config"
    config.write_text("\n".join(lines).removeprefix("next\n"))
    parallel = [
        "curl",
        "-sf",
        "--no-progress-meter",
        "-Z",
        "--parallel-max",
        str(CURL_AT_ONCE),
    ]
    words = {"curl": [*parallel, "-K", str(config)]} | {
        program: [program, "upload", "-q", *files] for program in programs
    }
    taken: dict[str, list[Taken]] = {}
    for _ in range(MANY_RUNS):
        for name, command in words.items():
            # What is known from the run before would not be uploaded again.
            (folder / "journal.db").unlink(missing_ok=True)
            result = measure(command, folder / "x", environment(folder, url))
            taken.setdefault(name, []).append(result)
    print(f"\n{UPLOADS} uploads of 100 kB, {UPLOAD_SECONDS} s each")
    curl = min(result.seconds for result in taken["curl"])
    for name, results in taken.items():
        least = Taken(*map(min, zip(*results, strict=True)))
        print(
            f"{name:44}{least.seconds:7.2f} s{least.processor * 1000:8.0f} ms of"
            f" processor time, {least.seconds / curl:.2f} of curl{most(MAX_UPLOAD)}"
        )
        is_good &= least.seconds <= curl * MAX_UPLOAD
    return is_good


def compare(folder: Path, port: int) -> dict[tuple[str, str, str], Taken]:
    """
    Medians by way, program and kind, run in turn so that the machine's moods hit all
    alike.
    """
    url = f"http://127.0.0.1:{port}"
    env = environment(folder, url)
    taken: dict[tuple[str, str, str], list[Taken]] = {}
    for run in range(RUNS + 1):
        for way, name, kind, command in commands(folder, url):
            result = measure(command, folder / "out.wav", env)
            if run:  # the first one warms the caches
                taken.setdefault((way, name, kind), []).append(result)
    return {
        key: Taken(*map(statistics.median, zip(*results, strict=True)))
        for key, results in taken.items()
    }


def tell(results: dict[tuple[str, str, str], Taken]) -> None:
    print(f"medians of {RUNS} runs")
    for way, (size, title) in WAYS.items():
        print(f"\n{title}")
        print(f"{'':6}{'small':>9}{'large':>9}{'throughput':>14}{'memory':>11}")
        rates = {}
        for name in ("curl", "krea"):
            small, large = (results[way, name, kind] for kind in ("small", "large"))
            rates[name] = size / (large.seconds - small.seconds) / 1e6
            print(
                f"{name:6}{small.seconds:7.3f} s{large.seconds:7.3f} s"
                f"{rates[name]:9.0f} MB/s"
                f"{(large.memory - small.memory) / 2**20:+7.0f} MiB"
            )
        print(f"krea / curl: {rates['krea'] / rates['curl']:.2f} of the throughput")


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    is_many = sys.argv[1:2] == ["many"]
    krea = str(Path(sys.executable).with_name("krea"))
    if shutil.which("curl") is None:
        raise SystemExit("There is no curl to compare with.")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", name], stdout=subprocess.PIPE, text=True
        )
        try:
            port = int(server.stdout.readline())
            programs = sys.argv[2:] or [krea]
            is_good = compare_many(Path(name), port, programs)
            is_good &= compare_uploads(Path(name), port, programs)
            results = {} if is_many else compare(Path(name), port)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
    if results:
        tell(results)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
