from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from journal.recorded import NOW, keep, record, rows

from krea_cli.api.models import Job, JobPage
from krea_cli.errors import InvalidResponseError, UsageError
from krea_cli.jobs.recovery import Recovery
from krea_cli.jobs.sightings import Sightings
from krea_cli.journal.journal import Journal
from krea_cli.journal.queries import JournalQueries

WRONG_CLOCKS = [600.0, 4.0, -600.0]


class Listing:
    """
    A service with jobs, whose clock is `clock_skew` seconds ahead of ours. `pages`, if
    given, replace the list: pairs of jobs and a cursor.
    """

    def __init__(self):
        self.jobs_made = []
        self.clock_skew = 0.0
        self.pages = None
        self.asked = []

    def make(self, job_id, at):
        created_at = datetime.fromtimestamp(at, UTC).isoformat()
        self.jobs_made.insert(
            0, Job(job_id=job_id, status="queued", created_at=created_at)
        )
        return self.jobs_made[0]

    def jobs(self, *, limit, cursor, deadline):
        self.asked.append(cursor)
        pages = self.pages or {None: (self.jobs_made, None)}
        jobs, following = pages[cursor]
        return JobPage(jobs=tuple(jobs), cursor=following, clock_skew=self.clock_skew)


@pytest.fixture
def listing():
    return Listing()


@pytest.fixture
def journal(database):
    return Journal(database, "service")


@pytest.fixture
def recovery(listing, journal, database, time):
    def make(*, has_other_token=False):
        return Recovery(
            client=listing,
            journal=journal,
            history=JournalQueries(
                database, "service", now=time.wall, damaged=pytest.fail
            ),
            sightings=Sightings(database, "service"),
            submitter=SimpleNamespace(submit=send_nothing),
            clock=time.clock,
            has_other_token=lambda _: has_other_token,
        )

    return make


def send_nothing(_post, begin, **_):
    begin()
    pytest.fail("it was sent")


def lose(journal, **fields):
    """
    A request whose answer was lost.
    """
    made = record(**fields)
    journal.begin(made)
    journal.unconfirmed(made.record)
    return made


def ids(jobs):
    return [job.job_id for job in jobs]


@pytest.mark.parametrize("wrong_by", WRONG_CLOCKS)
def test_candidates_of_a_wrong_clock_stay_when_it_is_corrected(
    recovery, listing, journal, wrong_by
):
    """
    The first look, by the process that submitted, measures the clocks: a job that
    appears in the list only later is found by any clock.
    """
    lost = lose(journal, created_at=NOW + wrong_by)
    listing.make("long-ago", NOW - 3600)
    assert [] == recovery().candidates(lost, submitted=0.0)
    listing.make("mine", NOW + 0.5)

    assert ["mine"] == ids(recovery().candidates(lost))
    with pytest.raises(UsageError, match="Nothing was submitted"):
        recovery().resubmit(lost, deadline=99.0)


def test_the_first_look_measures_the_clocks_when_the_request_left(
    recovery, listing, journal, time
):
    """
    Even if ours is set between the request and the look: the time between is that of
    the monotonic clock.
    """
    lost = lose(journal, created_at=NOW + 600)
    time.elapsed = 3.0
    # By now it is right.
    assert [] == recovery().candidates(lost, submitted=0.0)

    assert -600.0 == recovery().sightings.load(lost.record).clock_skew


def test_a_look_by_another_process_does_not_measure(recovery, listing, journal):
    """
    The clock may have been set since the request.
    """
    lost = lose(journal, created_at=NOW + 600)
    listing.make("mine", NOW)

    assert ["mine"] == ids(recovery().candidates(lost))
    assert recovery().sightings.load(lost.record).clock_skew is None


def test_candidates_are_newer_than_what_was_known_whatever_the_clock_says(
    recovery, listing, journal
):
    """
    Between the newest job known before the request and the next one that krea itself
    submitted: the clock was wrong, and is right now, and nobody looked meanwhile.
    """
    listing.make("before-1", NOW - 90)
    listing.make("foreign", NOW - 60)
    keep(journal, listing.make("before-2", NOW - 30).job_id)
    lost = lose(journal, created_at=NOW + 600)
    listing.make("mine", NOW)
    keep(journal, listing.make("next", NOW + 30).job_id)
    recovery().sightings.save_clock_skew(lost.record, 0.0)

    assert ["mine"] == ids(recovery().candidates(lost))


def test_a_job_known_only_after_the_request_bounds_nothing(recovery, listing, journal):
    """
    Of requests at the same time, the one with the later record may be the earlier job.
    """
    early, lost = record(), record(created_at=NOW + 600)
    for each in (early, lost):
        journal.begin(each)
    journal.accepted(early.record, "early")
    journal.unconfirmed(lost.record)
    listing.make("mine", NOW)
    listing.make("early", NOW + 5)

    assert ["mine"] == ids(recovery().candidates(lost))


def test_candidates_in_time_come_first(recovery, listing, journal):
    """
    The likeliest first, as only the first few are told.
    """
    keep(journal, listing.make("before", NOW - 90).job_id)
    lost = lose(journal)
    for job_id, at in (("web-1", -60), ("web-2", -30), ("mine", 0), ("later", 30)):
        listing.make(job_id, NOW + at)

    found = ids(recovery().candidates(lost))

    assert ["mine", "later", "web-2", "web-1"] == found


def test_a_candidate_once_seen_stays_one(recovery, listing, journal):
    """
    Also when the list does not show it any more; until it has another record.
    """
    lost = lose(journal)
    listing.make("mine", NOW)
    recovery().candidates(lost)
    listing.jobs_made = []

    assert ["mine"] == ids(recovery().candidates(lost))
    keep(journal, "mine")
    assert [] == recovery().candidates(lost)


def test_an_empty_page_with_a_cursor_is_not_the_end(recovery, listing, journal):
    """
    The job is on the page behind it.
    """
    lost = lose(journal)
    mine = listing.make("mine", NOW)
    listing.pages = {None: ([], "2"), "2": ([], "3"), "3": ([mine], None)}

    assert ["mine"] == ids(recovery().candidates(lost))


def test_a_list_in_a_circle_is_not_read_to_its_end(recovery, listing, journal):
    """
    A job may be missed, so nobody is told that there is none.
    """
    lost = lose(journal)
    listing.pages = {None: ([], "2"), "2": ([], "2")}

    with pytest.raises(InvalidResponseError):
        recovery().candidates(lost)
    assert [None, "2"] == listing.asked


def test_the_list_is_not_read_further_than_needed(recovery, listing, journal):
    """
    Down to the newest job known before, when that is older than the request.
    """
    keep(journal, listing.make("before", NOW - 90).job_id)
    lost = lose(journal)
    mine = listing.make("mine", NOW)
    old = Listing().make("old", NOW - 999)
    listing.pages = {
        None: ([mine], "2"),
        "2": ([listing.jobs_made[1]], "3"),
        "3": ([old], "4"),
    }

    assert ["mine"] == ids(recovery().candidates(lost))
    assert [None, "2", "3"] == listing.asked


def test_another_token_sends_nothing_again(recovery, listing, journal, folder):
    """
    Its account may have no such job; what its list shows is not kept as a candidate.
    """
    lost = lose(journal)
    listing.make("theirs", NOW)
    other = recovery(has_other_token=True)
    other.candidates(lost)

    with pytest.raises(UsageError, match="another API token"):
        other.resubmit(lost, deadline=99.0)
    assert [("unknown", None, None)] == rows(
        folder, "SELECT state, seen, resent_at FROM records"
    )
