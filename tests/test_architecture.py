"""
What design says of the whole package, held by its own source.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
import pytest

import krea_cli

ROOT = Path(krea_cli.__file__).parent
# Everything that is not of Python itself, and the modules that import it.
HOMES = {
    "httpx": {"api.http"},
    "httpcore": {"api.connections"},
    "truststore": {"api.tls"},
    "keyring": {"config.keyring_store"},
    "platformdirs": {"config.paths"},
    "tomlkit": {"config.config_edit"},
    "rich": {"output.human", "output.graphics.preview"},
    "typer": {
        "cli.command_tree",
        "cli.completion.build",
        "cli.help.grouped",
        "cli.help.man_page",
        "cli.options",
        "commands",
    },
    "PIL": {
        "batch.sheet_png",
        "media.codecs",
        "media.conversion",
        "media.images",
        "output.graphics",
        "sandbox.renderer",
    },
    # Of Python, and as slow.
    "sqlite3": {"journal.database", "journal.recent_jobs"},
    "asyncio": set(),
}

# Who may import ours inside a function, and why.
LATE = {
    "api.http": "truststore is not needed for a service on this machine",
    "cli.main": "suggestions and reports are for who needs them",
    "config.settings": "suggestions are for mistakes",
    "catalog.schema_text": "suggestions are for mistakes",
    "cli.context": "a command pays only for what it uses",
    "cli.collaborators": "as cli.context",
    "cli.connection": "as cli.context",
    "catalog.validation": "few fields have a pattern",
    "requests.field_values": "only a replayed request has recorded inputs",
    "cli.options": "the help runs no command",
    "cli.run_command": "reports are for runs that end with an error",
    "inputs.scaling": "Pillow is for images that are scaled down",
    "operations.plan_output": "as cli.context",
    "operations.review": "Pillow is for saved results",
    "operations.sidecars": "only --sidecar needs them",
    "cli.command_tree": "completion is installed once",
    "cli.next_steps": "most commands go on without a template",
    "config.paths": "most starts make no folder",
    "catalog.cache": "a catalog of krea's own is as it should be",
    "cli.completion.candidates": "a journal is looked at only for jobs",
    "commands.config": "only `set` and `unset` write TOML",
    "cli.entry": "a signal must find somebody before the program is loaded",
    "commands.doctor": "the help needs no certificates",
    "commands.run_generation": "a dry run sends nothing",
    "commands.earlier_request": "only --once needs keys",
    "commands.batch": "only --schema needs the schema",
    "commands.run_batch": "a plan sends nothing and draws nothing",
    "requests.prepare": "Pillow is not needed before an image is measured",
    "operations.spending_limit": "amounts are formatted only for an error",
    "operations.preview": "Pillow is not needed where nothing is shown",
    "output.human.views": "only help topics are Markdown",
    "output.writers": "rich is not needed for a pipe",
    "downloads.output_target": "Pillow is for names that ask for a kind of picture",
    "doctor.program": "Pillow is not needed for the help of doctor",
    "sandbox.rendering": "Pillow is not needed before a picture is made",
}


@dataclass(frozen=True)
class Import:
    """
    *name* without the name of the package, if it is ours.
    """

    name: str
    is_ours: bool
    is_late: bool


MAX_PUBLIC_NAMES = 25

# What may have an import in it.
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


@cache
def modules():
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(
            path.read_text("utf-8")
        )
        for path in sorted(ROOT.rglob("*.py"))
    }


def imports(tree, *, is_late=False):
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, STATEMENTS):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _import(alias.name, is_late)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield _import(f"{node.module}.{alias.name}", is_late)
        is_function = isinstance(node, ast.FunctionDef)
        yield from imports(node, is_late=is_late or is_function)


def _import(name, is_late):
    first, _, rest = name.partition(".")
    is_ours = first == "krea_cli"
    return Import(rest if is_ours else first, is_ours, is_late)


def is_within(name, package):
    return f"{name}.".startswith(f"{package}.")


def test_layers():
    """
    Dependencies point one way: the contract is in pyproject.toml.
    """
    [contract] = tomllib.loads(
        (Path(__file__).parents[1] / "pyproject.toml").read_text()
    )["tool"]["importlinter"]["contracts"]
    graph = grimp.build_graph(
        "krea_cli", exclude_type_checking_imports=True, cache_dir=None
    )
    for ignored in contract["ignore_imports"]:
        found = graph.find_matching_direct_imports(import_expression=ignored)
        assert found, f"nothing is left to ignore: {ignored}"
        for each in found:
            graph.remove_import(importer=each["importer"], imported=each["imported"])
    layers = [grimp.Layer(*line.split(" | ")) for line in contract["layers"]]
    packages = {line.strip() for layer in layers for line in layer.module_tails}

    assert set() == graph.find_illegal_dependencies_for_layers(
        layers, containers={"krea_cli"}
    )
    assert {each.name for each in ROOT.iterdir() if (each / "__init__.py").exists()} | {
        "errors"
    } == packages


def test_every_library_has_its_home():
    """
    What is slow to load is loaded by one module, at its top, and that one is loaded
    late.
    """
    wrong = []
    for name, tree in modules().items():
        for each in imports(tree):
            if each.is_ours:
                continue
            homes = HOMES.get(each.name)
            if homes is None and each.name in sys.stdlib_module_names:
                continue
            if each.is_late or not any(is_within(name, home) for home in homes or ()):
                wrong.append(f"{name} imports {each.name}")

    assert [] == wrong


def test_late_imports_are_the_exception():
    """
    Elsewhere what a module needs stands at its top.
    """
    late = {
        name
        for name, tree in modules().items()
        if any(each.is_ours and each.is_late for each in imports(tree))
    }
    # The command tree loads the command that is called by its name, and files of media
    # need the module of their own format alone.
    by_name = {
        name
        for name, tree in modules().items()
        if any(each.name == "importlib" for each in imports(tree))
    }

    assert set(LATE) == late
    assert {"cli.command_tree", "media.formats", "runtime.installation"} == by_name


def test_nobody_prints_or_exits_but_who_should():
    """
    Words go through `output`, where they are made safe; exit codes through
    `main`.
    """
    found = {
        (called, name)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (called := ast.unparse(node.func))
        and called.rpartition(".")[2] in ("print", "exit", "_exit", "input")
    }

    assert {
        ("console.print", "output.graphics.preview"),
        ("self._console.print", "output.human.rich_console"),
        ("os._exit", "cli.completion.main"),
        ("os._exit", "cli.entry"),
        ("os._exit", "cli.main"),
        ("os._exit", "cli.signal_exit"),
    } == found


IMPORTS_ALONE = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [known for known in sys.modules if known.startswith("krea_cli")]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except ImportError as exc:
        print(name, exc)
"""


