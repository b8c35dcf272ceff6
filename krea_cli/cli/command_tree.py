"""
Define the command tree, with one line for each command.

Only the called command is loaded. For all others, the tree has just the name and the
short help, which is enough for `krea --help` and suggestions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer

from krea_cli import __version__
from krea_cli.cli.context import CliContext
from krea_cli.cli.help import topics
from krea_cli.cli.help.grouped import Command, Group
from krea_cli.cli.invocation import Invocation
from krea_cli.output.console import Console
from krea_cli.output.escape import escape_control_chars

# In the order of `krea --help`.  A test compares each line with the command itself.
COMMANDS = {
    "generate": "Generate or edit, wait for the result and save it.",
    "batch": "Make many results from one source, each paid for once.",
    "status": "Show the status of jobs.",
    "wait": "Wait for jobs to finish, and save their results.",
    "download": "Save the results of completed jobs.",
    "replay": "Repeat the request in a sidecar; options override it.",
    "cancel": "Cancel running jobs. Cancelled jobs are not billed.",
    "jobs": "Show past jobs and resolve unconfirmed requests.",
    "models": "List models, fields and prices; update the list.",
    "show": "Show images in the terminal.",
    "upload": "Upload files and print their URLs (free).",
    "assets": "List and delete uploaded files.",
    "styles": "List, show and train styles.",
    "auth": "Log in, log out, and see which token is used.",
    "config": "Show and change settings.",
    "doctor": "Check your setup and suggest fixes.",
    "sandbox": "Run the sandbox as a server, or empty it.",
    "help": "Show help for a topic or a command.",
}
MAIN = ("generate", "batch", "status", "wait", "download")


def build(argv: Sequence[str]) -> typer.Typer:
    """
    Build the part of the tree that one command line needs.
    """
    app = _tree(
        "Generate and edit images, video, audio and 3D models with the Krea API.",
        epilog='Try it without a token: krea generate "an owl" --sandbox\n\n'
        f"Help topics (krea help TOPIC): {', '.join(topics.NAMES)}.",
    )
    app.callback(invoke_without_command=True)(_main)
    called = next((word for word in argv if not word.startswith("-")), None)
    # The rest of the tree takes a few milliseconds to build, and is needed only if the
    # command line does not begin with a command.
    is_plain = argv[:1] == [called] and called in COMMANDS
    for name, summary in COMMANDS.items():
        if name == called:
            _load(app, name, summary)
        elif not is_plain:
            app.command(name, help=summary, rich_help_panel=_panel(name))(_not_loaded)
    return app


def as_typer_has_it(argv: Sequence[str]) -> list[str]:
    """
    Convert `krea help COMMAND` to `krea COMMAND --help`. Leave `krea help TOPIC`
    unchanged, for the command `help`.
    """
    is_help, named = argv[:1] == ["help"], argv[1:]
    is_topic = bool(named) and named[0] in topics.NAMES
    if is_help and not is_topic and (not named or named[0] in COMMANDS):
        return [*named, "--help"]
    return list(argv)


def _load(app: typer.Typer, name: str, summary: str) -> None:
    """
    Load a command from the module with its name. A module with several commands lists
    them in COMMANDS.
    """
    from krea_cli.cli.options import as_typer_command

    module = import_module(f"krea_cli.commands.{name}")
    group: dict[str, Callable[..., None]] | None = getattr(module, "COMMANDS", None)
    if group is None:
        command = as_typer_command(getattr(module, name))
        app.command(name, cls=Command, rich_help_panel=_panel(name))(command)
        return
    tree = _tree(summary)
    for member, command in group.items():
        tree.command(member, cls=Command)(as_typer_command(command))
    app.add_typer(tree, name=name, rich_help_panel=_panel(name))


def _panel(name: str) -> str:
    return "Main commands" if name in MAIN else "Other commands"


def _tree(summary: str, *, epilog: str | None = None) -> typer.Typer:
    return typer.Typer(
        help=summary,
        epilog=epilog,
        cls=Group,
        callback=_help_alone,
        invoke_without_command=True,
        add_completion=False,
        # `usage_errors` makes better suggestions.
        suggest_commands=False,
        # Local variables in a traceback could contain the token.
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _help_alone(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.streams[0].write_line(ctx.get_help())


def _main(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option("--install-completion", help="Install shell completion."),
    ] = False,
    show_completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion", metavar="SHELL", help="Print the completion script."
        ),
    ] = None,
) -> None:
    given: Invocation = ctx.obj
    stdout = given.streams[0]
    if install_completion:
        _install_completion(CliContext(given).console, given.env)
        raise typer.Exit
    if show_completion:
        from krea_cli.cli.completion import scripts

        stdout.write(scripts.text(show_completion))
        raise typer.Exit
    if version:
        stdout.write_line(f"krea {__version__}")
        raise typer.Exit
    _help_alone(ctx)


def _install_completion(console: Console, env: Mapping[str, str]) -> None:
    from krea_cli.cli.completion.install import install, profile_without

    paths = install(env)
    for path in paths:
        console.stdout.write_line(escape_control_chars(path))
    console.note("Completion is installed. Start a new shell to use it.")
    if profile := profile_without(env):
        line = '[ -z "$BASH_VERSION" ] || . ~/.bashrc'
        file = escape_control_chars(profile)
        console.note(
            f"If completion does not work in login shells, add this line to {file}: "
            f"{line}"
        )
    console.note(f"To remove completion, delete {escape_control_chars(paths[0])}")


def _not_loaded() -> None:
    raise AssertionError
