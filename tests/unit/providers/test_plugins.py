"""Providers of installed distributions are found, told their own settings, and refused in plain sentences."""

from pathlib import Path

import pytest

from personalize.errors import ProviderLoadError, SettingsError
from personalize.providers.plugins import GROUP, load_providers
from tests.distributions import distribution

CODE = '''
from personalize import ProviderFailed


class Told:
    """A provider whose items are what it was told."""

    version = 1

    def __init__(self, name, settings):
        self.name, self.settings = name, dict(settings)

    def items(self):
        return self.settings


def films(settings):
    return Told("films", settings)


def films_archive(settings):
    return Told("films-archive", settings)


def asks(settings):
    raise ProviderFailed("set PERSONALIZE_PROVIDER_ASKS_PATH")


def breaks(settings):
    return int(settings["secret"])


def gives_nothing(settings):
    return None
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that is installed with entry points of ours."""
    module = f"told_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(CODE)
    points = {
        **{name: f"{module}:{name}" for name in ("films", "asks", "breaks", "gives_nothing")},
        "films-archive": f"{module}:films_archive",
        "other-name": f"{module}:films",
        "missing": f"{module}:nobody",
        "elsewhere": "no_such_module:films",
    }
    distribution(tmp_path, "our-films", GROUP, points)
    monkeypatch.syspath_prepend(tmp_path)
    return module


@pytest.mark.usefixtures("installed")
def test_a_provider_is_told_its_own_settings() -> None:
    """In lower case, without the provider's name; a longer name of a provider is not taken for a key of a shorter."""
    told = {"FILMS_PATH": "/films", "FILMS_ARCHIVE_PATH": "/archive", "FILMS_API_KEY": "key"}
    providers = load_providers(["films", "films-archive"], told)
    assert {name: one.items() for name, one in providers.items()} == {
        "films": {"path": "/films", "api_key": "key"},
        "films-archive": {"path": "/archive"},
    }


@pytest.mark.usefixtures("installed")
def test_only_what_is_wanted_is_made() -> None:
    """A broken provider that no recipe asks for breaks nothing, and its settings may stay."""
    assert load_providers(["posts"], {"BREAKS_SECRET": "hunter2"}) == {}


@pytest.mark.usefixtures("installed")
def test_a_setting_of_nobody_is_refused() -> None:
    """A typing mistake in a provider's name is told, without the value."""
    with pytest.raises(SettingsError) as refused:
        load_providers([], {"FILM_PATH": "hunter2", "FILMS_PATH": "/films"})
    [problem] = refused.value.problems
    assert problem.startswith("PERSONALIZE_PROVIDER_FILM_PATH is of no installed provider. Installed: asks, ")


def test_without_providers_a_setting_is_refused_too() -> None:
    """Nothing is installed beside the service."""
    with pytest.raises(SettingsError, match=r"Installed: none\."):
        load_providers([], {"FILMS_PATH": "x"})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("asks", "set PERSONALIZE_PROVIDER_ASKS_PATH"),
        ("missing", "AttributeError: module .* has no attribute 'nobody'"),
        ("elsewhere", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("gives_nothing", "what it returns has no `items"),
        ("other-name", "or another `name` than 'other-name'"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_provider_that_cannot_be_made_is_told(name: str, reason: str) -> None:
    """With its distribution and what is wrong."""
    with pytest.raises(ProviderLoadError, match=reason) as refused:
        load_providers([name], {})
    assert str(refused.value).startswith("our-films (")


def test_a_providers_defect_does_not_quote_its_settings(installed: str) -> None:
    """Type and place are enough to find it."""
    with pytest.raises(ProviderLoadError) as refused:
        load_providers(["breaks"], {"BREAKS_SECRET": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "ValueError in " in str(refused.value)
    assert f"{installed}.py:{1 + CODE[: CODE.index('return int(')].count(chr(10))}" in str(refused.value)


def test_two_providers_with_one_name_are_refused(
    installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them would count is nobody's guess."""
    (tmp_path / "second").mkdir()
    distribution(tmp_path / "second", "their-films", GROUP, {"films": "theirs:films"})
    monkeypatch.syspath_prepend(tmp_path / "second")
    with pytest.raises(ProviderLoadError, match=r"provider 'films' is .* already"):
        load_providers(["films"], {})
