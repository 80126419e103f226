"""The composition root: settings become an application. Nothing is opened before its lifespan begins."""

from personalize.app.application import Application, create_app, create_metrics_app, id_rules
from personalize.app.parts import assemble, load_recipes
from personalize.app.profiles import Profiles, access_token, cached_profiles, profile_client

__all__ = [
    "Application",
    "Profiles",
    "access_token",
    "assemble",
    "cached_profiles",
    "create_app",
    "create_metrics_app",
    "id_rules",
    "load_recipes",
    "profile_client",
]
