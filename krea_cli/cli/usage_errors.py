"""
Explain a command line that Typer rejects, and suggest a correct one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from krea_cli.cli.command_tree import COMMANDS
from krea_cli.cli.completion import grammar
from krea_cli.cli.completion.grammar import CommandGrammar
from krea_cli.config.settings import check_key
from krea_cli.errors import KreaError, UsageError
from krea_cli.requests.arguments import is_image_file
from krea_cli.runtime import shell_words
from krea_cli.runtime.nearest_words import nearest_words

# The hint about forgotten options shows no more files than this.
MAX_FILES = 3
MAX_CHARACTERS = 60
_EXTRA = re.compile(r"^Got unexpected extra argument(?:s|\(s\))? \((.*)\)\.?$")
_STRANGE = re.compile("No such command '(.*)'\\.")
_EDIT = "krea generate 'a watercolor' -i photo.jpg"
# Names that users may try instead.
_OTHER_NAMES = {
    "balance": "krea jobs cost",
    "billing": "krea jobs cost",
    "credits": "krea jobs cost",
    "usage": "krea jobs cost",
    "create": "krea generate 'an owl'",
    "draw": "krea generate 'an owl'",
    "image": "krea generate 'an owl'",
    "imagine": "krea generate 'an owl'",
    "edit": _EDIT,
    "fetch": "krea download",
    "get": "krea download",
    "save": "krea download",
    "abort": "krea cancel",
    "stop": "krea cancel",
    "history": "krea jobs list",
    "ls": "krea jobs list",
    "prices": "krea models list",
    "pricing": "krea models list",
    "search": "krea models list",
    "completion": "krea --install-completion",
    "version": "krea --version",
    "whoami": "krea auth status",
}
_NO_BALANCE = ("balance", "credits")


def usage_error(exc: Exception, argv: Sequence[str]) -> UsageError | None:
    """
    Convert an error of Typer; return None for any other exception. Typer's class is
    private, but its method `format_message` is documented.
    """
    say = getattr(exc, "format_message", None)
    if say is None or isinstance(exc, KreaError):
        return None
    command, _ = grammar.find(argv)
    context = getattr(exc, "ctx", None)
    # Errors about the value of an option come without a context.
    called = context.command_path if context else " ".join(("krea", *command.words))
    message = " ".join(say().split())
    for explain in (_token_argument, _missing_setting, _prompt_with_dash):
        if error := explain(command, argv, message):
            return error
    hints = [f"Show the options: {called} --help"]
    if option := getattr(exc, "option_name", None) if "No such" in message else None:
        message = f"No such option: {option}"
        hints = _hints_for_option(option, command) + hints
    elif extra := _EXTRA.search(message):
        message = _unexpected(command, argv, extra[1])
        if command.words == ("batch",):
            hints = _hints_for_batch(command, argv) + hints
        if command.words == ("generate",):
            hints = _hints_for_extra_words(command, argv, extra[1])
    elif strange := _STRANGE.fullmatch(message):
        hints = _hints_for_command(strange[1], called, argv)
        message = f"No such command '{_cut(strange[1])}'."
    if _is_option_of_later(argv):
        hints = [_put_options_after(argv)]
    return UsageError(message, hint="\n".join(hints))


def _token_argument(
    command: CommandGrammar, _: Sequence[str], message: str
) -> UsageError | None:
    if command.words != ("auth", "login") or "argument" not in message:
        return None
    # The argument is probably the token, so do not repeat it.
    return UsageError(
        "Do not pass the token as an argument: others on this computer could see it.",
        hint="Pass it on standard input: krea auth login < FILE",
    )


def _missing_setting(
    command: CommandGrammar, argv: Sequence[str], message: str
) -> UsageError | None:
    """
    Explain `krea config set` without a value. If the setting is unknown, say that
    instead.
    """
    if command.words != ("config", "set") or "Missing argument" not in message:
        return None
    example = "Example: krea config set timeout 20m"
    keys = [word for word in argv if not word.startswith("-")][2:]
    if not keys:
        return UsageError(message, hint=example)
    try:
        check_key(keys[0])
    except UsageError as exc:
        return exc
    return UsageError(f"No value for {keys[0]}.", hint=example)


def _prompt_with_dash(
    command: CommandGrammar, argv: Sequence[str], _: str
) -> UsageError | None:
    """
    Explain that text which begins with a dash is read as an option.
    """
    if command.words not in (("generate",), ("batch",)) or "--" in argv:
        return None
    for before, word in pairwise(argv):
        is_text = word.startswith("-") and " " in word.partition("=")[0]
        if is_text and not before.startswith("-"):
            others = list(argv)
            others.remove(word)
            line = shell_words.join(["krea", *others, "--", word])
            return UsageError(
                f"{shell_words.join([_cut(word)])} is read as an option.",
                hint=f"If it is the prompt, put it after --: {line}",
            )
    return None


def _hints_for_option(option: str, command: CommandGrammar) -> list[str]:
    known = [each.long.lstrip("-") for each in command.options]
    near = nearest_words(option.partition("=")[0].lstrip("-"), known)
    return [f"Did you mean --{name}?" for name in near]


def _hints_for_command(name: str, called: str, argv: Sequence[str]) -> list[str]:
    first = next((word for word in argv if not word.startswith("-")), "")
    if " " in first:  # a prompt, not a command
        return [f"Did you mean: {shell_words.join(['krea', 'generate', *argv])}"]
    if called != "krea":
        group, _ = grammar.find(called.split()[1:])
        found = nearest_words(name, [member for member, _ in group.members])
        lead = f"{called} "
    elif name in _OTHER_NAMES:
        return _hints_for_other_name(name, _OTHER_NAMES[name])
    else:
        members = grammar.named(name)
        found, lead = members or nearest_words(name, COMMANDS), "krea "
    hints = [f"Did you mean: {lead}{words}" for words in found]
    return hints or [f"List the commands: {called} --help"]


def _hints_for_other_name(name: str, meant: str) -> list[str]:
    if name in _NO_BALANCE:
        return [
            "Krea's API does not report the balance.",
            f"Show what your jobs cost: {meant}",
        ]
    is_example = meant.startswith("krea generate")
    return [f"{'Example' if is_example else 'Did you mean'}: {meant}"]


def _unexpected(command: CommandGrammar, argv: Sequence[str], extra: str) -> str:
    """
    Quote the unexpected arguments for a shell. Typer joins them with spaces, and
    arguments may contain spaces, too.
    """
    arguments = list(_arguments(command, argv))
    words = next(
        (
            arguments[at:]
            for at in range(len(arguments))
            if " ".join(" ".join(arguments[at:]).split()) == extra
        ),
        [extra],
    )
    message = f"Unexpected argument{'s' * (len(words) > 1)}: "
    message += _cut(" ".join(map(shell_words.quote, words)))
    first = arguments[0] if len(words) < len(arguments) else ""
    if command.words == ("generate",) and is_image_file(first):
        message += f" ({shell_words.quote(first)} was taken as the prompt)"
    return message


def _hints_for_extra_words(
    command: CommandGrammar, argv: Sequence[str], extra: str
) -> list[str]:
    """
    Explain extra arguments of `krea generate`: image files, or an unquoted prompt.
    """
    arguments = list(_arguments(command, argv))
    images = [word for word in arguments if is_image_file(word)]
    followers = list(_files_after_image(argv))
    if len(followers) > 1:
        prompts = [word for word in arguments if word not in images]
        return _hints_for_images(followers, prompts, argv)
    for image in images:
        extra = extra.replace(image, "", 1)
    if extra.strip():
        return ['Quote a prompt of several words: krea generate "an owl"']
    return [f"Did you mean {_as_options(images)}?"]


def _hints_for_batch(command: CommandGrammar, argv: Sequence[str]) -> list[str]:
    """
    Say how to name the files that a shell has put in place of a glob.
    """
    arguments = list(_arguments(command, argv))
    images = [word for word in arguments if is_image_file(word)]
    source = _source_of(images) if len(images) > 1 else None
    if source is None:
        return []
    prompts = [word for word in arguments if word not in images]
    prompt = prompts[0] if len(prompts) == 1 else "PROMPT"
    line = _batch_line(source, prompt, argv)
    lead = "Quote the pattern" if "*" in source else "For all images in the folder"
    return [f"{lead}: {line}"]


def _source_of(files: Sequence[str]) -> str | None:
    """
    Return the glob or the folder that a shell may have expanded to these files, or None
    if they lie in several folders.
    """
    folders = {Path(file).parent for file in files}
    if len(folders) > 1:
        return None
    suffixes = {Path(file).suffix for file in files}
    folder = folders.pop()
    return str(folder / f"*{suffixes.pop()}") if len(suffixes) == 1 else f"{folder}/"


def _batch_line(source: str, prompt: str, argv: Sequence[str]) -> str:
    words = ["krea", "batch", source, prompt, "-o", "out/{stem}.png"]
    # The lock of a folder is called like it; the current one has another name in
    # another copy of it.
    words += ["--lock", "out/images.lock"] * source.startswith("*")
    return shell_words.join([*words, *["--sandbox"] * ("--sandbox" in argv)])


def _hints_for_images(
    files: Sequence[str], prompts: Sequence[str], argv: Sequence[str]
) -> list[str]:
    """
    Suggest two uses of several images after one -i: all in one request, or one request
    for each.
    """
    more = " ..." * (len(files) > MAX_FILES)
    hints = [f"To use them in one request, repeat -i: {_as_options(files)}{more}"]
    if source := _source_of(files):
        prompt = prompts[0] if len(prompts) == 1 else "PROMPT"
        lead = f"To edit each of {shell_words.quote(source)}"
        hints.append(f"{lead}: {_batch_line(source, prompt, argv)}")
    return hints


def _as_options(files: Sequence[str]) -> str:
    return " ".join(f"-i {shell_words.quote(file)}" for file in files[:MAX_FILES])


def _arguments(command: CommandGrammar, argv: Sequence[str]) -> Iterator[str]:
    """
    Yield the arguments: no options, no values of options, not the command.
    """
    words = iter(argv[len(command.words) :])
    for word in words:
        if not word.startswith("-"):
            yield word
        elif (option := command.option(word)) and option.takes:
            next(words, None)


def _files_after_image(argv: Sequence[str]) -> Iterator[str]:
    """
    Yield the value of -i and the image files that follow it, as a shell expands *.jpg.
    """
    is_value = False
    for before, word in pairwise(argv):
        if before in ("-i", "--image"):
            is_value = True
        elif word.startswith("-") or not is_image_file(word):
            is_value = False
        if is_value:
            yield word


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."


def _is_option_of_later(argv: Sequence[str]) -> bool:
    """
    Return True if the line begins with an option of the command that follows.
    """
    at = _place_of_command(argv)
    command, _ = grammar.find(argv[at:])
    return at > 0 and command.option(argv[0].partition("=")[0]) is not None


def _put_options_after(argv: Sequence[str]) -> str:
    at = _place_of_command(argv)
    words = shell_words.join(["krea", *argv[at:], *argv[:at]])
    return f"Put options after the command: {words}"


def _place_of_command(argv: Sequence[str]) -> int:
    return next((at for at, word in enumerate(argv) if word in COMMANDS), 0)
