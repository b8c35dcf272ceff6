"""
Save the results of a batch under the names of its items, and copy equal results.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.api.models import SavedFile
from krea_cli.batch.lock import LockedFile
from krea_cli.batch.plan import PAID
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.shown_path import shown_path
from krea_cli.downloads.output_target import OutputTarget
from krea_cli.downloads.publish import Publisher
from krea_cli.errors import DownloadError, StorageError, TargetExistsError
from krea_cli.files.atomic_file import AtomicFile, check_folder, write_error

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.batch.lock import Lock
    from krea_cli.batch.plan import PlanStep
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.downloads.output_target import FilenameFields
    from krea_cli.downloads.partial_download import DownloadedFile
    from krea_cli.jobs.job_records import JobRecords


class ItemTarget(OutputTarget):
    """
    The output file of one item. Further results of its job get -2, -3 and so on.
    """

    def path(self, values: Mapping[str, str | int], *, several: bool) -> Path:
        path = Path(self.template or "")
        index = values["index"]
        if not several or index == 1:
            return path
        return path.with_name(f"{path.stem}-{index}{path.suffix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPublisher(Publisher):
    """
    A publisher that saves the results of an item under its names.

    `known` has the files listed in the lock, by path. Downloading them again must
    produce the same bytes. The files in `keeps` were edited by hand and stay.
    `is_as_planned` returns whether a file that may be replaced is unchanged since the
    plan was made. `received` collects the hash of each downloaded file.
    """

    known: Mapping[str, LockedFile]
    keeps: frozenset[str]
    is_as_planned: Callable[[Path], bool]
    received: dict[str, str] = field(default_factory=dict)

    def place(
        self, new: AtomicFile, received: DownloadedFile, target: Path, *, url: str
    ) -> SavedFile:
        """
        Publish a file, as `Publisher.place` does.

        Raises:
            DownloadError: the file differs from the first download.
            TargetExistsError: the file in its place was changed meanwhile.
        """
        path = str(target)
        known = self.known.get(path)
        expected = known.received_sha256 if known else None
        if expected and received.sha256 != expected:
            raise DownloadError(
                f"{shown_path(target)} is not downloaded: its content differs from the "
                "result that the lock lists.",
                is_lasting=True,
            )
        self.received[path] = received.sha256
        if known and path in self.keeps:
            return SavedFile(
                path=path,
                url=url,
                media_type=known.media_type,
                size_bytes=known.size_bytes,
                sha256=known.sha256,
                width=known.width,
                height=known.height,
            )
        if self.force and not self.is_as_planned(target):
            raise TargetExistsError(
                f"{shown_path(target)} was changed meanwhile, and is not replaced.",
                hint="Move it away, or replace it with --force.",
            )
        placed = Publisher.place(self, new, received, target, url=url)
        self.received[placed.path] = received.sha256
        return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFiles:
    """
    The results of a batch in `folder`.

    `disk` is the state seen by the plan. `downloader` builds the downloader of one
    item, and `naming` returns the fields for the file names of a job. `finish` writes
    the sidecar of a saved job and records unmet expectations. `saved` collects jobs
    with their files, by the outputs of their items.
    """

    folder: Path
    disk: ResultsOnDisk
    lock: Lock
    records: JobRecords
    downloader: Callable[[PlanStep, OutputTarget, Publisher], ResultDownloader]
    naming: Callable[[Job], FilenameFields]
    finish: Callable[[PlanStep, Job], None]
    warn: Callable[[str], None]
    force: bool = False
    saved: dict[str, Job] = field(default_factory=dict)

    def save(self, step: PlanStep, job: Job) -> Sequence[LockedFile]:
        """
        Save the results of a completed job under the name of the item.

        Raises:
            StorageError: a result could not be saved.
        """
        path = Path(os.path.normpath(self.folder / step.output))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise write_error(Path(step.shown), exc) from exc
        publisher = self._publisher(step)
        target = ItemTarget(
            template=str(path),
            makes_folders=True,
            has_sidecar=step.planned.item.sidecar,
        )
        downloader = self.downloader(step, target, publisher)
        # Files that earlier runs recorded have other names.
        found = bare = replace(job, files=())
        for found in downloader.save(
            bare, self.naming(job), first=1, several=len(job.urls) > 1
        ):
            self.records.record_outcome(found, files=found.files)
        self.saved[step.output] = found
        self.finish(step, found)
        return [self._locked(file, publisher) for file in found.files]

    def copy(self, step: PlanStep) -> Sequence[LockedFile]:
        """
        Copy the file of an equal result.

        Raises:
            StorageError: the file cannot be copied, or was changed meanwhile.
        """
        source, target = str(step.copy_of), Path(self._place(step.output))
        changed = f"{shown_path(self._place(source))} was changed meanwhile"
        lines = (
            *self.lock.lines,
            *self.lock.others,
            *([step.line] if step.line else ()),
        )
        files = [file for line in lines for file in line.files if file.path == source]
        known = next((file for file in files if self.disk.is_unchanged(file)), None)
        if known is None:
            raise StorageError(f"{changed}, and is not copied.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with AtomicFile(target.parent) as new:
                with (self.folder / source).open("rb") as file:
                    shutil.copyfileobj(file, new.file)
                new.file.flush()
                if ResultsOnDisk(new.path.parent).sha256(new.path.name) != known.sha256:
                    raise StorageError(f"{changed}, and is not copied.")
                new.publish(target, force=False)
        except OSError as exc:
            raise write_error(Path(step.shown), exc) from exc
        return [replace(known, path=step.output)]

    def _publisher(self, step: PlanStep) -> ItemPublisher:
        item = step.planned.item
        # A new job may produce other bytes than the job before it.
        files = step.line.files if step.line and step.sign not in PAID else ()
        known = {self._place(file.path): file for file in files}
        return ItemPublisher(
            force=step.replaces or self.force,
            quality=item.quality_out,
            warn=self.warn,
            known=known,
            keeps=frozenset(map(self._place, step.keeps)),
            is_as_planned=self._is_as_planned,
        )

    def check_folders(self, steps: Iterable[PlanStep]) -> None:
        """
        Check that the results of the steps can be saved. Call this before anything is
        paid for.

        Raises:
            StorageError: a folder is not writable, is a file, or its disk is full.
        """
        folders = {Path(self._place(step.output)).parent for step in steps}
        existing = set[Path]()
        for folder in sorted(folders):
            while not folder.exists() and folder != folder.parent:
                folder = folder.parent  # noqa: PLW2901  (the nearest existing one)
            existing.add(folder)
        for folder in sorted(existing):
            check_folder(Path(shown_path(folder)))

    def _place(self, name: str) -> str:
        return os.path.normpath(self.folder / name)

    def _is_as_planned(self, path: Path) -> bool:
        if self.force or not path.exists():
            return True
        name = self._relative(str(path))
        return ResultsOnDisk(self.folder).sha256(name) == self.disk.sha256(name)

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def _locked(self, file: SavedFile, publisher: ItemPublisher) -> LockedFile:
        received = publisher.received.get(file.path)
        if received is None and file.converted_from is None:
            received = file.sha256
        return LockedFile(
            path=self._relative(file.path),
            sha256=file.sha256,
            received_sha256=received,
            size_bytes=file.size_bytes,
            media_type=file.media_type,
            width=file.width,
            height=file.height,
        )
