"""
Where results go, and under which names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from krea_cli.documenting import Documenting
from krea_cli.errors import StorageError, UsageError
from krea_cli.media import LOSSY
from krea_cli.output.workflow import cannot_be_told

if TYPE_CHECKING:
    from pathlib import Path

    from krea_cli.api.resources import Job
    from krea_cli.jobs.expectations import Expectation
    from krea_cli.jobs.results import Results
    from krea_cli.jobs.targets import Naming, Target

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

    def target(
        self,
        output: str | None,
        *,
        count: int,
        force: bool,
        kind: str | None = None,
        naming: Naming | None = None,
        quality: int | None = None,
        expectations: Sequence[Expectation] = (),
    ) -> Target:
        """
        Where *count* results go, after a look whether they can go there, with that
        *quality*, and meet the *expectations*; *kind* is what they are (image, video,
        audio or 3d) and *naming* what they will be named by, if that is known.

        Raises:
            UsageError: *output* makes no sense here.
            StorageError: a result could not be saved.
        """
        from krea_cli.jobs.targets import Target

        self.quality = quality
        target = Target.parse(output, has_sidecar=self.writes_sidecars)
        if target.template is None:
            self._check_stdout(has_expectations=bool(expectations))
        elif self.env.get("GITHUB_ACTIONS") and cannot_be_told(target.template):
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
        if expectations:
            from krea_cli.jobs import expectations as expecting

            expecting.check(expectations, media=target.media, kind=kind)
        target.check(count=count, force=force, naming=naming)
        return target

    def _check_stdout(self, *, has_expectations: bool) -> None:
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
        if self.writes_sidecars:
            raise UsageError(
                "--sidecar writes a file beside the result, and -o - makes none."
            )
        if has_expectations:
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

    def expectations(
        self, words: Sequence[str] | None, *, saves: bool
    ) -> tuple[Expectation, ...]:
        """
        What results must be, by the words of --expect.

        Raises:
            UsageError: a word is none of them, or nothing is saved.
        """
        if not words:
            return ()
        from krea_cli.jobs import pictures
        from krea_cli.jobs.decoding import in_time
        from krea_cli.jobs.expectations import Expectation

        def is_blank(path: Path) -> bool:
            return in_time(lambda: pictures.is_blank(path))

        found = tuple(Expectation.parse(word, is_blank=is_blank) for word in words)
        self.expects = words
        if not saves:
            raise UsageError(
                "--expect looks at what is saved, and nothing is.",
                hint="Leave it out; or save the result: without --no-wait and "
                "--no-download, and with -o if it is krea wait.",
            )
        return found

    def unmet(self, job: Job, expectations: Sequence[Expectation]) -> list[str]:
        """
        A sentence for each expectation that a file of *job* does not meet.
        """
        if not expectations:
            return []
        from krea_cli.jobs.expectations import unmet

        return [each for file in job.files for each in unmet(file, expectations)]

    def results(
        self,
        target: Target,
        *,
        force: bool,
        max_bytes: int | None = None,
        quality: int | None = None,
    ) -> Results:
        """
        The way of results to *target*, each of *max_bytes* at most, converted with
        *quality*.
        """
        from krea_cli.jobs.placing import Placing
        from krea_cli.jobs.results import Results

        return Results(
            self.fetcher,
            self.clock,
            target,
            look=self.look,
            send=self.out.stdout.send,
            placing=Placing(force=force, quality=quality, warn=self.out.warn),
            max_bytes=max_bytes,
        )
