"""
Prepare a request: collect its fields, choose missing ones, and check it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from krea_cli.catalog.json_schema import Schema, forms, types
from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import Violation
from krea_cli.errors import (
    Action,
    Hint,
    InputError,
    InvalidRequestError,
    KreaError,
    Step,
    UnknownModelError,
    UsageError,
)
from krea_cli.inputs.local_file import Image, LocalFile, placeholder_url
from krea_cli.output.results.dry_run import DryRun
from krea_cli.requests import defaults
from krea_cli.requests.arguments import (
    RequestArguments,
    StdinSource,
    normalize_text,
    read_params,
    read_prompt,
)
from krea_cli.requests.field_values import FILE_NOUNS, FieldValues
from krea_cli.requests.param import Param
from krea_cli.requests.request import Request
from krea_cli.requests.style import parse_style

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog

T = TypeVar("T")

# Model paths that are safe in a URL, for models that the catalog lacks.
_PATH = r"(?a:[\w-][\w.-]*(/[\w-][\w.-]*){2,})"
_NAME = r"(?a:[\w-][\w.-]*(/[\w-][\w.-]*)?)"
_UPLOAD_HINT = "To get a URL of the file for -p FIELD=URL, upload it: krea upload FILE"
_WEBHOOK = "(?i:https?://[!-~]+)"
# Proxies reject longer headers, sometimes without saying so.
MAX_WEBHOOK = 2048
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
    Reads input files. Its module is imported for the first file.
    """

    def __call__(self, argument: str, *, stdin_option: str) -> Image: ...


class Preparation(NamedTuple):
    """
    The collaborators needed to prepare a request.

    `default_model` is used if the arguments have no model. `renew` fetches the current
    list of models. It returns None if that is unnecessary, and raises KreaError if it
    fails. It is None if nothing may be sent. `is_fresh` says whether a catalog is too
    new to be updated.
    """

    catalog: Catalog
    default_model: str
    read_input: InputReader
    prompter: StdinSource
    messages: Messages
    renew: Callable[[], Catalog | None] | None = None
    is_fresh: Callable[[Catalog], bool] = lambda _: True


class PreparedRequest(NamedTuple):
    """
    A request that is ready to submit, and the values that krea chose for it.
    """

    request: Request
    choices: Sequence[defaults.AutomaticValue]

    @property
    def local_source(self) -> Path | None:
        """
        Path of the first input if it is a local file, or None.
        """
        first = next(iter(self.request.images), None)
        return first.path if isinstance(first, LocalFile) else None


def prepare_request(arguments: RequestArguments, using: Preparation) -> PreparedRequest:
    """
    Build a request and check it before anything is sent.

    Raises:
        InvalidRequestError: the request is invalid. The error lists all violations.
        UsageError: something else in the arguments cannot be used.
    """
    check_webhook(arguments.webhook)
    try:
        return _prepare(arguments, using)
    except RecursionError:
        raise UsageError("A field is nested too deeply.") from None


def check_webhook(webhook: str | None) -> None:
    """
    Check that a webhook can be sent in a header.

    Raises:
        UsageError: it is not a valid URL.
    """
    if webhook is not None and not re.fullmatch(_WEBHOOK, webhook):
        raise UsageError(
            f"Invalid --webhook URL: {webhook}",
            hint="Example: --webhook https://example.com/hook",
        )
    if len(webhook or "") > MAX_WEBHOOK:
        raise UsageError(
            f"The --webhook URL is too long (at most {MAX_WEBHOOK} characters)."
        )


