"""
The JSON Schema agrees with what the reader takes.
"""

from __future__ import annotations

import tomllib

import jsonschema
import pytest

from krea_cli.batch.manifest import parse_manifest
from krea_cli.batch.manifest_schema import manifest_schema
from krea_cli.batch.problems import Problems

VALIDATOR = jsonschema.Draft202012Validator(manifest_schema())
OWL = '[[pictures]]\nprompt = "an owl"\noutput = "owl.png"\n'
CASES = [
    OWL,
    OWL + 'seed = "{n}"\nimage = ["a.jpg", "b.jpg"]\nstyle = "x:0.5"\n',
    OWL + "params = { a = [1, {b = 2}] }\nmatrix.params.c = [1, 2]\ncount = 3\n",
    f"[defaults]\nmax_size = '5MB'\n[lock]\nalso = ['x.lock']\nprompts = false\n{OWL}",
    f"[budget]\nusd = 5\n{OWL}",
    f"[budget]\nusd = -1\n{OWL}",
    f"[budget]\nusd = '5'\n{OWL}",
    f"[lock]\nprompts = 'no'\n{OWL}",
    f"[other]\n{OWL}",
    f"[defaults]\neach = 'x'\n{OWL}",
    "[defaults]\nseed = 1\n",
    "pictures = []\n",
    "[pictures]\n",
    OWL + "promt = 'x'\n",
    OWL + "seed = '7'\n",
    OWL + "seed = 1.5\n",
    OWL + "seed = true\n",
    OWL + "strength = 0.5\n",
    OWL + "width = 0\n",
    OWL + "sidecar = 1\n",
    OWL + "count = 10001\n",
    OWL + "quality_out = 101\n",
    OWL + "max_size = 'big'\n",
    OWL + "image = []\n",
    OWL + "image = [1]\n",
    OWL + "expect = 'not-blank'\n",
    OWL + "params = 1\n",
    OWL + "matrix.seed = 1\n",
    OWL + "matrix.seed = []\n",
    OWL + "matrix.index = [1]\n",
    OWL + "matrix.animal = ['owl', 2]\nexpect = ['{animal}']\n",
    OWL + "matrix.animal = [{}]\nexpect = ['{animal}']\n",
    OWL + "matrix.output = ['a.png']\n",
    OWL + "webhook = 'https://x'\n",
]


@pytest.mark.parametrize("text", CASES)
def test_schema_refuses_what_the_reader_refuses(text):
    problems = Problems()
    parse_manifest(text.encode(), "m.toml", problems)

    is_valid = VALIDATOR.is_valid(tomllib.loads(text))

    assert bool(problems) != is_valid, [str(each) for each in problems.found]


def test_schema_is_a_schema_itself():
    jsonschema.Draft202012Validator.check_schema(manifest_schema())
