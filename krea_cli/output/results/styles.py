"""
Results about styles, with their JSON and plain-text forms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.results.jobs import JobStatus

if TYPE_CHECKING:
    from krea_cli.api.models import Style


@dataclass(frozen=True, slots=True)
class StyleRow:
    """
    A style in a list: `styles list`.
    """

    style: Style

    @property
    def plain(self) -> list[str]:
        cells = (self.style.id, self.style.title or "", ",".join(self.style.models))
        return ["\t".join(map(collapse_whitespace, cells))]

    def as_json(self) -> dict[str, Any]:
        return asdict(self.style)


class StyleDetails(StyleRow):
    """
    All details of a style: `styles show`.
    """

    @property
    def facts(self) -> list[tuple[str, str]]:
        """
        Return pairs of label and value.
        """
        style = self.style
        public = {None: None, True: "yes", False: "no"}[style.public]
        facts = (
            ("id", style.id),
            ("title", style.title),
            ("models", ", ".join(style.models)),
            ("public", public),
            ("owner", style.owner),
            ("prompt", style.prompt),
            ("cover", style.cover_url),
            ("created", style.created_at),
        )
        return [(label, collapse_whitespace(text)) for label, text in facts if text]

    @property
    def plain(self) -> list[str]:
        return [f"{label}\t{text}" for label, text in self.facts]


class StyleTrained(JobStatus):
    """
    A training and the style that it created: `styles train`.
    """

    @property
    def plain(self) -> list[str]:
        return [self.job.style_id] if self.job.style_id else []
