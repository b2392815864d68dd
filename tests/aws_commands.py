"""Reads the `aws` commands that a page shows, as the AWS CLI would, and does them by boto3.

So a wrong service, operation, option or value is found without that program, and a recipe is followed as it stands.
"""

import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

OF_THE_PROGRAM_ITSELF: Final = {
    "--query",
    "--output",
    "--cli-binary-format",
    "--cli-read-timeout",
    "--region",
    "--endpoint-url",
}
"""Options that say how to ask and what to print, each with a value."""
CALLED_BY_THE_PROGRAM: Final = {"s3api": "s3"}
"""Services that the program calls otherwise than their APIs are called."""
ITS_OWN: Final = {("cloudformation", "deploy")}
"""Commands that are more than one operation, and so no operation of an API."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        service: whose.
        operation: of its API, or of a waiter's, with underscores.
        parameters: as the API names them.
        waits: whether it waits for something.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    waits: bool = False

    def do(self, client: Callable[[str], Any]) -> Any:
        """Do it by the client of its service, and return the answer."""
        if self.waits:
            return client(self.service).get_waiter(self.operation).wait(**self.parameters)
        return getattr(client(self.service), self.operation)(**self.parameters)


def section_of(page: str, title: str) -> str:
    """Return what *page* says under a heading, up to the next one."""
    (found,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
    return str(found)


def blocks_of(text: str) -> list[str]:
    """Return the blocks of shell commands of *text*, with the turns of each loop written out."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    loop = re.compile(r"^for (\w+) in (.*?); do\n(.*?)^done$", re.MULTILINE | re.DOTALL)
    return [loop.sub(_turns, textwrap.dedent(block)) for block in blocks]


def _turns(loop: re.Match[str]) -> str:
    name, values, body = loop.groups()
    return "".join(body.replace(f"${name}", value) for value in values.split())


def commands_of(block: str) -> Iterator[Command]:
    """Give the `aws` commands of a *block* of shell, in order; what a shell would replace stays as it is written."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        if "aws" in words:
            command = words[words.index("aws") + 1 :]
            ends = [place for place, word in enumerate(command) if re.fullmatch(r"[();<>|&]+", word)]
            command = command[: ends[0]] if ends else command
            if tuple(command[:2]) not in ITS_OWN:
                yield command_of(command)


def command_of(words: list[str]) -> Command:
    """Return what *words*, those after `aws`, mean.

    Raises:
        ValueError: AWS has no such service or operation, or the operation has no such option.
    """
    service, operation, *rest = words
    service = CALLED_BY_THE_PROGRAM.get(service, service)
    model = _client(service)
    if operation == "wait":
        waiter, *rest = rest
        name = waiter.replace("-", "_")
        if name not in model.waiter_names:
            raise ValueError(f"nothing of {service} waits for {waiter}")
        operation = model._get_waiter_config()["waiters"]["".join(map(str.capitalize, waiter.split("-")))]["operation"]
        return Command(service, name, _parameters(model, operation, rest), waits=True)
    operations = {xform_name(one, "-"): one for one in model.meta.service_model.operation_names}
    if operation not in operations:
        raise ValueError(f"{service} has no operation {operation}")
    return Command(service, operation.replace("-", "_"), _parameters(model, operations[operation], rest))


@cache
def _client(service: str) -> Any:
    make: Any = boto3.client  # whose stubs know the services, as a page may not
    try:
        return make(service, "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    except UnknownServiceError as error:
        raise ValueError(f"AWS has no service {service}") from error


def _parameters(model: Any, operation: str, words: list[str]) -> dict[str, Any]:
    shape = model.meta.service_model.operation_model(operation).input_shape
    known = {f"--{xform_name(name, '-')}": (name, member) for name, member in shape.members.items()}
    parameters: dict[str, Any] = {}
    for option, values in _options(words):
        if option in OF_THE_PROGRAM_ITSELF:
            continue
        spelt = option if option in known else option.replace("--no-", "--")
        if spelt not in known:
            raise ValueError(f"{operation} has no option {option}")
        name, member = known[spelt]
        parameters[name] = option in known if member.type_name == "boolean" else _value(member, values)
    missing = set(shape.required_members) - parameters.keys()
    if missing:
        raise ValueError(f"{operation} needs {missing}")
    return parameters


def _options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Give each option with the words after it, up to the next one."""
    starts = [place for place, word in enumerate(words) if word.startswith("--")]
    for start, end in pairwise([*starts, len(words)]):
        yield words[start], words[start + 1 : end]


def _checked(member: Any, given: Any) -> Any:
    """Return what stands in JSON, whose members must be ones that AWS knows."""
    if member.type_name == "list":
        return [_checked(member.member, item) for item in given]
    if member.type_name != "structure":
        return given
    unknown = given.keys() - member.members.keys()
    if unknown:
        raise ValueError(f"{member.name} has no {unknown}")
    return {name: _checked(member.members[name], item) for name, item in given.items()}


def _value(member: Any, values: list[str]) -> Any:
    """Return what the CLI makes of the words after an option: text, number, list, JSON, or its shorthand A=x,B=y."""
    if member.type_name in ("list", "structure") and values[0].startswith(("[", "{")):
        return _checked(member, json.loads(values[0]))
    if member.type_name == "list":
        return [_value(member.member, [value]) for value in values]
    value, *_ = values  # what `lambda invoke` has after them is where it puts the answer
    if member.type_name == "structure":
        pairs = dict(pair.split("=", 1) for pair in value.split(","))
        unknown = pairs.keys() - member.members.keys()
        if unknown:
            raise ValueError(f"{member.name} has no {unknown}")
        return {name: _value(member.members[name], [text]) for name, text in pairs.items()}
    if member.type_name in ("integer", "long"):
        return 0 if value.startswith("$") else int(value)  # which only the shell knows
    return value == "true" if member.type_name == "boolean" else value
