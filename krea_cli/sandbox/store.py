"""
Store jobs, uploads and results of the sandbox in one folder.

Several processes may share it: files are written atomically, and no state is kept in
memory. Unreadable files count as missing.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from krea_cli import __version__
from krea_cli.errors import StorageError
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.sandbox import blob_store
from krea_cli.sandbox.concurrency import ConcurrencyLimit, JobLimits
from krea_cli.sandbox.job import SandboxJob, iso
from krea_cli.sandbox.rendering import render

UPLOAD_LIMIT = 75 * 2**20
# Equal requests without a seed cycle through this many different results.
VARIANTS = 4
_FOLDERS = ("jobs", "uploads", "inputs", "results")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """
    An uploaded file. Width and height may be unknown.
    """

    id: str
    sha256: str
    uploaded_at: str
    size_bytes: int
    mime_type: str
    width: int | None = None
    height: int | None = None
    description: str | None = None

    def as_response(self, base_url: str) -> dict[str, Any]:
        """
        Return the upload as the API shows it, with a URL under `base_url`.
        """
        data = asdict(self) | {"image_url": f"{base_url}/uploads/{self.id}"}
        del data["sha256"]
        if self.description is None:
            del data["description"]
        return data


class SandboxStore:
    """
    Stores everything in `folder`. `clock` returns seconds since the epoch.

    Raises:
        StorageError: the folder cannot be created or used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        limits: JobLimits | None = None,
    ) -> None:
        self.folder = folder
        self._seconds = (limits or JobLimits()).job_seconds
        self._limit = ConcurrencyLimit(limits or JobLimits())
        self._clock = clock
        self._lock, self._rendering = threading.Lock(), threading.Lock()
        self._last_created = 0.0
        self._make_folders()
        self._job_count = sum(1 for _ in (folder / "jobs").glob("*.json"))

    def now(self) -> float:
        return self._clock()

    def add_job(self, *, seconds: float | None = None, **job: Any) -> SandboxJob:
        """
        Create and store a job with the given attributes.

        `seconds` is its duration. Jobs of one process get distinct creation times,
        because lists are paged by them.

        Raises:
            ApiError: 429 if no more jobs may run.
        """
        seconds = self._seconds if seconds is None else seconds
        with self._lock:
            created_at = round(max(self.now(), self._last_created + 2e-6), 6)
            starts_at = self._limit.schedule(created_at, seconds, self.jobs)
            self._last_created = created_at
            self._job_count += 1
            drawn = self._job_count % VARIANTS
        added = SandboxJob(
            job_id=str(uuid.uuid4()),
            created_at=created_at,
            starts_at=starts_at,
            seconds=seconds,
            drawn=drawn,
            **job,
        )
        self._write_job(added)
        return added

    def job(self, job_id: str) -> SandboxJob | None:
        try:
            return SandboxJob.from_json(self._read("jobs", job_id))
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            OverflowError,
            OSError,
        ):
            return None

    def jobs(self) -> list[SandboxJob]:
        """
        Return all jobs, newest first.
        """
        found = (self.job(path.stem) for path in (self.folder / "jobs").glob("*.json"))
        return sorted((job for job in found if job), key=lambda job: -job.created_at)

    def cancel(self, job: SandboxJob) -> SandboxJob:
        """
        Cancel the job unless it has finished. Return its new state.
        """
        now = self.now()
        if job.is_finished(now):
            return job
        cancelled = replace(job, cancelled_at=now)
        self._write_job(cancelled)
        return cancelled

    def store_input(
        self, chunks: Iterable[bytes], *, any_kind: bool = False
    ) -> blob_store.StoredBlob:
        """
        Store the content of an input file.

        Raises:
            TooLongError: there are more than `UPLOAD_LIMIT` bytes.
            UnknownMediaError: the content is not a supported media file, and `any_kind`
                is not set.
        """
        folder = self.folder / "inputs"
        return blob_store.store_blob(
            chunks, folder, limit=UPLOAD_LIMIT, any_kind=any_kind
        )

    def input_path(self, sha256: str) -> Path:
        return self.folder / "inputs" / sha256

    def add_upload(
        self, file: blob_store.StoredBlob, description: str | None
    ) -> Upload:
        """
        Register a stored file as an upload with a new id.
        """
        width, height = file.size or (None, None)
        upload = Upload(
            id=str(uuid.uuid4()),
            sha256=file.sha256,
            uploaded_at=iso(self.now()),
            size_bytes=file.size_bytes,
            mime_type=file.media_type or "application/octet-stream",
            width=width,
            height=height,
            description=description,
        )
        self._write("uploads", upload.id, asdict(upload))
        return upload

    def upload(self, upload_id: str) -> Upload | None:
        data = self._read("uploads", upload_id)
        with suppress(TypeError):
            upload = Upload(**data)
            return upload if self.input_path(upload.sha256).is_file() else None
        return None

    def uploads(self) -> list[Upload]:
        """
        Return all uploads, newest first.
        """
        paths = (self.folder / "uploads").glob("*.json")
        found = filter(None, (self.upload(path.stem) for path in paths))
        return sorted(found, key=lambda upload: upload.uploaded_at, reverse=True)

    def delete_upload(self, upload_id: str) -> None:
        """
        Delete the upload. Its content stays while another upload or a job uses it.
        """
        upload = self.upload(upload_id)
        if upload is None:
            return
        (self.folder / "uploads" / f"{upload.id}.json").unlink(missing_ok=True)
        used = {each.sha256 for each in self.uploads()}
        used |= {each.sha256 or "" for job in self.jobs() for each in job.inputs}
        if upload.sha256 not in used:
            self.input_path(upload.sha256).unlink(missing_ok=True)

    def result_path(self, job: SandboxJob, name: str) -> Path:
        """
        Return the path of a result, one of `job.files`, and render it if necessary.

        Jobs with equal requests and seeds share a file.
        """
        part, suffix = name.removeprefix(f"{job.job_id}-").split(".")
        asked = [__version__, part, suffix, job.model, job.fields, job.seed]
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        path = self.folder / "results" / f"{key}.{suffix}"
        with self._rendering:
            if not path.exists():
                blob_store.write_file(path, render(job, part, self.input_path))
        return path

    def reset(self) -> int:
        """
        Delete everything, and return the number of jobs deleted.

        Folders stay, and so do files that are being written: another process may be
        using them.

        Raises:
            StorageError: a file cannot be deleted.
        """
        count = len(list((self.folder / "jobs").glob("*.json")))
        with self._writing():
            for name in _FOLDERS:
                blob_store.delete_files(self.folder / name)
        return count

    def _make_folders(self) -> None:
        with self._writing():
            blob_store.create_private_folder(self.folder)
            for name in _FOLDERS:
                blob_store.create_private_folder(self.folder / name)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise StorageError(
                f"Cannot use {self.folder} for the sandbox: {reason_of(exc)}.",
                hint="Set KREA_STATE_DIR to another folder.",
            ) from exc

    def _write_job(self, job: SandboxJob) -> None:
        self._write("jobs", job.job_id, job.as_json())

    def _write(self, kind: str, name: str, data: Mapping[str, Any]) -> None:
        blob_store.write_file(
            self.folder / kind / f"{name}.json", json.dumps(data).encode()
        )

    def _read(self, kind: str, name: str) -> Any:
        """
        Read a stored JSON object. Return {} if it is missing or unreadable.
        """
        with suppress(ValueError, OSError, RecursionError):
            name = str(uuid.UUID(name))
            data = json.loads((self.folder / kind / f"{name}.json").read_bytes())
            return data if isinstance(data, dict) else {}
        return {}
