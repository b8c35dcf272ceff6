"""
Results on their way to files, up to four at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.api.resources import Job
from krea_cli.at_once import Crew
from krea_cli.errors import KreaError
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.results import Results
    from krea_cli.jobs.targets import Naming
    from krea_cli.output.progress import Progress

# Hosts of results, and disks, gain nothing from more at once.
MOST_AT_ONCE = 4


class Saving:
    """
    Saves what jobs gave, by their places: *saved* has the jobs with their files,
    *failed* why one has none, *lacking* why one has files without sidecar.  What goes
    wrong with one does not stop the others.
    """

    def __init__(
        self,
        session: Session,
        results: Results,
        naming: Callable[[Job], Naming],
        *,
        force: bool,
    ) -> None:
        self.saved: dict[int, Job] = {}
        self.failed: dict[int, KreaError] = {}
        self.lacking: dict[int, KreaError] = {}
        self._session = session
        self._force = force
        self._results = results
        self._naming = naming

    def save(self, jobs: Sequence[Job], progress: Progress) -> None:
        """
        Save the results of those that have any, under indexes that count from 1.
        """
        progress.doing("saving")
        works, index = [], 1
        for at, job in enumerate(jobs):
            if job.status == "completed" and not job.lacks_result:
                several = len(jobs) > 1
                works.append(partial(self._save, at, job, index, several, progress))
                index += len(job.urls)
        if len(works) == 1:
            # A signal reaches it even where it writes to a pipe that nobody reads.
            works[0]()
            return
        with Crew(MOST_AT_ONCE) as crew:
            for work in works:
                crew.start(work)

    def _save(
        self, at: int, job: Job, first: int, several: bool, progress: Progress
    ) -> None:
        try:
            saved = self._results.save(
                job,
                self._naming(job),
                first=first,
                several=several,
                received=partial(progress.received, job),
            )
        except KreaError as exc:
            self.failed[at] = exc
            return
        finally:
            progress.saved(job)
        self.saved[at] = saved
        self._session.ended(saved)
        try:
            self._session.write_sidecars(saved, force=self._force)
        except KreaError as exc:
            self.lacking[at] = exc
        self._session.settle(job.job_id, has_result=True)
