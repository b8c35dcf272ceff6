"""
Where results go, and under which names.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from krea_cli.cli.documenting import Documenting
from krea_cli.errors import StorageError, UsageError
from krea_cli.media import LOSSY
from krea_cli.output.github_actions import contains_command
from krea_cli.runtime import shell_words

if TYPE_CHECKING:
    from pathlib import Path

    from krea_cli.api.models import Job
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.downloads.expectations import Expectation
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget

_A_RESULT = {
    "image": "a picture",
    "video": "a video",
    "audio": "a sound",
    "3d": "a 3D model",
}


class Delivering(Documenting):
    """
    The way of results to files, looked at before anything is sent.
    """

    def deliver(self, delivery: OutputOptions, *, saves: bool) -> None:
        """
        Results are to be delivered so, if any are saved.

        Raises:
            UsageError: an expectation is none, or nothing is saved that could meet it.
        """
        self.delivery = delivery
        if self.expectations and not saves:
            raise UsageError(
                "--expect looks at what is saved, and nothing is.",
                hint="Leave it out; or save the result: without --no-wait and "
                "--no-download, and with -o if it is krea wait.",
            )

    def target(
        self,
        *,
        count: int,
        force: bool,
        kind: str | None = None,
        naming: FilenameFields | None = None,
    ) -> OutputTarget:
        """
        Where *count* results go, after a look whether they can go there and be what is
        wished; *kind* is what they are (image, video, audio or 3d) and *naming* what
        they will be named by, if that is known; *force* allows names that are taken.

        Raises:
            UsageError: what is wished makes no sense here.
            StorageError: a result could not be saved.
        """
        from krea_cli.downloads.output_target import OutputTarget

        output, quality = self.delivery.output, self.delivery.quality_out
        target = OutputTarget.parse(output, has_sidecar=self.delivery.sidecar)
        if target.template is None:
            self._check_stdout()
        elif self.env.get("GITHUB_ACTIONS") and contains_command(target.template):
            raise UsageError(
                "GitHub Actions takes ##[ in a name as a command.",
                hint="Choose another name with -o.",
            )
        if kind and target.media and target.media.kind != kind:
            raise UsageError(
                f"The result is {_A_RESULT[kind]}, which cannot become {output}.",
                hint="Name it otherwise, or leave out -o.",
            )
        if quality and target.media and target.media not in LOSSY:
            raise UsageError(
                f"--quality-out is for .jpg, .webp and .avif, and {output} is none."
            )
        if self.expectations:
            from krea_cli.downloads import expectations

            expectations.check(self.expectations, media=target.media, kind=kind)
        target.check(count=count, force=force, naming=naming)
        if target.adds_extension:
            self.out.note(
                f"{output} has no extension, so the result's own is added. "
                f"For a folder: -o {shell_words.quote(f'{output}/')}"
            )
        return target

    def _check_stdout(self) -> None:
        """
        Raises:
            UsageError: the bytes of a result make no sense there.
            StorageError: it is closed.
        """
        if self.reports:
            raise UsageError(
                "--github tells where the result is, and -o - puts it nowhere.",
                hint="Name a file or a folder: -o results/",
            )
        if self.delivery.sidecar:
            raise UsageError(
                "--sidecar writes a file beside the result, and -o - makes none."
            )
        if self.expectations:
            raise UsageError("--expect looks at a file, and -o - leaves none.")
        if self.flags.json:
            raise UsageError("--json and -o - both need standard output.")
        if self.out.stdout.file is None:
            raise StorageError("Standard output is closed.")
        if self.out.stdout.is_terminal:
            raise UsageError(
                "A terminal cannot show the bytes of a file.",
                hint="Send standard output to a file or a pipe, or name one with -o.",
            )

    @cached_property
    def expectations(self) -> tuple[Expectation, ...]:
        """
        What results must be.

        Raises:
            UsageError: a word of --expect is none of them.
        """
        words = self.delivery.expect
        if not words:
            return ()
        from krea_cli.downloads.expectations import Expectation
        from krea_cli.media import images
        from krea_cli.media.decoding import decode_with_timeout

        def is_blank(path: Path) -> bool:
            return decode_with_timeout(lambda: images.is_blank(path))

        return tuple(Expectation.parse(word, is_blank=is_blank) for word in words)

    def unmet(self, job: Job) -> list[str]:
        """
        A sentence for each expectation that a file of *job* does not meet.
        """
        if not self.expectations:
            return []
        from krea_cli.downloads.expectations import unmet

        return [each for file in job.files for each in unmet(file, self.expectations)]

    def results(self, target: OutputTarget) -> ResultDownloader:
        """
        The way of results to *target*.
        """
        from krea_cli.downloads.downloader import ResultDownloader
        from krea_cli.downloads.publish import Publisher

        wished = self.delivery
        return ResultDownloader(
            self.fetcher,
            self.clock,
            target,
            look=self.look,
            send=self.out.stdout.send,
            placing=Publisher(
                force=wished.force, quality=wished.quality_out, warn=self.out.warn
            ),
            max_bytes=wished.max_size,
        )
