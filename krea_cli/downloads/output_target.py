"""
Turn `-o` into the paths of results.

Names come from the user and from fields, which are sanitized.  Servers have no
influence on them.
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
    fields_of,
    fill_component,
    parts_of,
    slugify,
)
from krea_cli.downloads.sidecar_path import SUFFIX, sidecar_path
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
    The target for the results of a run. `template` is a path with fields in braces, or
    None for standard output.

    - `makes_folders`: the user gave a folder or a template, so create missing folders
    - `is_default`: the user gave no -o
    - `has_sidecar`: each result gets a sidecar
    - `adds_extension`: the user gave no extension, so add that of the result's type
    """

    template: str | None
    makes_folders: bool = False
    is_default: bool = False
    has_sidecar: bool = False
    adds_extension: bool = False

    @classmethod
    def parse(cls, output: str | None, *, has_sidecar: bool = False) -> OutputTarget:
        """
        Read the value of `-o`: "-", a folder (it exists, or the value ends with a
        slash), a template, or a file.  None means the default name in the current
        folder.

        Raises:
            UsageError: the value is empty, has an unknown field, or starts with an
                unknown home folder.
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
        # Add no extension to an existing name, such as that of a link.
        is_bare = not Path(template).suffix
        return cls(
            template=template,
            makes_folders=has_fields,
            adds_extension=is_bare and (has_fields or not os.path.lexists(place)),
        )

    @property
    def media(self) -> MediaType | None:
        """
        Return the file type of the extension, or None if it has none or an unknown one.
        """
        return of_extension(Path(self.template or "").suffix)

    def path(self, values: Mapping[str, str | int], *, several: bool) -> Path:
        """
        Return the path for one result.  `values` has all fields.  If there are
        `several` results and the template has no index, add one before the extension.
        """
        template = self.template or ""
        if several and "index" not in fields_of(template):
            at = len(template) - len(Path(template).suffix)
            template = template[:at] + "-{index}" + template[at:]
        spare = len(SUFFIX) if self.has_sidecar else 0
        spare += len(f".{values['ext']}") if self.adds_extension else 0
        parts = (
            fill_component(part, values, spare=spare) for part in parts_of(template)
        )
        path = Path(*parts)
        if self.adds_extension:
            return path.with_name(f"{path.name}.{values['ext']}")
        return path

    @property
    def absolute(self) -> str | None:
        """
        Return a value of `-o` that means the same target in every current folder, or
        None for standard output.
        """
        if self.template is None:
            return None
        template = self.template + ".{ext}" * self.adds_extension
        if Path(template).is_absolute():
            return template
        return f"{_current_folder()}{template}"

    def existing_paths(
        self, *, count: int, naming: FilenameFields | None = None
    ) -> Iterator[Path]:
        """
        Yield the paths of results and sidecars that exist already.
        """
        for index in range(1, count + 1) if self.template else ():
            for path in self._candidates(naming, index, several=count > 1):
                yield from filter(_exists, self._with_sidecar(path))

    def check(
        self,
        *,
        count: int,
        force: bool,
        naming: FilenameFields | None = None,
        replaces: Sequence[FileIdentity] = (),
    ) -> None:
        """
        Check early that results can be saved, as far as `naming` determines their
        names. Files that are unchanged since `replaces` may be replaced.

        Raises:
            UsageError: there are several results for standard output, or the file type
                cannot be written.
            StorageError: a folder is not writable, or a file exists already.
        """
        if self.template is None:
            if count > 1:
                raise UsageError(
                    "'-o -' works for one result only.",
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
        Yield the possible paths of a result, one for each file type. Fields that are
        not known yet stay in braces.
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
        Raise an error if the file exists or the name is not allowed. `is_there` is
        False if the folder does not exist yet.
        """
        if not is_there:
            check_windows_path(path)
            return
        if self.adds_extension:  # out may be a link to /dev/stdout
            check_replaceable(path.with_suffix(""))
        for place in filter(_exists, self._with_sidecar(path)):
            if not force and FileIdentity.of(place) not in replaces:
                raise target_exists_error(place)

    def _with_sidecar(self, path: Path) -> list[Path]:
        return [path, sidecar_path(path)] if self.has_sidecar else [path]

    def _check_folder(self, path: Path, known: dict[Path, bool]) -> bool:
        """
        Check the folder of `path`, and return True if it exists. `known` caches the
        results by folder.
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
    The values for fields in file names. `prompt` becomes the slug, and `source` (the
    first input file, as the user gave it) the stem. `time` is the local time of the
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
        Return a value for each of FIELDS, sanitized for use in a path.
        """
        return {
            "job_id": job_id,
            "index": index,
            "ext": extension,
            "model": slugify(self.model.rpartition("/")[2]) or "model",
            "date": f"{self.time:%Y-%m-%d}",
            "time": f"{self.time:%H%M%S}",
            "slug": slugify(without_secrets(self.prompt).lower()) or "result",
            "stem": slugify(Path(_without_query(self.source)).stem) or "result",
            "seed": "random" if self.seed is None else str(self.seed),
        }


def relative_output(output: str) -> str:
    """
    Return an absolute value of `-o` relative to the current folder if it lies inside.
    """
    rest = output.removeprefix(_current_folder())
    # With one of these at the start, a relative path would mean something else.
    is_plain = rest and not rest.startswith(("~", "-", "/", "file:", os.sep))
    return rest if is_plain else output


def _current_folder() -> str:
    folder = str(Path.cwd())
    return _escaped(folder if folder.endswith(os.sep) else folder + os.sep)


def _check_encoder(media: MediaType) -> None:
    """
    Check before anything is paid for that pictures can be converted to `media`.

    Raises:
        UsageError: Pillow has no encoder for it.
    """
    from krea_cli.media.codecs import PILLOW, can_encode

    if not can_encode(media):
        raise UsageError(
            f"Cannot write {media.extension.upper()} files: {PILLOW} is installed "
            "without the codec.",
            hint="Choose another extension, such as .png.",
        )


def _exists(path: Path) -> bool:
    """
    Return True if there is a file.

    Raises:
        StorageError: it is a folder or a device, which cannot be replaced.
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
    Expand a leading `~`. Escape braces in the name of the home folder.
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
    except OSError:  # the name is too long, or its parent is not accessible
        return False


def _without_query(source: str) -> str:
    """
    Remove the query of a URL, which can be a signature, before it becomes part of a
    file name.
    """
    return urlsplit(source).path if "://" in source else source
