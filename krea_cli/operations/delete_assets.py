"""
Delete uploaded files at Krea, and remove their URLs from the local cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from krea_cli.api.models import Asset
from krea_cli.errors import JournalError, KreaError, NotFoundError, RequestRejectedError

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.inputs.upload_cache import UploadCache


def delete_assets(
    assets: Iterable[Callable[[], Asset]],
    client: ApiClient,
    known: UploadCache,
    failed: Callable[[KreaError], object],
) -> Iterator[Asset]:
    """
    Delete each asset, and yield it.

    `failed` is called with the error of an asset that was not deleted. The others are
    still deleted.

    Raises:
        KreaError: an error that affects all assets.
    """
    for find in assets:
        try:
            asset = find()
            client.delete_asset(asset.id)
        except (NotFoundError, RequestRejectedError) as exc:
            failed(exc)
            continue
        # Later requests must not refer to a deleted file. Without a journal there is no
        # cache.
        with suppress(JournalError):
            known.forget(asset.url)
        yield asset
