"""Declaring a recipe: its parameters are its needs, and their defaults are its fallback."""

from personalize.declare.answers import UNSAYABLE, free_json, plain
from personalize.declare.bindings import Binding
from personalize.declare.declaring import NAME, RESERVED_NAMES, recipe
from personalize.declare.parameters import NO_DEFAULT, RESERVED_PARAMETERS, Parameter
from personalize.declare.recipes import Access, Recipe

__all__ = [
    "NAME",
    "NO_DEFAULT",
    "RESERVED_NAMES",
    "RESERVED_PARAMETERS",
    "UNSAYABLE",
    "Access",
    "Binding",
    "Parameter",
    "Recipe",
    "free_json",
    "plain",
    "recipe",
]
