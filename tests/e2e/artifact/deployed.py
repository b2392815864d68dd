"""A built function with the settings that the built template gives it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.artifact.built import Artifact
from tools.events.stage import REGION, RESOURCES, environment
from tools.template.stack import properties, sources, stack_of

ACCOUNT = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What Lambda says of region and credentials, and nothing of what this machine knows of real ones."""


WITH_ALL_THERE_IS = {"AdminApi": "true"}
"""Parameters without which a function would not be deployed at all."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What Lambda knows of a function.

    Attributes:
        architecture: whose instructions its shared objects hold.
        folder: its code.
        handler: the module and function to call.
        environment: all of its variables.
    """

    architecture: str
    folder: Path
    handler: str
    environment: Mapping[str, str] = field(repr=False)


def deployed(artifact: Artifact, function: str, settings: Mapping[str, str]) -> Deployed:
    """Return *function* as a deployment with *settings* would configure it; all others have their defaults."""
    parameters = {parameter_of(name): value for name, value in settings.items()}
    with environment(ACCOUNT):  # SAM's library asks for the region
        stack = stack_of(
            sources(artifact.template), Architecture=artifact.architecture, **WITH_ALL_THERE_IS, **parameters
        )
    configured = properties(stack, RESOURCES[function])
    folder = artifact.function(function)
    logged = {"LogFormat": "Text", **configured["LoggingConfig"]}
    levels = {"AWS_LAMBDA_LOG_LEVEL": logged["ApplicationLogLevel"]} if logged["LogFormat"] == "JSON" else {}
    return Deployed(
        artifact.architecture,
        folder,
        configured["Handler"],
        {
            **{name: str(value) for name, value in configured["Environment"]["Variables"].items()},
            **ACCOUNT,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configured["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configured["Timeout"]),
            "AWS_LAMBDA_LOG_FORMAT": logged["LogFormat"],
            **levels,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{folder}{os.pathsep}{artifact.packages}",
            "PYTHONDONTWRITEBYTECODE": "1",  # in Lambda, nobody can write where the code is
        },
    )


def parameter_of(variable: str) -> str:
    """Return the template's parameter for a variable: DbUrl for DB_URL."""
    return "".join(word.title() for word in variable.split("_"))
