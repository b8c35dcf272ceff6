from __future__ import annotations

from media.samples import sample  # noqa: F401  (a fixture)
