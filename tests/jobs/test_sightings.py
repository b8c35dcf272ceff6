from __future__ import annotations

from journal.recorded import record

from krea_cli.api.models import Job
from krea_cli.jobs.sightings import Sightings
from krea_cli.journal.journal import Journal

FIRST, SECOND = (f"{at:08d}-0000-4000-8000-000000000000" for at in (1, 2))


def test_keep_jobs_adds_to_the_candidates_seen_before(database):
    made = record()
    Journal(database, "service").begin(made)
    sightings = Sightings(database, "service")

    sightings.keep_jobs(made.record, [Job(job_id=FIRST, status="queued")])
    sightings.keep_jobs(made.record, [Job(job_id=SECOND, status="queued")])
    sightings.keep_jobs(made.record, [Job(job_id=FIRST, status="failed")])

    seen = sightings.load(made.record).jobs
    assert {(FIRST, "failed"), (SECOND, "queued")} == {
        (job.job_id, job.status) for job in seen
    }
