"""
Decide where results go, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.errors import StorageError, UsageError
from krea_cli.output.github_actions import contains_command
from krea_cli.runtime import shell_words

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.expectations import Expectation
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.output.console import Console

_RESULT_OF_KIND = {
    "image": "a picture",
    "video": "a video",
    "audio": "a sound",
    "3d": "a 3D model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlanner:
    """
    Checks how results are to be saved. *writes_json* and *for_github* say what else
    the run writes to standard output.
    """

    options: OutputOptions
    console: Console
    env: Mapping[str, str]
    writes_json: bool = False
    for_github: bool = False

    def check_expectations(self, *, saves: bool) -> None:
        """
        Raises:
            UsageError: --expect is misspelled, or nothing is saved that could meet it.
        """
        if self.expectations() and not saves:
            raise UsageError(
                "--expect looks at what is saved, and nothing is.",
                hint="Leave it out; or save the result: without --no-wait and "
                "--no-download, and with -o if it is krea wait.",
            )

    def plan(
        self,
        *,
        count: int,
        force: bool,
        kind: str | None = None,
        names: FilenameFields | None = None,
    ) -> OutputTarget:
        """
        Return the target of *count* results, after checking that they can be saved
        there. *kind* (image, video, audio or 3d) and *names* are given where they are
        known; *force* allows names that are taken.

        Raises:
            UsageError: the options make no sense together, or for this kind of result.
            StorageError: a result could not be saved.
        """
        from krea_cli.downloads.output_target import OutputTarget
        from krea_cli.media import LOSSY

        output, quality = self.options.output, self.options.quality_out
        target = OutputTarget.parse(output, has_sidecar=self.options.sidecar)
        if target.template is None:
            self._check_stdout()
        elif self.env.get("GITHUB_ACTIONS") and contains_command(target.template):
            raise UsageError(
                "GitHub Actions takes ##[ in a name as a command.",
                hint="Choose another name with -o.",
            )
        if kind and target.media and target.media.kind != kind:
            result = _RESULT_OF_KIND.get(kind, "a file")
            raise UsageError(
                f"The result is {result}, which cannot become {output}.",
                hint="Name it otherwise, or leave out -o.",
            )
        if quality and target.media and target.media not in LOSSY:
            raise UsageError(
                f"--quality-out is for .jpg, .webp and .avif, and {output} is none."
            )
        if expected := self.expectations():
            from krea_cli.downloads import expectations

            expectations.check(expected, media=target.media, kind=kind)
        target.check(count=count, force=force, naming=names)
        if target.adds_extension:
            self.console.note(
                f"{output} has no extension, so the result's own is added. "
                f"For a folder: -o {shell_words.quote(f'{output}/')}"
            )
        return target

    def expectations(self) -> tuple[Expectation, ...]:
        """
        Return what results must be, by --expect.

        Raises:
            UsageError: --expect is misspelled.
        """
        words = self.options.expect
        if not words:
            return ()
        from krea_cli.downloads.expectations import Expectation
        from krea_cli.media import images
        from krea_cli.media.decoding import decode_with_timeout

        def is_blank(path: Path) -> bool:
            return decode_with_timeout(lambda: images.is_blank(path))

        return tuple(Expectation.parse(word, is_blank=is_blank) for word in words)

    def _check_stdout(self) -> None:
        """
        Raises:
            UsageError: standard output must not get the bytes of a result.
            StorageError: it is closed.
        """
        if self.for_github:
            raise UsageError(
                "--github tells where the result is, and -o - puts it nowhere.",
                hint="Name a file or a folder: -o results/",
            )
        if self.options.sidecar:
            raise UsageError(
                "--sidecar writes a file beside the result, and -o - makes none."
            )
        if self.options.expect:
            raise UsageError("--expect looks at a file, and -o - leaves none.")
        if self.writes_json:
            raise UsageError("--json and -o - both need standard output.")
        if self.console.stdout.file is None:
            raise StorageError("Standard output is closed.")
        if self.console.stdout.is_terminal:
            raise UsageError(
                "A terminal cannot show the bytes of a file.",
                hint="Send standard output to a file or a pipe, or name one with -o.",
            )


def unmet_expectations(job: Job, expected: Sequence[Expectation]) -> list[str]:
    """
    Return a sentence for each expectation that a file of the job does not meet.
    """
    if not expected:
        return []
    from krea_cli.downloads.expectations import unmet

    return [each for file in job.files for each in unmet(file, expected)]
