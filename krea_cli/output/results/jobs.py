"""
Results about jobs, with their JSON and plain-text forms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.github_actions import neutralize_path

if TYPE_CHECKING:
    from krea_cli.api.models import Asset, Job


class Result(Protocol):
    @property
    def plain(self) -> list[str]:
        """
        Lines for pipes and --quiet.
        """

    def as_json(self) -> dict[str, Any]:
        """
        The object for --json. Keys are only ever added.
        """


@dataclass(frozen=True, slots=True)
class _JobResult:
    """
    A job, and the command that saves its results, if this run can use one.
    """

    job: Job
    collect: str = ""

    def as_json(self) -> dict[str, Any]:
        return self.job.as_json()


class JobStatus(_JobResult):
    """
    The status of a job, and the style that a training created: `status`, `wait`.
    """

    @property
    def plain(self) -> list[str]:
        cells = [self.job.job_id, collapse_whitespace(self.job.status, 40)]
        cells += [self.job.style_id] if self.job.style_id else []
        return ["\t".join(cells)]


class JobSubmitted(_JobResult):
    """
    A submitted job: `generate --no-wait`.
    """

    @property
    def plain(self) -> list[str]:
        return [self.job.job_id]


class JobSaved(_JobResult):
    """
    A job whose results are saved: `generate`, `download`.
    """

    @property
    def plain(self) -> list[str]:
        if self.job.style_id and not self.job.files:
            return [self.job.style_id]
        paths = [file.path for file in self.job.files if file.path != "-"]
        return [neutralize_path(path) for path in paths]


class JobUrls(_JobResult):
    """
    A completed job whose results are not saved: `generate --no-download`.
    """

    @property
    def plain(self) -> list[str]:
        # Anything but a web address could be a command to the log it appears in.
        return [
            collapse_whitespace(url)
            if url.startswith(("https://", "http://"))
            else "(no URL)"
            for url in self.job.urls
        ]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """
    An uploaded file. `name` is the path or URL that the user gave.
    """

    name: str
    asset: Asset

    @property
    def plain(self) -> list[str]:
        return [collapse_whitespace(self.asset.url)]

    def as_json(self) -> dict[str, Any]:
        return {"file": self.name, **asdict(self.asset)}


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A help topic in Markdown: `help TOPIC`.
    """

    topic: str
    text: str

    @property
    def plain(self) -> list[str]:
        return self.text.splitlines()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
