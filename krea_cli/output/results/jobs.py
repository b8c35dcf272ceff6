"""
Results about jobs, with their JSON and plain-text forms.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from krea_cli.output.escape import collapse_whitespace, safe_json
from krea_cli.output.github_actions import neutralize_path
from krea_cli.output.human.format_text import UNKNOWN, dollar_range

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


class Chosen(Protocol):
    """
    A field value that was chosen automatically, and the reason.
    """

    @property
    def field(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """
    A request that `generate` would submit `count` times.

    The estimate for all of them ranges from `cost_min_usd` to `cost_usd`, if known, at
    the prices of `price_date`.
    """

    method: str
    url: str
    body: dict[str, Any]
    count: int
    cost_usd: float | None = None
    cost_min_usd: float | None = None
    price_date: str | None = None
    choices: tuple[Chosen, ...] = ()
    is_sandbox: bool = False

    @property
    def plain(self) -> list[str]:
        body = safe_json(json.dumps(self.body, indent=2, ensure_ascii=False))
        return [f"{self.method} {self._address}", body, self._estimate]

    @property
    def _address(self) -> str:
        """
        The URL; in the sandbox only its path, as it has no port before it is started.
        """
        if not self.is_sandbox:
            return self.url
        return f"{urlsplit(self.url).path} (sandbox)"

    @property
    def _estimate(self) -> str:
        times = f" for {self.count} results" if self.count > 1 else ""
        if self.cost_usd is None:
            return f"estimate{times}: {UNKNOWN}"
        date = f" (prices as of {self.price_date})" if self.price_date else ""
        low = self.cost_usd if self.cost_min_usd is None else self.cost_min_usd
        return f"estimate{times}: {dollar_range(low, self.cost_usd)}{date}"

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        del found["is_sandbox"]
        return found


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
