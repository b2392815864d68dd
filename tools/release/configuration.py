"""What samconfig.toml says of a deployment: it stays the one place of configuration, for `sam` and for this tool.

Read are the sections `[SECTION.global.parameters]` and `[SECTION.deploy.parameters]`, as `sam deploy` reads them. An
option that this tool does not know is an error: left out silently, it would have no effect.
"""

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

PACKAGING: Final = ("resolve_s3", "s3_bucket", "s3_prefix", "kms_key_id", "force_upload", "no_progressbar")
"""Options that only `sam package` needs; they are handed on to it."""

_KNOWN: Final = frozenset(
    {"stack_name", "region", "profile", "parameter_overrides", "capabilities", "tags", "role_arn", "notification_arns"}
    | {"confirm_changeset", "fail_on_empty_changeset", "disable_rollback", *PACKAGING}
)
_OF_OTHER_COMMANDS: Final = frozenset({"template_file", "template", "beta_features", "debug", "lint"})
_OLD_FORM: Final = re.compile(r"ParameterKey=([A-Za-z0-9]+),ParameterValue=(.*)", re.DOTALL)
_PAIR: Final = re.compile(r"([A-Za-z0-9]+)=(.*)", re.DOTALL)
_TAG: Final = re.compile(r"([^=]+)=(.*)", re.DOTALL)


class Misconfigured(Exception):
    """The configuration cannot be used. The message names the file, the option and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A deployment, as a section of samconfig.toml describes it.

    Attributes:
        section: the name of the section.
        stack: the name of the stack.
        region: AWS region; None leaves it to the SDK.
        profile: profile of the AWS configuration; None leaves it to the SDK.
        parameters: values of the template's parameters; those that are not here keep theirs, or have their default.
        capabilities: what CloudFormation may do.
        tags: tags of the stack.
        role: ARN of the role that CloudFormation assumes; None for the caller's own.
        notifications: ARNs of topics that are told of events; None leaves them as they are.
        confirms: whether a person is asked before anything happens.
        fails_if_empty: whether it is an error when nothing would change.
        keeps_failed: whether a failed deployment is left as it is, not rolled back.
        packaging: options that are handed on to `sam package`.
    """

    section: str
    stack: str
    region: str | None = None
    profile: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    capabilities: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    role: str | None = None
    notifications: tuple[str, ...] | None = None
    confirms: bool = True
    fails_if_empty: bool = True
    keeps_failed: bool = False
    packaging: tuple[str, ...] = ()


def read_configuration(path: Path, section: str) -> Configuration:
    """Read *section* of the file at *path*.

    Raises:
        Misconfigured: there is no such file or section, or an option of it cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from None
    if section not in document:
        known = ", ".join(sorted(name for name, value in document.items() if isinstance(value, dict)))
        raise Misconfigured(f"{path} has no section {section!r}; it has: {known}")
    options = {
        name.replace("-", "_"): value
        for command in ("global", "deploy")
        for name, value in document[section].get(command, {}).get("parameters", {}).items()
    }
    unknown = sorted(options.keys() - _KNOWN - _OF_OTHER_COMMANDS)
    if unknown:
        raise Misconfigured(
            f"{path}, section {section!r}: this tool does not know {', '.join(unknown)}; "
            f"it knows {', '.join(sorted(_KNOWN))}"
        )
    try:
        return _configuration(section, options)
    except ValueError as error:
        raise Misconfigured(f"{path}, section {section!r}: {error}") from None


def _configuration(section: str, options: Mapping[str, Any]) -> Configuration:
    stack = options.get("stack_name")
    if not isinstance(stack, str) or not stack:
        raise ValueError("stack_name is missing: the name of the stack")
    notifications = options.get("notification_arns")
    return Configuration(
        section=section,
        stack=stack,
        region=options.get("region"),
        profile=options.get("profile"),
        parameters=pairs_of(options.get("parameter_overrides", ()), "parameter_overrides"),
        capabilities=tuple(_words(options.get("capabilities", ()), "capabilities")),
        tags=_tags(options.get("tags", ())),
        role=options.get("role_arn"),
        notifications=None if notifications is None else tuple(_words(notifications, "notification_arns")),
        confirms=_flag(options, "confirm_changeset", default=False),
        fails_if_empty=_flag(options, "fail_on_empty_changeset", default=True),
        keeps_failed=_flag(options, "disable_rollback", default=False),
        packaging=tuple(_packaging(options)),
    )


def pairs_of(given: object, option: str) -> dict[str, str]:
    """Return the parameters that *given* sets: one text, as on `sam`'s command line, or a list of `NAME=VALUE`.

    Raises:
        ValueError: an item is not of that form; the message names the *option*.
    """
    found = {}
    for item in shlex.split(given) if isinstance(given, str) else _texts(given, option):
        match = _OLD_FORM.fullmatch(item) or _PAIR.fullmatch(item)
        if match is None:
            raise ValueError(f"{option}: {item!r} is not NAME=VALUE")
        found[match[1]] = _unquoted(match[2])
    return found


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if is_quoted else value


def _tags(given: object) -> dict[str, str]:
    found = {}
    for item in shlex.split(given) if isinstance(given, str) else _texts(given, "tags"):
        match = _TAG.fullmatch(item)
        if match is None:
            raise ValueError(f"tags: {item!r} is not NAME=VALUE")
        found[_unquoted(match[1])] = _unquoted(match[2])
    return found


def _words(given: object, option: str) -> list[str]:
    return given.split() if isinstance(given, str) else _texts(given, option)


def _texts(given: object, option: str) -> list[str]:
    if not isinstance(given, Sequence) or not all(isinstance(item, str) for item in given):
        raise ValueError(f"{option} is neither a text nor a list of texts")
    return list(given)


def _flag(options: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}: true or false is needed")  # noqa: TRY004 - as every other bad option
    return value


def _packaging(options: Mapping[str, Any]) -> list[str]:
    words = []
    for name in PACKAGING:
        value = options.get(name)
        if value is True:
            words.append(f"--{name.replace('_', '-')}")
        elif isinstance(value, str):
            words += [f"--{name.replace('_', '-')}", value]
    return words
