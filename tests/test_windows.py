"""
krea as on Windows, emulated on this system: what it does otherwise there, and a
selection of the tests of each command.

All of them run so with: PYTHONPATH=tests/emulated_windows pytest
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
EMULATION = TESTS / "emulated_windows"
SELECTED = (
    "emulated_windows/windows_checks.py",
    "commands/test_generate.py::test_edits_a_photo_with_a_token",
    "commands/test_generate.py::test_no_wait_tells_the_job_id_and_how_to_collect_it",
    "commands/test_wait.py::test_output_saves_as_well",
    "commands/test_download.py::test_a_folder_is_made",
    "commands/test_download.py::test_a_target_that_exists_is_exit_7",
    "commands/test_jobs.py::test_an_intent_without_its_process_is_unknown",
    "commands/test_auth.py::test_login_reads_standard_input_and_verifies_before_it_stores",
    "commands/test_many.py::test_a_service_that_is_full_gets_no_request_twice",
    "files/test_atomic_file.py::test_an_existing_file_is_not_overwritten",
)


@pytest.mark.skipif(sys.platform != "linux", reason="the emulation reads /proc")
def test_selected_tests_pass_as_on_windows(tmp_path):
    """
    In a process of its own, whose krea sees Windows from the first import.
    """
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [
            *command,
            "--basetemp",
            tmp_path / "base",
            *(TESTS / each for each in SELECTED),
        ],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(EMULATION)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = done.stdout.splitlines()[-1]

    assert re.fullmatch(r"\d+ passed in .*", outcome), done.stdout[-3000:]
    assert int(outcome.split()[0]) > 35
