from __future__ import annotations

from pathlib import Path

import pytest

from krea_cli.cli.command_tree import COMMANDS
from krea_cli.cli.completion import grammar
from krea_cli.cli.usage_errors import _OTHER_NAMES
from krea_cli.config.token import NoKeyringError, find_token
from krea_cli.errors import NoTokenError

QUOTE = 'krea generate "an owl"'


def hints(result) -> list[str]:
    assert 2 == result.code
    found = [line for line in result.err.splitlines() if line.startswith("hint: ")]
    return [line.removeprefix("hint: ") for line in found]


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pics").mkdir()
    for name in ("a.jpg", "b.jpg", "c d.jpg", *(f"pics/{n}.jpg" for n in range(9))):
        Path(name).touch()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["sunset", "a.jpg"], "-i a.jpg?"),
        (["sunset", "c d.jpg"], "-i 'c d.jpg'?"),
        (["a.jpg"], "-i a.jpg?"),
        (["an", "owl"], QUOTE),
        (["an", "owl.jpg"], QUOTE),
        (["an", "owl", "a.jpg"], QUOTE),
    ],
)
@pytest.mark.posix  # for the quotes of its shells
def test_generate_with_an_image_beside_the_prompt_suggests_the_option(
    krea, pictures, words, hint
):
    [found] = hints(krea("generate", *words))

    assert found.endswith(hint)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sunset", "c d.jpg"], "Unexpected argument: 'c d.jpg'"),
        (["an", "owl", "c d.jpg"], "Unexpected arguments: owl 'c d.jpg'"),
        (
            ["-i", "a.jpg", "b.jpg", "an owl"],
            "Unexpected argument: 'an owl' (b.jpg was taken as the prompt)",
        ),
    ],
)
@pytest.mark.posix  # for the quotes of its shells
def test_generate_unexpected_arguments_are_named_as_they_were_typed(
    krea, pictures, words, message
):
    assert f"error: {message}\n" in krea("generate", *words).err


def test_generate_with_an_image_for_a_prompt_submits_nothing(krea, pictures):
    """
    Of two images after one -i, the second one takes the place of the prompt.
    """
    result = krea("generate", "-i", "a.jpg", "b.jpg", "--sandbox")

    assert 2 == result.code
    assert "Did you mean -i b.jpg?" in result.err


@pytest.mark.parametrize(
    ("words", "in_one", "each"),
    [
        (
            ["sunset", "-i", "a.jpg", "b.jpg"],
            "-i a.jpg -i b.jpg",
            "krea batch '*.jpg' sunset -o 'out/{stem}.png' --lock out/images.lock",
        ),
        (
            ["-i", "a.jpg", "b.jpg", "an owl", "-o", "x.png", "--sandbox"],
            "-i a.jpg -i b.jpg",
            (
                "krea batch '*.jpg' 'an owl' -o 'out/{stem}.png' "
                "--lock out/images.lock --sandbox"
            ),
        ),
        (
            ["an owl", "-i", *(f"pics/{n}.jpg" for n in range(9))],
            "-i pics/0.jpg -i pics/1.jpg -i pics/2.jpg ...",
            "krea batch 'pics/*.jpg' 'an owl' -o 'out/{stem}.png'",
        ),
        (
            ["-i", "a.jpg", "b.jpg", "c d.jpg"],
            "-i a.jpg -i b.jpg -i 'c d.jpg'",
            "krea batch '*.jpg' PROMPT -o 'out/{stem}.png' --lock out/images.lock",
        ),
    ],
    ids=("two", "prompt last", "folder", "no prompt"),
)
@pytest.mark.posix
def test_generate_with_images_after_one_option_suggests_both_uses(
    krea, pictures, words, in_one, each
):
    first, second = hints(krea("generate", *words))

    assert first.endswith(f"repeat -i: {in_one}")
    assert second.endswith(f": {each}")


def test_generate_with_images_of_several_folders_suggests_no_batch(krea, pictures):
    [found] = hints(krea("generate", "x", "-i", "a.jpg", "pics/1.jpg"))

    assert "repeat -i" in found


