"""
From the words of `generate` to a request that the service would accept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import Violation
from krea_cli.cli.context import CliContext
from krea_cli.errors import (
    Action,
    InvalidRequestError,
    Step,
    UnknownModelError,
    UsageError,
)
from krea_cli.inputs.local_file import Image, LocalFile, named_url_of
from krea_cli.output.results.jobs import DryRun
from krea_cli.requests import defaults
from krea_cli.requests.arguments import RequestArguments, read_params, read_prompt
from krea_cli.requests.field_values import FieldValues
from krea_cli.requests.param import Param
from krea_cli.requests.request import Request

if TYPE_CHECKING:
    from krea_cli.downloads.output_target import FilenameFields

# What can stand in the URL of a model that the catalogue does not know.
_PATH = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){2,}", re.ASCII)
_WEBHOOK = re.compile("https?://[!-~]+", re.IGNORECASE)
# Longer headers are refused somewhere on their way, by a server that may not say so.
MOST_WEBHOOK = 2048
_SIZE = {"width", "height"}
_SHAPE = {"aspect_ratio", "resolution"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """
    A request and what it was made of: *choices* are the fields that krea chose.
    """

    request: Request
    choices: Sequence[defaults.AutomaticValue]

    @property
    def local_source(self) -> Path | None:
        """
        The first image, if it is a file on this machine.
        """
        first = next(iter(self.request.images), None)
        return first.path if isinstance(first, LocalFile) else None


def prepare_request(session: CliContext, words: RequestArguments) -> PreparedRequest:
    """
    The request that is meant, checked before anything is sent.

    Raises:
        InvalidRequestError: the model would refuse it; names every fault.
        UsageError: something else in it cannot be used.
    """
    if words.webhook is not None and not _WEBHOOK.fullmatch(words.webhook):
        raise UsageError(
            f"The webhook {words.webhook} is no URL of plain ASCII characters.",
            hint="Such as --webhook https://example.com/hook",
        )
    if len(words.webhook or "") > MOST_WEBHOOK:
        raise UsageError(f"The webhook is longer than {MOST_WEBHOOK} characters.")
    try:
        return _take(session, words)
    except RecursionError:
        raise UsageError("A field is nested too deep to be sent.") from None


def _take(session: CliContext, words: RequestArguments) -> PreparedRequest:
    model = _model(session, words)
    fields = _fields(session, model, words)
    request = Request(model=model, fields=fields.values, webhook=words.webhook)
    _check_text(request)
    choices: list[defaults.AutomaticValue] = []
    if words.validates:
        choices = defaults.choose(model, fields.values, _size(request))
        fields.values.update({choice.field: choice.value for choice in choices})
        _check(request, fields)
    elif fields.lost:
        _check_alone(fields.lost, fields)
        raise InvalidRequestError(
            f"Not all of this can be sent to {model.id}.",
            hint="A field that krea does not know takes the URL of krea upload FILE.",
            details=[str(fault) for fault in fields.lost],
        )
    for choice in choices:
        session.out.note(f"{choice.field} is {choice.value}: {choice.reason}.")
    return PreparedRequest(request=request, choices=choices)


def dry_run(
    session: CliContext, order: PreparedRequest, count: int, *, inline: bool
) -> DryRun:
    """
    What would be sent, with the names of files where their URLs would stand.
    """
    # The sandbox is not started for this, so it has no port yet.
    base = "http://127.0.0.1" if session.settings.sandbox else session.settings.api_url
    request, cost = order.request, order.request.cost_usd
    return DryRun(
        method="POST",
        url=f"{base}/generate/{request.model.path}",
        body=request.body(partial(named_url_of, inline=inline)),
        count=count,
        cost_usd=None if cost is None else round(cost * count, 6),
        price_date=request.model.price_date,
        choices=tuple(order.choices),
    )


def naming(session: CliContext, order: PreparedRequest) -> FilenameFields:
    """
    What the names of the order's files are made of.
    """
    request = order.request
    return session.naming(
        request.model.id, request.seed, prompt=request.prompt, source=request.source
    )


def _model(session: CliContext, words: RequestArguments) -> Model:
    name = session.settings.model if words.model is None else words.model
    try:
        model = session.catalogue.find(name)
    except UnknownModelError:
        path = name.strip("/")
        if words.validates or not re.fullmatch(_PATH, path):
            raise
        return Model.unknown(path)
    if model.deprecated:
        session.out.warn(f"The model {model.id} is deprecated and may be gone.")
    return model


def _fields(session: CliContext, model: Model, words: RequestArguments) -> FieldValues:

    def read(argument: str, stdin_word: str = "-p FIELD=@-") -> Image:
        # What reads images is loaded with the first of them.
        return session.images.read(argument, stdin_word=stdin_word)

    fields = FieldValues(model, read=read, warn=session.out.warn)
    fields.fill(words.former)
    prompt = None
    with fields.keeping("prompt"):
        prompt = read_prompt(session, words)
    if words.params_file is not None:
        with fields.keeping("--params"):
            fields.fill(read_params(session, words.params_file))
    if prompt is not None:
        fields.add([Param("prompt", prompt, is_json=False, source="PROMPT")])
    for param in words.params:
        with fields.keeping(Param.name_of(param)):
            fields.add([Param.parse(param)])
    media, images = model.input_field, list[Image]()
    for image in words.images:
        with fields.keeping(media.name if media else "-i"):
            images.append(read(image, "-i -"))
    fields.add_images(images)
    fields.add_options(words.options)
    fields.restore()
    return fields


def _size(request: Request) -> tuple[int, int] | None:
    """
    The size of the first image, which is looked at only when a field hangs on it.
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
        InvalidRequestError: the fields as given, or the request, have a fault.
    """
    faults = [*fields.lost, *fields.faults]
    told = {_meant(fault.field) for fault in faults}
    faults += [fault for fault in request.faults if _root(fault.field) not in told]
    if faults:
        _check_alone(faults, fields)
        raise InvalidRequestError(
            f"{request.model.id} would refuse this request.",
            hint=Step(Action.SHOW_FIELDS, (request.model.id,)),
            details=[str(fault) for fault in faults],
        )
    if _SIZE & request.fields.keys() and _SHAPE & request.fields.keys():
        fields.warn(
            "Both a size in pixels and a ratio or resolution are given; the service "
            "may ignore one of them."
        )


def _check_alone(faults: Sequence[Violation], fields: FieldValues) -> None:
    """
    Raises:
        UsageError: the only fault is not one of a field, and says more by itself.
    """
    if len(faults) == len(fields.unread) == 1:
        raise fields.unread[0]


def _root(field: str) -> str:
    return re.split(r"[.\[]", field, maxsplit=1)[0]


def _meant(field: str) -> str:
    """
    The field that an option such as "--aspect-ratio" stands for.
    """
    return field[2:].replace("-", "_") if field.startswith("--") else field
