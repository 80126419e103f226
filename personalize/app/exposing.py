"""What is written back to Segment, for deployments that wish for it."""

from personalize.destination.exposures import Exposures, exposures_to
from personalize.destination.mappings import REGIONS
from personalize.errors import ConfigurationError
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics


def exposures(settings: Settings, metrics: Metrics) -> Exposures:
    """Return what tells Segment of recommendations.

    Raises:
        ConfigurationError: there is no write key to do so with.
    """
    if settings.write_key is None:
        raise ConfigurationError(
            "PERSONALIZE_EXPOSURES: what visitors were recommended is written to the Profile space: set "
            "PERSONALIZE_WRITE_KEY, the write key of its source."
        )
    url = (
        f"{settings.tracking_api_url}/v1"
        if settings.tracking_api_url
        else REGIONS["europe" if settings.region == "eu" else "north_america"]
    )
    return exposures_to(url, settings.write_key.get_secret_value(), metrics)
