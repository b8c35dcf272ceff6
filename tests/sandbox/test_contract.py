"""
The sandbox judges requests as another validator does, by the same specification.
"""

from __future__ import annotations

import random

import pytest
import specs
from jsonschema import Draft202012Validator

from krea_cli.catalog.catalog import Catalog
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.store import SandboxStore
from krea_cli.sandbox.submission import submit

MODELS = Catalog.bundled().models


def contract(store, count, seed):
    """
    Submit random bodies; count the accepted and the refused ones.
    """
    rng = random.Random(seed)
    spec = specs.bundled()["paths"]
    outcomes = {True: 0, False: 0}
    for number in range(count):
        model = MODELS[number % len(MODELS)]
        content = spec[f"/generate/{model.path}"]["post"]["requestBody"]["content"]
        schema = content["application/json"]["schema"]
        body = specs.a_value(rng, schema)
        if not isinstance(body, dict):
            continue
        try:
            submit(store, model, body)
            accepted = True
        except ApiError as error:
            # A URL that cannot be fetched is not a matter of the schema.
            if "Invalid request body" != str(error):
                continue
            accepted = False
        assert Draft202012Validator(schema).is_valid(body) == accepted, body
        outcomes[accepted] += 1
    return outcomes


@pytest.mark.long
def test_sandbox_accepts_what_jsonschema_accepts(tmp_path, time):
    store = SandboxStore(tmp_path, clock=time.wall)

    outcomes = contract(store, 3_000, seed=3)

    assert min(outcomes.values()) > 100
