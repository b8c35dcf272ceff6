"""
Find the source of a batch, and the lock that belongs to it. The source is a manifest, a
table, a folder, a glob, or standard input.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path, PurePath
from typing import Any

from krea_cli.batch import entries, manifest, output_names, tables
from krea_cli.batch.items import ReadEntries
from krea_cli.batch.problems import COMMAND_LINE, Position, Problems, suggest
from krea_cli.batch.shown_path import shown_path
from krea_cli.errors import InputError, UsageError
from krea_cli.files.regular_file import read_regular
from krea_cli.media import of_extension
from krea_cli.runtime import shell_words
from krea_cli.runtime.user_paths import local_path

_SHEETS = {".xlsx", ".xls", ".ods", ".numbers"}
_KINDS = "a .toml manifest, a .csv, .tsv or .jsonl table, a folder or a quoted glob"


class Kind(Enum):
    MANIFEST = auto()
    TABLE = auto()
    STDIN = auto()
    FOLDER = auto()
    GLOB = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    The source of the items of a batch.

    `name` is the source's name in the lock. Paths are relative to `folder`: the folder
    of a manifest or table, the parent of a folder of inputs, or else `cwd`, the current
    folder.
    """

    kind: Kind
    name: str
    path: Path
    folder: Path
    cwd: Path

    def shown(self, name: str) -> str:
        """
        Return a path in the source's folder as seen from the current folder.
        """
        return shown_path(self.folder / name, self.cwd)


def locate(text: str, cwd: Path) -> Source:
    """
    Find the source that the user named, and its kind.

    Raises:
        InputError: the source does not exist.
        UsageError: the file cannot be read as a batch.
    """
    if text == "-":
        return Source(kind=Kind.STDIN, name="-", path=cwd, folder=cwd, cwd=cwd)
    path = Path(os.path.normpath(cwd / local_path(text)))
    suffix = path.suffix.lower()
    if path.is_dir():
        return Source(
            kind=Kind.FOLDER, name=path.name, path=path, folder=path.parent, cwd=cwd
        )
    if path.exists():
        if suffix == ".toml" or tables.is_table(path.name):
            kind = Kind.MANIFEST if suffix == ".toml" else Kind.TABLE
            return Source(
                kind=kind, name=path.name, path=path, folder=path.parent, cwd=cwd
            )
        raise _unreadable(text, suffix)
    if any(character in text for character in "*?["):
        return Source(kind=Kind.GLOB, name=text, path=Path(text), folder=cwd, cwd=cwd)
    near = suggest(path.name, _names_in(path.parent))
    raise InputError(f"{text} not found.", hint=near or f"Name {_KINDS}.")


def _unreadable(text: str, suffix: str) -> UsageError:
    media = of_extension(suffix)
    if suffix in _SHEETS:
        return UsageError(
            f"Cannot read {suffix} files.", hint="Save the table as 'CSV UTF-8' first."
        )
    if media is not None:
        pattern = str(PurePath(text).parent / f"*{PurePath(text).suffix}")
        words = ["krea", "batch", pattern, "PROMPT", "-o", "out/{stem}.png"]
        words += ["--lock", "out/images.lock"] * pattern.startswith("*")
        return UsageError(
            f"{text} is one file, not several.",
            hint=(
                f"Edit one file: krea generate PROMPT -i {shell_words.quote(text)}",
                f"For all such files, quote the pattern: {shell_words.join(words)}",
            ),
        )
    return UsageError(f"Cannot read {text} as a batch.", hint=f"Name {_KINDS}.")


