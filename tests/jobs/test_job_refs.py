from __future__ import annotations

import pytest
from journal.recorded import record as made

from krea_cli.errors import UnknownJobError, UsageError
from krea_cli.jobs.job_refs import resolve_job_refs
from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal

FIRST = "11111111-0000-4000-8000-000000000000"
SECOND = "22222222-0000-4000-8000-000000000000"
THIRD = "22222222-0000-4000-8000-111111111111"


@pytest.fixture
def journal(tmp_path):
    """
    A run of one job, and one of two.
    """
    database = Database(tmp_path)
    journal = Journal(database, "service")
    for run, job_id in (("one", FIRST), ("two", SECOND), ("two", THIRD)):
        record = made(run=run)
        journal.begin(record)
        journal.accepted(record.record, job_id)
    yield journal
    database.close()


def nobody():
    raise AssertionError


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        ([], [SECOND, THIRD]),
        (["@last"], [SECOND, THIRD]),
        ([FIRST[:8]], [FIRST]),
        ([FIRST[:-1]], [FIRST]),
        ([THIRD, "@last", FIRST[:8], FIRST], [THIRD, SECOND, FIRST]),
        (["99999999"], ["99999999"]),
    ],
)
def test_arguments_mean_jobs(journal, arguments, jobs):
    """
    Ids, beginnings and @last, each job once, in the order given; what the journal does
    not know may be whole all the same.
    """
    assert jobs == resolve_job_refs(arguments, lambda: journal)


def test_a_whole_id_needs_no_journal():
    """
    It may be another machine's, or there may be none that can be read.
    """
    assert [FIRST] == resolve_job_refs([FIRST], nobody)


def test_a_beginning_of_several_is_refused(journal):
    """
    Which one is meant is not guessed.
    """
    with pytest.raises(UsageError, match="matches 2 jobs"):
        resolve_job_refs([SECOND[:10]], lambda: journal)


@pytest.mark.parametrize("argument", ["1111111", "@first", "../x", "a?b", "a b", ""])
def test_what_is_no_id_is_refused(argument):
    """
    Without a look into the journal.
    """
    with pytest.raises(UsageError):
        resolve_job_refs([argument], nobody)


def test_without_a_last_job_that_is_said(tmp_path):
    """
    Nothing is made to find that out.
    """
    folder = tmp_path / "state"

    with pytest.raises(UnknownJobError, match="No jobs yet"):
        resolve_job_refs([], lambda: Journal(Database(folder), "service"))

    assert not folder.exists()
