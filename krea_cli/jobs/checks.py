"""
Whether what a job gave is what was to be expected of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from krea_cli.api.resources import Job
from krea_cli.media import of_type

if TYPE_CHECKING:
    from krea_cli.catalogue.model import Model

_MAKES = {"image": "images", "video": "videos", "audio": "sounds", "3d": "3D models"}


def unexpected(job: Job, models: Iterable[Model]) -> list[str]:
    """
    A sentence for each file of a kind that the job's model does not make; none where
    the model is not known.
    """
    found = [model for model in models if model.id == job.model]
    made = {model.result_kind for model in found}
    makes = " and ".join(sorted(_MAKES.get(kind, kind) for kind in made))
    return [
        f"The model {job.model} makes {makes}, but job {job.job_id} gave "
        f"{media.extension.upper()}: {file.path}"
        for file in job.files
        if (media := of_type(file.media_type)) and made and media.kind not in made
    ]