def _names_in(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []


class LockNeededError(UsageError):
    """
    There is no default path for the lock, and `--lock` is missing.
    """


def lock_path(
    source: Source, option: str | None, output: str | None, *, cwd: Path, sandbox: bool
) -> Path:
    """
    Return the path of a source's lock: the path of `--lock` if given, or else a file
    beside the source. The lock of a folder, or of a glob for one folder, is beside the
    outputs.

    Raises:
        LockNeededError: there is no default path, and `--lock` is missing.
    """
    ending = ".sandbox.lock" if sandbox else ".lock"
    if option is not None:
        path = Path(os.path.normpath(cwd / local_path(option)))
        # Results of the sandbox must not mix with results that were paid for.
        is_plain = sandbox and not path.name.endswith(ending)
        return (
            path.with_name(path.name.removesuffix(".lock") + ending)
            if is_plain
            else path
        )
    if source.kind in (Kind.MANIFEST, Kind.TABLE):
        return source.path.with_name(source.path.name + ending)
    name = source.name if source.kind == Kind.FOLDER else _folder_of_glob(source)
    if name is not None:
        fixed = output_names.fixed_folder(output or "")
        return source.folder / fixed / (name + ending)
    raise LockNeededError(
        "--lock is needed here, as there is no file for the lock to lie beside.",
        hint="Example: --lock out/pictures.lock",
    )


def _folder_of_glob(source: Source) -> str | None:
    """
    Return the name of the folder whose files a glob matches. Return None if there may
    be several folders, or if the folder has no name.
    """
    *folders, _ = PurePath(source.name).parts if source.kind == Kind.GLOB else ("",)
    has_name = bool(folders) and folders[-1] not in ("..", "/")
    is_fixed = not any(character in each for each in folders for character in "*?[")
    return folders[-1] if has_name and is_fixed else None


def with_file_names(output: str, source: Source, extension: str) -> str:
    """
    Return the output template for files. If `output` names only a folder, add the stem
    of the input file and `extension`.
    """
    if source.kind not in (Kind.FOLDER, Kind.GLOB):
        return output
    name = output.rpartition("/")[2]
    if output.strip() in ("", "-") or "{" in name or (PurePath(name).suffix and name):
        return output
    folder = "" if output in (".", "./") else f"{output.rstrip('/')}/"
    return f"{folder}{{stem}}.{extension}"


def load(
    source: Source,
    defaults: Mapping[str, Any],
    problems: Problems,
    *,
    stdin: Callable[[], bytes],
    input_kind: str = "image",
    made: Collection[str] = (),
) -> tuple[manifest.Manifest | None, ReadEntries]:
    """
    Return the manifest of a source, and a function that reads the files and tables that
    it names. The manifest is None if it cannot be parsed.

    `defaults` are the values of the command line. Of a folder, only files of
    `input_kind` are used, except the results that the lock lists in `made`.
    """

    def read_entries(each: str, position: Position) -> entries.Entries:
        return entries.entries_of(
            each, source.folder, position, problems, shown=source.shown
        )

    if source.kind == Kind.MANIFEST:
        return _manifest(source, defaults, problems), read_entries

    def read_source(each: str, position: Position) -> entries.Entries:
        if source.kind == Kind.STDIN:
            return entries.rows_of(stdin(), "-", problems)
        if source.kind == Kind.FOLDER:
            return _folder_entries(source, input_kind, made, problems)
        return read_entries(each, position)

    # Values of the command line are defaults, so that columns can set the same keys.
    only = manifest.PictureGroup(
        values={}, each=source.name, position_of=lambda _: COMMAND_LINE
    )
    name = "standard input" if source.kind == Kind.STDIN else source.name
    return (
        manifest.Manifest(
            name=name,
            defaults=defaults,
            groups=(only,),
            position_of=lambda _: COMMAND_LINE,
        ),
        read_source,
    )


def check_not_empty(
    source: Source, problems: Problems, *, stdin: Callable[[], bytes]
) -> None:
    """
    Report a glob that matches no file, or empty standard input.
    """
    if source.kind == Kind.GLOB:
        entries.entries_of(source.name, source.folder, COMMAND_LINE, problems)
    elif source.kind == Kind.STDIN:
        entries.rows_of(stdin(), "-", problems)


def _manifest(
    source: Source, defaults: Mapping[str, Any], problems: Problems
) -> manifest.Manifest | None:
    shown = source.shown(source.name)
    try:
        data = read_regular(source.path, manifest.MAX_BYTES)
    except OSError as exc:
        raise InputError(f"Cannot read {shown}: {exc.strerror or exc}.") from exc
    if len(data) > manifest.MAX_BYTES:
        raise InputError(f"{shown} is larger than 8 MiB.")
    found = manifest.parse_manifest(data, shown, problems)
    if found is None or not defaults:
        return found
    in_file = found.position_of
    params = {**found.defaults.get("params", {}), **defaults.get("params", {})}
    merged = {**found.defaults, **defaults}
    return replace(
        found,
        defaults={**merged, "params": params} if params else merged,
        position_of=lambda key: COMMAND_LINE if key in defaults else in_file(key),
    )


def _folder_entries(
    source: Source, input_kind: str, made: Collection[str], problems: Problems
) -> entries.Entries:
    shown = source.shown(source.name)
    try:
        names = entries.folder_files(source.path, input_kind)
    except OSError as exc:
        problems.add(COMMAND_LINE, f"Cannot read {shown}: {exc.strerror}.")
        return entries.Entries(entries=())
    known = {output_names.folded(output) for output in made}
    paths = [f"{source.path.name}/{name}" for name in names]
    paths = [path for path in paths if output_names.folded(path) not in known]
    if not paths:
        problems.add(
            COMMAND_LINE,
            f"The folder {shown} has no {input_kind} files.",
            "Name a folder with files such as *.jpg or *.png.",
        )
    return entries.Entries(entries=entries.file_entries(paths, problems))


def from_cwd(template: str, source: Source, cwd: Path) -> str:
    """
    Return a path of the command line, relative to the folder of the source. Absolute
    paths stay absolute.
    """
    place = local_path(template)
    if Path(place).is_absolute() or source.folder == cwd:
        return place
    ending = "/" if place.endswith("/") else ""
    seen = os.path.relpath(cwd / place, source.folder)
    return seen.replace(os.sep, "/") + ending