def _prepare(arguments: RequestArguments, using: Preparation) -> PreparedRequest:
    models = _ModelLookup(using)
    given = _CachedInputs(arguments, using)
    model = models.find(arguments)
    fields = _collect_fields(model, arguments, given)
    if fields.has_unknown and arguments.validates and models.renew():
        model = models.find(arguments)
        fields = _collect_fields(model, arguments, given)
    for warning in fields.warnings:
        using.messages.warn(warning)
    if model.deprecated:
        using.messages.warn(f"{model.id} is deprecated and may stop working.")
    request = Request(model=model, fields=fields.values, webhook=arguments.webhook)
    check_text(request)
    choices: list[defaults.AutomaticValue] = []
    if arguments.validates:
        choices = defaults.choose_defaults(model, fields.values, input_size(request))
        fields.values.update({choice.field: choice.value for choice in choices})
        _check(request, fields, models, using.messages)
        for name in fields.values.keys() - model.fields.keys():
            using.messages.warn(
                f"{name} is not a known field of {model.id}; submitting it unchecked."
            )
    elif fields.dropped:
        _raise_single_error(fields.dropped, fields)
        raise InvalidRequestError(
            f"Some inputs cannot be sent to {model.id}:",
            hint=_UPLOAD_HINT if fields.lacks_input_field else None,
            details=[str(violation) for violation in fields.dropped],
        )
    for choice in choices:
        using.messages.note(f"Using {choice.field} {choice.value} ({choice.reason}).")
    return PreparedRequest(request=request, choices=choices)


def dry_run(
    prepared: PreparedRequest,
    count: int,
    *,
    inline: bool,
    api_url: str,
    is_sandbox: bool = False,
) -> DryRun:
    """
    Describe the request that would be submitted to `api_url`.

    File names stand for the URLs of files that would be uploaded.
    """
    request, price = prepared.request, prepared.request.price
    cost = None if price is None else price.times(count)
    return DryRun(
        method="POST",
        url=f"{api_url}/generate/{request.model.path}",
        body=request.body(partial(placeholder_url, inline=inline)),
        count=count,
        cost_usd=None if cost is None else cost.high,
        cost_min_usd=None if cost is None else cost.low,
        price_date=request.model.price_date,
        choices=tuple(choice._asdict() for choice in prepared.choices),
        is_sandbox=is_sandbox,
    )


class _ModelLookup:
    """
    Finds the model of a request, in an updated list if the known one lacks it.
    """

    def __init__(self, using: Preparation) -> None:
        self._catalog = using.catalog
        self._using = using
        self._may_renew = using.renew is not None
        self._failure: str | None = None

    def renew(self) -> bool:
        """
        Fetch the current list, at most once. Return whether it was updated.
        """
        if not self._may_renew or self._using.renew is None:
            return False
        self._may_renew = False
        try:
            newer = self._using.renew()
        except KreaError as exc:
            self._failure = exc.message
            return False
        self._catalog = newer or self._catalog
        return newer is not None

    def find(self, arguments: RequestArguments) -> Model:
        default = self._using.default_model
        name = default if arguments.model is None else arguments.model
        try:
            return self._catalog.find(name)
        except UnknownModelError as error:
            path = name.strip("/").removeprefix("generate/")
            unlisted = None if arguments.validates else unlisted_model(name)
            if unlisted is not None:
                return unlisted
            if self.renew():
                return self.find(arguments)
            hints = self.hints()
            if not arguments.validates:
                hints = [
                    *(self._routes(path) if re.fullmatch(_NAME, path) else ()),
                    *hints,
                ]
            raise error.but(*hints) from None

    def hints(self) -> list[Hint]:
        """
        Say how old the list is if a newer one may have more models.
        """
        if self._using.is_fresh(self._catalog):
            return []
        failure = f" It could not be updated: {self._failure}" if self._failure else ""
        return [
            f"The list of models is from {self._catalog.date}.{failure}",
            Step(Action.REFRESH_MODELS),
        ]

    def _routes(self, path: str) -> Iterator[str]:
        """
        Suggest full paths for a model without its kind, based on the vendor's other
        models.
        """
        vendor, slash, _ = path.partition("/")
        own = f"{vendor}/" if slash else ""
        models = [each for each in self._catalog.models if each.id.startswith(own)]
        kinds = Counter(each.kind for each in models if slash)
        if kinds:
            paths = " or ".join(f"-m {kind}/{path}" for kind, _ in kinds.most_common(2))
            yield f"For a model that is not listed, use its full path: {paths}"
        else:
            yield (
                "For a model that is not listed, use its full path, such as "
                "-m image/krea/krea-3"
            )


