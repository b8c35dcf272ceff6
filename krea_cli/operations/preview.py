"""
Show images in the terminal, after saving them or on request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.errors import DownloadError, InputError, UsageError
from krea_cli.output.escape import single_line
from krea_cli.runtime import shell_words
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.runtime.user_paths import local_path

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.output.console import Console
    from krea_cli.output.graphics.capabilities import TerminalQuery
    from krea_cli.output.graphics.preview import Preview


def preview(
    jobs: Sequence[Job],
    *,
    console: Console,
    env: Mapping[str, str],
    log: Callable[[str], object],
    show_command: Callable[[str], str],
    terminal: TerminalQuery,
    wanted: bool | None = None,
    before: Path | None = None,
) -> None:
    """
    Show the images among the files of `jobs`.

    If there is room, each is shown next to the image `before`. They are drawn with a
    graphics protocol, or if `wanted` is true also with half blocks. The files are
    already saved, so no failure here is an error.
    """
    files = [
        file.path
        for job in jobs
        for file in job.files
        if file.media_type.startswith("image/") and file.path != "-"
    ]
    if not files or wanted is False or not console.may_preview:
        return
    try:
        from krea_cli.output.graphics.preview import Preview

        window = terminal.size()
        screen = Preview(console.stdout, env, window, blocks=bool(wanted))
        shown = files if screen.is_possible else []
        if shown and not wanted:
            shown = [file for file in files if _is_light(file, console, show_command)]
            if before and not _is_light(str(before), console, show_command):
                before = None
        for file in shown:
            try:
                _draw(screen, file, before=before, drawn=len(files))
            except DownloadError as exc:
                if wanted:
                    console.note(_cannot_be_shown(file, exc.message).message)
    except Exception as exc:  # noqa: BLE001  # whatever a picture or a terminal does
        log(f"no preview: {exc}")


def _is_light(file: str, console: Console, show_command: Callable[[str], str]) -> bool:
    """
    Return whether an image may be shown unasked. If not, log the reason.
    """
    from krea_cli.media.images import is_heavy

    if not is_heavy(Path(file)):
        return True
    name = single_line(file)
    console.note(
        f"{name} is too large to be shown automatically. Show it: {show_command(file)}"
    )
    return False


def show(
    files: Sequence[str],
    *,
    console: Console,
    env: Mapping[str, str],
    writes_json: bool = False,
) -> list[InputError]:
    """
    Show each file, with its name if there are several.

    Return an error for each file that cannot be shown.

    Raises:
        UsageError: standard output cannot show images.
    """
    _check(console, env, writes_json=writes_json)
    files = [local_path(file) for file in files]
    from krea_cli.output.graphics.capabilities import query_terminal
    from krea_cli.output.graphics.preview import Preview

    window = query_terminal(console.stdout, env)
    screen = Preview(console.stdout, env, window, blocks=True)
    if not screen.is_possible:
        raise UsageError("Standard output cannot show images: it is not UTF-8.")
    errors = []
    for file in files:
        try:
            _draw(screen, file, drawn=len(files))
        except DownloadError as exc:
            errors.append(_cannot_be_shown(file, exc.message))
    return errors


def _cannot_be_shown(file: str, reason: str) -> InputError:
    name = shell_words.quote(single_line(file))
    try:
        Path(file).stat()
    except (OSError, ValueError) as exc:
        why = reason_of(exc) if isinstance(exc, OSError) else exc
        return InputError(f"Cannot read {name}: {why}.")
    return InputError(f"Cannot show {name}. {reason}")


def _check(console: Console, env: Mapping[str, str], *, writes_json: bool) -> None:
    if writes_json:
        raise UsageError("Cannot show an image as JSON.", hint="Remove --json.")
    if not console.stdout.is_terminal:
        raise UsageError(
            "Cannot show images: standard output is not a terminal.",
            hint="Run krea show in a terminal, without a pipe or redirection.",
        )
    if env.get("TERM") == "dumb":
        raise UsageError("This terminal cannot show images (TERM is dumb).")


def _draw(
    screen: Preview, file: str, *, before: Path | None = None, drawn: int
) -> None:
    """
    Draw one file.

    Raises:
        DownloadError: the file is not an image that can be shown.
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
