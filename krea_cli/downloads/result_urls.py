"""
Renew the result URLs of a job when they expire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from krea_cli.api.models import Job
from krea_cli.downloads.download_client import UrlExpiredError
from krea_cli.errors import DownloadError, KreaError
from krea_cli.runtime.clock import Clock

MAX_RENEWALS = 3
# If the URLs are the same, the file may become available a moment later.
PAUSE_SECONDS = 1.0


class ResultUrls:
    """
    The URLs of a job's results, in order. `fetch_job` returns the job's current state.
    """

    def __init__(self, job: Job, fetch_job: Callable[[str], Job], clock: Clock) -> None:
        self._job = job
        self._fetch_job = fetch_job
        self._clock = clock
        self._renewals = Counter[int]()

    @property
    def all(self) -> tuple[str, ...]:
        return self._job.urls

    def renew(self, index: int, error: UrlExpiredError) -> None:
        """
        Fetch new URLs after the one at `index` expired with `error`. Do so at most
        three times for each.

        Raises:
            DownloadError: the limit is reached, or the service returned no new URLs.
        """
        if self._renewals[index] >= MAX_RENEWALS:
            raise error
        self._renewals[index] += 1
        try:
            job = self._fetch_job(self._job.job_id)
        except KreaError as exc:
            raise DownloadError(
                f"{error.message} Asking Krea for a new URL failed: {exc.message}",
                hint=exc.advice,
            ) from exc
        if job.status != "completed" or len(job.urls) != len(self._job.urls):
            raise error
        if job.urls[index] == self._job.urls[index]:
            self._clock.sleep(PAUSE_SECONDS)
        self._job = job
