"""
How long jobs are waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.model import Model

DEFAULT_SECONDS = 600.0
SECONDS_OF_KIND = {"video": 1800.0, "3d": 1800.0, "styles": 1800.0}


def wait_seconds(
    timeout: float | None, setting: float | None, kinds: Iterable[str] = ()
) -> float:
    """
    Return how many seconds to wait: by the *timeout* of the command line, by the
    *setting*, or by the *kinds* of models (such as image and video).
    """
    usual = max((SECONDS_OF_KIND.get(kind, 0.0) for kind in kinds), default=0.0)
    return timeout or setting or usual or DEFAULT_SECONDS


def kinds_of(jobs: Iterable[Job], models: Iterable[Model]) -> set[str]:
    """
    Return the kinds of the jobs' models, as far as the models are known; "styles" for
    trainings.
    """
    wanted = {job.model for job in jobs if job.model}
    if not wanted:
        return set()
    kinds = {model.kind for model in models if model.id in wanted}
    return kinds | ({"styles"} if "styles/train" in wanted else set())
