"""
Jobs of the sandbox: their requests, and their states at a given time.

The state depends only on the times of creation and start. Jobs need no background work
to progress, and every process sees the same state.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from krea_cli.api.models import FINISHED_STATUSES

JOB_SECONDS = 2.0
# Fraction of its duration that a job spends queued.
QUEUED_SHARE = 0.25

Medium = Literal["image", "video", "3d", "audio", "style"]

# Parts of a job's result: name in the URL, and file extension (None: image format).
PARTS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "image": (("image", None),),
    "video": (("video", "mp4"),),
    "3d": (("model", "glb"), ("preview", "png")),
    "audio": (("audio", "wav"),),
    "style": (),
}
# The image that a model edits, as opposed to style and character references.
_MAIN_FIELD = re.compile(r"(image_urls?|start_image|init_image_url)\b")
_TYPES = {
    "image": "externalImage",
    "video": "externalVideo",
    "3d": "external3d",
    "audio": "externalAudio",
    # The name of this type is undocumented.
    "style": "loraTraining",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInput:
    """
    An input file of a request, in a field such as "image_urls[0]".

    The store has the file under its SHA-256. None stands for an image on Krea's host.
    """

    field: str
    media_type: str
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxJob:
    """
    A stored job. Times are in seconds since the epoch.

    `fields` are those of the request, with hashes instead of URLs. `failure` is how the
    job will end, or None. `drawn` is the random seed for requests without one. A job
    without `starts_at` starts when it is created.
    """

    job_id: str
    created_at: float
    model: str
    medium: Medium
    image_format: str
    fields: Mapping[str, Any]
    inputs: tuple[JobInput, ...] = ()
    failure: JobFailure | None = None
    cancelled_at: float | None = None
    cost_usd: float | None = None
    starts_at: float | None = None
    seconds: float = JOB_SECONDS
    drawn: int = 0

    @classmethod
    def from_json(cls, data: Any) -> SandboxJob:
        """
        Parse the output of `as_json`.

        Raises:
            ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError:
                `data` has another format.
        """
        inputs = tuple(JobInput(**each) for each in data.pop("inputs"))
        failure = data.pop("failure")
        job = cls(inputs=inputs, failure=failure and JobFailure(**failure), **data)
        uuid.UUID(job.job_id)
        iso(job.created_at)
        iso(job.ends_at)
        iso(job.cancelled_at or 0.0)
        is_price = math.isfinite(job.cost_usd or 0.0)
        if not is_price or job.medium not in PARTS or not isinstance(job.fields, dict):
            raise ValueError(job.job_id)
        return job

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def type(self) -> str:
        """
        Job type in the terms of the API.
        """
        return _TYPES[self.medium]

    @property
    def seed(self) -> Any:
        given = self.fields.get("seed")
        return self.drawn if given is None else given

    @property
    def enlarges(self) -> bool:
        """
        Return whether the model only enlarges its input image.
        """
        return self.model.startswith("enhance/")

    @property
    def pictures(self) -> list[JobInput]:
        """
        Input images. The ones that the model edits come first.
        """
        found = [each for each in self.inputs if each.media_type.startswith("image/")]
        return sorted(found, key=lambda each: not _MAIN_FIELD.match(each.field))

    @property
    def files(self) -> tuple[str, ...]:
        """
        Names of the result files, such as "<job id>-image.png".
        """
        return tuple(
            f"{self.job_id}-{part}.{suffix or self.image_format}"
            for part, suffix in PARTS[self.medium]
        )

    @property
    def style_id(self) -> str:
        """
        Id of the style that a training creates.
        """
        return str(uuid.uuid5(uuid.UUID(self.job_id), "style"))

    @property
    def ends_at(self) -> float:
        return self._starts_at + self.seconds

    @property
    def _starts_at(self) -> float:
        return self.created_at if self.starts_at is None else self.starts_at

    def status(self, now: float) -> str:
        age = now - self._starts_at
        if self.cancelled_at is not None:
            return "cancelled"
        if age < 0 and self._starts_at > self.created_at:
            return "backlogged"
        if age < self.seconds * QUEUED_SHARE:
            return "queued"
        if age < self.seconds:
            return "processing"
        return "failed" if self.failure else "completed"

    def is_finished(self, now: float) -> bool:
        return self.status(now) in FINISHED_STATUSES

    def as_response(self, now: float, base_url: str) -> dict[str, Any]:
        """
        Return the job as the API shows it at `now`, with result URLs under `base_url`.
        """
        status = self.status(now)
        completed_at = self.cancelled_at or self.ends_at
        data: dict[str, Any] = {
            "job_id": self.job_id,
            "status": status,
            "created_at": iso(self.created_at),
            "completed_at": iso(completed_at) if status in FINISHED_STATUSES else None,
            "type": self.type,
            "result": self._result(base_url) if status == "completed" else None,
        }
        if status == "failed" and self.failure:
            data["error"] = asdict(self.failure)
        return data

    def _result(self, base_url: str) -> dict[str, Any]:
        if self.medium == "style":
            return {"style_id": self.style_id}
        urls: list[Any] = [f"{base_url}/results/{name}" for name in self.files]
        if self.medium == "3d":
            parts = [part for part, _ in PARTS["3d"]]
            urls = [
                {"type": part, "url": url}
                for part, url in zip(parts, urls, strict=True)
            ]
        return {"urls": urls}


def iso(seconds: float) -> str:
    """
    Format a time as ISO 8601 in UTC, with microseconds: they order the pages of lists.
    """
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