def unlisted_model(name: str) -> Model | None:
    """
    Return a model for a full path that the catalog lacks, or None if `name` is no path.
    """
    path = name.strip("/").removeprefix("generate/")
    return Model.unknown(path) if re.fullmatch(_PATH, path) else None


class _CachedInputs:
    """
    Reads each file, and standard input, at most once.

    The fields of a request can then be collected again for a newer version of the
    model.
    """

    def __init__(self, arguments: RequestArguments, using: Preparation) -> None:
        self._arguments = arguments
        self._using = using
        self._files: dict[tuple[str, int], Image | UsageError] = {}
        self._times = Counter[str]()

    def start_over(self) -> None:
        """
        Prepare to provide the same arguments again, in the same order.
        """
        self._times.clear()

    def read(self, argument: str, stdin_option: str = "-p FIELD=@-") -> Image:
        self._times[argument] += 1
        key = argument, self._times[argument]
        if key not in self._files:
            self._files[key] = self._read(argument, stdin_option)
        found = self._files[key]
        if isinstance(found, UsageError):
            raise found
        return found

    def _read(self, argument: str, stdin_option: str) -> Image | UsageError:
        try:
            return self._using.read_input(argument, stdin_option=stdin_option)
        except UsageError as error:
            return error

    @cached_property
    def _prompt(self) -> str | UsageError | None:
        try:
            return read_prompt(self._using.prompter, self._arguments)
        except UsageError as error:
            return error

    @cached_property
    def _params(self) -> dict[str, Any] | UsageError:
        if self._arguments.params_file is None:
            return {}
        try:
            return read_params(self._using.prompter, self._arguments.params_file)
        except UsageError as error:
            return error

    def prompt(self) -> str | None:
        return _result(self._prompt)

    def params(self) -> dict[str, Any]:
        return _result(self._params)


def _result(found: T | UsageError) -> T:
    if isinstance(found, UsageError):
        raise found
    return found


def _collect_fields(
    model: Model, arguments: RequestArguments, given: _CachedInputs
) -> FieldValues:
    given.start_over()
    fields = FieldValues(model, read=given.read)
    fields.fill(arguments.former)
    prompt = None
    with fields.collect_errors("prompt"):
        prompt = given.prompt()
    with fields.collect_errors("--params"):
        fields.fill(given.params())
    if prompt is not None:
        fields.add([Param("prompt", prompt, is_json=False, source="PROMPT")])
    for param in arguments.params:
        with fields.collect_errors(Param.name_of(param)):
            fields.add([_normalized(Param.parse(param))])
    media, images = model.input_field, list[Image]()
    for at, image in enumerate(arguments.images):
        is_one = media is None or len(arguments.images) == 1
        name = media.name if media else "-i"
        with fields.collect_errors(name if is_one else f"{name}[{at}]"):
            images.append(given.read(image, "-i -"))
    fields.add_images(images)
    for style in arguments.styles:
        with fields.collect_errors("--style"):
            fields.add_style(parse_style(style))
    fields.add_options(arguments.options)
    if arguments.former:
        fields.restore()
    return fields


def _normalized(param: Param) -> Param:
    if param.is_json:
        return param
    return param._replace(value=normalize_text(param.value))


def input_size(request: Request) -> tuple[int, int] | None:
    """
    Return the size of the first image. Read it only if a missing field depends on it.
    """
    missing = set(request.model.required) - request.fields.keys()
    first = next(iter(request.images), None)
    if not isinstance(first, LocalFile) or not missing & {"aspect_ratio", *_SIZE}:
        return None
    from krea_cli.media import images as pictures

    return pictures.shown_size(first.path)


