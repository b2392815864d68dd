"""Sources of a service's settings: this environment, a file, or a deployed function."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from auth_jwt.aws.failures import sdk_errors, translated_errors
from auth_jwt.errors import Fault
from auth_jwt.runtime.settings import DEFAULTS, FRONTEND_DEFAULTS, GATEWAY_AUTHORIZER_DEFAULTS, LOG_DEFAULTS
from auth_jwt_cli.inputs import text_of
from auth_jwt_cli.output import Misused

_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_FUNCTION_ARN: Final = re.compile(r"arn:[^:]+:lambda:([^:]+):.+")

SETTINGS: Final = (*DEFAULTS, *FRONTEND_DEFAULTS, *GATEWAY_AUTHORIZER_DEFAULTS, *LOG_DEFAULTS)
"""The names of all settings of the service."""


@dataclass(frozen=True, slots=True)
class FunctionConfiguration:
    """The configuration of a function.

    Attributes:
        variables: its environment variables.
        timeout_seconds: its timeout; None when that is unknown.
    """

    variables: Mapping[str, str]
    timeout_seconds: float | None = None


def only_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of *variables* that are settings of the service."""
    return {name: value for name, value in variables.items() if name in SETTINGS}


def from_file(path: Path) -> FunctionConfiguration:
    """Read a file of settings: `KEY=VALUE` lines, or JSON as `aws lambda get-function-configuration` prints it.

    Raises:
        Misused: the file is neither, or cannot be read.
        Fault: the JSON holds an error in place of the variables.
    """
    text = text_of(path, "settings")
    if text.lstrip().startswith("{"):
        return _from_json(text)
    return FunctionConfiguration(dict(_pair(line, number) for number, line in _lines(text)))


def from_function(name: str, client: Any) -> FunctionConfiguration:  # noqa: ANN401 - boto3's, of Lambda
    """Ask Lambda for the configuration of the function *name*.

    Raises:
        Fault: Lambda does not return the configuration, or not the variables.
    """
    with translated_errors(f"lambda:GetFunctionConfiguration on function {name!r}"), sdk_errors():
        answer = client.get_function_configuration(FunctionName=name)
    environment = answer.get("Environment", {})
    _check_no_error(environment)
    return FunctionConfiguration(environment.get("Variables", {}), answer.get("Timeout"))


def region_of(function: str | None) -> str | None:
    """Return the region in the ARN of a *function*; None if *function* is only a name."""
    arn = _FUNCTION_ARN.fullmatch(function or "")
    return arn[1] if arn else None


def pair_of(text: str) -> tuple[str, str]:
    """Split `NAME=VALUE`.

    Raises:
        Misused: it is not of that form.
    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise Misused("NAME=VALUE is needed")
    return name, value


def _check_no_error(environment: object) -> None:
    """Raise a `Fault` if Lambda returned an error in place of the variables: the caller may not decrypt them."""
    error = environment.get("Error") if isinstance(environment, dict) else None
    if isinstance(error, dict):
        raise Fault(
            f"Lambda does not return the function's variables: {error.get('ErrorCode')}; "
            "if a KMS key of yours encrypts them, you need kms:Decrypt"
        )


def _from_json(text: str) -> FunctionConfiguration:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Misused("the file of settings begins like JSON, but is not JSON") from None
    timeout = document.get("Timeout")
    _check_no_error(document.get("Environment"))
    for member in ("Environment", "Variables"):
        document = document.get(member, document) if isinstance(document, dict) else document
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise Misused('the file of settings is JSON, but not {"Variables": {NAME: "VALUE", ...}}')
    return FunctionConfiguration(document, timeout if isinstance(timeout, int) else None)


def _lines(text: str) -> list[tuple[int, str]]:
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _pair(line: str, number: int) -> tuple[str, str]:
    pair = _LINE.fullmatch(line)
    if pair is None:
        raise Misused(f"line {number} of the file of settings is not NAME=VALUE")
    name, value = pair[1], pair[2].strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return name, value[1:-1] if quoted else value
