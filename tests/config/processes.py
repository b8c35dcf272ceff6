"""
Run the program as a process, without the user's environment and files.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

TESTS = Path(__file__).parents[1]
FOREIGN = ("KREA_", "DBUS_", "XDG_", "PYTHON_KEYRING", "KEYRING_", "CI")
CANARY = "5c1f2b7e-77aa:canary/T0ken+9d8c"
FORMS = (
    CANARY,
    base64.b64encode(CANARY.encode()).decode(),
    quote(CANARY, safe=""),
    CANARY[:8],
    CANARY[-8:],
)


@dataclass
class Ran:
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self):
        return self.stdout + self.stderr


@dataclass
class Krea:
    """
    Run command lines with folders below `home`. `env` has more variables, `path` is
    searched for modules first, and `cwd` is the working directory.
    """

    home: Path
    env: dict = field(default_factory=dict)
    path: tuple = ()
    cwd: Path | None = None

    def __post_init__(self):
        self.home.mkdir(exist_ok=True)

    def start(self, *argv, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        own = [*self.path, str(TESTS), str(TESTS.parent), env.get("PYTHONPATH")]
        env["PYTHONPATH"] = os.pathsep.join(filter(None, own))
        env |= {"HOME": str(self.home), "KREA_CONFIG_DIR": str(self.home / "config")}
        env |= {"KREA_STATE_DIR": str(self.home / "state")}
        env |= {"KREA_CACHE_DIR": str(self.home / "cache")}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "krea_cli", *argv],
            env=env | self.env | more,
            cwd=self.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv, stdin="", **more):
        began = time.monotonic()
        process = self.start(*argv, **more)
        stdout, stderr = process.communicate(stdin, timeout=30)
        return Ran(process.returncode, stdout, stderr, time.monotonic() - began)

    def together(self, *lines, stdin=""):
        """
        Run several command lines at the same time. `seconds` is the total time.
        """
        began = time.monotonic()
        processes = [self.start(*line) for line in lines]
        for process in processes:
            process.stdin.write(stdin)
            process.stdin.close()
            process.stdin = None
        said = [process.communicate(timeout=30) for process in processes]
        seconds = time.monotonic() - began
        return [
            Ran(process.returncode, *both, seconds)
            for process, both in zip(processes, said, strict=True)
        ]

    def leaks(self):
        """
        Return the files in krea's folders that contain the canary in any form.
        """
        folders = [self.home / name for name in ("config", "state", "cache")]
        files = [f for folder in folders for f in folder.rglob("*") if f.is_file()]
        return [f for f in files if tells_canary(f.read_bytes().decode("latin-1"))]


def tells_canary(text):
    return any(form in text for form in FORMS)
