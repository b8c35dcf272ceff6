"""
Images into URLs that the service takes.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from krea_cli.api.http_types import RequestBody
from krea_cli.api.models import Asset
from krea_cli.downloads.url_policy import shown
from krea_cli.errors import DownloadError, InputError, JournalError, ServiceError
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.inputs.resolver import InputResolver

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.downloads.download_client import DownloadClient
    from krea_cli.inputs.upload_cache import UploadCache


class Uploader:
    """
    Uploads each file once: within a run by its content, whichever threads want it, and
    within a day by what is remembered on disk.
    """

    def __init__(
        self,
        client: ApiClient,
        fetcher: DownloadClient,
        images: InputResolver,
        memory: UploadCache,
    ) -> None:
        self._client = client
        self._fetcher = fetcher
        self._images = images
        self._memory = memory
        # By the sha256 of what was uploaded, and by the URL that it came from.
        self._urls: dict[str, str] = {}
        self._lock = threading.RLock()

    def url_of(self, image: Image) -> str:
        """
        The URL to send: a remote image's own, unless the service refused it in this
        run, a local one's after it was uploaded.
        """
        if isinstance(image, RemoteFile):
            return self._urls.get(image.url, image.url)
        with self._lock:
            known = self._urls.get(image.sha256) or self._memory.url(image.sha256)
            return known or self.upload(image).url

    def fresh_url_of(self, image: Image) -> str:
        """
        A URL on the service itself, uploaded in this run: for images that the service
        refused under the URL it was given.

        Raises:
            InputError: a remote image cannot be fetched.
        """
        with self._lock:
            local = self._fetched(image) if isinstance(image, RemoteFile) else image
            url = self._urls.get(local.sha256) or self.upload(local).url
            if isinstance(image, RemoteFile):
                self._urls[image.url] = url
            return url

    def upload(self, image: LocalFile) -> Asset:
        """
        The asset that a new upload made; its URL is what `url_of` gives from now on.

        Raises:
            InputError: the file is not what it was when it was checked.
        """
        # The name is neutral: that of a file may say more than its owner wants (N15).
        name = f"image-{len(self._urls) + 1}.{image.media.extension}"
        file = RequestBody(size_bytes=image.size_bytes, chunks=image.chunks)
        asset = self._client.upload(file, name, image.media.media_type)
        self._urls[image.sha256] = asset.url
        # That it is there counts for more than that it is remembered.
        with suppress(JournalError):
            self._memory.keep(image.sha256, asset.url)
        return asset

    def _fetched(self, image: RemoteFile) -> LocalFile:
        try:
            with self._fetcher.open(image.url) as body:
                return self._images.keep(shown(image.url), body.chunks)
        except (DownloadError, ServiceError) as exc:
            raise InputError(
                f"The service does not take {shown(image.url)}, and here it cannot be "
                f"fetched: {exc.message}",
                hint="Save the image to a file, and give that with -i.",
            ) from exc
