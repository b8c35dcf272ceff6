"""
A sandbox whose clock moves only for slow responses, and its client.
"""

from __future__ import annotations

import pytest
from sandbox.asking import Client

from krea_cli.sandbox.server import Sandbox


@pytest.fixture
def sandbox(tmp_path, time):
    folder = tmp_path / "sandbox"
    with Sandbox(folder, clock=time.wall, sleep=time.sleep) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox):
    client = Client(sandbox)
    yield client
    client.connection.close()
