"""
Results about uploaded files, with their JSON and plain-text forms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from krea_cli.output.escape import collapse_whitespace

if TYPE_CHECKING:
    from krea_cli.api.models import Asset


@dataclass(frozen=True, slots=True)
class AssetRow:
    """
    An uploaded file: `assets list`.
    """

    asset: Asset

    @property
    def plain(self) -> list[str]:
        asset = self.asset
        size = "" if asset.size_bytes is None else str(asset.size_bytes)
        cells = (asset.id, asset.url, size, asset.uploaded_at or "")
        return ["\t".join(map(collapse_whitespace, cells))]

    def as_json(self) -> dict[str, Any]:
        return asdict(self.asset)


class AssetDeleted(AssetRow):
    """
    A deleted file: `assets delete`.
    """

    @property
    def plain(self) -> list[str]:
        return [collapse_whitespace(self.asset.id)]
