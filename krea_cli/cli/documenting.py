"""
How results were made: what their names are made of, and what is written beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.cli.watching import Watching
from krea_cli.errors import StorageError, UsageError

if TYPE_CHECKING:
    from krea_cli.api.models import Job, SavedFile
    from krea_cli.downloads.output_target import FilenameFields
    from krea_cli.journal.record import Record


class Documenting(Watching):
    """
    What the journal knows of the requests, for names and sidecars.
    """

    def naming(
        self,
        model: str | None,
        seed: int | None,
        *,
        prompt: str | None = None,
        source: str | None = None,
        sent_at: float | None = None,
    ) -> FilenameFields:
        """
        What the names of files are made of; *sent_at* is now where it is not known.
        """
        from datetime import datetime

        from krea_cli.downloads.output_target import FilenameFields

        time = self.clock.wall() if sent_at is None else sent_at
        return FilenameFields(
            time=datetime.fromtimestamp(time).astimezone(),
            model=model or "",
            prompt=prompt or "",
            source=source or "",
            seed=seed,
        )

    def naming_of(
        self, job: Job, usual: FilenameFields | None = None
    ) -> FilenameFields:
        """
        What the names of the job's files are made of, in this run and in any other: by
        the journal.  For a job that it does not have, *usual*, or what the job tells.
        """
        record = self._record(job.job_id)
        if record is None:
            return usual or self.naming(job.model, job.seed)
        return self.naming(
            record.model,
            record.seed,
            prompt=record.prompt,
            source=record.source,
            sent_at=record.created_at,
        )

    def check_sidecars(self, job_ids: Sequence[str]) -> None:
        """
        Raises:
            UsageError: sidecars are wished, and the journal does not know what was sent
                for one of the jobs.
        """
        for job_id in job_ids if self.delivery.sidecar else ():
            if self._sent(job_id) is None:
                raise UsageError(
                    f"The journal does not know what was sent for job {job_id}, so "
                    "there can be no sidecar.",
                    hint="Leave out --sidecar.",
                )

    def write_sidecars(self, job: Job) -> None:
        """
        Write the sidecar of each file of the job, if they are wished; warn of one that
        is there without being wished.

        Raises:
            StorageError: one is not there; the files themselves are.
        """
        for file in job.files:
            if not self.delivery.sidecar:
                self._warn_of_former(job, file)
                continue
            try:
                self._write_sidecar(job, file)
            except StorageError as exc:
                message = f"{file.path} is saved, without sidecar: {exc.message}"
                raise exc.but(message=message) from exc.__cause__

    def _warn_of_former(self, job: Job, file: SavedFile) -> None:
        """
        What was overwritten may have left the sidecar of another picture there.
        """
        if not self.delivery.force or file.path == "-":
            return
        from krea_cli.downloads.sidecar_path import sidecar_path
        from krea_cli.requests import sidecar as sidecars

        sidecar = sidecar_path(Path(file.path))
        if sidecar.is_file() and not sidecars.is_sidecar_of(sidecar, job, file):
            self.out.warn(f"{sidecar} was there before, and is of another result.")

    def _write_sidecar(self, job: Job, file: SavedFile) -> None:
        from krea_cli.requests import sidecar as sidecars

        record = self._sent(job.job_id)
        if record is None:
            raise StorageError("The journal has lost what was sent.")
        sidecars.write(record, job, file, force=self.delivery.force)

    def _sent(self, job_id: str) -> Record | None:
        """
        The record of the job; a journal of the first layout has no requests.
        """
        record = self.record(job_id)
        return record if record and record.request["path"] else None
