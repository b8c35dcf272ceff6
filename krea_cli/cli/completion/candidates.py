"""
Find the completions of the word that is being typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from krea_cli.cli.completion import fields, grammar, paths
from krea_cli.cli.completion.grammar import Option
from krea_cli.cli.completion.line import Line
from krea_cli.cli.context import CliContext
from krea_cli.cli.help import topics
from krea_cli.config import settings
from krea_cli.jobs.job_refs import run_ref

# Offer only jobs in these states. Other commands accept all jobs.
_STATES = {
    "wait": ("submitted",),
    "cancel": ("submitted",),
    "download": ("submitted", "completed"),
}


class Candidate(NamedTuple):
    """
    A completion. `text` is the whole word, and `about` its description.
    """

    text: str
    about: str = ""


def find(line: Line, context: CliContext) -> list[Candidate] | None:
    """
    Return the candidates that begin with the word; None to let the shell complete any
    file.

    Raises:
        KreaError: the settings cannot be read.
    """
    expected = line.expects
    if expected is not None and expected.takes == "VALUE":
        expected = _flag(line.arguments[0])
    found: Iterable[tuple[str, str]] | None
    if expected is None:
        found = _names(line)
    elif expected.choices:
        found = ((choice, "") for choice in expected.choices)
    elif expected.takes is None:
        found = (("true", ""), ("false", ""))
    elif expected.takes in ("FILE", "OUTPUT", "SIDECAR"):
        found = None
    else:
        found = _values(expected.takes, line, context)
    if found is None:
        return None
    return [Candidate(*each) for each in found if each[0].startswith(line.word)]


def _names(line: Line) -> Iterator[tuple[str, str]]:
    if not line.word.startswith("-"):
        yield from line.command.members
        return
    for option in line.command.options:
        for name in option.names:
            if name.startswith("--") or name == line.word:
                yield name, option.help


def _flag(key: str) -> Option | None:
    """
    Return the option that corresponds to a setting.
    """
    command, _ = grammar.find(["generate"])
    return command.option(f"--{key.replace('_', '-')}")


def _values(
    kind: str, line: Line, context: CliContext
) -> Iterable[tuple[str, str]] | None:
    is_of_shell = line.word.startswith("~") or "$" in line.word
    if kind == "IMAGE" and is_of_shell:  # only the shell can expand it
        return None
    known: dict[str, Callable[[], Iterable[tuple[str, str]]]] = {
        "MODEL": lambda: _models(line.word, context),
        "IMAGE": lambda: _images(line, context),
        "KEY=VALUE": lambda: fields.params(line.word, fields.model(line, context)),
        # As an option, JOB is for --adopt, and means a job that is not in the journal.
        "JOB": lambda: () if isinstance(line.expects, Option) else _jobs(line, context),
        "KEY": _keys,
        "TOPIC": _topics,
    }
    found = known.get(kind)
    return found() if found else fields.values_of_option(line, context)


def _models(word: str, context: CliContext) -> Iterable[tuple[str, str]]:
    models = context.catalog.models
    if any(model.id.startswith(word) for model in models):
        return [(model.id, model.name) for model in models]
    # Complete by the last part of an id, unless several ids share it.
    ends = [model.id.rpartition("/")[2] for model in models]
    ids = [model.id for model in models]
    return [
        (end, model_id)
        for end, model_id in zip(ends, ids, strict=True)
        if ends.count(end) < 2
    ]


def _images(line: Line, context: CliContext) -> Iterator[tuple[str, str]]:
    for path in paths.files(line.word, fields.input_media(line, context)):
        yield path, ""


def _jobs(line: Line, context: CliContext) -> Iterator[tuple[str, str]]:
    """
    Yield the newest jobs in a state that the command accepts.
    """
    from krea_cli.journal import recent_jobs

    jobs = recent_jobs.find_recent_jobs(context.folders.state, context.service.name)
    states = _STATES.get(" ".join(line.command.words))
    jobs = [job for job in jobs if states is None or job.state in states]
    if jobs:
        yield "@last", "jobs of the last command"
    now = context.clock.wall()
    sizes = Counter(job.run for job in jobs)
    for job in jobs:
        age = _age(now - job.created_at)
        model = job.model.rpartition("/")[2]
        # Offer a run with several jobs before its newest job.
        if (count := sizes.pop(job.run, 0)) > 1:
            yield run_ref(job.run), f"{count} jobs of one command, {age} ago"
        yield job.job_id, f"{job.state}, {age} ago, {model}: {job.prompt}"


def _age(seconds: float) -> str:
    """
    Format an age as --since takes it, in the largest unit that fits.
    """
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def _keys() -> Iterable[tuple[str, str]]:
    return [
        (key, "" if key in settings.FILE_ONLY else settings.variable_name(key))
        for key in settings.KEYS
    ]


def _topics() -> Iterable[tuple[str, str]]:
    command, _ = grammar.find([])
    return [*((name, "") for name in topics.NAMES), *command.members]
