"""
Keep the result URLs of a job, and ask for new ones when they expire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from krea_cli.api.models import Job
from krea_cli.downloads.download_client import UrlExpiredError
from krea_cli.errors import DownloadError, KreaError
from krea_cli.runtime.clock import Clock

RENEWALS = 3
# A file may be there a little later than the job says so.
PAUSE_SECONDS = 1.0


class ResultUrls:
    """
    The URLs of one job's results, in order. *look* fetches the job again.
    """

    def __init__(self, job: Job, look: Callable[[str], Job], clock: Clock) -> None:
        self._job = job
        self._look = look
        self._clock = clock
        self._renewals = Counter[int]()

    @property
    def all(self) -> tuple[str, ...]:
        return self._job.urls

    def renew(self, at: int, gone: UrlExpiredError) -> None:
        """
        Fetch new URLs after the one at this place expired (*gone*), at most three times
        for each.

        Raises:
            DownloadError: the limit is reached, or the service returned no new URLs.
        """
        if self._renewals[at] >= RENEWALS:
            raise gone
        self._renewals[at] += 1
        try:
            job = self._look(self._job.job_id)
        except KreaError as exc:
            raise DownloadError(
                f"{gone.message} Krea has no new URL for it: {exc.message}",
                hint=exc.advice,
            ) from exc
        if job.status != "completed" or len(job.urls) != len(self._job.urls):
            raise gone
        if job.urls[at] == self._job.urls[at]:
            self._clock.sleep(PAUSE_SECONDS)
        self._job = job
