from __future__ import annotations

import os
import subprocess
import sys

import pytest

from krea_cli.runtime import processes


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_is_running_of_an_ended_process_that_nobody_asked_after_is_false():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    before = processes.is_running(child.pid)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    after = processes.is_running(child.pid)

    child.wait()
    assert (True, False) == (before, after)
