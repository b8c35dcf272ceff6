"""
One run of the program: the connection, the journal and the jobs, built on first use.

The slow modules are imported here, inside functions, and by nobody else at start-up: a
command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from krea_cli.connection import Connection
from krea_cli.errors import StorageError, UsageError

if TYPE_CHECKING:
    from krea_cli.api.resources import Job
    from krea_cli.catalogue.lookup import Catalogue
    from krea_cli.jobs.images import Images
    from krea_cli.jobs.journal import Journal
    from krea_cli.jobs.results import Results
    from krea_cli.jobs.submission import Submission
    from krea_cli.jobs.targets import Naming, Target
    from krea_cli.jobs.uploads import Uploads

_A_RESULT = {
    "image": "a picture",
    "video": "a video",
    "audio": "a sound",
    "3d": "a 3D model",
}
USUAL_TIMEOUT = 600.0
TIMEOUTS = {"video": 1800.0, "3d": 1800.0}


class Session(Connection):
    """
    Everything that a command reaches beside its own arguments.
    """

    @cached_property
    def catalogue(self) -> Catalogue:
        """
        The newest that is here; for the sandbox its own, which krea came with.
        """
        from krea_cli.catalogue import cached
        from krea_cli.catalogue.lookup import Catalogue

        if self.settings.sandbox:
            return Catalogue.bundled()
        return cached.newest(self.folders.cache)

    @cached_property
    def journal(self) -> Journal:
        from krea_cli.jobs.journal import Journal

        journal = Journal(self.folders.state, self.service)
        self._closing.append(journal.close)
        return journal

    @cached_property
    def images(self) -> Images:
        from krea_cli.jobs.images import Images

        images = Images(
            lambda: self.claim_stdin("an image").buffer, allows_loopback=self.is_local
        )
        self._closing.append(images.close)
        return images

    def deadline(self, timeout: float | None, *, kinds: Iterable[str] = ()) -> float:
        """
        When waiting ends, on the monotonic clock: by flag, by setting, or by the kinds
        of the models.
        """
        usual = max((TIMEOUTS.get(kind, 0.0) for kind in kinds), default=0.0)
        seconds = timeout or self.settings.timeout or usual or USUAL_TIMEOUT
        return self.clock.now() + seconds

    def kinds(self, jobs: Iterable[Job]) -> set[str]:
        """
        The kinds of the jobs' models, of those that are known.
        """
        models = {job.model for job in jobs if job.model}
        if not models:
            return set()
        return {model.kind for model in self.catalogue.models if model.id in models}

    def target(
        self,
        output: str | None,
        *,
        count: int,
        force: bool,
        kind: str | None = None,
        naming: Naming | None = None,
    ) -> Target:
        """
        Where *count* results go, after a look whether they can go there; *kind* is what
        they are (image, video, audio or 3d) and *naming* what they will be named by, if
        that is known.

        Raises:
            UsageError: *output* makes no sense here.
            StorageError: a result could not be saved.
        """
        from krea_cli.jobs.targets import Target

        target = Target.parse(output)
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
        target.check(count=count, force=force, naming=naming)
        return target

    def naming(
        self, model: str | None, seed: int | None, *, prompt: str = "", source: str = ""
    ) -> Naming:
        """
        What the names of files are made of.
        """
        from datetime import datetime

        from krea_cli.jobs.targets import Naming

        now = datetime.fromtimestamp(self.clock.wall()).astimezone()
        return Naming(
            now=now, model=model or "", prompt=prompt, source=source, seed=seed
        )

    @cached_property
    def uploads(self) -> Uploads:
        from krea_cli.jobs.uploads import Uploads

        return Uploads(self.client, self.fetcher, self.images, self.journal)

    def submission(self, *, inline: bool) -> Submission:
        """
        The way to the service for paid requests; images go *inline* or are uploaded.
        """
        from krea_cli.jobs.inputs import inline_url_of
        from krea_cli.jobs.submission import Submission

        return Submission(
            self.client,
            self.journal,
            self.clock,
            url_of=inline_url_of if inline else self.uploads.url_of,
            fresh_url_of=None if inline else self.uploads.fresh_url_of,
        )

    def results(
        self, target: Target, *, force: bool, max_bytes: int | None = None
    ) -> Results:
        """
        The way of results to *target*, each of *max_bytes* at most.
        """
        from krea_cli.jobs.results import Results

        return Results(
            self.fetcher,
            self.clock,
            target,
            look=self.look,
            send=self.out.stdout.send,
            force=force,
            max_bytes=max_bytes,
        )

    def select(self, arguments: Sequence[str] | None) -> list[str]:
        """
        The job ids that the arguments mean, as `jobs.selection.select`.
        """
        from krea_cli.jobs.selection import select

        return select(arguments or (), lambda: self.journal)

    def look(self, job_id: str, *, deadline: float | None = None) -> Job:
        """
        The job as it is now, with what the journal knows of it.

        Raises:
            UnknownJobError: the service has no such job.
        """
        return self.described(self.client.job(job_id, deadline=deadline))

    def described(self, job: Job) -> Job:
        """
        The job with what only the journal knows: its model, its seed, its files.
        """
        return self.journal.described(job) if self._has_journal else job

    def ended(self, job: Job) -> None:
        """
        Keep in the journal how a job ended, if it knows the job.
        """
        if self._has_journal:
            self.journal.ended(job)

    @property
    def _has_journal(self) -> bool:
        # Where there is none yet, sqlite3 need not be loaded to find that out.
        try:
            return (self.folders.state / "journal.db").exists()
        except OSError:
            return False

    def command(self, name: str, *words: str) -> str:
        """
        The command to paste that goes on with a job, at the same service.
        """
        import shlex

        flags = ["--sandbox"] if self.flags.sandbox else []
        if self.flags.api_url:
            flags += ["--api-url", self.flags.api_url]
        return shlex.join(["krea", name, *words, *flags])
