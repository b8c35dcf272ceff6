"""
README says what the program does.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from krea_cli.cli.command_tree import COMMANDS
from krea_cli.config.settings import FILE_ONLY, KEYS, variable_name
from krea_cli.downloads.output_target import FIELDS
from krea_cli.errors import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SIGNALS = 128
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_every_exit_code_is_explained():
    """
    README names every code but those of a bug and of signals; the topic has them all.
    """
    [codes] = re.findall(r"codes: (.*?)\.", README, re.DOTALL)

    assert {
        code.value for code in ExitCode if 0 < code < SIGNALS and code != ExitCode.BUG
    } | {0} == set(map(int, re.findall(r"\d+", codes)))


def test_the_first_two_commands_stand_alone():
    """
    The block that is to be pasted has two lines: one that runs, one that tests.
    """
    [block] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    run, test = block.splitlines()

    assert "--sandbox" in run
    assert "pytest" in test


def test_every_variable_of_a_setting_is_named():
    """
    Whoever reads README knows every variable.
    """
    assert not [
        key for key in set(KEYS) - FILE_ONLY if variable_name(key) not in README
    ]


def test_every_field_of_a_name_is_named():
    """
    The fields of a template are all there, and no others.
    """
    [named] = re.findall(r"a\s+template\s+\(`(.*?)`\)", README, re.DOTALL)

    assert [f"{{{field}}}" for field in FIELDS] == named.split()


def test_every_command_is_in_the_table():
    """
    The table has a line for each command.
    """
    [table] = re.findall(r"\| Command \|.*?\n\n", README, re.DOTALL)

    assert set(COMMANDS) == set(re.findall(r"^\| `krea ([a-z]+)", table, re.MULTILINE))


def test_what_it_links_to_is_there():
    """
    Files of the project, and headings of its own.
    """
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    links = re.findall(r"\]\(([^)]*)\)", README)
    wrong = [
        link
        for link in links
        if not link.startswith("https://")
        and link not in anchors
        and not (ROOT / link).is_file()
    ]

    assert len(links) > 5
    assert [] == wrong


def test_every_dependency_has_a_lower_bound():
    """
    The bound is what the oldest libraries are tested with.
    """
    assert not [need for need in PROJECT["dependencies"] if ">=" not in need]


def test_dependencies_with_known_faults_are_not_allowed():
    """
    Pillow before 13 has holes that a file from a server can use; httpx 1 is another
    library by the same name.
    """
    needs = {re.split(r"[^\w-]", need)[0]: need for need in PROJECT["dependencies"]}

    assert 13 <= int(re.search(r">=(\d+)", needs["Pillow"])[1])
    assert needs["httpx"].endswith(",<1")
