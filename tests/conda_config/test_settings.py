"""The user's own conda configuration: which files count, what they mean, and that nothing of it shows a password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.conda_config.condarc import Condarc, Source, config_files, parse_condarc
from envsync.conda_config.settings import CondaSettings, _mirrors, load_conda_settings, shown, with_channels
from envsync.errors import UsageError

MAIN = "https://repo.anaconda.com/pkgs/main"
R = "https://repo.anaconda.com/pkgs/r"
FORGE = "https://conda.anaconda.org/conda-forge"

Load = Callable[..., CondaSettings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(condarc: str = "", environ: Mapping[str, str] | None = None) -> CondaSettings:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / ".condarc").write_text(condarc)
        return load_conda_settings(environ or {}, home, root=tmp_path / "root")

    return loaded


def test_without_configuration_channels_are_where_they_say(load: Load) -> None:
    settings = load()

    assert settings.places(MAIN) == (MAIN,)
    assert settings.places("https://host/any/") == ("https://host/any",)
    assert settings.ssl_verify is True
    assert not settings.offline
    assert not settings.accept_terms
    assert settings.envs_dirs == ()


def test_default_channels_are_mirrors_by_their_last_part(load: Load) -> None:
    settings = load("default_channels: [https://corp/anaconda/main, https://corp/anaconda/r]")

    assert settings.places(MAIN) == ("https://corp/anaconda/main",)
    assert settings.places(R) == ("https://corp/anaconda/r",)
    assert settings.places("https://repo.anaconda.com/pkgs/free") == ("https://repo.anaconda.com/pkgs/free",)
    assert settings.places(FORGE) == (FORGE,)


def test_a_default_channel_of_another_name_mirrors_all_of_them(load: Load) -> None:
    settings = load("default_channels:\n  - https://corp/everything\n  - https://conda.anaconda.org/conda-forge\n")

    assert settings.places(MAIN) == ("https://corp/everything",)
    assert settings.places(R) == ("https://corp/everything",)


def test_conda_forge_is_no_mirror_of_defaults(load: Load) -> None:
    assert load("default_channels: [conda-forge]").places(MAIN) == (MAIN,)


def test_multichannels(load: Load) -> None:
    settings = load(
        """
        default_channels: [https://old/main]
        custom_multichannels:
          defaults: [https://corp/main]
          conda-forge: [https://one/cf, https://two/cf]
        """
    )

    assert settings.places(MAIN) == ("https://corp/main",)
    assert settings.places(FORGE) == ("https://one/cf", "https://two/cf")


def test_channel_alias(load: Load) -> None:
    settings = load("channel_alias: https://corp/t/${TOKEN}/conda/", {"TOKEN": "tk-1"})

    # Conda 26.7 itself puts the token there.
    assert settings.places(FORGE) == ("https://corp/conda/t/tk-1/conda-forge",)
    assert settings.places(f"{FORGE}/label/dev") == ("https://corp/conda/t/tk-1/conda-forge/label/dev",)
    assert settings.places(MAIN) == (MAIN,)
    assert settings.places("https://corp/conda/bioconda") == ("https://corp/conda/t/tk-1/bioconda",)
    assert shown(settings.places(FORGE)[0]) == "https://corp/conda/conda-forge"


def test_custom_channels_count_more_than_the_alias(load: Load) -> None:
    settings = load(
        """
        channel_alias: https://corp/conda
        default_channels: [main]
        custom_channels:
          conda-forge: https://user:pass@mirror/cf/
          pkgs/r: https://mirror/anaconda
        """
    )

    assert settings.places(FORGE) == ("https://user:pass@mirror/cf/conda-forge",)
    assert settings.places(f"{FORGE}/label/dev") == ("https://user:pass@mirror/cf/conda-forge/label/dev",)
    assert settings.places("https://conda.anaconda.org/conda-forge2") == ("https://corp/conda/conda-forge2",)
    assert settings.places(R) == ("https://mirror/anaconda/pkgs/r",)
    assert settings.places(MAIN) == ("https://corp/conda/main",)


def test_mirrored_channels_in_their_order_without_registries_of_images(load: Load) -> None:
    settings = load(f"mirrored_channels:\n  conda-forge: [{FORGE}, 'oci://ghcr.io/cf', https://prefix.dev/conda-forge]")

    assert settings.places(FORGE) == (FORGE, "https://prefix.dev/conda-forge")


def test_credentials_of_channels_are_sent_to_that_channel_alone(load: Load) -> None:
    settings = load(
        "channels: [https://user:p%40ss@host/team, https://conda.anaconda.org/t/tk-2/private, 'https://u:${NO}@x/y']"
    )

    assert settings.places("https://host/team") == ("https://user:p%40ss@host/team",)
    assert settings.places("https://host/teams") == ("https://host/teams",)
    assert settings.places("https://conda.anaconda.org/private") == ("https://conda.anaconda.org/t/tk-2/private",)
    assert settings.places(FORGE) == (FORGE,)
    assert settings.places("https://x/y") == ("https://x/y",)
    assert shown("https://user:p%40ss@host/team") == "https://host/team"
    assert shown("https://conda.anaconda.org/t/tk-2/private") == "https://conda.anaconda.org/private"
    assert shown("https://[") == "https://["


@pytest.mark.parametrize("rest", ["..", "../other", "x/../../other", "%2e%2E/other", "."])
def test_a_lock_leads_no_credentials_elsewhere(load: Load, rest: str) -> None:
    settings = load("channels: ['https://u:p@host/team']\nchannel_alias: https://u:p@corp/conda")

    for channel in (f"https://host/team/{rest}", f"https://conda.anaconda.org/{rest}"):
        assert settings.places(channel) == (channel,)


def test_mirrors_get_the_credentials_of_channels(load: Load) -> None:
    settings = load("channels: ['https://u:p@corp/conda']\nchannel_alias: https://corp/conda")

    assert settings.places(FORGE) == ("https://u:p@corp/conda/conda-forge",)


def test_variables_count_more_than_files(load: Load) -> None:
    environ = {
        "CONDA_CHANNEL_ALIAS": "https://env/conda",
        "CONDA_DEFAULT_CHANNELS": "https://env/main,https://env/r",
        "CONDA_ENVS_PATH": "/one:/two",
        "CONDA_OFFLINE": "1",
        "CONDA_SSL_VERIFY": "no",
    }
    settings = load("channel_alias: https://file/conda\nenvs_dirs: [~/envs]\noffline: false", environ)

    assert settings.places(FORGE) == ("https://env/conda/conda-forge",)
    assert settings.places(R) == ("https://env/r",)
    assert settings.envs_dirs[:2] == (Path("/one"), Path("/two"))
    assert settings.envs_dirs[2].name == "envs"
    assert settings.offline
    assert settings.ssl_verify is False


def test_terms_and_the_rest(load: Load, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/ca.pem").touch()
    settings = load(
        """
        ssl_verify: ~/ca.pem
        register_envs: no
        proxy_servers: {http: 'http://u:p@proxy:3128', https: null}
        plugins: {auto_accept_tos: yes}
        """
    )

    assert settings.ssl_verify == str(tmp_path / "home/ca.pem")
    assert not settings.register_envs
    assert settings.proxy_servers == {"http": "http://u:p@proxy:3128"}
    assert settings.accept_terms
    assert load("", {"CONDA_PLUGINS_AUTO_ACCEPT_TOS": "yes"}).accept_terms
    assert not load("", {"CONDA_PLUGINS_AUTO_ACCEPT_TOS": "false"}).accept_terms
    assert load("ssl_verify: truststore").ssl_verify is True


def test_the_search_path_is_condas(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    expected = [
        root / "etc/conda/.condarc",
        root / "etc/conda/condarc.d/a.yml",
        root / "var/lib/conda/condarc",
        tmp_path / "miniconda/.condarc",
        tmp_path / "mamba/.condarc",
        tmp_path / "xdg/conda/condarc.d/b.yaml",
        home / ".config/conda/.condarc",
        home / ".conda/.condarc",
        home / ".condarc",
        home / ".mambarc",
        tmp_path / "active/.condarc",
        tmp_path / "last.yml",
    ]
    for file in (*expected, root / "etc/conda/condarc.d/no.txt", tmp_path / "miniconda/bin/conda"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    environ = {
        "CONDA_EXE": str(tmp_path / "miniconda/bin/conda"),
        "MAMBA_ROOT_PREFIX": str(tmp_path / "mamba"),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "CONDA_PREFIX": str(tmp_path / "active"),
        "CONDARC": str(tmp_path / "last.yml"),
    }

    assert list(config_files(environ, home, root=root)) == expected
    assert load_conda_settings(environ, home, root=root).sources == tuple(expected)


def test_lists_of_all_files_are_joined_the_last_first(tmp_path: Path, load: Load) -> None:
    (tmp_path / "root/etc/conda").mkdir(parents=True)
    (tmp_path / "root/etc/conda/.condarc").write_text("envs_dirs: [/system, /shared]\nchannel_alias: https://system")

    settings = load("envs_dirs: [/mine, /shared]")

    assert settings.envs_dirs == (Path("/mine"), Path("/shared"), Path("/system"))
    assert settings.places(FORGE) == ("https://system/conda-forge",)


@pytest.mark.parametrize(
    ("condarc", "message"),
    [
        ("just text", "~/.condarc: a text (expected keys and values)"),
        ("default_channels: {a: b}", "~/.condarc: default_channels: a mapping (expected a list of texts)"),
        ("default_channels: [1]", "~/.condarc: default_channels: a list (expected a list of texts)"),
        ("channel_alias: [x]", "~/.condarc: channel_alias: a list (expected a text)"),
        ("custom_channels: [x]", "~/.condarc: custom_channels: a list (expected names and what they stand for)"),
        ("custom_channels: {cf: 3}", "~/.condarc: custom_channels: cf: a number (expected a text)"),
        ("mirrored_channels: {cf: 3}", "~/.condarc: mirrored_channels: cf: a number (expected a list of texts)"),
        ("offline: maybe", "~/.condarc: offline: a text (expected true or false)"),
        ("ssl_verify: /no/such", "~/.condarc: ssl_verify: /no/such (expected true, false, or a file of certificates)"),
        ("plugins: {auto_accept_tos: perhaps}", "~/.condarc: plugins: auto_accept_tos: neither true nor false"),
    ],
)
def test_errors_name_file_and_key(load: Load, condarc: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(condarc)
    assert caught.value.message == message


def test_what_is_no_yaml(load: Load) -> None:
    with pytest.raises(
        UsageError, match=r"^~/.condarc: line 1: no YAML: mapping values are not allowed in this context"
    ):
        load("a: b: c")


@pytest.mark.parametrize(
    ("condarc", "message"),
    [
        (
            "channel_alias: https://${MISSING}@x",
            "~/.condarc: channel_alias: the environment variable MISSING is not set",
        ),
        (
            "custom_channels: {conda-forge: 's3://key:secret@bucket'}",
            "~/.condarc: custom_channels: conda-forge: s3://bucket/conda-forge"
            " (expected a URL with https, http or file)",
        ),
    ],
)
def test_what_cannot_be_fetched_from_is_told_when_it_would_be(load: Load, condarc: str, message: str) -> None:
    settings = load(condarc)

    assert settings.places(MAIN) == (MAIN,)
    with pytest.raises(UsageError) as caught:
        settings.places(FORGE)
    assert caught.value.message == message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".condarc").symlink_to("/proc/self/mem")
    with pytest.raises(UsageError, match=r"^~/.condarc: cannot be read: "):
        load_conda_settings({}, tmp_path, root=tmp_path / "root")


def test_channels_of_the_command_line(load: Load) -> None:
    settings = load("channels: ['https://u:p@corp/conda-forge']\nchannel_alias: https://alias")

    one = with_channels(settings, ["https://corp/conda-forge/linux-64"], [FORGE, MAIN])
    assert one.places(FORGE) == ("https://u:p@corp/conda-forge",)
    assert one.places(MAIN) == (MAIN,)

    other = with_channels(settings, ["https://corp/t/tk/all", "https://corp/conda-forge"], [FORGE, MAIN, R])
    assert other.places(FORGE) == ("https://u:p@corp/conda-forge",)
    assert other.places(MAIN) == other.places(R) == ("https://corp/t/tk/all",)

    named = with_channels(settings, ["conda-forge"], [MAIN])
    assert named.places(MAIN) == ("https://alias/conda-forge",)

    assert with_channels(settings, [], [MAIN]) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://host/x", "ftp://host/x: not the URL of a channel"),
        ("https://u:secret@host/a b", "host/a b: not the URL of a channel"),
        ("/opt/channel", "/opt/channel: neither the name nor the URL of a channel"),
        ("defaults", "--channel defaults: more than one channel (expected the URL, or the name, of one)"),
    ],
)
def test_what_is_no_channel(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_channels(CondaSettings(), [text], [MAIN])
    assert caught.value.message == message


@given(st.binary(max_size=200) | st.text(alphabet="{}[]&*!|>'\"%@`-:?, \nabc~", max_size=60).map(str.encode))
def test_a_condarc_is_read_or_refused(data: bytes) -> None:
    try:
        parse_condarc(data, "f")
    except UsageError as error:
        refused = error.message
    else:
        return
    assert refused.startswith("f: ")


_LEAVES = st.text(max_size=20) | st.none() | st.integers() | st.booleans() | st.just("https://u:secret@h/main")
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner))
_KEYS = ("channel_alias", "custom_channels", "custom_multichannels", "default_channels", "mirrored_channels")


@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES))
def test_any_values_are_understood_or_refused_and_never_shown(keys: Mapping[str, object]) -> None:
    condarc = Condarc(sources=(Source(shown="f", keys=keys, file=Path("f")),), environ={})
    try:
        settings = CondaSettings(mirrors=dict(_mirrors(condarc)))
        places = [place for channel in (MAIN, FORGE) for place in settings.places(channel)]
    except UsageError as error:
        said = [error.message]
        where = "f: "
    else:
        said = [shown(place) for place in places]
        where = ""
    assert all(text.startswith(where) and "secret" not in text for text in said)
