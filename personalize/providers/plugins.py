"""Providers of installed distributions, found by their entry points in the group `personalize.providers`.

An entry point's name is the provider's. It leads to a callable that is given the provider's own settings, by their
names in lower case, and returns an `ItemProvider`; one that is also an asynchronous context manager is entered when the
service starts and left when it stops.
"""

import traceback
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint

from personalize.errors import ProviderFailed, ProviderLoadError, SettingsError
from personalize.installed import brought
from personalize.ports import ItemProvider

GROUP = "personalize.providers"


def load_providers(wanted: Iterable[str], settings: Mapping[str, str]) -> dict[str, ItemProvider]:
    """Return the wanted providers that are installed, by name.

    Args:
        wanted: what recipes ask for.
        settings: what `PERSONALIZE_PROVIDER_<NAME>_<KEY>` say, by `<NAME>_<KEY>`.

    Raises:
        ProviderLoadError: one cannot be made, or two have one name.
        SettingsError: a setting belongs to no installed provider.
    """
    installed = _installed()
    told = _told(installed, settings)
    return {name: _made(installed[name], told[name]) for name in wanted if name in installed}


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in brought(GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise ProviderLoadError(_where(point), f"provider {point.name!r} is {_where(other)} already")
    return found


def _told(installed: Iterable[str], settings: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return each provider's own settings; of `films` and `films-archive` the longer name counts first."""
    told: dict[str, dict[str, str]] = {name: {} for name in installed}
    strange: list[str] = []
    for key, value in settings.items():
        owners = [name for name in told if key.startswith(f"{_in_capitals(name)}_")]
        if owners:
            owner = max(owners, key=len)
            told[owner][key[len(owner) + 1 :].lower()] = value
        else:
            there = ", ".join(sorted(told)) or "none"
            strange.append(f"PERSONALIZE_PROVIDER_{key} is of no installed provider. Installed: {there}.")
    if strange:
        raise SettingsError(strange)
    return told


def _in_capitals(name: str) -> str:
    return name.upper().replace("-", "_")


def _made(point: EntryPoint, settings: Mapping[str, str]) -> ItemProvider:
    """Return what a provider's callable makes.

    This is a boundary to foreign code: whatever that raises is told as one plain sentence. Of what is raised once the
    settings are known, only the message of `ProviderFailed` is told: any other may quote one.
    """
    try:
        make = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- the boundary
        raise ProviderLoadError(_where(point), f"{type(error).__name__}: {error}") from None
    try:
        provider = make(settings)
    except ProviderFailed as failure:
        raise ProviderLoadError(_where(point), str(failure)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- the same
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {last.filename}:{last.lineno}"
        raise ProviderLoadError(_where(point), reason) from None
    if not _is_provider(provider, point.name):
        reason = f"what it returns has no `items()`, no `version`, or another `name` than {point.name!r}"
        raise ProviderLoadError(_where(point), reason)
    made: ItemProvider = provider
    return made


def _is_provider(made: object, name: str) -> bool:
    fits = isinstance(getattr(made, "version", None), int) and callable(getattr(made, "items", None))
    return fits and getattr(made, "name", None) == name


def _where(point: EntryPoint) -> str:
    return f"{point.dist.name} ({point.value})" if point.dist else point.value
