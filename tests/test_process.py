"""
The main paths as users run them: processes, real time, real sockets.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from service import TOKEN

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"


@pytest.mark.long
def test_sandbox_edits_a_photograph_without_a_token(shell):
    """
    One command, and the edited picture is on disk; its path is all that a pipe gets.
    """
    words = ("a watercolor", "-i", ASTRONAUT, "-o", "out.png", "--sandbox")

    result = shell("generate", *words)

    assert (0, "out.png\n") == (result.code, result.out)
    with Image.open(shell.cwd / "out.png") as picture:
        picture.load()
        assert ("PNG", (1024, 1024)) == (picture.format, picture.size)


@pytest.mark.long
def test_three_steps_in_three_processes(shell):
    """
    Submitted by one process, waited for by the next, saved by the third.
    """
    words = ("generate", "an owl", "--no-wait", "--sandbox", "-p", "resolution=1K")

    submitted = shell(*words)
    job_id = submitted.out.strip()
    waited = shell("wait", "--sandbox", "@last")
    saved = shell("download", "--sandbox", "@last")

    assert (0, 0, 0) == (submitted.code, waited.code, saved.code)
    assert f"{job_id}\tcompleted\n" == waited.out
    assert f"{job_id}.png\n" == saved.out
    assert (shell.cwd / f"{job_id}.png").is_file()


@pytest.mark.long
def test_with_a_token_the_service_is_asked(shell, live):
    """
    The token of the variable goes to the service of the API URL; the token is nowhere
    in what the run leaves behind.
    """
    env = {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}

    result = shell("generate", "x y", "-i", ASTRONAUT, "-o", "a.png", "-v", env=env)
    left = [p for p in Path(shell.env["HOME"]).rglob("*") if p.is_file()]

    assert 0 == result.code
    assert (1, 1) == (live.bills, len(live.requests("POST /assets")))
    assert TOKEN not in result.out + result.err
    assert left
    assert not [path for path in left if TOKEN.encode() in path.read_bytes()]


@pytest.mark.long
def test_standard_input_to_standard_output(shell, live):
    """
    A picture comes in by a pipe and goes out by one, byte for byte, with nothing else.
    """
    env = {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}
    words = ("generate", "x y", "-i", "-", "-o", "-")

    with shell.start(*words, env=env, stdin=subprocess.PIPE) as process:
        out, _ = process.communicate(ASTRONAUT.read_bytes(), timeout=50)

    assert 0 == process.returncode
    assert out.startswith(b"\x89PNG")
    assert out.endswith(b"IEND\xaeB`\x82")


@pytest.mark.long
def test_json_of_a_process_is_one_object(shell, live):
    """
    Standard output is the job, standard error is empty.
    """
    env = {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}

    result = shell("generate", "an owl", "--json", "-o", "owls/", env=env)

    [file] = json.loads(result.out)["files"]

    assert (0, "") == (result.code, result.err)
    assert (shell.cwd / file["path"]).stat().st_size == file["size_bytes"]


@pytest.mark.parametrize("name", ["krea", "krea-cli"])
def test_both_console_scripts_are_the_program(name):
    """
    Two names, one program.
    """
    script = Path(sys.executable).with_name(name)

    result = subprocess.run(
        [script, "--version"], capture_output=True, text=True, check=True
    )

    assert result.stdout.startswith("krea ")
