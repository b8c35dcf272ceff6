"""
Decide how long to wait for jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.model import Model

DEFAULT_SECONDS = 600.0
DEFAULT_SECONDS_BY_KIND = {"video": 1800.0, "3d": 1800.0, "styles": 1800.0}


def wait_seconds(
    timeout: float | None, setting: float | None, kinds: Iterable[str] = ()
) -> float:
    """
    Return how many seconds to wait: the `timeout` of the command line, else the
    `setting`, else the longest default of the models' `kinds` (such as "video").
    """
    usual = max((DEFAULT_SECONDS_BY_KIND.get(kind, 0.0) for kind in kinds), default=0.0)
    return timeout or setting or usual or DEFAULT_SECONDS


def model_kinds(jobs: Iterable[Job], models: Iterable[Model]) -> set[str]:
    """
    Return the kinds of the jobs' models, with "styles" for trainings. Skip jobs whose
    model is not in `models`.
    """
    model_ids = {job.model for job in jobs if job.model}
    if not model_ids:
        return set()
    kinds = {model.kind for model in models if model.id in model_ids}
    return kinds | ({"styles"} if "styles/train" in model_ids else set())
