"""
The wheel and the source archive, as they would be uploaded.
"""

from __future__ import annotations

import email
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[1]
COMPLETIONS = ROOT / "completions"
SHARED = {
    "share/bash-completion/completions/krea": "krea.bash",
    "share/zsh/site-functions/_krea": "_krea",
    "share/fish/vendor_completions.d/krea.fish": "krea.fish",
    "share/man/man1/krea.1": "krea.1",
}


def build(folder):
    """
    Both archives, built as `pip` and `python -m build` do.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=50)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built[".whl"]) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def test_metadata_of_the_wheel_names_the_licence_with_its_text(metadata, wheel):
    """
    An SPDX expression, and the file beside the metadata.
    """
    [name] = [each for each in wheel.namelist() if each.endswith("/LICENSE")]

    assert metadata["License-Expression"] == "MIT"
    assert name.endswith(f".dist-info/licenses/{metadata['License-File']}")
    assert wheel.read(name) == (ROOT / "krea_cli" / "LICENSE").read_bytes()


def test_readme_of_the_wheel_has_no_relative_pictures(metadata):
    """
    An index shows no files of the repository; the rest of README is there.
    """
    shown = metadata.get_payload(decode=True).decode()
    readme = (ROOT / "README.md").read_text("utf-8")
    headings = re.findall(r"^#+ .*$", readme, re.MULTILINE)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", shown)

    assert headings == re.findall(r"^#+ .*$", shown, re.MULTILINE)
    assert not [each for each in pictures if not each.startswith("https://")]


@pytest.mark.parametrize("place", SHARED)
def test_wheel_has_completions_and_the_man_page(wheel, place):
    """
    Where bash, zsh, fish and man look for them below a prefix.
    """
    [name] = [each for each in wheel.namelist() if each.endswith(f"/data/{place}")]

    assert wheel.read(name) == (COMPLETIONS / SHARED[place]).read_bytes()


def test_source_archive_has_all_that_its_tests_need(built):
    """
    Every file that the tests read beside the package.
    """
    with tarfile.open(built[".gz"]) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    parts = ("krea_cli", "tests", "completions", ".ci", ".github")
    expected = {
        path.relative_to(ROOT).as_posix()
        for part in parts
        for path in (ROOT / part).rglob("*")
        if path.is_file() and not {"__pycache__", ".hypothesis"} & {*path.parts}
    }

    assert expected | {"README.md", "CHANGELOG.md", "pyproject.toml"} <= found


def test_two_builds_are_the_same_to_the_byte(built, tmp_path):
    """
    Whoever builds the wheel again can compare it.
    """
    again = build(tmp_path)

    for suffix, path in built.items():
        digests = [hashlib.sha256(each.read_bytes()) for each in (path, again[suffix])]
        assert digests[0].digest() == digests[1].digest()


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is missing")
def test_man_page_has_nothing_that_mandoc_cannot_read():
    """
    Beyond matters of style and the date, which the page leaves out.
    """
    command = ["mandoc", "-T", "lint", "-W", "warning", str(COMPLETIONS / "krea.1")]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert not [line for line in found.splitlines() if "missing date" not in line]


def workflows():
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_classifiers_name_the_pythons_that_are_tested():
    """
    Here, in the workflow, and in the metadata.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    [matrix] = re.findall(r"python: \[(.*)\]", workflow)
    [here] = re.findall(
        r"^for version in (.*); do", (ROOT / ".ci/run").read_text(), re.MULTILINE
    )

    assert named == re.findall(r"3\.\d+", matrix) == here.split()
    assert f">={named[0]}" == project["requires-python"]


def test_workflow_runs_the_first_command_of_readme():
    """
    After the installation, which is that of the wheel there.
    """
    readme = (ROOT / "README.md").read_text("utf-8")
    command = re.search(r"^```sh\n.*?\.venv/bin/(krea .*)$", readme, re.MULTILINE)[1]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")

    assert command in [line.strip() for line in workflow.splitlines()]


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.name)
def test_workflows_may_read_alone_and_name_a_version_of_each_action(path):
    """
    Only the job that publishes gets an identity, and nothing may write.
    """
    text = path.read_text("utf-8")
    head = text.partition("jobs:")[0]
    granted = re.findall(r"^ +([\w-]+): write$", text, re.MULTILINE)

    assert "permissions:\n  contents: read\n" in head
    assert granted == (["id-token"] if path.name == "release.yml" else [])
    assert all(
        re.search(r"@v\d", line) for line in text.splitlines() if "uses:" in line
    )
