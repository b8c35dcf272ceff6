"""
Prepare a request: put its fields together, choose missing ones, and check it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import Violation
from krea_cli.errors import (
    Action,
    InvalidRequestError,
    Step,
    UnknownModelError,
    UsageError,
)
from krea_cli.inputs.local_file import Image, LocalFile, placeholder_url
from krea_cli.output.results.jobs import DryRun
from krea_cli.requests import defaults
from krea_cli.requests.arguments import (
    RequestArguments,
    StdinSource,
    read_params,
    read_prompt,
)
from krea_cli.requests.field_values import FieldValues
from krea_cli.requests.param import Param
from krea_cli.requests.request import Request

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog

# Model paths that can be part of a URL, for models that the catalog does not know.
_PATH = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){2,}", re.ASCII)
_WEBHOOK = re.compile("https?://[!-~]+", re.IGNORECASE)
# Servers on the way reject longer headers, sometimes without saying so.
MOST_WEBHOOK = 2048
_SIZE = {"width", "height"}
_SHAPE = {"aspect_ratio", "resolution"}


class Messages(Protocol):
    """
    Shows the user what krea decides while it prepares a request.
    """

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


class InputReader(Protocol):
    """
    Reads input files; loaded with the first of them.
    """

    def __call__(self, argument: str, *, stdin_word: str) -> Image: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """
    The collaborators that turn arguments into a request.

    *default_model* is used when the arguments name no model.
    """

    catalog: Catalog
    default_model: str
    read_input: InputReader
    prompter: StdinSource
    messages: Messages


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """
    A request that can be sent, and the fields that krea chose for it.
    """

    request: Request
    choices: Sequence[defaults.AutomaticValue]

    @property
    def local_source(self) -> Path | None:
        """
        Return the path of the first input if it is a file on this machine.
        """
        first = next(iter(self.request.images), None)
        return first.path if isinstance(first, LocalFile) else None


def prepare_request(arguments: RequestArguments, using: Preparation) -> PreparedRequest:
    """
    Build the request and check it before anything is sent.

    Raises:
        InvalidRequestError: the model would refuse it; names every violation.
        UsageError: something else in the arguments cannot be used.
    """
    webhook = arguments.webhook
    if webhook is not None and not _WEBHOOK.fullmatch(webhook):
        raise UsageError(
            f"The webhook {webhook} is no URL of plain ASCII characters.",
            hint="Such as --webhook https://example.com/hook",
        )
    if len(webhook or "") > MOST_WEBHOOK:
        raise UsageError(f"The webhook is longer than {MOST_WEBHOOK} characters.")
    try:
        return _prepare(arguments, using)
    except RecursionError:
        raise UsageError("A field is nested too deep to be sent.") from None


def _prepare(arguments: RequestArguments, using: Preparation) -> PreparedRequest:
    model = _find_model(arguments, using)
    fields = _collect_fields(model, arguments, using)
    request = Request(model=model, fields=fields.values, webhook=arguments.webhook)
    _check_text(request)
    choices: list[defaults.AutomaticValue] = []
    if arguments.validates:
        choices = defaults.choose_defaults(model, fields.values, _input_size(request))
        fields.values.update({choice.field: choice.value for choice in choices})
        _check(request, fields)
    elif fields.dropped:
        _raise_single_error(fields.dropped, fields)
        raise InvalidRequestError(
            f"Not all of this can be sent to {model.id}.",
            hint="A field that krea does not know takes the URL of krea upload FILE.",
            details=[str(violation) for violation in fields.dropped],
        )
    for choice in choices:
        using.messages.note(f"{choice.field} is {choice.value}: {choice.reason}.")
    return PreparedRequest(request=request, choices=choices)


def dry_run(
    prepared: PreparedRequest, count: int, *, inline: bool, api_url: str
) -> DryRun:
    """
    Describe the request that would be sent to *api_url*, with the names of files where
    their URLs would stand.
    """
    request, cost = prepared.request, prepared.request.cost_usd
    return DryRun(
        method="POST",
        url=f"{api_url}/generate/{request.model.path}",
        body=request.body(partial(placeholder_url, inline=inline)),
        count=count,
        cost_usd=None if cost is None else round(cost * count, 6),
        price_date=request.model.price_date,
        choices=tuple(prepared.choices),
    )


def _find_model(arguments: RequestArguments, using: Preparation) -> Model:
    name = using.default_model if arguments.model is None else arguments.model
    try:
        model = using.catalog.find(name)
    except UnknownModelError:
        path = name.strip("/")
        if arguments.validates or not re.fullmatch(_PATH, path):
            raise
        return Model.unknown(path)
    if model.deprecated:
        using.messages.warn(f"The model {model.id} is deprecated and may be gone.")
    return model


def _collect_fields(
    model: Model, arguments: RequestArguments, using: Preparation
) -> FieldValues:
    def read(argument: str, stdin_word: str = "-p FIELD=@-") -> Image:
        return using.read_input(argument, stdin_word=stdin_word)

    fields = FieldValues(model, read=read, warn=using.messages.warn)
    fields.fill(arguments.former)
    prompt = None
    with fields.collect_errors("prompt"):
        prompt = read_prompt(using.prompter, arguments)
    if arguments.params_file is not None:
        with fields.collect_errors("--params"):
            fields.fill(read_params(using.prompter, arguments.params_file))
    if prompt is not None:
        fields.add([Param("prompt", prompt, is_json=False, source="PROMPT")])
    for param in arguments.params:
        with fields.collect_errors(Param.name_of(param)):
            fields.add([Param.parse(param)])
    media, images = model.input_field, list[Image]()
    for image in arguments.images:
        with fields.collect_errors(media.name if media else "-i"):
            images.append(read(image, "-i -"))
    fields.add_images(images)
    fields.add_options(arguments.options)
    fields.restore()
    return fields


def _input_size(request: Request) -> tuple[int, int] | None:
    """
    Return the size of the first image, read only if a missing field depends on it.
    """
    missing = set(request.model.required) - request.fields.keys()
    first = next(iter(request.images), None)
    if not isinstance(first, LocalFile) or not missing & {"aspect_ratio", *_SIZE}:
        return None
    from krea_cli.media import images as pictures

    return pictures.shown_size(first.path)


def _check_text(request: Request) -> None:
    """
    Raises:
        UsageError: a field holds bytes that are not UTF-8, which Python reads from a
            command line as halves of characters, or such a half itself.
    """
    if field := request.undecodable_field:
        name = field.encode(errors="backslashreplace").decode()
        raise UsageError(
            f"{name} is not valid UTF-8 text.",
            hint="Use UTF-8 for the terminal and for files with prompts or fields.",
        )


def _check(request: Request, fields: FieldValues) -> None:
    """
    Raises:
        InvalidRequestError: the fields as given, or the request, have a violation.
    """
    violations = [*fields.dropped, *fields.violations]
    told = {_meant(violation.field) for violation in violations}
    violations += [
        violation
        for violation in request.violations
        if _root(violation.field) not in told
    ]
    if violations:
        _raise_single_error(violations, fields)
        raise InvalidRequestError(
            f"{request.model.id} would refuse this request.",
            hint=Step(Action.SHOW_FIELDS, (request.model.id,)),
            details=[str(violation) for violation in violations],
        )
    if _SIZE & request.fields.keys() and _SHAPE & request.fields.keys():
        fields.warn(
            "Both a size in pixels and a ratio or resolution are given; the service "
            "may ignore one of them."
        )


def _raise_single_error(violations: Sequence[Violation], fields: FieldValues) -> None:
    """
    Raises:
        UsageError: the only violation is not one of a field, and says more by itself.
    """
    if len(violations) == len(fields.input_errors) == 1:
        raise fields.input_errors[0]


def _root(field: str) -> str:
    return re.split(r"[.\[]", field, maxsplit=1)[0]


def _meant(field: str) -> str:
    """
    The field that an option such as "--aspect-ratio" stands for.
    """
    return field[2:].replace("-", "_") if field.startswith("--") else field
