"""
Where results go, and under which names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from krea_cli.errors import StorageError, UsageError
from krea_cli.output.workflow import cannot_be_told
from krea_cli.watching import Watching

if TYPE_CHECKING:
    from krea_cli.api.resources import Job, SavedFile
    from krea_cli.jobs.expectations import Expectation
    from krea_cli.jobs.records import Record
    from krea_cli.jobs.results import Results
    from krea_cli.jobs.targets import Naming, Target

_A_RESULT = {
    "image": "a picture",
    "video": "a video",
    "audio": "a sound",
    "3d": "a 3D model",
}


class Delivering(Watching):
    """
    The way of results to files, looked at before anything is sent.
    """

    def target(
        self,
        output: str | None,
        *,
        count: int,
        force: bool,
        kind: str | None = None,
        naming: Naming | None = None,
        expectations: Sequence[Expectation] = (),
    ) -> Target:
        """
        Where *count* results go, after a look whether they can go there and meet the
        *expectations*; *kind* is what they are (image, video, audio or 3d) and *naming*
        what they will be named by, if that is known.

        Raises:
            UsageError: *output* makes no sense here.
            StorageError: a result could not be saved.
        """
        from krea_cli.jobs.targets import Target

        target = Target.parse(output, has_sidecar=self.writes_sidecars)
        if target.template is None and self.reports:
            raise UsageError(
                "--github tells where the result is, and -o - puts it nowhere.",
                hint="Name a file or a folder: -o results/",
            )
        if self.env.get("GITHUB_ACTIONS") and cannot_be_told(target.template or ""):
            raise UsageError(
                "GitHub Actions takes ##[ in a name as a command.",
                hint="Choose another name with -o.",
            )
        if target.template is None and self.writes_sidecars:
            raise UsageError(
                "--sidecar writes a file beside the result, and -o - makes none."
            )
        if target.template is None and self.flags.json:
            raise UsageError("--json and -o - both need standard output.")
        if target.template is None and self.out.stdout.file is None:
            raise StorageError("Standard output is closed.")
        if target.template is None and self.out.stdout.is_terminal:
            raise UsageError(
                "A terminal cannot show the bytes of a file.",
                hint="Send standard output to a file or a pipe, or name one with -o.",
            )
        if kind and target.media and target.media.kind != kind:
            raise UsageError(
                f"The result is {_A_RESULT[kind]}, which cannot become {output}.",
                hint="Name it otherwise, or leave out -o.",
            )
        if target.template is None and expectations:
            raise UsageError("--expect looks at a file, and -o - leaves none.")
        if expectations:
            from krea_cli.jobs import expectations as expecting

            expecting.check(expectations, media=target.media, kind=kind)
        target.check(count=count, force=force, naming=naming)
        return target

    def wish_sidecars(self, job_ids: Sequence[str]) -> None:
        """
        Write a sidecar beside each result from now on.

        Raises:
            UsageError: the journal does not know what was sent for one of the jobs.
        """
        self.writes_sidecars = True
        for job_id in job_ids:
            if self._sent(job_id) is None:
                raise UsageError(
                    f"The journal does not know what was sent for job {job_id}, so "
                    "there can be no sidecar.",
                    hint="Leave out --sidecar.",
                )

    def write_sidecars(self, job: Job, *, force: bool) -> None:
        """
        Write the sidecar of each file of the job, if they are wished.

        Raises:
            StorageError: one is not there; the files themselves are.
        """
        for file in job.files if self.writes_sidecars else ():
            try:
                self._write_sidecar(job, file, force=force)
            except StorageError as exc:
                exc.message = f"{file.path} is saved, without sidecar: {exc.message}"
                raise

    def _write_sidecar(self, job: Job, file: SavedFile, *, force: bool) -> None:
        from krea_cli.jobs import sidecars

        record = self._sent(job.job_id)
        if record is None:
            raise StorageError("The journal has lost what was sent.")
        sidecars.write(record, job, file, force=force)

    def _sent(self, job_id: str) -> Record | None:
        """
        The record of the job; a journal of the first layout has no requests.
        """
        record = self.record(job_id)
        return record if record and record.request["path"] else None

    def expectations(
        self, words: Sequence[str] | None, *, saves: bool
    ) -> tuple[Expectation, ...]:
        """
        What results must be, by the words of --expect.

        Raises:
            UsageError: a word is none of them, or nothing is saved.
        """
        if not words:
            return ()
        from krea_cli.jobs.expectations import Expectation
        from krea_cli.jobs.pictures import is_blank

        found = tuple(Expectation.parse(word, is_blank=is_blank) for word in words)
        if not saves:
            raise UsageError(
                "--expect looks at what is saved, and nothing is.",
                hint="Leave it out, or have the result saved: -o FILE.",
            )
        return found

    def unmet(self, job: Job, expectations: Sequence[Expectation]) -> list[str]:
        """
        A sentence for each expectation that a file of *job* does not meet.
        """
        if not expectations:
            return []
        from krea_cli.jobs.expectations import unmet

        return [each for file in job.files for each in unmet(file, expectations)]

    def naming(
        self,
        model: str | None,
        seed: int | None,
        *,
        prompt: str | None = None,
        source: str | None = None,
        sent_at: float | None = None,
    ) -> Naming:
        """
        What the names of files are made of; *sent_at* is now where it is not known.
        """
        from datetime import datetime

        from krea_cli.jobs.targets import Naming

        time = self.clock.wall() if sent_at is None else sent_at
        return Naming(
            time=datetime.fromtimestamp(time).astimezone(),
            model=model or "",
            prompt=prompt or "",
            source=source or "",
            seed=seed,
        )

    def naming_of(self, job: Job, usual: Naming | None = None) -> Naming:
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
            source=usual.source if usual else record.source,
            sent_at=record.created_at,
        )

    def results(
        self,
        target: Target,
        *,
        force: bool,
        max_bytes: int | None = None,
        quality: int | None = None,
    ) -> Results:
        """
        The way of results to *target*, each of *max_bytes* at most, converted with
        *quality*.
        """
        from krea_cli.jobs.placing import Placing
        from krea_cli.jobs.results import Results

        return Results(
            self.fetcher,
            self.clock,
            target,
            look=self.look,
            send=self.out.stdout.send,
            placing=Placing(force=force, quality=quality, warn=self.out.warn),
            max_bytes=max_bytes,
        )
