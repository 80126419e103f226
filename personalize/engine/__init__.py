"""Visitor and recipes to outcomes: ask for what the recipes need, run each, fall back to its defaults."""

from personalize.engine.engine import Call, Engine, Outcome

__all__ = ["Call", "Engine", "Outcome"]
