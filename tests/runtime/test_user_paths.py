from __future__ import annotations

import pytest

from krea_cli.api import tls
from krea_cli.config.paths import find_folders
from krea_cli.downloads.output_target import OutputTarget
from krea_cli.errors import ConfigError, InputError
from krea_cli.inputs.resolver import InputResolver
from krea_cli.runtime import user_paths
from krea_cli.runtime.user_paths import local_path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "{me}"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~", "HOME"),
        ("~/a b.jpg", "HOME/a b.jpg"),
        ("~/pics/", "HOME/pics/"),
        ("~draft.png", "~draft.png"),
        ("a/~/b", "a/~/b"),
        ("./~/a", "./~/a"),
        ("", ""),
        ("file:///home/me/a%20b.jpg", "/home/me/a b.jpg"),
        ("file://localhost/a.jpg", "/a.jpg"),
        ("FILE:/a%C3%A9.jpg", "/aé.jpg"),
        ("file:///a%FF.jpg", "/a\udcff.jpg"),
        ("file.jpg", "file.jpg"),
        ("file:a.jpg", "file:a.jpg"),
    ],
)
def test_a_path_is_what_its_writer_means(home, text, path):
    """
    Where no shell looked at it.
    """
    assert path.replace("HOME", str(home)) == local_path(text)


def test_a_file_of_another_computer_is_refused():
    """
    Its path would be one of this computer.
    """
    with pytest.raises(InputError, match=r"another computer \(nas\)"):
        local_path("file://nas/a.jpg")


def test_a_home_that_is_not_known_is_told(monkeypatch):
    """
    A folder named ~ is never meant.
    """
    monkeypatch.setattr(user_paths.os.path, "expanduser", lambda path: path)

    for use in (local_path, OutputTarget.parse):
        with pytest.raises(InputError, match="home folder") as caught:
            use("~/a.png")

        assert "HOME" in caught.value.hint
    with pytest.raises(ConfigError, match="KREA_CONFIG_DIR"):
        find_folders({"KREA_CONFIG_DIR": "~/x"})


@pytest.mark.parametrize(
    ("output", "template"),
    [
        ("~/a.png", "HOME/a.png"),
        ("~/Pictures/{job_id}.{ext}", "HOME/Pictures/{job_id}.{ext}"),
        ("~/pics/", "HOME/pics/{job_id}.{ext}"),
        ("~", "HOME/{job_id}.{ext}"),
        ("~{index}.png", "~{index}.png"),
        ("file:///tmp/a%20b.png", "/tmp/a b.png"),
    ],
)
def test_a_target_may_be_at_home(home, output, template):
    """
    Braces in the name of the home folder are no fields.
    """
    expected = template.replace("HOME", str(home).replace("{me}", "{{me}}"))

    assert expected == OutputTarget.parse(output).template


@pytest.mark.parametrize("name", ["~/a b.jpg", "file://{home}/a%20b.jpg"])
def test_an_image_may_be_named_so(home, photo, name):
    """
    Dragged into a terminal, or after a word of its own: -p image_urls=@~/x.
    """
    (home / "a b.jpg").write_bytes(photo.read_bytes())
    images = InputResolver(lambda: None, allows_loopback=False, keeps_metadata=True)

    image = images.read(name.replace("{home}", str(home).replace("{", "%7B")))

    assert home / "a b.jpg" == image.path


def test_variables_may_name_folders_at_home(home, monkeypatch):
    """
    As in a file of variables, which no shell reads.
    """
    env = {f"KREA_{kind}_DIR": f"~/{kind}" for kind in ("CONFIG", "STATE", "CACHE")}
    monkeypatch.setenv("SSL_CERT_FILE", "~/none.pem")

    found = find_folders(env)

    assert [home / "CONFIG", home / "STATE", home / "CACHE"] == [
        found.config,
        found.state,
        found.cache,
    ]
    with pytest.raises(ConfigError, match=r"me\}/none\.pem"):
        tls.create_context()