def test_generate_with_very_many_words_shows_the_first_ones(krea):
    result = krea("generate", *("word" for _ in range(500)))

    assert len(result.err) < 300


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["login"], "krea auth login"),
        (["balance"], "krea jobs cost"),
        (["edit", "a.jpg"], "krea generate 'a watercolor' -i photo.jpg"),
        (["stop"], "krea cancel"),
        (["genrate", "x"], "krea generate"),
        (["jobs", "lst"], "krea jobs list"),
    ],
)
def test_an_unknown_command_suggests_what_was_meant(krea, words, hint):
    assert hint == hints(krea(*words))[-1].partition(": ")[2]


@pytest.mark.parametrize("words", [["frobnicate"], ["upgrade"], ["jobs", "balance"]])
def test_an_unknown_command_near_none_suggests_none(krea, words):
    [found] = hints(krea(*words))

    assert found == f"List the commands: {' '.join(('krea', *words[:-1]))} --help"


def test_other_names_of_commands_lead_to_commands():
    """
    None of them is a command itself, which would hide its suggestion.
    """
    assert not COMMANDS.keys() & _OTHER_NAMES.keys()
    for meant in _OTHER_NAMES.values():
        words = [word for word in meant.split()[1:] if not word.startswith("-")]
        assert grammar.find(words)[0].options, meant


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("--aspect", ["Did you mean --aspect-ratio?"]),
        ("--promt-file=x", ["Did you mean --prompt-file?"]),
        ("--foo", []),
        ("--size", []),
    ],
)
def test_an_unknown_option_suggests_only_what_is_near(krea, option, found):
    help_hint = "Show the options: krea generate --help"

    assert [*found, help_hint] == hints(krea("generate", "x", option))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["foo"], "Settings: api_url, model, "),
        (["modle"], "Did you mean model?"),
        (["api_key"], "Log in: krea auth login"),
        (["timeout"], "Example: krea config set "),
        ([], "Example: krea config set "),
    ],
)
def test_config_set_without_a_value_explains_the_key_first(krea, words, hint):
    [found] = hints(krea("config", "set", *words))

    assert found.startswith(hint)


def test_the_start_page_has_a_command_that_needs_no_token(krea):
    line = next(line for line in krea().out.splitlines() if "--sandbox" in line)
    _, _, command = line.partition(": krea ")

    assert 'generate "an owl" --sandbox' == command


def test_a_missing_token_always_offers_the_sandbox():
    """
    With a keyring, and without one.
    """

    class Empty:
        def find(self) -> None:
            return None

    def none():
        raise NoKeyringError("This system has no secure keyring.")

    for keyring in (Empty, none):
        with pytest.raises(NoTokenError) as caught:
            find_token({}, "https://api.krea.ai", keyring)
        assert any("--sandbox" in str(hint) for hint in caught.value.advice)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("files", "command"),
    [
        (["pics/0.jpg", "pics/1.jpg"], "krea batch 'pics/*.jpg' 'an owl'"),
        (["a.jpg", "b.png"], "krea batch ./ 'an owl'"),
        (["a.jpg", "c d.jpg"], "krea batch '*.jpg' 'an owl'"),
    ],
)
def test_batch_of_an_unquoted_glob_suggests_to_quote_it(krea, pictures, files, command):
    for name in files:
        Path(name).write_bytes(b"x")

    first, *_ = hints(krea("batch", *files, "an owl"))

    assert f": {command} -o 'out/{{stem}}.png'" in first


def test_unknown_command_of_many_characters_is_cut(krea):
    result = krea("x" * 10_000)

    assert 2 == result.code
    assert len(result.err) < 300


@pytest.mark.parametrize(
    "words",
    [["-n 5 it"], ["--force it"], ["-watercolor owl", "-o", "w.png"]],
)
@pytest.mark.posix  # for the quotes of its shells
def test_a_prompt_that_begins_with_a_dash_goes_after_two_dashes(krea, words):
    prompt, *options = words

    [hint] = hints(krea("generate", *words))

    assert hint.endswith(": " + " ".join(["krea generate", *options, f"-- '{prompt}'"]))


@pytest.mark.parametrize("words", [["owl", "-o", "-a b.png", "--x"], ["owl", "--x"]])
def test_other_errors_beside_a_text_with_a_dash_are_what_they_are(krea, words):
    assert "--x" in krea("generate", *words).err.splitlines()[0]
