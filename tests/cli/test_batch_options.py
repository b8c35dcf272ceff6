"""
Which options of `krea batch` make sense together.
"""

from __future__ import annotations

import pytest

from krea_cli.batch.selection import Shard
from krea_cli.cli.batch_options import BatchOptions
from krea_cli.errors import UsageError

SHARD = "1/5"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"only": ["a.png"], "again": ["failed"], "limit": 3, "sure": True},
        {"shard": SHARD, "no_wait": True, "limit": 3},
        {"collect": True, "shard": SHARD, "sheet": "sheet.html"},
        {"check": True, "sheet": "SHEET.PNG", "only": ["*.png"]},
        {"dry_run": True, "shard": SHARD, "only": ["a.png"]},
        {"prune": True, "yes": True, "lock": "x.lock"},
    ],
)
def test_options_that_make_sense_pass(given):
    BatchOptions(**given).check_combinations()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"check": True, "dry_run": True},
            "Use either --check or --dry-run, not both.",
        ),
        ({"check": True, "collect": True}, "Use either --check or --collect"),
        ({"check": True, "again": ["failed"]}, "Use either --check or --again"),
        ({"dry_run": True, "limit": 1}, "Use either --dry-run or --limit"),
        ({"dry_run": True, "sheet": "x.html"}, "Use either --dry-run or --sheet"),
        ({"collect": True, "no_wait": True}, "Use either --collect or --no-wait"),
        ({"collect": True, "sure": True}, "Use either --collect or --sure"),
        ({"prune": True, "only": ["x"]}, "Use either --prune or --only"),
        ({"prune": True, "shard": SHARD}, "Use either --prune or --shard"),
        ({"sure": True, "shard": SHARD}, "Use either --sure or --shard"),
        ({"shard": "5"}, "--shard: '5' is not a shard."),
        ({"yes": True}, "--yes needs --prune."),
        ({"sheet": "sheet.pdf"}, "Cannot write sheet.pdf as a contact sheet."),
    ],
)
def test_options_that_contradict_each_other_are_refused(given, message):
    with pytest.raises(UsageError) as caught:
        BatchOptions(**given).check_combinations()

    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("given", "submits", "looks"),
    [
        ({}, True, True),
        ({"shard": SHARD}, True, False),
        ({"collect": True}, False, False),
        ({"check": True}, False, False),
        ({"dry_run": True}, False, False),
        ({"prune": True}, False, False),
    ],
)
def test_options_say_what_a_run_may_do(given, submits, looks):
    options = BatchOptions(**given)

    assert ("shard" in given) == (options.parsed_shard() == Shard(1, 5))
    assert (submits, looks) == (options.submits, options.looks_for_lost_jobs)
