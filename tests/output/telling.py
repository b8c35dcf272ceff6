"""
A console whose streams tests can read.
"""

from __future__ import annotations

import io

from krea_cli.api.models import Job, JobError, SavedFile
from krea_cli.output.console import build_console
from krea_cli.output.streams import Stream

ID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
OTHER = "0e37df36-f698-41e6-8dd4-000000000000"
FILE = SavedFile(
    path="owl.png",
    url="https://files.example/owl",
    media_type="image/png",
    size_bytes=1_300_000,
    sha256="ab" * 32,
    width=1024,
    height=768,
)
DONE = Job(
    job_id=ID,
    status="completed",
    model="google/nano-banana-pro",
    created_at="2026-11-22T08:31:07.123Z",
    urls=("https://files.example/owl",),
    files=(FILE,),
)
FAILED = Job(
    job_id=OTHER,
    status="failed",
    error=JobError(code="nsfw", message="The prompt was refused"),
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class CapturedConsole:
    """
    A console on two streams, which are pipes by default. `seconds` is its time.
    """

    def __init__(self, *, out=None, err=None, env=None, **flags):
        self._files = (out or io.StringIO(), err or io.StringIO())
        names = ("Standard output", "Standard error")
        streams = tuple(map(Stream, self._files, names))
        self.seconds = 0.0
        self.output = build_console(streams, env or {}, lambda: self.seconds, **flags)

    @property
    def out(self):
        return self._files[0].getvalue()

    @property
    def err(self):
        return self._files[1].getvalue()
