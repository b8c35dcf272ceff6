"""
Stub collaborators for operations, without a service, terminal, journal or files.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from krea_cli.api.models import Job, SavedFile
from krea_cli.errors import StorageError
from krea_cli.output.progress import Progress


def job(job_id="j1", status="queued", **fields):
    urls = (f"https://k.test/{job_id}.png",) if status == "completed" else ()
    return Job(job_id=job_id, status=status, **{"urls": urls} | fields)


def saved_file(job_id, index=1):
    return SavedFile(
        path=f"{job_id}-{index}.png",
        url=f"https://k.test/{job_id}.png",
        media_type="image/png",
        size_bytes=1,
        sha256="0",
    )


class Console:
    """
    Record all output. If `broken` is set, raise it when results are written.
    """

    def __init__(self):
        self.notes, self.warnings, self.results, self.errors = [], [], [], []
        self.broken = None
        self.shown = Progress()

    def note(self, text):
        self.notes.append(text)

    def warn(self, text):
        self.warnings.append(text)

    def result(self, results):
        if self.broken:
            raise self.broken
        self.results += results

    def error(self, error):
        self.errors.append(error)

    def progress(self):
        return self.shown


class Script:
    """
    Return the next of `outcomes` at each call. Raise exceptions, and call functions.
    With `stays`, repeat the last outcome.
    """

    def __init__(self, *outcomes, stays=False):
        self.left = list(outcomes)
        self.calls = []
        self._stays = stays
        self._lock = threading.Lock()

    def __call__(self, *args, **options):
        with self._lock:
            self.calls.append((args, options))
            is_last = self._stays and len(self.left) == 1
            outcome = self.left[0] if is_last else self.left.pop(0)
        if callable(outcome):
            outcome = outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Service:
    """
    Jobs at the service. Each fetch of a job returns its next state.
    """

    def __init__(self, **states):
        self.scripts = {
            job_id: Script(
                *(job(job_id, s) if isinstance(s, str) else s for s in each), stays=True
            )
            for job_id, each in states.items()
        }
        self.fetched, self.outcomes, self.cancelled = [], [], []
        self.listed = None

    def fetch(self, job_id, *, deadline=None):
        self.fetched.append((job_id, deadline))
        return self.scripts[job_id]()

    def fetch_many(self, job_ids, *, deadline=None):
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed or {}

    def cancel(self, job_id):
        self.cancelled.append(job_id)
        return self.scripts[job_id]()

    def record_outcome(self, job, *, files=(), first_index=None):
        self.outcomes.append((job.job_id, job.status, len(files)))


class Timing:
    """
    Poll every two seconds.
    """

    def __init__(self):
        self.added = []

    def add(self, job):
        self.added.append(job.job_id)

    def seconds_until_next_poll(self, _job_id):
        return 2.0

    def usual_seconds(self):
        return None


class Downloader:
    """
    Save one file for each URL. `failures` has errors to raise instead, by job id.
    """

    def __init__(self, **failures):
        self.failures = failures
        self.saved = []

    def save(self, job, names, *, first, several, on_progress, pool):
        self.saved.append((job.job_id, first, several))
        on_progress(1, 1)
        if error := self.failures.get(job.job_id):
            raise error
        files = []
        for at in range(len(job.urls)):
            files.append(saved_file(job.job_id, first + at))
            yield replace(job, files=tuple(files))


class Sidecars:
    def __init__(self, **failures):
        self.failures = failures
        self.written = []

    def write(self, job):
        self.written.append(job.job_id)
        if error := self.failures.get(job.job_id):
            raise error


class Names:
    def of_job(self, job):
        return job.job_id


def full_disk():
    return StorageError("No space left.")
