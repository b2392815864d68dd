"""What libraries work out anew for each test, and what is the same each time: worked out once in a process.

A third of the time of the tests over DynamoDB in memory and of those that run a command went there. Nothing of what is
kept is changed by anybody.
"""

import difflib
import hashlib
import importlib
import sys
from collections.abc import Iterable
from functools import cache
from types import CodeType, SimpleNamespace
from typing import Any

import pytest
from botocore import hooks
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader, Loader

_PATCH = pytest.MonkeyPatch()


def install() -> None:
    """Have the libraries keep it. Those that nobody imported are left alone."""
    _keep_models()
    _keep_names_of_events()
    _keep_signatures_of_handlers()
    _keep_likenesses()
    _PATCH.setattr(hashlib, "scrypt", cache(hashlib.scrypt))  # slow on purpose; our fingerprints are made by it
    if "moto.backends" in sys.modules:
        _keep_names_of_backends(sys.modules["moto.backends"])
        _keep_a_private_key()
    if "typer.testing" in sys.modules:
        _keep_commands(sys.modules["typer.testing"])


def _keep_models() -> None:
    """Boto3 forgets what it has read when moto starts, so each test read the models of DynamoDB anew."""
    _PATCH.setattr(JSONFileLoader, "load_file", staticmethod(cache(JSONFileLoader().load_file)))
    search: Any = Loader.list_available_services
    found: dict[tuple[str, ...], list[str]] = {}

    def list_available_services(loader: Any, type_name: str) -> list[str]:
        """Each client that is made looks into a thousand folders for a list of all services."""
        key = (type_name, *loader.search_paths)
        if key not in found:
            found[key] = search(loader, type_name)
        return found[key]

    _PATCH.setattr(Loader, "list_available_services", list_available_services)


def _keep_names_of_events() -> None:
    """Each session translates the same few hundred names of events, by the same table."""
    begin, names = EventAliaser.__init__, dict[str, str]()

    def begin_with_names(aliaser: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        begin(aliaser, event_emitter, event_aliases)
        if event_aliases is None:
            aliaser._alias_name_cache = names

    _PATCH.setattr(EventAliaser, "__init__", begin_with_names)


def _keep_signatures_of_handlers() -> None:
    """Each session asks of the same two hundred functions whether they take any keyword."""
    ask, answers = hooks.accepts_kwargs, dict[CodeType, Any]()

    def accepts_kwargs(handler: Any) -> Any:
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if code is None:
            return ask(handler)
        if code not in answers:
            answers[code] = ask(handler)
        return answers[code]

    _PATCH.setattr(hooks, "accepts_kwargs", accepts_kwargs)


def _keep_likenesses() -> None:
    """Each handler that is loaded asks of each variable of the environment whether it is like a setting."""
    find = cache(difflib.get_close_matches)

    def get_close_matches(word: str, possibilities: Iterable[str], n: int = 3, cutoff: float = 0.6) -> list[str]:
        return list(find(word, tuple(possibilities), n, cutoff))

    _PATCH.setattr(difflib, "get_close_matches", get_close_matches)


def _keep_a_private_key() -> None:
    """Moto makes an RSA key for each key of KMS, and no test asks for what it is."""
    utils: Any = importlib.import_module("moto.kms.utils")
    _PATCH.setattr(utils, "rsa", SimpleNamespace(generate_private_key=cache(utils.rsa.generate_private_key)))


def _keep_names_of_backends(backends: Any) -> None:
    """Moto's server lists its own folder at every request."""
    names = list(backends.list_of_moto_modules())
    _PATCH.setattr(backends, "list_of_moto_modules", lambda: names)


def _keep_commands(testing: Any) -> None:
    """Typer makes all commands anew, from their signatures, for each that is run."""
    _PATCH.setattr(testing, "_get_command", cache(testing._get_command))
