from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import uuid
import zlib
from pathlib import Path

import pytest
from conftest import png
from media.metadata.marked import exif
from media.samples import encoded
from service import TOKEN, answer, file, job

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="/proc alone tells the peak"
    ),
]
MIB = 2**20
# The first run loads all that is ever loaded; what the second needs beside is told.
MEASURE = """
import sys
from pathlib import Path
from krea_cli.cli.main import main

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
words = sys.argv[3:]
first = main([sys.argv[1] if word == "FILE" else word for word in words])
before = peak()
second = main([sys.argv[2] if word == "FILE" else word for word in words])
print(first, second, peak() - before, file=sys.stderr)
"""


def growth(shell, service, small, large, *words, code=0):
    """
    How many bytes more a run takes for the large file, which ends with `code`, than one
    for the small file did.
    """
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, small, large, *words],
        env={**shell.env, "KREA_API_URL": service.url, "KREA_API_KEY": TOKEN},
        cwd=shell.cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    first, second, kib = result.stderr.splitlines()[-1].split()

    assert ("0", str(code)) == (first, second), result.stderr
    return int(kib) * 1024


def padded(size):
    """
    A picture of so many bytes, as its head, a number of zeros and its tail: a chunk
    that is passed over stands behind its pixels.
    """
    whole = png()
    at = whole.index(b"IEND") - 4
    zeros = size - len(whole) - 12
    head = whole[:at] + struct.pack(">I4s", zeros, b"fdAT")
    return head, zeros, bytes(4) + whole[at:]


def with_long_scan(size):
    """
    A photograph of so many bytes, in the same way: its pixels go on with zeros.
    """
    whole = encoded("JPEG", exif=exif())
    return whole[:-2], size - len(whole), whole[-2:]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(png(), padded, id="to the letter"),
        pytest.param(
            encoded("JPEG", exif=exif()),
            with_long_scan,
            id="without metadata",
        ),
    ],
)
@pytest.mark.parametrize(("way", "uploads"), [([], 2), (["--inline"], 0)])
def test_a_large_image_is_streamed(shell, live, tmp_path, first, second, way, uploads):
    """
    75 MB, the most that the service takes, are read, hashed, freed of metadata and sent
    in small pieces, in the request itself as well.
    """
    head, zeros, tail = second(75_000_000)
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(first)
    with large.open("wb") as written:
        written.write(head)
        written.seek(zeros, 1)
        written.write(tail)
    live.faults["POST /generate/"] = [
        answer(200, {"job_id": str(uuid.uuid4()), "status": "queued"}) for _ in range(2)
    ]
    words = ("generate", "a cat", "-i", "FILE", "--no-wait", *way)

    grown = growth(shell, live, small, large, *words)

    assert uploads == len(live.requests("POST /assets"))
    assert grown < 64 * MIB


@pytest.mark.long
def test_a_large_download_is_streamed(shell, live):
    """
    500 MB are received, checked, hashed and saved in small pieces.
    """
    head, zeros, tail = padded(500_000_000)

    def large(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "500000000")
        handler.end_headers()
        handler.wfile.write(head)
        for at in range(0, zeros, MIB):
            handler.wfile.write(bytes(min(MIB, zeros - at)))
        handler.wfile.write(tail)

    done = job(status="completed", result={"urls": [f"{live.url}/results/x.png"]})
    live.faults["GET /jobs/"] = [done] * 2
    live.faults["GET /results/"] = [file(png()), large]
    words = ("download", str(uuid.uuid4()), "-o", "FILE")

    grown = growth(shell, live, "small.png", "large.png", *words)

    size = (shell.cwd / "large.png").stat().st_size
    (shell.cwd / "large.png").unlink()

    assert 500_000_000 == size
    assert grown < 64 * MIB


def chunk(kind, data):
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def huge():
    """
    A whole PNG of 50,000 x 50,000 pixels of one colour, in 300 kB.
    """
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(6251)) for _ in range(50_000))
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", pixels + packer.flush()),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize("output", ["large.png", "large.jpg"])
@pytest.mark.parametrize(
    "bomb",
    [
        lambda: file(huge()),
        lambda: file(gzip.compress(bytes(300 * MIB)), **{"Content-Encoding": "gzip"}),
        lambda: file(gzip.compress(bytes(300 * MIB))),
    ],
    ids=["pixels", "compressed", "an archive"],
)
@pytest.mark.long
def test_a_bomb_is_refused(shell, live, bomb, output):
    """
    Neither unpacked nor decoded, and not saved.
    """
    done = job(status="completed", result={"urls": [f"{live.url}/results/x.png"]})
    live.faults["GET /jobs/"] = [done] * 2
    live.faults["GET /results/"] = [file(png()), bomb()]
    words = ("download", str(uuid.uuid4()), "-o", "FILE")
    small = output.replace("large", "small")

    grown = growth(shell, live, small, output, *words, code=7)

    assert grown < 64 * MIB
    assert [small] == [path.name for path in shell.cwd.iterdir()]


@pytest.mark.long
def test_an_answer_that_is_a_bomb_is_refused(shell, live):
    """
    The service itself is not unpacked either.
    """
    content = gzip.compress(b'{"job_id": "' + b"a" * 300 * MIB + b'"}')
    headers = {"Content-Encoding": "gzip"}
    done = job(status="completed", result={"urls": [f"{live.url}/results/x.png"]})
    live.faults["GET /jobs/"] = [done, answer(200, content=content, headers=headers)]
    live.faults["GET /results/"] = [file(png())]
    words = ("download", str(uuid.uuid4()), "-o", "FILE")

    grown = growth(shell, live, "small.png", "large.png", *words, code=6)

    assert grown < 64 * MIB
