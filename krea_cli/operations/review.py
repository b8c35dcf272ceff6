"""
Compare saved results with the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.jobs.job_records import JobRecords


class ResultReview(NamedTuple):
    """
    Reviews saved results.

    `catalog` is called if a job names its model. `max_side` is the maximum side in
    pixels of images from a service that scales results down, or None.
    """

    catalog: Callable[[], Catalog]
    records: JobRecords
    max_side: int | None

    def remarks(self, saved: Job) -> list[str]:
        """
        Return a sentence for each difference that may surprise the user.
        """
        from krea_cli.downloads.result_checks import differences, wrong_kinds

        models = self.catalog().with_id(saved.model) if saved.model else ()
        body = self.records.request_body(saved.job_id)
        return [
            *wrong_kinds(saved, models),
            *differences(saved.files, body, max_side=self.max_side),
        ]
