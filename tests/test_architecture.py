"""
What design says of the whole package, held by its own source.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import krea_cli

ROOT = Path(krea_cli.__file__).parent
FILE_LINES = 330
BODY_LINES = 40

# Who may import whom, by the beginning of a name; the longest one that fits counts.
# What is imported for types alone is no dependency.
ALLOWED = {
    "__init__": set(),
    "__main__": {"entry"},
    "cli": {"cli", "delivery.Delivery", "delivery.MOST_BYTES", "errors", "session"},
    "cli.next_steps": {
        "delivery.Delivery",
        "delivery.MOST_BYTES",
        "delivery.templates",
        "errors",
    },
    "entry": {"completion.main", "main", "signal_exit"},
    "main": {
        "app",
        "cli.error_report",
        "completion.grammar",
        "errors",
        "exhaustion",
        "output.terminal",
        "session",
        "signal_exit",
        "signals",
        "world",
    },
    "signal_exit": set(),
    "app": {
        "__version__",
        "completion.install",
        "completion.scripts",
        "help",
        "options",
        "output.terminal",
        "session",
    },
    "help": set(),
    # Quick, so it has nothing of Typer and of the commands but what `build` kept.
    "completion": {
        "catalogue.model",
        "catalogue.schema",
        "catalogue.wording",
        "completion",
        "config.settings",
        "errors",
        "help.topics",
        "jobs.glance",
        "media",
        "output.terminal",
        "session",
        "world",
    },
    "completion.build": {"app", "completion"},
    "options": {
        "config.duration",
        "config.number",
        "delivery.Delivery",
        "session",
        "world",
    },
    # A command takes, does and tells: how its results look and how requests are sent is
    # the session's business.
    "commands": {
        "catalogue",
        "checkup.examination",
        "config.file",
        "config.settings",
        "config.token",
        "errors",
        "jobs.costs",
        "jobs.defaults",
        "delivery.Delivery",
        "jobs.inputs",
        "jobs.outcome",
        "options",
        "commands.jobs_cost",
        "output.cost_results",
        "output.job_records",
        "output.model_results",
        "output.model_words",
        "output.results",
        "output.sandbox_results",
        "output.setting_results",
        "session",
        "signals",
        "wishes",
        "work",
    },
    # It explains the others, so it knows their names.
    "commands.help": {"app", "errors", "help.topics", "output.results", "session"},
    # The outermost first.
    "work": set(),
    "work.making": {
        "errors",
        "output.results",
        "session",
        "wishes",
        "work.collection",
        "work.dispatch",
        "work.github",
        "work.order",
        "work.showing",
        "work.spending_limit",
        "work.words",
    },
    "work.spending_limit": {"errors", "output.model_words"},
    "wishes": {"options"},
    "work.dispatch": {"api.resources", "session", "work.doubt", "work.sending"},
    "work.sending": {"api.resources", "errors", "session", "work.crew", "work.doubt"},
    "work.doubt": {"api.resources", "errors", "jobs.selection", "session"},
    "work.collection": {
        "api.resources",
        "errors",
        "jobs.outcome",
        "output.results",
        "session",
        "work.github",
        "work.saving",
        "work.untold",
        "work.waiting",
    },
    "work.waiting": {
        "api.resources",
        "errors",
        "jobs.polling",
        "jobs.watch",
        "session",
        "work.one_by_one",
        "work.saving",
        "work.timing",
    },
    "work.timing": {
        "api.resources",
        "errors",
        "jobs.forecast",
        "jobs.schedule",
        "session",
    },
    "work.untold": {"api.resources", "errors", "output.results", "session"},
    "work.saving": {
        "api.resources",
        "errors",
        "delivery.differences",
        "session",
        "work.crew",
    },
    "work.crew": {"signals"},
    "work.github": {"api.resources", "errors", "output.workflow", "session"},
    "work.one_by_one": {
        "api.resources",
        "errors",
        "jobs.outcome",
        "jobs.polling",
        "session",
    },
    "installation": set(),
    # What `doctor` looks at, each thing by itself.
    "checkup": {
        "__version__",
        "api.proxies",
        "checkup",
        "config.settings",
        "errors",
        "installation",
        "jobs.selection",
        "media.codecs",
        "output.capabilities",
        "output.findings",
        "output.setting_results",
        "session",
    },
    "work.forgetting": {"errors", "jobs.records", "session", "work.listing"},
    "work.listing": {
        "api.resources",
        "config.duration",
        "errors",
        "jobs.records",
        "jobs.rows",
        "jobs.selection",
        "session",
    },
    "work.order": {
        "api.resources",
        "catalogue",
        "errors",
        "jobs",
        "media.pictures",
        "output.results",
        "session",
        "work.words",
    },
    "work.words": {"user_paths", "errors", "jobs.former", "jobs.param", "session"},
    "work.showing": {
        "user_paths",
        "api.resources",
        "errors",
        "media.decoding",
        "media.pictures",
        "output.preview",
        "output.terminal",
        "session",
    },
    # The one place that reaches everything.
    "session": {
        "api",
        "catalogue",
        "config",
        "delivering",
        "errors",
        "jobs",
        "media",
    },
    "delivering": {"delivery", "documenting", "errors", "media", "output.workflow"},
    "documenting": {"delivery", "errors", "watching"},
    "watching": {"bookkeeping", "clock", "errors", "jobs"},
    "bookkeeping": {
        "cli.next_steps",
        "connection",
        "delivery.Delivery",
        "errors",
        "jobs",
    },
    "connection": {
        "temporary",
        "__version__",
        "api",
        "config",
        "errors",
        "sandbox.capacity",
        "sandbox.server",
        "sandbox.sizes",
        "world",
    },
    "world": {
        "clock",
        "config",
        "errors",
        "output.choice",
        "output.streams",
        "signals",
    },
    "jobs": {
        "temporary",
        "user_paths",
        "api",
        "catalogue",
        "clock",
        "errors",
        "jobs",
        "loopback",
        "media",
        "signals",
    },
    # The journal keeps what was paid for: it must work whatever the service does.
    "jobs.journal": {
        "api.resources",
        "errors",
        "jobs.database",
        "jobs.records",
        "jobs.rows",
    },
    "jobs.history": {
        "errors",
        "jobs.costs",
        "jobs.damage",
        "jobs.database",
        "jobs.records",
        "jobs.rows",
    },
    "jobs.costs": {"api.resources"},
    "jobs.damage": {"jobs.database", "jobs.records", "jobs.rows"},
    "jobs.upload_memory": {"jobs.database", "jobs.redaction"},
    "jobs.database": {"errors", "jobs.locks", "jobs.schema", "signals"},
    "jobs.glance": set(),
    "jobs.schema": set(),
    "jobs.records": {
        "api.resources",
        "api.wire",
        "jobs.content",
        "jobs.redaction",
        "jobs.rows",
    },
    "jobs.rows": {"api.resources"},
    "jobs.content": {"api.wire", "jobs.inputs"},
    "jobs.redaction": {"jobs.inputs", "jobs.nested"},
    "jobs.former": {"errors", "jobs.inputs", "jobs.nested"},
    "jobs.nested": set(),
    "api": {
        "api",
        "clock",
        "errors",
        "exhaustion",
        "installation",
        "secrecy",
        "user_paths",
    },
    "api.resources": set(),
    # Where a thread waits that is to end with a signal.
    "api.ahead": {"signals"},
    "catalogue": {"catalogue", "errors"},
    "config": {
        "clock",
        "config",
        "errors",
        "loopback",
        "secrecy",
        "user_paths",
    },
    "output": {"api.resources", "errors", "output", "secrecy"},
    "output.terminal": set(),
    "output.workflow": {"output.terminal"},
    # A service of its own, which shares with the client only what both must agree on.
    "sandbox": {
        "__version__",
        "api.resources",
        "catalogue",
        "errors",
        "loopback",
        "media",
        "sandbox",
    },
    "clock": {"signals"},
    # From the URLs of results to files; `jobs` knows nothing of it.
    "delivery": {
        "temporary",
        "user_paths",
        "__version__",
        "api",
        "clock",
        "delivery",
        "errors",
        "jobs",
        "media",
    },
    "delivery.__init__": set(),
    # What is known of kinds of files, whoever they are of.
    "media": {"clock", "errors", "media"},
    "media.__init__": set(),
    "loopback": set(),
    "secrecy": set(),
    "temporary": {"errors"},
    "user_paths": {"errors"},
    "signals": set(),
    "errors": set(),
    "exhaustion": {"errors"},
}

# Everything that is not of Python itself, and the modules that import it.
HOMES = {
    "httpx": {"api.transport"},
    "truststore": {"api.tls"},
    "keyring": {"config.credentials"},
    "platformdirs": {"config.paths"},
    "rich": {
        "output.flow",
        "output.preview",
        "output.screen",
        "output.sheet",
        "output.spinner",
        "output.views",
        "output.views_costs",
        "output.views_details",
        "output.views_models",
        "output.views_findings",
        "output.views_jobs",
        "output.views_sandbox",
        "output.views_saved",
        "output.views_topics",
    },
    "typer": {"app", "commands", "completion.build", "help.grouped", "options"},
    "PIL": {
        "media.codecs",
        "media.conversion",
        "media.pictures",
        "media.png",
        "output.graphics",
        "output.preview",
        "sandbox.renderer",
    },
    # Of Python, and as slow.
    "sqlite3": {"jobs.database", "jobs.glance"},
    "asyncio": set(),
}

# Who may import ours inside a function, and why.
LATE = {
    "api.transport": "truststore is not needed for a service on this machine",
    "main": "suggestions and reports are for who needs them",
    "session": "a command pays only for what it uses",
    "bookkeeping": "as session",
    "watching": "as session",
    "delivering": "as session",
    "documenting": "as session",
    "connection": "as session",
    "world": "as session",
    "app": "completion is installed once",
    "cli.next_steps": "most commands go on without a template",
    "catalogue.cached": "a catalogue of krea's own is as it should be",
    "completion.candidates": "a journal is looked at only for jobs",
    "entry": "a signal must find somebody before the program is loaded",
    "work.making": "a dry run sends nothing",
    "work.order": "`generate --help` needs no catalogue",
    "work.spending_limit": "amounts are formatted only for an error",
    "work.showing": "Pillow is not needed where nothing is shown",
    "output.forms": "rich is not needed for a pipe",
    "delivery.targets": "Pillow is not needed where no name asks for a kind of picture",
    "checkup.program": "Pillow is not needed for the help of doctor",
    "sandbox.rendering": "Pillow is not needed before a picture is made",
}

# Longer than a file should be, and why.
LONG = {
    "api.resources": "one short class after the other",
    "config.token": "all sources of a token, and all that can be wrong with one",
    "delivery.targets": "every meaning of -o",
    "delivery.files": "all that is known of putting a file in its place",
    "api.transport": "clients that share what makes a connection",
    "errors": "one short class after the other",
    "cli.next_steps": "every command that a hint names",
    "work.order": "every check of a request before it is sent",
    "media.pictures": "all that is to be known of a picture",
    "jobs.database": "all that can be wrong with a file that must not be lost",
    "jobs.history": "one query after the other",
    "jobs.journal": "one statement after the other",
    "jobs.recovery": "one decision: which jobs may be the one",
    "media.metadata.movie": "the list of the boxes that stay, and how each is edited",
}


@dataclass(frozen=True)
class Import:
    """
    *name* without the name of the package, if it is ours.
    """

    name: str
    is_ours: bool
    is_late: bool


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
    Dependencies point one way; a command never imports another.
    """
    wrong = []
    for name, tree in modules().items():
        [*_, rule] = sorted(
            (known for known in ALLOWED if is_within(name, known)), key=len
        )
        wrong += [
            f"{name} imports {each.name}"
            for each in imports(tree)
            if each.is_ours
            and not any(is_within(each.name, allowed) for allowed in ALLOWED[rule])
        ]

    assert [] == wrong


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
    # `app` loads the command that is called by its name.
    by_name = {
        name
        for name, tree in modules().items()
        if any(each.name == "importlib" for each in imports(tree))
    }

    assert set(LATE) == late
    assert {"app", "installation"} == by_name


def test_files_and_functions_are_small():
    """
    What does not fit on a few screens has more than one job.
    """
    files = {
        name: len(
            (ROOT / name.replace(".", "/")).with_suffix(".py").read_text().splitlines()
        )
        for name in modules()
    }
    bodies = {
        f"{name}.{node.name}": node.end_lineno - _first(node).lineno + 1
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }

    assert {name for name, n in files.items() if n > FILE_LINES} <= set(LONG)
    assert not {name for name, n in bodies.items() if n > BODY_LINES}


def _first(function):
    """
    The first statement after the docstring.
    """
    body = function.body
    return body[1] if ast.get_docstring(function) and len(body) > 1 else body[0]


def test_nobody_prints_or_exits_but_who_should():
    """
    Words go through `output`, where they are made safe (hazard T3); exit codes through
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
        ("console.print", "output.preview"),
        ("self._console.print", "output.screen"),
        ("os._exit", "completion.main"),
        ("os._exit", "entry"),
        ("os._exit", "main"),
        ("os._exit", "signal_exit"),
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
        if name.partition(".")[0] not in ("commands", "cli", "help", "main")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and spelled.search(node.value)
    ]

    assert [] == wrong
