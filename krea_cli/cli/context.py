"""
The composition root: it builds every collaborator of a command on first use.

Slow modules are imported inside the properties, so that each command loads only the
modules that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.cli.connection import Connection, Service, service_flags
from krea_cli.cli.invocation import Invocation
from krea_cli.cli.prompter import Prompter
from krea_cli.errors import ConfigError, KreaError
from krea_cli.output.console import Console, build_console

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.cli.next_steps import NextSteps
    from krea_cli.config.paths import Folders
    from krea_cli.config.settings import ResolvedSettings, Settings
    from krea_cli.inputs.resolver import InputResolver
    from krea_cli.inputs.uploader import Uploader
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.jobs.job_service import JobService
    from krea_cli.jobs.recovery import Recovery
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.jobs.submitter import Submitter
    from krea_cli.journal.corrupt_record import CorruptRecord
    from krea_cli.journal.database import Database
    from krea_cli.journal.journal import Journal
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.readonly import ReadOnlyJournal
    from krea_cli.runtime.clock import Clock


class CliContext:
    """
    The collaborators of one run. It has no behavior of its own.
    """

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.exit_stack = ExitStack()

    @property
    def env(self) -> Mapping[str, str]:
        return self.invocation.env

    @property
    def clock(self) -> Clock:
        return self.invocation.clock

    @cached_property
    def console(self) -> Console:
        flags, env = self.invocation.flags, self.env
        color = flags.color
        if color is None:
            # Commands that use the settings report errors in them. `config set` must
            # work, to repair them.
            with suppress(ConfigError):
                color = self.settings.color
        console = build_console(
            self.invocation.streams,
            env,
            self.clock.now,
            json=flags.json,
            quiet=flags.quiet,
            color=color or "auto",
        )
        is_step = self.invocation.run.github and env.get("GITHUB_OUTPUT")
        return console._replace(annotates=True) if is_step else console

    @cached_property
    def prompter(self) -> Prompter:
        return Prompter(
            self.invocation.stdin,
            self.console,
            self.env,
            is_scripted=self.invocation.flags.json,
        )

    @cached_property
    def folders(self) -> Folders:
        from krea_cli.config.paths import find_folders

        return find_folders(self.env)

    @cached_property
    def resolved_settings(self) -> ResolvedSettings:
        from krea_cli.config import config_file, settings

        flags = self.invocation.flags
        given = settings.from_flags(
            api_url=flags.api_url,
            # --api-url overrides KREA_SANDBOX.
            sandbox=False if flags.api_url else flags.sandbox or None,
            color=flags.color,
        )
        folders = self.folders
        stored = config_file.read(folders.config_file) if folders.has_config else {}
        return settings.resolve([given, settings.from_env(self.env), stored])

    @property
    def settings(self) -> Settings:
        return self.resolved_settings.settings

    @cached_property
    def service(self) -> Service:
        flags = service_flags(self.invocation, lambda: self.settings)
        return Service.of(self.settings, flags)

    @cached_property
    def connection(self) -> Connection:
        return Connection(
            self.invocation,
            settings=self.settings,
            service=self.service,
            folders=self.folders,
            console=self.console,
            prompter=self.prompter,
            log=self.log,
            closing=self.exit_stack,
        )

    @cached_property
    def catalog(self) -> Catalog:
        from krea_cli.catalog import cache
        from krea_cli.catalog.catalog import Catalog

        if self.service.is_sandbox or not self.folders.has_cache:
            return Catalog.bundled()
        return cache.load_newest(self.folders.cache, self.service.origin)

    @cached_property
    def database(self) -> Database:
        from krea_cli.journal.database import Database

        database = Database(self._journal_folder, now=self.clock.wall)
        self.exit_stack.callback(database.close)
        return database

    @cached_property
    def journal(self) -> Journal:
        from krea_cli.journal.journal import Journal

        return Journal(self.database, self.service.name)

    @cached_property
    def history(self) -> JournalQueries:
        from krea_cli.journal.queries import JournalQueries

        def warn(corrupt: CorruptRecord) -> None:
            self.console.warn(
                f"{corrupt.message} {self.next_steps.after_damage(corrupt.record)}"
            )

        return JournalQueries(
            self.database, self.service.name, now=self.clock.wall, damaged=warn
        )

    @cached_property
    def readonly_journal(self) -> ReadOnlyJournal:
        from krea_cli.journal.readonly import ReadOnlyJournal

        return ReadOnlyJournal(self.folders.state, now=self.clock.wall)

    @cached_property
    def records(self) -> JobRecords:
        from krea_cli.jobs.job_records import JobRecords

        return JobRecords(
            self._journal_folder,
            journal=lambda: self.journal,
            queries=lambda: self.history,
        )

    @cached_property
    def jobs(self) -> JobService:
        from krea_cli.jobs.job_service import JobService

        return JobService(lambda: self.connection.api, self.records, self.clock)

    @cached_property
    def tracker(self) -> RunTracker:
        from krea_cli.jobs.run_tracker import RunTracker

        return RunTracker()

    @property
    def next_steps(self) -> NextSteps:
        """
        Return the commands that continue from the current state of the run.
        """
        from krea_cli.cli.next_steps import NextSteps

        flags, run = self.invocation.flags, self.invocation.run
        output, summary = run.output, self.tracker.summary()
        if output.output is None and run.takes_output_setting:
            with suppress(ConfigError):
                output = replace(output, output=self.settings.output)
        return NextSteps(
            service=service_flags(self.invocation, lambda: self.settings),
            flags=["--color", flags.color] if flags.color else [],
            output=output,
            run=summary.order,
            several=summary.is_batch,
            run_id=summary.run_id,
            is_remembered=summary.is_remembered,
            has_journal=not run.no_journal,
        )

    def input_resolver(self, *, keep_metadata: bool, fit: bool) -> InputResolver:
        """
        Return a reader of input files. It removes their metadata unless
        `keep_metadata`, and with `fit` scales down images that are too large.
        """
        from krea_cli.inputs.resolver import InputResolver

        scale = None
        if fit:
            from krea_cli.inputs.scaling import scale_down

            scale = partial(scale_down, note=self.console.note)
        resolver = InputResolver(
            lambda: self.prompter.claim_stdin("an image").buffer,
            allows_loopback=self.service.is_local,
            keeps_metadata=keep_metadata,
            fit=scale,
        )
        self.exit_stack.callback(resolver.close)
        return resolver

    def uploader(self, resolver: InputResolver) -> Uploader:
        from krea_cli.inputs.upload_cache import UploadCache
        from krea_cli.inputs.uploader import Uploader

        connection = self.connection
        known = UploadCache(self.database, self.service.name, now=self.clock.wall)
        return Uploader(connection.api, connection.download_client, resolver, known)

    def submitter(
        self,
        uploader: Uploader,
        *,
        inline: bool,
        keep_metadata: bool,
        fit: bool,
        output: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> RequestSubmitter:
        """
        Return the submitter of paid requests. It sends input files inline or uploads
        them. `output` has the output options to record, and `key` identifies the same
        request later.
        """
        from krea_cli.inputs.local_file import inline as as_inline
        from krea_cli.jobs.submission import RequestSubmitter
        from krea_cli.journal.token_digest import digest

        url_of, fresh_url_of = uploader.url_of, uploader.fresh_url_of
        return RequestSubmitter(
            submitter=self._submitter,
            service=self.service.name,
            url_of=as_inline(url_of) if inline else url_of,
            fresh_url_of=as_inline(fresh_url_of) if inline else fresh_url_of,
            input_options={
                "inline": inline,
                "fit": fit,
                "keep_metadata": keep_metadata,
            },
            is_secret=self.console.holds_secret,
            digest_token=lambda: digest(self._token_text()),
            upload=None if inline else uploader.prepare,
            output=output,
            key=key,
        )

    @cached_property
    def recovery(self) -> Recovery:
        from krea_cli.jobs.recovery import Recovery
        from krea_cli.jobs.sightings import Sightings
        from krea_cli.journal.token_digest import is_of_another

        return Recovery(
            client=self.connection.api,
            journal=self.journal,
            history=self.history,
            sightings=Sightings(self.database, self.service.name),
            submitter=self._submitter,
            clock=self.clock,
            has_other_token=lambda record: is_of_another(
                record.token_digest, self._token_text()
            ),
        )

    @cached_property
    def _submitter(self) -> Submitter:
        from krea_cli.jobs.submit_throttle import SubmitThrottle
        from krea_cli.jobs.submitter import Submitter

        return Submitter(
            client=self.connection.api,
            journal=self.journal,
            clock=self.clock,
            throttle=SubmitThrottle(self.clock),
            on_submitted=self.tracker.submitted,
            on_unconfirmed=self.tracker.unconfirmed,
            on_delayed=lambda exc, seconds: self.console.delayed(
                f"{exc.message} Retrying in {seconds:.0f} s."
            ),
        )

    def _token_text(self) -> str | None:
        token = self.connection.token
        return token.reveal() if token else None

    def resolve_jobs(self, references: Sequence[str] | None) -> list[str]:
        """
        Return the ids of the jobs that the references stand for: see `jobs.job_refs`.
        """
        from krea_cli.jobs.job_refs import resolve_job_refs

        return resolve_job_refs(references or (), lambda: self.journal)

    def report_error(self, error: KreaError) -> None:
        """
        Show an error with its hints.
        """
        self.console.error(self.next_steps.explain(error))

    def log(self, text: str) -> None:
        """
        Show a line with --verbose.
        """
        if self.invocation.flags.verbose:
            self.console.log(text)

    @property
    def _journal_folder(self) -> Path | None:
        """
        Return the folder of the journal, None to keep it in memory. The sandbox costs
        nothing, so it works without a home folder.
        """
        if self.invocation.run.no_journal:
            return None
        if self.service.is_sandbox and not self.folders.has_state:
            return None
        return self.folders.state
