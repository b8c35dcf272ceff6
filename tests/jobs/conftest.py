from __future__ import annotations

import pytest
from jobs.samples import SAMPLES

from krea_cli.catalogue.lookup import Catalogue


@pytest.fixture(scope="session")
def catalogue():
    return Catalogue.bundled()


@pytest.fixture(params=SAMPLES, ids=[sample.name for sample in SAMPLES])
def sample(request):
    """
    A whole file, one of each kind.
    """
    return request.param
