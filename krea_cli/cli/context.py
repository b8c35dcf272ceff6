"""
One run of the program: the connection, the journal and the jobs, built on first use.

The slow modules are imported here, inside functions, and by nobody else at start-up: a
command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import IO, TYPE_CHECKING

from krea_cli.cli.delivering import Delivering

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.inputs.local_file import LocalFile
    from krea_cli.inputs.resolver import InputResolver
    from krea_cli.inputs.uploader import Uploader
    from krea_cli.jobs.recovery import Recovery
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.jobs.submitter import Submitter

USUAL_TIMEOUT = 600.0
TIMEOUTS = {"video": 1800.0, "3d": 1800.0}


class CliContext(Delivering):
    """
    Everything that a command reaches beside its own arguments.
    """

    # How local images are sent: with their metadata, and scaled down when too large.
    keeps_metadata = False
    fits_images = False

    @cached_property
    def catalog(self) -> Catalog:
        """
        The newest that is here of this service; for the sandbox its own, which krea
        came with.
        """
        from krea_cli.catalog import cache as cached
        from krea_cli.catalog.catalog import Catalog

        if self.settings.sandbox or not self.folders.has_cache:
            return Catalog.bundled()
        return cached.load_newest(self.folders.cache, self.origin)

    @cached_property
    def images(self) -> InputResolver:
        from krea_cli.inputs.resolver import InputResolver

        images = InputResolver(
            lambda: self.claim_stdin("an image").buffer,
            allows_loopback=self.is_local,
            keeps_metadata=self.keeps_metadata,
            fit=self._fit if self.fits_images else None,
        )
        self._closing.append(images.close)
        return images

    def _fit(self, image: LocalFile, target: IO[bytes]) -> None:
        from krea_cli.inputs import limits
        from krea_cli.media import conversion
        from krea_cli.media.decoding import decode_with_timeout

        width, height = decode_with_timeout(
            lambda: conversion.fit(
                image.path,
                target,
                image.media,
                most_side=limits.MOST_SIDE,
                most_bytes=limits.MOST_BYTES,
            )
        )
        megabytes = target.tell() / 1e6
        self.out.note(
            f"{image.name} is sent scaled down: {width} x {height} pixels, "
            f"{megabytes:.1f} MB."
        )

    def deadline(
        self,
        timeout: float | None,
        *,
        kinds: Iterable[str] = (),
        since: float | None = None,
    ) -> float:
        """
        When waiting ends that began at *since* (now, without it), on the monotonic
        clock: by flag, by setting, or by the kinds of the models.
        """
        usual = max((TIMEOUTS.get(kind, 0.0) for kind in kinds), default=0.0)
        seconds = timeout or self.settings.timeout or usual or USUAL_TIMEOUT
        return (self.clock.now() if since is None else since) + seconds

    def kinds(self, jobs: Iterable[Job]) -> set[str]:
        """
        The kinds of the jobs' models, of those that are known.
        """
        models = {job.model for job in jobs if job.model}
        if not models:
            return set()
        return {model.kind for model in self.catalog.models if model.id in models}

    @cached_property
    def uploads(self) -> Uploader:
        from krea_cli.inputs.upload_cache import UploadCache
        from krea_cli.inputs.uploader import Uploader

        memory = UploadCache(self._database, self.service, now=self.clock.wall)
        return Uploader(self.client, self.fetcher, self.images, memory)

    @cached_property
    def _paid(self) -> Submitter:
        from krea_cli.jobs.submit_throttle import SubmitThrottle
        from krea_cli.jobs.submitter import Submitter

        return Submitter(
            client=self.client,
            journal=self.journal,
            clock=self.clock,
            throttle=SubmitThrottle(self.clock),
            taken=self.take,
            doubted=self.in_doubt.append,
            delayed=lambda exc, seconds: self.out.delayed(
                f"{exc.message} Sending it again in {seconds:.0f} s."
            ),
        )

    def submission(self, *, inline: bool) -> RequestSubmitter:
        """
        The way to the service for paid requests; images go *inline* or are uploaded.
        """
        from krea_cli.inputs.local_file import inline as as_inline
        from krea_cli.jobs.submission import RequestSubmitter
        from krea_cli.journal.token_digest import digest

        url_of, fresh_url_of = self.uploads.url_of, self.uploads.fresh_url_of
        return RequestSubmitter(
            paid=self._paid,
            service=self.service,
            url_of=as_inline(url_of) if inline else url_of,
            fresh_url_of=as_inline(fresh_url_of) if inline else fresh_url_of,
            manner={
                "inline": inline,
                "fit": self.fits_images,
                "keep_metadata": self.keeps_metadata,
            },
            is_secret=self.out.holds_secret,
            digest_token=lambda: digest(self._token_text()),
        )

    @cached_property
    def recovery(self) -> Recovery:
        """
        What became of requests whose answer was lost.
        """
        from krea_cli.jobs.recovery import Recovery
        from krea_cli.jobs.sightings import Sightings
        from krea_cli.journal.token_digest import is_of_another

        return Recovery(
            client=self.client,
            journal=self.journal,
            history=self.history,
            sightings=Sightings(self._database, self.service),
            paid=self._paid,
            clock=self.clock,
            has_other_token=lambda record: is_of_another(
                record.token_digest, self._token_text()
            ),
        )

    def select(self, arguments: Sequence[str] | None) -> list[str]:
        """
        The job ids that the arguments mean, as `jobs.selection.select`.
        """
        from krea_cli.jobs.job_refs import resolve_job_refs

        return resolve_job_refs(arguments or (), lambda: self.journal)
