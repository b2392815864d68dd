"""All targets, and where each is. One is loaded when it is asked for: to instrument its modules takes seconds."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from tests.fuzz.target import Target

MODULES: Mapping[str, Sequence[str]] = {
    "tokens": ("token", "rendering"),
    "decision": ("decision",),
    "keys": ("key", "lookalike", "key-set", "pasted"),
    "settings": ("credentials", "settings"),
    "events": ("authorize", "gateway-authorizer", "body"),
    "dumps": ("dump", "csv", "sqlite"),
    "exports": ("export", "sealed"),
}
"""The modules of this folder, and the names of their targets."""

NAMES = tuple(name for names in MODULES.values() for name in names)


def load(name: str) -> Target:
    """Return the target of that *name*."""
    (module,) = (module for module, names in MODULES.items() if name in names)
    (target,) = (target for target in import_module(f"tests.fuzz.{module}").TARGETS if target.name == name)
    found: Target = target
    return found