@pytest.mark.long
def test_every_module_can_be_imported_first():
    """
    There is no circle that works only when somebody else came before.
    """
    names = [f"krea_cli.{name}" for name in modules() if name != "__main__"]

    result = subprocess.run(
        [sys.executable, "-c", IMPORTS_ALONE, *names],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "" == result.stdout


def test_there_is_no_module_without_a_job():
    """
    Such a name says that nobody knew what the module is for.
    """
    banned = {"utils", "helpers", "common", "base", "core", "types", "misc"}

    assert not [name for name in modules() if banned & set(name.split("."))]


def test_no_class_has_more_than_25_public_names():
    """
    Inherited ones count, fields of dataclasses do not.
    """
    classes = {
        node.name: node
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    def public(node):
        own = {
            each.name
            for each in node.body
            if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")
        }
        bases = (classes.get(ast.unparse(base)) for base in node.bases)
        return own.union(*(public(base) for base in bases if base))

    assert {} == {
        name: len(public(node))
        for name, node in classes.items()
        if len(public(node)) > MAX_PUBLIC_NAMES
    }


def test_no_public_class_name_stands_twice():
    """
    A name means one thing.
    """
    names = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [] == [name for name, count in names.items() if count > 1]


def test_only_commands_see_the_context():
    """
    All else gets its collaborators.
    """
    wrong = [
        f"{name}: {node.name}({argument.arg})"
        for name, tree in modules().items()
        if name.partition(".")[0] not in ("commands", "cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.arg in ("session", "ctx")
        or "CliContext" in ast.unparse(argument.annotation or ast.Constant(""))
    ]

    assert [] == wrong


def test_an_error_does_not_change_once_it_is_made():
    """
    Its facts are given when it is made, and `but` makes another one.
    """
    facts = {"message", "hint", "advice", "details", "job_id", "record", "exit_code"}
    wrong = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for each in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(each, ast.Attribute)
        and each.attr in facts
        and ast.unparse(each.value) != "self"
    ]

    assert [] == wrong


def test_commands_are_spelled_in_one_place():
    """
    So that each has the options that name the service and say where results go.
    """
    spelled = re.compile(": krea (wait|download|status|cancel|jobs|replay|auth) ?")
    wrong = [
        f"{name}: {node.value}"
        for name, tree in modules().items()
        if name.partition(".")[0] not in ("commands", "cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and spelled.search(node.value)
    ]

    assert [] == wrong
