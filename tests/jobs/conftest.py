from __future__ import annotations

import pytest

from krea_cli.catalog.catalog import Catalogue
from krea_cli.journal.database import Database


@pytest.fixture(scope="session")
def catalogue():
    return Catalogue.bundled()


@pytest.fixture
def folder(tmp_path):
    """
    The state folder; it is not there yet.
    """
    return tmp_path / "state"


@pytest.fixture
def open_database(folder, time):
    """
    Opens journals of that folder, which end with the test.
    """
    opened = []

    def make(folder=folder):
        opened.append(Database(folder, now=time.wall))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def database(open_database):
    return open_database()
