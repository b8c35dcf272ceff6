"""
Pictures in the terminal: after they were saved, and by `krea show`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.cli.context import CliContext
from krea_cli.errors import DownloadError, InputError, UsageError
from krea_cli.output.escape import single_line
from krea_cli.runtime.user_paths import local_path

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.output.graphics.preview import Preview


def preview(
    session: CliContext,
    jobs: Sequence[Job],
    *,
    wanted: bool | None = None,
    before: Path | None = None,
) -> None:
    """
    Show the pictures among the files of *jobs*, each after the one *before* where both
    have room: by a graphics protocol, or when *wanted* by half blocks, too.

    What is saved is saved: nothing that goes wrong here is an error.
    """
    files = [
        file.path
        for job in jobs
        for file in job.files
        if file.media_type.startswith("image/") and file.path != "-"
    ]
    if not files or wanted is False or not session.out.may_preview:
        return
    try:
        from krea_cli.output.graphics.preview import Preview

        screen = Preview(session.out.stdout, session.env, blocks=bool(wanted))
        shown = files if screen.is_possible else []
        if shown and not wanted:
            shown = [file for file in files if _is_light(session, file)]
            before = before if before and _is_light(session, str(before)) else None
        for file in shown:
            try:
                _draw(screen, file, before=before, drawn=len(files))
            except DownloadError as exc:
                if wanted:
                    session.out.note(_cannot_be_shown(file, exc.message).message)
    except Exception as exc:  # noqa: BLE001  # whatever a picture or a terminal does
        session.log(f"no preview: {exc}")


def _is_light(session: CliContext, file: str) -> bool:
    """
    Whether it may be shown unasked; says so if not.
    """
    from krea_cli.media.images import is_heavy

    if not is_heavy(Path(file)):
        return True
    name = single_line(file)
    session.out.note(
        f"{name} takes much memory to be shown, so it is not unless you ask: "
        f"{session.next_steps.show(file)}"
    )
    return False


def show(session: CliContext, files: Sequence[str]) -> list[InputError]:
    """
    Show each file, with its name if there are several: why one of them cannot be
    shown; the others are, all the same.

    Raises:
        UsageError: standard output cannot show pictures.
    """
    _check(session)
    files = [local_path(file) for file in files]
    from krea_cli.output.graphics.preview import Preview

    screen = Preview(session.out.stdout, session.env, blocks=True)
    if not screen.is_possible:
        raise UsageError("Standard output cannot show pictures: it is not UTF-8.")
    errors = []
    for file in files:
        try:
            _draw(screen, file, drawn=len(files))
        except DownloadError as exc:
            errors.append(_cannot_be_shown(file, exc.message))
    return errors


def _cannot_be_shown(file: str, reason: str) -> InputError:
    try:
        Path(file).stat()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        return InputError(f"{file} cannot be read: {why}.")
    return InputError(f"{file} cannot be shown. {reason}")


def _check(session: CliContext) -> None:
    if session.flags.json:
        raise UsageError("A picture cannot be shown as JSON.", hint="Leave out --json.")
    if not session.out.stdout.is_terminal:
        raise UsageError(
            "Standard output is no terminal, so a picture cannot be shown there.",
            hint="Run krea show in a terminal, without a pipe or a redirection.",
        )
    if session.env.get("TERM") == "dumb":
        raise UsageError("This terminal cannot show pictures (TERM is dumb).")


def _draw(
    screen: Preview, file: str, *, before: Path | None = None, drawn: int
) -> None:
    """
    Raises:
        DownloadError: *file* is no picture that can be shown.
    """
    from krea_cli.media.decoding import decode_with_timeout
    from krea_cli.media.images import thumbnail

    pictures = []
    if before is not None and screen.fits_pair:
        with suppress(DownloadError):
            box, pair = screen.box(2, drawn=drawn), (before, Path(file))
            pictures = decode_with_timeout(
                lambda: [thumbnail(path, box) for path in pair]
            )
    if not pictures:
        box = screen.box(1, drawn=drawn)
        pictures = [decode_with_timeout(lambda: thumbnail(Path(file), box))]
    screen.draw(pictures, name=single_line(file) if drawn > 1 else None)
