"""
Turn images into URLs that the service accepts.
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
    Uploads each file once in a run, whichever threads want it, and once in a day by the
    upload cache.
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
        Return the URL to send: a remote image's own, unless the service refused it in
        this run, or the URL of a local image's upload.
        """
        if isinstance(image, RemoteFile):
            return self._urls.get(image.url, image.url)
        with self._lock:
            known = self._urls.get(image.sha256) or self._memory.url(image.sha256)
            return known or self.upload(image).url

    def fresh_url_of(self, image: Image) -> str:
        """
        Return a URL of an upload of this run, for images that the service refused under
        the URL it was given.

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
        Upload the file and return its asset, whose URL `url_of` returns from now on.

        Raises:
            InputError: the file has changed since it was checked.
        """
        # The name is neutral: a file name may say more than its owner wants.
        name = f"image-{len(self._urls) + 1}.{image.media.extension}"
        file = RequestBody(size_bytes=image.size_bytes, chunks=image.chunks)
        asset = self._client.upload(file, name, image.media.media_type)
        self._urls[image.sha256] = asset.url
        # The upload is of use even if it cannot be remembered.
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
