"""The built templates, uploaded: `sam package` puts code and nested templates into S3, and this the root template."""

import hashlib
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from auth_jwt.aws.failures import sdk_errors, translated_errors
from tools.release.configuration import Configuration
from tools.release.stacks import Stopped

SAM: Final = ".venv-sam/bin/sam"
_UNMARKED: Final = "(unreleased)"
_LOCATION: Final = re.compile(r"^s3://([^/]+)/")


@dataclass(frozen=True, slots=True)
class Packaged:
    """A template in S3.

    Attributes:
        url: its address, as CloudFormation takes it.
        parameters: names of its parameters.
    """

    url: str
    parameters: tuple[str, ...]


def package(
    built: Path,
    configuration: Configuration,
    storage: Any,  # noqa: ANN401 - boto3's
    run: Callable[[Sequence[str]], int] | None = None,
) -> Packaged:
    """Upload what lies in the folder *built*.

    Args:
        built: the folder of a build, whose templates are marked as a release.
        configuration: what samconfig.toml says.
        storage: boto3's client for S3.
        run: runs a command and returns its exit code; None runs it as a process.

    Raises:
        Stopped: there is no marked build, or `sam package` fails.
        Fault: S3 does not take the template.
    """
    source, target = built / "template.yaml", built / "packaged.yaml"
    if not source.is_file():
        raise Stopped(f"{source} is missing: build first, as `make deploy` does")
    if any(_UNMARKED in template.read_text("utf-8") for template in built.rglob("template.yaml")):
        raise Stopped(f"a template in {built} has no mark of a release: changed settings would have no effect")
    command = [SAM, "package", "--config-env", configuration.section, "--template-file", str(source)]
    command += ["--output-template-file", str(target), *configuration.packaging]
    command += [] if "--no-progressbar" in configuration.packaging else ["--no-progressbar"]
    for option, value in (("--region", configuration.region), ("--profile", configuration.profile)):
        command += [option, value] if value else []
    if (run or _run)(command) != 0:
        raise Stopped("`sam package` failed: nothing was deployed")
    text = target.read_text("utf-8")
    return Packaged(_upload(text, storage), tuple(_template(text).get("Parameters", {})))


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


def _upload(text: str, storage: Any) -> str:  # noqa: ANN401
    """Put the template beside the code, under the digest of its text, and return its address."""
    bucket = _bucket(_template(text))
    key = f"auth-jwt-templates/{hashlib.sha256(text.encode()).hexdigest()}.template"
    with translated_errors(f"s3:PutObject into {bucket!r}"), sdk_errors():
        storage.put_object(Bucket=bucket, Key=key, Body=text.encode())
    return f"{storage.meta.endpoint_url}/{bucket}/{key}"


def _bucket(template: dict[str, Any]) -> str:
    """Return the bucket into which `sam package` put the code."""
    for resource in template["Resources"].values():
        for uri in ("CodeUri", "ContentUri"):
            match = _LOCATION.match(str(resource.get("Properties", {}).get(uri, "")))
            if match:
                return match[1]
    raise Stopped("`sam package` put no code into S3: its template has no s3:// address")


class _Loader(yaml.SafeLoader):
    """A safe loader that reads CloudFormation's short tags as what is behind them."""


def _any_tag(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _any_tag)


def _template(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    return loaded
