"""The examination of a deployed stack: what is looked at, in the order in which an operator would look."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from auth_jwt.errors import Fault, Rejected, Unreachable
from auth_jwt.releasing.canary import Canary, mint_canary
from auth_jwt_cli.checks import Severity
from auth_jwt_cli.config_commands import findings_of
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.doctor.deployed import DeployedStack, NotPermitted, NotThere, ask
from auth_jwt_cli.doctor.entries import StackEntry, base_of, entry_lines
from auth_jwt_cli.doctor.lookups import (
    alarm_lines,
    function_lines,
    log_lines,
    not_permitted,
    secret_lines,
    stack_lines,
)
from auth_jwt_cli.doctor.models import Observation, ok, problem, skipped, warning
from auth_jwt_cli.signing import signer_of

ENTRY: Final = "ApiUrl"
"""The output that names the entry: one for every kind of entry, REST API, HTTP API and Function URL."""


@dataclass(frozen=True)
class StackExamination:
    """One look at a deployed stack.

    Attributes:
        connection: the settings of its function, and the session that makes clients.
        stack: the stack.
        canary_tag: the tag of the canary; None lets nobody in.
        certificate: files of a client certificate and its key, for an entry that asks for one.
    """

    connection: Connection
    stack: DeployedStack
    canary_tag: str | None
    certificate: tuple[str, str] | None = None

    def lines(self) -> Iterator[Observation]:
        """Look at everything. A question that AWS refuses is a line of its own.

        Raises:
            Unreachable: AWS does not answer now.
            Fault: AWS cannot be asked at all.
        """
        yield from stack_lines(self.stack)
        yield from function_lines(self.client("lambda"), self.stack.of_kind("AWS::Lambda::Function"))
        yield from self._settings()
        canary, seen = self._canary()
        yield from seen
        yield from self._entries(canary)
        yield from alarm_lines(self.client("cloudwatch"), self.stack.of_kind("AWS::CloudWatch::Alarm"))
        yield from log_lines(self.client("logs"), self.stack.of_kind("AWS::Logs::LogGroup"))

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's
        """Make a client of AWS."""
        return self.connection.client_of(service)

    @cached_property
    def _region(self) -> str:
        return str(self.client("lambda").meta.region_name)

    def _settings(self) -> Iterator[Observation]:
        """Compare the settings of the function with the tables, as `config check` does."""
        try:
            findings = list(dict.fromkeys(findings_of(self.connection)))
        except Unreachable:
            raise
        except Fault as fault:
            yield problem("settings", str(fault), "correct what it names, and deploy")
            return
        for finding in findings:
            make = problem if finding.severity is Severity.ERROR else warning
            yield make(finding.about, finding.text, finding.remedy)
        if not findings:
            text = "settings and tables agree; point-in-time recovery is on, and TTL as it should be"
            yield ok("tables", text)

    def _canary(self) -> tuple[Canary | None, list[Observation]]:
        """Mint the tokens of the canary, and look at its secrets."""
        if self.canary_tag is None:
            return None, []
        about = f"canary {self.canary_tag}"
        provisioning = self.connection.reading
        try:
            canary = mint_canary(provisioning.tokens, self.canary_tag)
            secrets = provisioning.secrets.list(self.canary_tag)
        except Rejected as rejected:
            return None, [problem(about, f"no token can be minted: {rejected}", "give it a profile and an HMAC secret")]
        except Unreachable:
            raise
        except Fault as fault:
            return None, [warning(about, str(fault), "get the permission, to check this")]
        return canary, list(secret_lines(self.canary_tag, secrets, provisioning.registry.clock()))

    def _entries(self, canary: Canary | None) -> Iterator[Observation]:
        gate = self.stack.parameters.get("Gate", "api-key")
        if ENTRY not in self.stack.outputs:
            yield problem(ENTRY, "the stack has no output of this name", "check --stack")
        elif gate == "private":
            yield skipped(ENTRY, "it is reached only through the VPC endpoint", "run this from within the VPC, by curl")
        elif (gate == "mtls" or self.stack.parameters.get("TruststoreUri")) and self.certificate is None:
            text = "it asks for a client certificate"
            yield skipped(ENTRY, text, "name one that it trusts by --certificate and --certificate-key")
        else:
            try:
                entry = self._entry(gate)
            except NotPermitted as refused:
                yield not_permitted(ENTRY, refused)
            except NotThere as missing:
                yield problem(ENTRY, f"its API key does not exist ({missing.code})", "deploy again: the stack makes it")
            else:
                yield from entry_lines(entry, canary)

    def _entry(self, gate: str) -> StackEntry:
        base = base_of(self.stack.outputs[ENTRY])
        if gate == "api-key":
            return StackEntry(ENTRY, base, {"x-api-key": self._api_key()}, certificate=self.certificate)
        if gate == "iam":
            service = "lambda" if self.stack.parameters.get("Entry") == "url" else "execute-api"
            sign = signer_of(self.connection.aws, service, self._region)
            return StackEntry(ENTRY, base, sign=sign, certificate=self.certificate)
        return StackEntry(ENTRY, base, certificate=self.certificate)

    def _api_key(self) -> str:
        gateway, key = self.client("apigateway"), self.stack.outputs.get("ApiKeyId", "")
        answer = ask(
            "apigateway:GET",
            f"the API key {key}",
            lambda: gateway.get_api_key(apiKey=key, includeValue=True),
            usual=("NotFoundException",),
        )
        return str(answer["value"])
