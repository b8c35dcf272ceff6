"""
Build the `krea` commands in hints.  No other module spells them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from krea_cli.downloads.output_options import MAX_BYTES, OutputOptions
from krea_cli.errors import Action, Hint, KreaError, Step
from krea_cli.jobs.job_refs import run_ref
from krea_cli.runtime import shell_words

# Commands use this prefix of a record's id.
RECORD_CHARACTERS = 8
# The request of a damaged record may have been accepted.
FORGET_LEAD = "Its job may be billed. After checking Krea's job list, delete the record"
# With more errors than this, each hint is shown only once.
MAX_HINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSteps:
    """
    Commands that continue a run, with the same service and output files.

    - `service`: options that select the service
    - `flags`: other options to repeat in all commands
    - `output`: output options of the run
    - `run`: jobs of the run, in the order of their `{index}`
    - `several`: the run should have more than one job
    - `has_journal`: False if the run keeps no record of its jobs
    - `run_id`: id of the run in the journal if it has exactly these jobs, else None
    - `is_remembered`: the journal has the output options of the run
    """

    service: Sequence[str] = ()
    flags: Sequence[str] = ()
    output: OutputOptions = field(default_factory=OutputOptions)
    run: Sequence[str] = ()
    several: bool = False
    has_journal: bool = True
    run_id: str | None = None
    is_remembered: bool = False

    def wait(self, job_ids: Sequence[str], *, elsewhere: bool = False) -> str:
        """
        Wait for jobs, and save their results as the run would have done.
        """
        return self._collect("wait", job_ids, elsewhere=elsewhere)

    def wait_for_first(self, job_ids: Sequence[str]) -> str:
        """
        Wait until one of the jobs has finished.
        """
        # Only one job is saved, so its name needs no index.
        arguments = [] if self._finds_output else self._options()
        return self._command("wait", "--any", *self._references(job_ids), *arguments)

    def download(self, job_ids: Sequence[str], *, elsewhere: bool = False) -> str:
        return self._collect("download", job_ids, elsewhere=elsewhere)

    def download_larger(self, job_id: str, size_bytes: int | None) -> str:
        """
        Download with a limit that `size_bytes` fit in, or with one that is higher than
        the last if the size is unknown.
        """
        limit = self.output.max_size or MAX_BYTES
        unknown = 2 * limit if limit >= MAX_BYTES else 0
        max_size = max(unknown if size_bytes is None else size_bytes, MAX_BYTES)
        if self._finds_output:
            return self._command("download", job_id, "--max-size", _size(max_size))
        steps = replace(self, output=replace(self.output, max_size=max_size))
        return steps.download([job_id])

    def download_foreign(self, job_id: str) -> str:
        """
        Download a job that this run does not save.
        """
        return self._command("download", job_id)

    def save(self, job_ids: Sequence[str]) -> str:
        """
        Download jobs that this run has only waited for.
        """
        return self._command("download", *self._references(job_ids))

    def status(self, job_id: str, *, urls: bool = False) -> str:
        return self._command("status", job_id, *["--json"] * urls)

    def cancel(self, job_ids: Sequence[str]) -> str:
        return self._command("cancel", *self._references(job_ids))

    def recover(self, record: str | None = None, *options: str) -> str:
        """
        List the unconfirmed requests, or resolve one of them with `options`.
        """
        named = [record[:RECORD_CHARACTERS]] if record else []
        return self._command("jobs", "recover", *named, *options)

    def find_lost(self, record: str) -> str:
        """
        Find the job of an unconfirmed request.
        """
        return self.recover(record) if self.has_journal else self.list_remote()

    def list_remote(self) -> str:
        return self._command("jobs", "list", "--remote")

    def forget(self, record: str, *, force: bool = False) -> str:
        return self._command("jobs", "forget", record, *["--force"] * force)

    def after_damage(self, record: str) -> str:
        """
        Say how to delete a damaged record.
        """
        return f"{FORGET_LEAD}: {self.forget(record, force=True)}"

    def login(self, *, piped: bool = False) -> str:
        return self._command("auth", "login") + (" < FILE" if piped else "")

    def replay(self, sidecar: str) -> str:
        return self._command("replay", sidecar)

    def show(self, file: str) -> str:
        arguments = ["--", file] if file.startswith("-") else [file]
        return shell_words.join(["krea", "show", *self.flags, *arguments])

    def show_fields(self, model: str) -> str:
        return self._command("models", "show", model)

    def refresh_models(self) -> str:
        return self._command("models", "refresh")

    def list_models(self) -> str:
        return self._command("models", "list")

    def list_styles(self) -> str:
        return self._command("styles", "list", "--mine")

    def list_assets(self) -> str:
        return self._command("assets", "list")

    def unset(self, key: str) -> str:
        return shell_words.join(["krea", "config", "unset", key])

    def token_command(self, *, is_set: bool) -> str:
        """
        Show the setting `token_command`, or set it if it is not set.
        """
        if not is_set:
            return shell_words.join(
                ["krea", "config", "set", "token_command", "pass show krea"]
            )
        return shell_words.join(["krea", "config", "get", "token_command"])

    def explain(self, error: KreaError) -> KreaError:
        """
        Replace the steps in an error's advice with commands.
        """
        return error.but(advice=self.lines(error.advice))

    def lines(self, hints: Iterable[Hint]) -> tuple[str, ...]:
        """
        Return the lines of hints, each with at most one command.
        """
        found = [h if isinstance(h, str) else self._line(h) for h in hints]
        return tuple(line for line in found if line)

    def _line(self, step: Step) -> str | None:
        lead, spell = _LINES[step.action]
        command = spell(self, *step.about)
        return f"{lead}: {command}" if command else None

    def _collect(self, name: str, job_ids: Sequence[str], *, elsewhere: bool) -> str:
        if elsewhere:
            place = self._fallback_output()
            if len(job_ids) == 1:
                place = place.replace("{job_id}", job_ids[0][:RECORD_CHARACTERS])
            arguments = self._options(place)
            return self._command(name, *self._references(job_ids), *arguments)
        if self._finds_output:
            # If there are several jobs, wait for all of them.
            ids = self.run if name == "wait" and self.several else job_ids
            return self._command(name, *self._references(ids or job_ids))
        output = self.output.output
        if output == "-":
            # Standard output cannot be repeated: it may have gone to another program.
            output = "."
        ids = list(job_ids)
        if output not in (None, "."):
            # The names may have an index, which depends on all jobs of the run.
            ids = list(self.run) or ids
            if self.several and len(ids) == 1:
                output = _numbered(str(output))
        arguments = self._options(output or ".")
        return self._command(name, *self._references(ids), *arguments)

    @property
    def _finds_output(self) -> bool:
        """
        Return True if the commands find the output options in the journal.
        """
        return self.is_remembered and self.has_journal

    def _references(self, job_ids: Sequence[str]) -> list[str]:
        """
        Return references to the jobs: @RUN for all jobs of a run, else their ids.
        """
        if self.run_id and self.has_journal and len(job_ids) > 1:
            return [run_ref(self.run_id)]
        return list(job_ids)

    def _fallback_output(self) -> str:
        """
        Return a value of -o for results that could not be saved under their names.
        """
        output = self.output.output
        suffix = Path(output or "").suffix
        if suffix and "{" not in suffix:
            # Keep the extension, so that a picture is converted to the same type.
            return f"{{job_id}}{suffix}"
        return "{job_id}-again.{ext}" if output in (None, ".") else "."

    def _options(self, output: str | None = None) -> list[str]:
        """
        Return the output options of the run.
        """
        options = self.output
        arguments = ["-o", output or options.output or "."]
        arguments += ["--force"] * options.force
        # Sidecars need the record.
        arguments += ["--sidecar"] * (options.sidecar and self.has_journal)
        for option, value in (
            ("--max-size", options.max_size and _size(options.max_size)),
            ("--quality-out", options.quality_out),
        ):
            arguments += [option, str(value)] if value else []
        for expectation in options.expect or ():
            arguments += ["--expect", expectation]
        return arguments

    def _command(self, *arguments: str) -> str:
        return shell_words.join(["krea", *arguments, *self.service, *self.flags])


def _size(size_bytes: int) -> str:
    """
    Write a size for --max-size as people do, if it is a round one.
    """
    gibibytes, rest = divmod(size_bytes, 2**30)
    return str(size_bytes) if rest else f"{gibibytes}GiB"


def _edit_folder(steps: NextSteps, folder: str) -> str:
    arguments = [folder, "PROMPT", "-o", "out/{stem}.png"]
    return shell_words.join(["krea", "batch", *arguments, *steps.service, *steps.flags])


def _numbered(output: str) -> str:
    """
    Add an index to the name, unless it has one.
    """
    from krea_cli.downloads.filename_template import fields_of

    is_folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    if output == "-" or is_folder or "index" in fields_of(output):
        return output
    at = len(output) - len(Path(output).suffix)
    return output[:at] + "-{index}" + output[at:]


def without_repeats(errors: Sequence[KreaError]) -> list[KreaError]:
    """
    The errors, explained; a hint that names all jobs only with the last of many.
    """
    if len(errors) <= MAX_HINTS:
        return list(errors)
    following = [*errors[1:], None]
    return [
        error.but(advice=()) if later and error.hint == later.hint else error
        for error, later in zip(errors, following, strict=True)
    ]


Spell = Callable[..., str | None]

_LINES: Mapping[Action, tuple[str, Spell]] = {
    Action.KEEP_WAITING: ("Keep waiting", lambda s, *ids: s.wait(ids)),
    Action.WAIT_FOR_FIRST: ("Keep waiting", lambda s, *ids: s.wait_for_first(ids)),
    Action.SAVE_LATER: ("Save the result later", lambda s, *ids: s.wait(ids)),
    Action.SAVE_ALL_LATER: ("Save the results later", lambda s, *ids: s.wait(ids)),
    Action.FIND_SAVED: ("Print its path", lambda s, *ids: s.wait(ids)),
    Action.FIND_ALL_SAVED: ("Print their paths", lambda s, *ids: s.wait(ids)),
    Action.STOP: ("Stop it", lambda s, *ids: s.cancel(ids)),
    Action.STOP_ALL: ("Stop them", lambda s, *ids: s.cancel(ids)),
    Action.COLLECT: ("Keep waiting", lambda s, *ids: s.wait(ids)),
    Action.GET_FIRST: ("Save it first", lambda s, *ids: s.wait(ids)),
    Action.COLLECT_UNRECORDED: (
        "Save its result",
        lambda s, *ids: replace(s, has_journal=False).wait(ids),
    ),
    Action.COLLECT_ELSEWHERE: (
        "Save it under another name",
        lambda s, *ids: s.wait(ids, elsewhere=True),
    ),
    Action.DOWNLOAD: ("Try again", lambda s, *ids: s.download(ids)),
    Action.DOWNLOAD_ELSEWHERE: (
        "Save it under another name",
        lambda s, *ids: s.download(ids, elsewhere=True),
    ),
    Action.DOWNLOAD_LARGER: (
        "Save it with a higher limit",
        lambda s, job, size="": s.download_larger(job, int(size) if size else None),
    ),
    Action.DOWNLOAD_COMPLETED: (
        "Save it",
        lambda s, job: s.download_foreign(job),
    ),
    Action.DOWNLOAD_FOREIGN: (
        "Save the result of that job",
        lambda s, job: s.download_foreign(job),
    ),
    Action.SHOW_URLS: (
        "To download it with another program, print its URL",
        lambda s, job: s.status(job, urls=True),
    ),
    Action.ASK_SERVICE: ("Check its status at Krea", lambda s, job: s.status(job)),
    Action.CHECK_AGAIN: ("Check again", lambda s, job: s.status(job)),
    Action.CANCEL: ("Try again", lambda s, *ids: s.cancel(ids)),
    Action.CANCEL_REST: ("Try again", lambda s, *ids: s.cancel(ids)),
    Action.LIST_REMOTE: ("List the jobs of your account", lambda s: s.list_remote()),
    Action.LOG_IN: ("Log in", lambda s: s.login()),
    Action.PIPE_TOKEN: ("Pass it on standard input", lambda s: s.login(piped=True)),
    Action.SETTLE: ("Check it", lambda s: s.recover()),
    Action.SETTLE_THERE: (
        (
            "On the computer that submitted the request, resolve it, then run the "
            "batch and share its lock"
        ),
        lambda s: s.recover(),
    ),
    Action.FIND_LOST: ("Check it", lambda s, record="": s.find_lost(record)),
    Action.LIST_LOST: ("Check Krea's job list", lambda s: s.list_remote()),
    Action.LOOK_AGAIN: ("Check again", lambda s: s.recover()),
    Action.LIST_UNCONFIRMED: ("List them", lambda s: s.recover()),
    Action.SETTLE_FIRST: ("Check it first", lambda s, record: s.recover(record)),
    Action.ADOPT: (
        "If this is the job of the request, link it",
        lambda s, record, job: s.recover(record, "--adopt", job),
    ),
    Action.ADOPT_ONE: (
        "If one of them is the job of the request, link it",
        lambda s, record: s.recover(record, "--adopt", "JOB"),
    ),
    Action.RESUBMIT: (
        "Submit it again (may be billed twice)",
        lambda s, record: s.recover(record, "--resubmit"),
    ),
    Action.CLOSE: (
        "Stop tracking this request",
        lambda s, record: s.recover(record, "--forget"),
    ),
    Action.CLOSE_IF_NOT_YOURS: (
        "If not, stop tracking the request",
        lambda s, record: s.recover(record, "--forget"),
    ),
    Action.CLOSE_IF_NONE_IS_YOURS: (
        "If none is, stop tracking the request",
        lambda s, record: s.recover(record, "--forget"),
    ),
    Action.FORGET_DAMAGED: (
        FORGET_LEAD,
        lambda s, record: s.forget(record, force=True),
    ),
    Action.FORGET_ANYWAY: (
        "Delete the record",
        lambda s, record: s.forget(record, force=True),
    ),
    Action.LOOK_FOR_JOB: ("Check Krea's job list", lambda s: s.list_remote()),
    Action.EDIT_FOLDER: (
        "Edit each image in it",
        _edit_folder,
    ),
    Action.REPLAY: ("Replay its sidecar", lambda s, sidecar: s.replay(sidecar)),
    Action.SHOW_FIELDS: (
        "Show its fields",
        lambda s, model: s.show_fields(model),
    ),
    Action.REFRESH_MODELS: ("Try to update the list", lambda s: s.refresh_models()),
    Action.LIST_MODELS: ("List all models", lambda s: s.list_models()),
    Action.LIST_STYLES: ("List your styles", lambda s: s.list_styles()),
    Action.LIST_ASSETS: ("List your files", lambda s: s.list_assets()),
    Action.CHECK_TOKEN_COMMAND: (
        "Check the command",
        lambda s: s.token_command(is_set=True),
    ),
    Action.SET_TOKEN_COMMAND: (
        "Or use a password manager, such as pass",
        lambda s: s.token_command(is_set=False),
    ),
    Action.LIST_URLS: (
        "List all URLs",
        lambda s, job: s.status(job, urls=True),
    ),
    Action.LIST_CANDIDATES: ("List all of them", lambda s: s.recover()),
    Action.UNSET: ("Remove the setting", lambda s, key: s.unset(key)),
}


def same_command(
    argv: Sequence[str],
    *,
    service: Sequence[str],
    without: Collection[str] = (),
    without_value: Collection[str] = (),
    more: Sequence[str] = (),
) -> str:
    """
    Repeat the command line of this run, `without` some of its options; those of
    `without_value` have a value. `more` words stand at its end. A sandbox that was
    chosen by a setting is named, so that the command never pays elsewhere.
    """
    arguments, operands = list[str](), list[str]()
    rest = iter(argv)
    for word in rest:
        if word == "--":
            operands = [word, *rest]
            break
        name = word.partition("=")[0]
        if name in without_value:
            if name == word:
                next(rest, None)
        elif word not in without:
            arguments.append(word)
    if "--sandbox" in service and "--sandbox" not in arguments:
        more = [*more, "--sandbox"]
    return shell_words.join(["krea", *arguments, *more, *operands])
