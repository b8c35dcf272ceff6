"""
Plan a batch: read its source, its lock and the journal, and decide what each item
needs. Planning sends nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.batch import selection, sources
from krea_cli.batch.item_requests import Planned, RequestBuilder
from krea_cli.batch.items import items_of
from krea_cli.batch.journal_lines import closed_lines, lines_of
from krea_cli.batch.lock import Lock, LockLine, news_of, rebased
from krea_cli.batch.lock_file import LockFile
from krea_cli.batch.plan import Plan, Planner, PlanStep, check_cost, check_free
from krea_cli.batch.problems import Problems
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sidecar_match import SidecarMatcher
from krea_cli.cli.batch_options import BatchOptions
from krea_cli.cli.context import CliContext
from krea_cli.cli.next_steps import same_command
from krea_cli.errors import KreaError, UnknownModelError, UsageError
from krea_cli.journal.keys import JournalKeys
from krea_cli.requests.prepare import check_webhook, unlisted_model
from krea_cli.runtime.user_paths import local_path

if TYPE_CHECKING:
    from krea_cli.batch.manifest import Manifest
    from krea_cli.catalog.model import Model
    from krea_cli.inputs.resolver import InputResolver

# The extensions of results, by kind.
_EXTENSIONS = {"image": "png", "video": "mp4", "3d": "glb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchGiven:
    """
    The user's input: the source as named on the command line, the `defaults` for its
    items, and the options of the run.
    """

    source: str
    defaults: Mapping[str, Any]
    options: BatchOptions
    max_cost: float | None = None
    allows_unknown_cost: bool = False
    force: bool = False
    keeps_metadata: bool = False
    webhook: str | None = None
    validates: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlanning:
    """
    Everything that a plan depends on, so that the plan can be made again after the run.
    """

    source: sources.Source
    manifest: Manifest
    lock_file: LockFile
    planned: Sequence[Planned]
    builder: RequestBuilder
    images: InputResolver
    fits: bool
    keys: JournalKeys
    service: str
    sandbox_lock: LockFile | None
    now: float

    def shown(self, name: str) -> str:
        """
        Return the name of a result as seen from the current folder.
        """
        return self.source.shown(name)

    def lock(self) -> Lock:
        """
        Read the lock, and the other locks that it uses as a cache.
        """
        others: list[LockLine] = []
        for name in self.manifest.also:
            path = Path(os.path.normpath(self.source.folder / local_path(name)))
            prefix = os.path.relpath(path.parent, self.source.folder)
            prefix = prefix.replace(os.sep, "/")
            others += [rebased(line, prefix) for line in LockFile(path).read()]
        return Lock.of(self.lock_file.read(), self.service, others=others)

    def plan(self, given: BatchGiven, lock: Lock, disk: ResultsOnDisk) -> Plan:
        """
        Plan all items.

        Raises:
            UsageError: `--again` names an output that does not exist.
        """
        lock, closed = self._without_closed(lock)
        sandbox = self.sandbox_lock.read() if self.sandbox_lock else []
        planner = Planner(
            lock=lock,
            disk=disk,
            source=self.source.name,
            journal_lines=self._journal_lines(lock),
            again=given.options.again or (),
            force=given.force,
            sandbox_files={line.output: line.files for line in sandbox},
            in_sidecar=SidecarMatcher(
                disk=disk, source=self.source.name, service=self.service
            ),
        )
        plan = planner.plan(self.planned)
        return replace(plan, unlisted=(*closed, *plan.unlisted))

    def _without_closed(self, lock: Lock) -> tuple[Lock, list[LockLine]]:
        """
        Close the requests that the user has stopped tracking on this computer. Return
        the new lock, and the lines to add to its file.
        """
        closed, of_others = (
            closed_lines(lines, self.keys.closed, now=self.now)
            for lines in (lock.lines, lock.others)
        )
        if not (closed or of_others):
            return lock, []
        lines, others = [*lock.lines, *closed], [*lock.others, *of_others]
        return Lock.of(lines, self.service, others=others), closed

    def note_interrupted(self, steps: Iterable[PlanStep]) -> None:
        """
        Add requests of an interrupted run to the lock, if only the journal has them.
        Krea may have accepted them, so another machine must not repeat them.
        """
        lock = self.lock()
        journal_lines = self._journal_lines(lock)
        missing = list[LockLine]()
        for step in steps:
            known = lock.of_output(step.output)
            lines = [
                replace(line, state="unconfirmed")
                if line.state == "submitted" and line.job is None
                else line
                for line in journal_lines(step.planned, known)
            ]
            missing += news_of(lines, known, step.output)
        if missing:
            self.lock_file.append(missing)

    def _journal_lines(self, lock: Lock) -> _JournalLines:
        keys = {each.key for each in self.planned if each.key}
        keys |= {line.key for line in (*lock.lines, *lock.others)}
        return _JournalLines(self, self.keys.holders(sorted(keys)))


class _JournalLines:
    """
    The lines of the journal about a request, for the planner. Jobs that the lock lists
    as completed are left out.
    """

    def __init__(self, planning: BatchPlanning, holders: Mapping[str, Any]) -> None:
        self._planning = planning
        self._holders = holders

    def __call__(
        self, planned: Planned, known: Sequence[LockLine]
    ) -> Sequence[LockLine]:
        settled = {line.job for line in known if line.state == "completed"}
        keys = dict.fromkeys([planned.key, *(line.key for line in known)])
        holders = [
            each
            for key in keys
            for each in self._holders.get(key, ())
            if each.job_id is None or each.job_id not in settled
        ]
        if not holders or planned.identity is None:
            return ()
        lines = lines_of(
            holders,
            known,
            key=planned.key,
            identity=planned.identity,
            source=self._planning.source.name,
            output=planned.item.output,
            service=self._planning.service,
            folder=self._planning.source.folder,
            now=self._planning.now,
        )
        return [_of_its_file(line) for line in lines]


def _of_its_file(line: LockLine) -> LockLine:
    """
    Return the line under the name of its file, which may be the output of another item.
    """
    names = [file.path for file in line.files]
    if not names or line.output in names:
        return line
    return replace(line, output=names[0])


def prepare_batch(ctx: CliContext, given: BatchGiven) -> BatchPlanning:
    """
    Read the source, and build and check the request of each item.

    Raises:
        UsageError: the source has problems; the error lists all of them.
    """
    check_webhook(given.webhook)
    cwd, models = Path.cwd(), _Models(ctx, given)
    source = sources.locate(given.source, cwd)
    defaults = _from_source(given.defaults, source, cwd)
    if source.kind in (sources.Kind.FOLDER, sources.Kind.GLOB):
        _check_files(ctx, given, defaults, models)
        extension = models.extension_of(defaults.get("model")) or "png"
        if "output" in defaults:
            defaults["output"] = sources.with_file_names(
                defaults["output"], source, extension
            )
    problems, output = Problems(), defaults.get("output")
    is_sandbox = ctx.service.is_sandbox

    def stdin() -> bytes:
        return ctx.prompter.claim_stdin("a table").buffer.read()

    try:
        path = sources.lock_path(
            source, given.options.lock, output, cwd=cwd, sandbox=is_sandbox
        )
    except sources.LockNeededError:
        # Report an empty source first: --lock would not help there.
        sources.check_not_empty(source, problems, stdin=stdin)
        problems.raise_if_any()
        raise

    manifest, read_entries = sources.load(
        source,
        defaults,
        problems,
        stdin=stdin,
        made=_made_files(path),
    )
    if manifest is None:
        problems.raise_if_any()
        raise UsageError(f"Cannot read {given.source}.")
    items = items_of(
        manifest,
        read_entries,
        source.folder,
        problems,
        shown=source.shown,
        model_fields={name for model in ctx.catalog.models for name in model.fields},
        find_model=models.find,
        extension_of=models.extension_of,
    )
    fits = any(item.fit for item in items)
    images = ctx.input_resolver(keep_metadata=given.keeps_metadata, fit=fits)
    held = list[str]()
    builder = RequestBuilder(
        folder=source.folder,
        find_model=models.find,
        read=lambda argument: images.read(argument, stdin_option="\0"),
        warn=held.append,
        webhook=given.webhook,
        validates=given.validates,
        in_manifest=source.kind == sources.Kind.MANIFEST,
    )
    planned = builder.plan(items, problems)
    problems.raise_if_any()
    warn = _once(ctx.console.warn)
    for warning in held:
        warn(warning)
    if not planned:
        raise UsageError(
            f"{given.source} has no items.",
            hint="Add a [[pictures]] section or a table row.",
        )
    sandbox_path = sources.lock_path(
        source, given.options.lock, output, cwd=cwd, sandbox=True
    )
    return BatchPlanning(
        source=source,
        manifest=manifest,
        lock_file=LockFile(
            path, keeps_prompts=manifest.keeps_prompts, note=ctx.console.note
        ),
        planned=planned,
        builder=replace(builder, warn=warn),
        images=images,
        fits=fits,
        keys=JournalKeys(ctx.database, ctx.service.name),
        service=ctx.service.name,
        sandbox_lock=None if is_sandbox else LockFile(sandbox_path),
        now=ctx.clock.wall(),
    )


@dataclass(frozen=True, slots=True)
class _Models:
    """
    The models of the catalog. Without validation, unlisted models are usable, too.
    """

    ctx: CliContext
    given: BatchGiven

    def find(self, name: str | None) -> Model:
        """
        Return the model with this name, or the default model for None.

        Raises:
            UnknownModelError: the model does not exist.
        """
        wanted = self.ctx.settings.model if name is None else name
        try:
            return self.ctx.catalog.find(wanted)
        except UnknownModelError:
            unlisted = None if self.given.validates else unlisted_model(wanted)
            if unlisted is None:
                raise
            return unlisted

    def extension_of(self, name: str | None) -> str | None:
        """
        Return the extension of a model's results, or None if it is unknown.
        """
        try:
            return _EXTENSIONS.get(self.find(name).result_kind or "")
        except UsageError:
            return None


def _made_files(lock: Path) -> list[str]:
    """
    Return the paths of the files that a lock lists.

    Raises:
        KreaError: the lock cannot be read.
    """
    try:
        return [file.path for line in LockFile(lock).read() for file in line.files]
    except KreaError as exc:
        message = f"{exc.message} Nothing was submitted."
        raise exc.but(message=message) from exc.__cause__


def _check_files(
    ctx: CliContext, given: BatchGiven, defaults: Mapping[str, Any], models: _Models
) -> None:
    """
    Check that there is a prompt if the source has only files and the model needs a
    prompt. Explain `{name}` in the output name.

    Raises:
        UsageError: the prompt is missing.
    """
    if "{name}." in defaults.get("output", ""):
        ctx.console.note(
            "{name} includes the extension of the input file; {stem} does not."
        )
    is_needed = "prompt" in models.find(defaults.get("model")).required
    if "prompt" in defaults or not is_needed:
        return
    more = ["a watercolor"]
    if "output" not in given.defaults:
        more += ["-o", "out/{stem}.png"]
    example = same_command(
        ctx.invocation.argv, service=ctx.next_steps.service, more=more
    )
    raise UsageError("Missing argument 'PROMPT'.", hint=f"Example: {example}")


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """
    Return a function that passes on each text once: many items may cause the same
    warning.
    """
    seen = set[str]()

    def warn_once(text: str) -> None:
        if text not in seen:
            seen.add(text)
            warn(text)

    return warn_once


def selected(
    ctx: CliContext, given: BatchGiven, plan: Plan, budget: float | None
) -> Plan:
    """
    Return the part of the plan that this run carries out. Check first that the run is
    allowed to.

    Raises:
        UsageError: `--only` names an output that does not exist.
        TargetExistsError: files are in the way.
        CostError: the plan is too expensive.
    """
    options, shard = given.options, given.options.parsed_shard()
    # Assign shards first: leaving steps out must not move others between shards.
    shards = {} if shard is None else selection.shards_of(plan, shard.count)
    if options.only:
        plan = selection.only(plan, options.only)
    if options.limit is not None:
        plan = (
            selection.limited(plan, options.limit)
            if shard is None
            else selection.limited_in_shards(plan, shards, options.limit)
        )
    if options.submits:
        # Check the whole plan in each shard, so that either all shards refuse or none.
        check_free(plan)
        limit = given.max_cost
        check_cost(
            plan,
            max_cost=ctx.settings.max_cost if limit is None else limit,
            budget=budget,
            allows_unknown=given.allows_unknown_cost,
        )
    if shard is not None:
        plan = selection.in_shard(plan, shards, shard.index)
    if not options.collect:
        return plan
    submitted = selection.collecting(plan)
    if left := len(plan.steps) - len(submitted.steps):
        items = "1 item is" if left == 1 else f"{left} items are"
        ctx.console.note(f"{items} not submitted yet.")
    return submitted


def _from_source(
    defaults: Mapping[str, Any], source: sources.Source, cwd: Path
) -> dict[str, Any]:
    """
    Return the defaults of the command line, with paths relative to the source's folder.
    """

    def moved(text: str) -> str:
        is_file = ":" not in text and text != "-"
        return sources.from_cwd(text, source, cwd) if is_file else text

    found = dict(defaults)
    if "output" in found:
        found["output"] = sources.from_cwd(found["output"], source, cwd)
    if "image" in found:
        found["image"] = [moved(each) for each in found["image"]]
    if "params" in found:
        found["params"] = {
            name: f"@{moved(value[1:])}"
            if isinstance(value, str) and value.startswith("@")
            else value
            for name, value in found["params"].items()
        }
    return found
