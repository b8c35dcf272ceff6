"""
Check sidecars before anything is sent, and write them next to saved files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.downloads.sidecar_path import sidecar_path
from krea_cli.errors import StorageError, UsageError
from krea_cli.files.file_identity import FileIdentity

if TYPE_CHECKING:
    from krea_cli.api.models import Job, SavedFile
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.journal.record import Record


class SidecarWriter:
    """
    Writes sidecars if `options` ask for them.

    It warns about existing sidecars that belong to another result.
    """

    def __init__(
        self,
        options: OutputOptions,
        records: JobRecords,
        *,
        warn: Callable[[str], object],
        replaces: Sequence[FileIdentity] = (),
    ) -> None:
        self._options = options
        self._records = records
        self._warn = warn
        self._replaces = replaces

    def check(self, job_ids: Sequence[str]) -> None:
        """
        Check that the sidecars of these jobs can be written.

        Raises:
            UsageError: the journal does not have the request of a job.
        """
        for job_id in job_ids if self._options.sidecar else ():
            if self._request(job_id) is None:
                raise UsageError(
                    "Cannot write a sidecar: this computer has no record of the "
                    f"request of job {job_id}.",
                    hint="Remove --sidecar.",
                )

    def write(self, job: Job) -> None:
        """
        Write the sidecar of each file of the job.

        Raises:
            StorageError: a sidecar cannot be written. The files themselves are saved.
        """
        for file in job.files:
            if not self._options.sidecar:
                self._warn_of_foreign(job, file)
                continue
            try:
                self._write(job, file)
            except StorageError as exc:
                message = f"Saved {file.path}, but not its sidecar: {exc.message}"
                raise exc.but(message=message) from exc.__cause__

    def _write(self, job: Job, file: SavedFile) -> None:
        from krea_cli.requests import sidecar

        record = self._request(job.job_id)
        if record is None:
            raise StorageError("The journal no longer has the request.")
        seen = FileIdentity.of(sidecar_path(Path(file.path)))
        force = self._options.force or seen in self._replaces
        sidecar.write(record, job, file, force=force)

    def _warn_of_foreign(self, job: Job, file: SavedFile) -> None:
        """
        Warn if an overwritten file still has the sidecar of an earlier result.
        """
        if not self._options.force or file.path == "-":
            return
        path = sidecar_path(Path(file.path))
        if not path.is_file():
            return
        from krea_cli.requests import sidecar

        if not sidecar.is_sidecar_of(path, job, file):
            self._warn(f"{path} belongs to an earlier result, not to this one.")

    def _request(self, job_id: str) -> Record | None:
        """
        Return the record of the job if it contains the request.

        Journals of the first layout do not contain requests.
        """
        record = self._records.find(job_id)
        return record if record and record.request["path"] else None
