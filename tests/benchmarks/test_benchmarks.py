"""
Run every benchmark, each of which fails where something takes more than it may.

They take minutes and want an otherwise idle machine, so they run only if asked for:
pytest -n0 -m benchmark tests/benchmarks -s
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES = [
    "startup.py",
    "transfer.py many",
    "many.py",
    "many.py large",
    "journal.py",
    "waiting.py",
    "batch.py",
]


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", CASES)
def test_benchmark_on_an_idle_machine_keeps_to_its_limits(case):
    script, *arguments = case.split()
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    assert 0 == subprocess.run(command, check=False).returncode