def check_text(request: Request) -> None:
    """
    Check that all text in the request can be sent.

    Raises:
        UsageError: a field contains a NUL character or bytes that are not UTF-8. Python
            represents such bytes on the command line as lone surrogates.
    """
    if field := request.field_with_nul:
        raise UsageError(
            f"{field} contains a NUL character.",
            hint="Remove it. A file with NUL characters may be UTF-16 or not text.",
        )
    if field := request.undecodable_field:
        name = field.encode(errors="backslashreplace").decode()
        raise UsageError(
            f"{name} is not valid UTF-8 text.",
            hint="Use UTF-8 for the terminal and for files with prompts or fields.",
        )


def violations_of(request: Request, fields: FieldValues) -> list[Violation]:
    """
    Return all violations: of the fields as given, and of the request.
    """
    violations = [*fields.dropped, *fields.violations]
    violations = violations or [*_missing_content(request)]
    reported = {_option_field(violation.field) for violation in violations}
    return violations + [
        violation
        for violation in request.violations
        if _root(violation.field) not in reported
    ]


def _check(
    request: Request, fields: FieldValues, models: _ModelLookup, messages: Messages
) -> None:
    """
    Reject an invalid request, and warn about contradictory sizes.

    Raises:
        InvalidRequestError: the fields as given, or the request, have violations.
    """
    violations = violations_of(request, fields)
    if violations:
        _raise_single_error(violations, fields)
        raise InvalidRequestError(
            f"Invalid request for {request.model.id}:",
            hint=[
                Step(Action.SHOW_FIELDS, (request.model.id,)),
                *(models.hints() if fields.has_unknown else ()),
            ],
            details=[str(violation) for violation in violations],
        )
    if _SIZE & request.fields.keys() and _SHAPE & request.fields.keys():
        messages.warn(
            "Width or height is set together with an aspect ratio or resolution. Krea "
            "may ignore one of them."
        )


def _missing_content(request: Request) -> Iterator[Violation]:
    """
    Yield a violation if the model has neither prompt nor input.

    The schemas of some models allow this, but the job fails and is billed.
    """
    model, media = request.model, request.model.input_field
    content = [name for name, each in model.fields.items() if _is_content(name, each)]
    if set(model.required).intersection(content):
        return
    if not content or any(request.fields.get(name) for name in content):
        return
    name = "prompt" if "prompt" in content else content[0]
    other = f", unless you give {FILE_NOUNS[media.media]} with -i" if media else ""
    yield Violation(name, f"is required{other}")


def _is_content(name: str, schema: Schema) -> bool:
    kinds = {kind for form in forms(schema) for kind in types(form)}
    is_chosen = any("enum" in form or "const" in form for form in forms(schema))
    is_free = not is_chosen and bool(kinds & {"string", "array", "object"})
    return is_free and name != "negative_prompt"


def _raise_single_error(violations: Sequence[Violation], fields: FieldValues) -> None:
    """
    Raise the errors of unreadable inputs if nothing else is wrong.

    They are clearer than a list of violations.

    Raises:
        UsageError: inputs cannot be read, and everything else is valid.
    """
    errors = fields.input_errors
    if len(violations) != len(errors):
        return
    if len(errors) == 1:
        raise errors[0]
    if all(isinstance(error, InputError) for error in errors):
        raise InputError(
            f"{len(errors)} inputs cannot be used:",
            details=[str(violation) for violation in violations],
        )


def _root(field: str) -> str:
    return re.split(r"[.\[]", field, maxsplit=1)[0]


def _option_field(field: str) -> str:
    """
    Return the field that an option such as "--aspect-ratio" stands for.
    """
    return field[2:].replace("-", "_") if field.startswith("--") else field
