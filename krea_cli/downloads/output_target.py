"""
Turn `-o` into the paths of results.

Names never come from the server: they are the user's words, and fields that
are cleaned before they become part of a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from krea_cli.downloads.filename_template import (
    FIELDS,
    check_fields,
    clean,
    component,
    fields_of,
    parts_of,
)
from krea_cli.downloads.sidecar_path import ENDING, sidecar_path
from krea_cli.errors import TargetError, UsageError
from krea_cli.files.atomic_file import (
    check_folder,
    check_replaceable,
    target_exists_error,
    write_error,
)
from krea_cli.files.file_identity import FileIdentity
from krea_cli.files.temporary import TemporaryFolder
from krea_cli.files.windows_paths import check_windows_path
from krea_cli.journal.redaction import without_secrets
from krea_cli.media import OUTPUT_TYPES, RESULT_TYPES, MediaType, of_extension
from krea_cli.runtime.user_paths import expand_home, is_file_uri, path_of_uri

DEFAULT = "{job_id}.{ext}"


class OutputTarget(NamedTuple):
    """
    The place for the results of a run. *template* is a path with fields in braces; None
    means standard output.

    *makes_folders* is true if the user named a folder or a template, and *is_default*
    if the user gave no output. *has_sidecar* is true if each result gets a sidecar.
    *adds_extension* is true if the user gave no extension, so that each result gets the
    one of its type.
    """

    template: str | None
    makes_folders: bool = False
    is_default: bool = False
    has_sidecar: bool = False
    adds_extension: bool = False

    @classmethod
    def parse(cls, output: str | None, *, has_sidecar: bool = False) -> OutputTarget:
        """
        The meaning of `-o`: "-", a folder (it exists, or the text ends in a slash,
        which may follow a template), a template, or a file.  Without one: the default
        name in the current folder.  A file without an extension gets that of the
        result.

        Raises:
            UsageError: a field that does not exist, nothing at all, or a home folder
                that is not known.
        """
        target = cls._parse(output)
        return target._replace(has_sidecar=has_sidecar) if has_sidecar else target

    @classmethod
    def _parse(cls, output: str | None) -> OutputTarget:
        if output is None:
            return cls(template=DEFAULT, is_default=True)
        if output == "-":
            return cls(template=None)
        if not output.strip() or "\0" in output:
            raise UsageError("-o needs the name of a file or a folder.")
        if is_file_uri(output):
            output = path_of_uri(output)
        place = expand_home(output)
        if _is_folder(Path(place)):
            return cls(template=f"{_escaped(place)}/{DEFAULT}", makes_folders=True)
        template = _with_home(output)
        check_fields(template)
        if template.endswith(("/", os.sep)):
            return cls(template=f"{template}{DEFAULT}", makes_folders=True)
        has_fields = bool(fields_of(template))
        # A name that is taken, such as that of a link, means what has it.
        is_bare = not Path(template).suffix
        return cls(
            template=template,
            makes_folders=has_fields,
            adds_extension=is_bare and (has_fields or not os.path.lexists(place)),
        )

    @property
    def media(self) -> MediaType | None:
        """
        The kind of file that the name promises, None when it promises none.
        """
        return of_extension(Path(self.template or "").suffix)

    def path(self, values: Mapping[str, str | int], *, several: bool) -> Path:
        """
        The path for one result.  *values* has every field; where there are *several*
        results and the template has no index, it stands before the extension.
        """
        template = self.template or ""
        if several and "index" not in fields_of(template):
            at = len(template) - len(Path(template).suffix)
            template = template[:at] + "-{index}" + template[at:]
        spare = len(ENDING) if self.has_sidecar else 0
        spare += len(f".{values['ext']}") if self.adds_extension else 0
        parts = (component(part, values, spare=spare) for part in parts_of(template))
        path = Path(*parts)
        if self.adds_extension:
            return path.with_name(f"{path.name}.{values['ext']}")
        return path

    @property
    def absolute(self) -> str | None:
        """
        Return the words of `-o` that mean this place in every folder; None for standard
        output.
        """
        if self.template is None:
            return None
        template = self.template + ".{ext}" * self.adds_extension
        if Path(template).is_absolute():
            return template
        return f"{_here()}{template}"

    def taken(
        self, *, count: int, naming: FilenameFields | None = None
    ) -> Iterator[Path]:
        """
        Yield the names of results and sidecars that are taken now.
        """
        for index in range(1, count + 1) if self.template else ():
            for path in self._candidates(naming, index, several=count > 1):
                yield from filter(_is_taken, self._with_sidecar(path))

    def check(
        self,
        *,
        count: int,
        force: bool,
        naming: FilenameFields | None = None,
        replaces: Sequence[FileIdentity] = (),
    ) -> None:
        """
        Find out now what would keep a result from being saved, as far as
        the names are known by *naming*. Files that are as in *replaces* keep none.

        Raises:
            UsageError: several results cannot go to one standard output, or the name
                asks for a kind of file that cannot be written, here or at all.
            StorageError: the folder cannot be written to, or a name is taken.
        """
        if self.template is None:
            if count > 1:
                raise UsageError(
                    "-o - works for one result only.",
                    hint="Save to a folder: -o results/",
                )
            with TemporaryFolder() as folder:
                check_folder(folder.path)
            return
        suffix = Path(self.template).suffix
        if suffix and "{" not in suffix and self.media not in OUTPUT_TYPES:
            raise UsageError(
                f"Cannot write {suffix} files.",
                hint="Use .png, .jpg, .webp, .avif, .tiff, .gif, .mp4, .wav or .glb "
                "to match the model, or {ext} for the result's own type.",
            )
        if self.media and self.media.kind == "image":
            _check_encoder(self.media)
        folders = dict[Path, bool]()
        is_folder_by_kind = "ext" in fields_of(str(Path(self.template).parent))
        for index in range(1, count + 1):
            for path in self._candidates(naming, index, several=count > 1):
                is_there = self._check_folder(path, folders)
                self._check_name(
                    path, is_there=is_there, force=force, replaces=replaces
                )
                if not (is_there or is_folder_by_kind):
                    break

    def _candidates(
        self, naming: FilenameFields | None, index: int, *, several: bool
    ) -> Iterator[Path]:
        """
        The names that a result may get; a field that only the result tells stays as it
        is, but for its extension, which is one of a few.
        """
        values: dict[str, str | int] = {field: f"{{{field}}}" for field in FIELDS}
        if naming is not None:
            known = naming.values(job_id="{job_id}", index=index, extension="{ext}")
            values |= known | {"time": "{time}"}
        values["index"] = index
        template = self.template or ""
        extensions = {"{ext}"}
        if self.adds_extension or "ext" in fields_of(template):
            extensions |= {media.extension for media in RESULT_TYPES}
        for extension in sorted(extensions):
            yield self.path({**values, "ext": extension}, several=several)

    def _check_name(
        self,
        path: Path,
        *,
        is_there: bool,
        force: bool,
        replaces: Sequence[FileIdentity],
    ) -> None:
        """
        Raise an error if the name is taken or cannot be used. *is_there* is false for a
        folder that does not exist, in which no name is taken.
        """
        if not is_there:
            check_windows_path(path)
            return
        if self.adds_extension:  # out may be a link to /dev/stdout
            check_replaceable(path.with_suffix(""))
        for place in filter(_is_taken, self._with_sidecar(path)):
            if not force and FileIdentity.of(place) not in replaces:
                raise target_exists_error(place)

    def _with_sidecar(self, path: Path) -> list[Path]:
        return [path, sidecar_path(path)] if self.has_sidecar else [path]

    def _check_folder(self, path: Path, known: dict[Path, bool]) -> bool:
        """
        Check the folder that *path* will be in, unless it is one of those *known*, and
        tell whether it exists.
        """
        folder = path.parent
        if folder not in known:
            existing = folder
            try:
                while self.makes_folders and not existing.exists():
                    existing = existing.parent
            except OSError as exc:
                raise write_error(path, exc) from exc
            if not known.get(existing):
                check_folder(existing)
            known[existing] = True
            known[folder] = folder == existing
        return known[folder]


class FilenameFields(NamedTuple):
    """
    The sources of file names besides the job: *prompt* gives the slug, *source* (the
    first image, as the user named it) the stem; *time* is the wall-clock time of the
    request.
    """

    time: datetime
    model: str = ""
    prompt: str = ""
    source: str = ""
    seed: int | None = None

    def values(
        self, *, job_id: str, index: int, extension: str
    ) -> dict[str, str | int]:
        """
        Every field of FIELDS, clean enough to be part of a path.
        """
        return {
            "job_id": job_id,
            "index": index,
            "ext": extension,
            "model": clean(self.model.rpartition("/")[2]) or "model",
            "date": f"{self.time:%Y-%m-%d}",
            "time": f"{self.time:%H%M%S}",
            "slug": clean(without_secrets(self.prompt).lower()) or "result",
            "stem": clean(Path(_without_query(self.source)).stem) or "result",
            "seed": "random" if self.seed is None else str(self.seed),
        }


def seen_from_here(output: str) -> str:
    """
    Return an absolute place as the words of `-o` in this folder, shorter where it lies
    in here.
    """
    rest = output.removeprefix(_here())
    # These would mean something else without the folder before them.
    is_plain = rest and not rest.startswith(("~", "-", "/", "file:", os.sep))
    return rest if is_plain else output


def _here() -> str:
    folder = str(Path.cwd())
    return _escaped(folder if folder.endswith(os.sep) else folder + os.sep)


def _check_encoder(media: MediaType) -> None:
    """
    Raises:
        UsageError: a picture cannot be converted to *media* here, which would be found
            out only when it is paid for.
    """
    from krea_cli.media.codecs import PILLOW, can_encode

    if not can_encode(media):
        raise UsageError(
            f"Cannot write {media.extension.upper()} files: {PILLOW} is installed "
            "without the codec.",
            hint="Choose another extension, such as .png.",
        )


def _is_taken(path: Path) -> bool:
    """
    Raises:
        StorageError: no file can be made there at all.
    """
    check_replaceable(path)
    if not os.path.lexists(path):
        return False
    if path.is_dir() and not path.is_symlink():
        raise TargetError(
            f"{path} is a folder, not a file.", hint="Choose another name with -o."
        )
    return True


def _with_home(template: str) -> str:
    """
    The template with its leading `~` replaced; braces in the name of the home folder
    are not fields.
    """
    at = min((at for sep in ("/", os.sep) if (at := template.find(sep)) > 0), default=0)
    start, rest = template[:at], template[at:]
    home = expand_home(start)
    return template if home == start else _escaped(home.rstrip("/")) + rest


def _escaped(path: str) -> str:
    return path.replace("{", "{{").replace("}", "}}")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def _without_query(source: str) -> str:
    """
    Remove the query of a URL, which can be a signature, before it becomes part of a
    file name.
    """
    return urlsplit(source).path if "://" in source else source
