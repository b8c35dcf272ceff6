"""
A sandbox whose clock stands still, and a client of it.
"""

from __future__ import annotations

import pytest
from sandbox.asking import Client

from krea_cli.sandbox.server import Sandbox


@pytest.fixture
def sandbox(tmp_path, time):
    with Sandbox(tmp_path / "sandbox", clock=time.wall) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox):
    client = Client(sandbox)
    yield client
    client.connection.close()
