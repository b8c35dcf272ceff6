"""
Decide where results are saved, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    "image": "an image",
    "video": "a video",
    "audio": "an audio file",
    "3d": "a 3D model",
}


_TO_A_FOLDER = "Save to a file or folder, for example -o results/"


class OutputPlanner(NamedTuple):
    """
    Checks how results are to be saved.

    `writes_json` and `for_github` say what else the run writes to standard output.
    """

    options: OutputOptions
    console: Console
    env: Mapping[str, str]
    writes_json: bool = False
    for_github: bool = False

    def check_expectations(
        self, *, saves: bool, way_to_save: str = "add -o to save the result"
    ) -> None:
        """
        Check the values of --expect. *way_to_save* says how this command could save the
        result.

        Raises:
            UsageError: a value is invalid, or nothing is saved that could be checked.
        """
        if self.expectations() and not saves:
            raise UsageError(
                "--expect needs a saved file.",
                hint=f"Remove --expect, or {way_to_save}.",
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
        Return the target for `count` results, after checking that they can be saved
        there.

        `kind` (image, video, audio or 3d) and `names` are given if known. `force`
        allows existing files to be overwritten.

        Raises:
            UsageError: the options contradict each other, or do not suit this kind of
                result.
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
                "GitHub Actions would treat the file name as a command, because it "
                "contains ## followed by [.",
                hint="Choose another name with -o.",
            )
        if kind and target.media and target.media.kind != kind:
            result = _RESULT_OF_KIND.get(kind, "a file")
            raise UsageError(
                f"This model makes {result}, which cannot be saved as {output}.",
                hint="Change the extension, or remove -o.",
            )
        if quality and target.media and target.media not in LOSSY:
            raise UsageError(
                f"--quality-out works for .jpg, .webp and .avif only, not {output}."
            )
        if expected := self.expectations():
            from krea_cli.downloads import expectations

            expectations.check_possible(expected, media=target.media, kind=kind)
        target.check(count=count, force=force, naming=names)
        if target.adds_extension:
            self.console.note(
                f"{output} has no extension, so the extension of the result is added. "
                f"To save into a folder: -o {shell_words.quote(f'{output}/')}"
            )
        return target

    def expectations(self) -> tuple[Expectation, ...]:
        """
        Parse --expect.

        Raises:
            UsageError: a value is invalid.
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
        Check that a result can be written to standard output.

        Raises:
            UsageError: standard output must not receive binary data.
            StorageError: it is closed.
        """
        if self.for_github:
            raise UsageError(
                "Use either --github or '-o -', not both.", hint=_TO_A_FOLDER
            )
        if self.options.sidecar:
            raise UsageError(
                "Use either --sidecar or '-o -', not both.", hint=_TO_A_FOLDER
            )
        if self.options.expect:
            raise UsageError(
                "Use either --expect or '-o -', not both.", hint=_TO_A_FOLDER
            )
        if self.writes_json:
            raise UsageError(
                "Use either --json or '-o -', not both.", hint=_TO_A_FOLDER
            )
        if self.console.stdout.file is None:
            raise StorageError("Standard output is closed.")
        if self.console.stdout.is_terminal:
            raise UsageError(
                "'-o -' would print binary data to the terminal.",
                hint="Redirect standard output, or use -o FILE.",
            )


def unmet_expectations(job: Job, expected: Sequence[Expectation]) -> list[str]:
    """
    Return a sentence for each expectation that a file of the job does not meet.
    """
    if not expected:
        return []
    from krea_cli.downloads.expectations import unmet

    return [each for file in job.files for each in unmet(file, expected)]
