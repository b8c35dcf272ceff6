"""
Compare saved results with what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.jobs.job_records import JobRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultReview:
    """
    *catalog* is called when a job names its model. *most_side* is the longest side in
    pixels of pictures from a service that scales them down, None for others.
    """

    catalog: Callable[[], Catalog]
    records: JobRecords
    most_side: int | None

    def remarks(self, saved: Job) -> list[str]:
        """
        Return a sentence for each difference that the user may wonder about.
        """
        from krea_cli.downloads.result_checks import differences, unexpected

        models = self.catalog().models if saved.model else ()
        body = self.records.request_body(saved.job_id)
        return [
            *unexpected(saved, models),
            *differences(saved.files, body, most_side=self.most_side),
        ]
