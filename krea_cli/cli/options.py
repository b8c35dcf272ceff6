"""
Define the arguments and options that several commands share.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from krea_cli.cli.context import CliContext
from krea_cli.cli.invocation import Flags, Invocation, RunOptions
from krea_cli.config.durations import parse_duration
from krea_cli.config.numbers import parse_integer, parse_size, parse_usd
from krea_cli.downloads.output_options import OutputOptions

T = TypeVar("T")
# Each puts its options under one heading in --help.
input_option = partial(typer.Option, rich_help_panel="Input")
request_option = partial(typer.Option, rich_help_panel="Request")
output_option = partial(typer.Option, rich_help_panel="Output")
waiting_option = partial(typer.Option, rich_help_panel="Waiting")
money_option = partial(typer.Option, rich_help_panel="Money")
connection_option = partial(typer.Option, rich_help_panel="Connection")


def _parser(parse: Callable[[str], T]) -> Callable[[str], T]:
    """
    Adapt a parser to Typer: a ValueError becomes a usage error.
    """

    def parsed(text: str) -> T:
        try:
            return parse(str(text))  # Typer also passes defaults, which are not text
        except ValueError as exc:
            raise typer.BadParameter(str(exc)) from exc

    return parsed


def integer(minimum: int, maximum: int = 10**9) -> Callable[[str], int]:
    """
    Return a parser for integers from `minimum` to `maximum`.
    """
    return _parser(partial(parse_integer, minimum=minimum, maximum=maximum))


usd = _parser(parse_usd)


Jobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[JOB]...",
        help="Job ids, their first 8 characters, @RUN or @last (default).",
        show_default=False,
    ),
]
CancelOnInterrupt = Annotated[
    bool,
    waiting_option("--cancel-on-interrupt", help="Cancel the jobs on Ctrl-C."),
]
NoValidate = Annotated[
    bool,
    request_option(
        "--no-validate", help="Skip validation; allow models not in the list."
    ),
]
Webhook = Annotated[
    str | None,
    waiting_option(
        "--webhook", metavar="URL", help="URL that Krea calls when a job finishes."
    ),
]
NoJournal = Annotated[
    bool,
    money_option(
        "--no-journal",
        help="Do not record the request; a lost job cannot be recovered.",
    ),
]
Timeout = Annotated[
    float | None,
    waiting_option(
        "--timeout",
        metavar="TIME",
        parser=_parser(parse_duration),
        help="Maximum time to wait: 90, 90s, 10m, 1h.",
        show_default=False,
    ),
]
MaxCost = Annotated[
    float | None,
    money_option(
        "--max-cost",
        metavar="USD",
        parser=usd,
        help="Submit nothing if the estimate is higher.",
        show_default=False,
    ),
]
AllowUnknownCost = Annotated[
    bool,
    money_option("--allow-unknown-cost", help="With --max-cost, allow unknown prices."),
]
KeepMetadata = Annotated[
    bool,
    input_option(
        "--keep-metadata", help="Keep image metadata (location, time, camera)."
    ),
]
Fit = Annotated[
    bool, input_option("--fit", help="Scale down images that exceed Krea's limits.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingOptions(OutputOptions):
    """
    The options of all commands that save results.
    """

    output: Annotated[
        str | None,
        output_option(
            "--output",
            "-o",
            metavar="OUTPUT",
            help="File, folder, template ({slug}-{index}.{ext}) or -.",
            show_default=False,
        ),
    ] = None
    force: Annotated[
        bool, output_option("--force", "-f", help="Overwrite existing files.")
    ] = False
    sidecar: Annotated[
        bool,
        output_option(
            "--sidecar", help="Also save the request as NAME.json, for krea replay."
        ),
    ] = False
    max_size: Annotated[
        int | None,
        output_option(
            "--max-size",
            metavar="SIZE",
            parser=_parser(parse_size),
            help="Maximum size of a result, such as 500MB (default 2GiB).",
            show_default=False,
        ),
    ] = None
    quality_out: Annotated[
        int | None,
        output_option(
            "--quality-out",
            metavar="N",
            parser=integer(1, 100),
            help="Quality of converted JPEG, WebP or AVIF (1 to 100).",
            show_default=False,
        ),
    ] = None
    expect: Annotated[
        list[str] | None,
        output_option(
            "--expect",
            metavar="WHAT",
            help="Require aspect=16:9, min-side=1024, format=png, not-blank.",
            show_default=False,
        ),
    ] = None
    github: Annotated[
        bool,
        output_option(
            "--github",
            help="Write path, job_id and cost_usd as GitHub Actions outputs.",
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions(SavingOptions):
    """
    The options of all commands that save results and show them in the terminal.
    """

    preview: Annotated[
        bool | None,
        output_option(
            "--preview/--no-preview",
            help="Show results in the terminal (default: if supported).",
            show_default=False,
        ),
    ] = None


_GLOBAL_OPTIONS = {
    "json": Annotated[
        bool, output_option("--json", help="Print one JSON object per line.")
    ],
    "quiet": Annotated[
        bool,
        output_option(
            "--quiet", "-q", help="Print only paths, ids, warnings and errors."
        ),
    ],
    "verbose": Annotated[
        bool, output_option("--verbose", "-v", help="Log each request.")
    ],
    "color": Annotated[
        Literal["auto", "always", "never"] | None,
        output_option(
            "--color", metavar="WHEN", help="Use color: auto, always or never."
        ),
    ],
    "api_url": Annotated[
        str | None,
        connection_option("--api-url", metavar="URL", help="Use another API address."),
    ],
    "sandbox": Annotated[
        bool,
        connection_option(
            "--sandbox", help="Use the built-in sandbox (no token, no cost)."
        ),
    ],
}


def as_typer_command(command: Callable[..., None]) -> Callable[..., None]:
    """
    Adapt a command to Typer. The command gets a CliContext as its first argument, built
    from the global options. Parameters that are dataclasses become one option for each
    field. Errors are reported, and end the program with their exit code.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    def run(ctx: typer.Context, **values: Any) -> None:
        from krea_cli.cli.run_command import run_command

        given: Invocation = ctx.obj
        flags = Flags(**{name: values.pop(name) for name in _GLOBAL_OPTIONS})
        options = RunOptions.of(values)._replace(
            takes_output_setting=getattr(command, "takes_output_setting", False),
        )
        invocation = replace(given, flags=flags, run=options)
        grouped = _grouped(own, values)

        def call(context: CliContext) -> int:
            try:
                command(context, **grouped)
            except typer.Exit as exc:
                return exc.exit_code
            return 0

        if code := run_command(invocation, call):
            raise typer.Exit(code)

    context = inspect.Parameter(
        "ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
    )
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=getattr(Flags(), name),
        )
        for name, annotation in _GLOBAL_OPTIONS.items()
    ]
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [context, *(p.replace(kind=p.KEYWORD_ONLY) for p in _flat(own)), *shared]
    )
    return run


def takes_output_setting(command: Callable[..., None]) -> Callable[..., None]:
    """
    Decorator for commands that use the setting `output` without -o.
    """
    command.takes_output_setting = True  # type: ignore[attr-defined]
    return command


def _flat(parameters: Iterable[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    for each in parameters:
        kind: Callable[..., object] = each.annotation
        if is_dataclass(each.annotation):
            yield from _flat(_fields(kind))
        else:
            yield each


def _grouped(
    parameters: Iterable[inspect.Parameter], values: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Return the arguments for the parameters, with dataclasses built from their fields.
    """
    found = {}
    for each in parameters:
        kind: Callable[..., object] = each.annotation
        if is_dataclass(each.annotation):
            found[each.name] = kind(**_grouped(_fields(kind), values))
        else:
            found[each.name] = values[each.name]
    return found


@cache
def _fields(group: Any) -> Sequence[inspect.Parameter]:
    # Unlike `inspect`, it reads the fields of each base class in the module of that.
    hints = get_type_hints(group, include_extras=True)
    parameters = inspect.signature(group).parameters.values()
    return tuple(each.replace(annotation=hints[each.name]) for each in parameters)
