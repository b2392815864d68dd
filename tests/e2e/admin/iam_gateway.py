"""The admin API of a stack, as far as AWS is in front of it: signatures are verified, and policies decide who may ask.

API Gateway's part is `tools.serve.gateway`, IAM's is here; behind them is the real function over DynamoDB in memory.
The signature is checked by `tests.e2e.recipes.signatures`, which shares nothing with botocore.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any, Final
from uuid import uuid4

from tests.e2e.recipes.signatures import Flaw, Signed, signer_of
from tests.local_server import LocalServer
from tools.events.stage import REVOCATIONS, Answer, Stage, stage, template
from tools.serve.gateway import HttpAnswer, HttpRequest, RestApi

ACCOUNT: Final = "111122223333"
REGION: Final = "eu-central-1"
STAGE: Final = "v1"
API: Final = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3d4e5/{STAGE}"
EVERYTHING: Final = ({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{API}/*/admin/*"},)
_DOCUMENT: Final = template()["Resources"]["AdminRestApi"]["Properties"]["DefinitionBody"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who has an access key.

    Attributes:
        name: their user name in IAM.
        access_key: the id of the key.
        secret_key: the key.
        statements: the statements of their policy.
    """

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    statements: Sequence[Mapping[str, Any]]

    @property
    def arn(self) -> str:
        """Their name for IAM."""
        return f"arn:aws:iam::{ACCOUNT}:user/{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a command signs as they do."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }

    def may(self, method: str, path: str) -> bool:
        """Tell whether the policy allows a request."""
        asked = f"{API}/{method}{path}"
        effects = {
            statement["Effect"]
            for statement in self.statements
            for resource in _listed(statement["Resource"])
            if "execute-api:Invoke" in _listed(statement["Action"]) and fnmatch.fnmatchcase(asked, resource)
        }
        return effects == {"Allow"}


@dataclass
class IamGateway:
    """A running admin API.

    Attributes:
        url: the stack's output AdminApiUrl.
        stage: the function, and its tables.
        people: who has an access key.
        asked: the requests that came, with who sent them: method, path, name.
        lines: what the function wrote.
        breaks: when set, every request is answered with this instead.
    """

    url: str
    stage: Stage
    people: dict[str, Person]
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    breaks: HttpAnswer | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)

    def ask(self, event: dict[str, Any]) -> Answer:
        """Give an event to the function, which works on one at a time, and keep what it writes."""
        with self._one_at_a_time:
            answer = self.stage.ask(event)
        self.lines.extend(answer.lines)
        return answer

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer as API Gateway would."""
        signed = Signed(
            request.method,
            f"/{STAGE}{request.path}",
            {name.lower(): value for name, value in request.headers},
            request.body,
            request.query,
        )
        keys = {person.access_key: person.secret_key for person in self.people.values()}
        signer = signer_of(signed, keys, region=REGION, service="execute-api")
        person = next((one for one in self.people.values() if one.access_key == signer), None)
        self.asked.append((request.method, request.path, None if person is None else person.name))
        if self.breaks is not None:
            return self.breaks
        api = RestApi(_DOCUMENT, actor=None if person is None else person.arn)
        if person is None or not person.may(request.method, request.path):
            refusal = api.own_answer("ACCESS_DENIED", str(uuid4()))
            kind = signer.value if isinstance(signer, Flaw) else "AccessDeniedException"
            return HttpAnswer(refusal.status, [*refusal.headers, ("x-amzn-ErrorType", kind)], refusal.body)
        event = api.event_of(request, str(uuid4()))
        context = event["requestContext"]
        context["identity"] |= {"accessKey": person.access_key, "accountId": ACCOUNT, "userArn": person.arn}
        context |= {"accountId": ACCOUNT, "stage": STAGE, "path": f"/{STAGE}{request.path}"}
        return api.answer_of(self.ask(event).given, str(uuid4()))


@contextmanager
def iam_gateway(*people: Person, **settings: str) -> Iterator[IamGateway]:
    """Run it; it has ended when the context has."""
    with stage({"REVOCATIONS_TABLE": REVOCATIONS, **settings}, "provisioning") as ready:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path = path.removeprefix(f"/{STAGE}")
                sent = HttpRequest(self.command, path, query, list(self.headers.items()), body, "127.0.0.1")
                answer = gateway.answer(sent)
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        with LocalServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            url = f"http://127.0.0.1:{server.server_port}/{STAGE}/admin/profiles"
            gateway = IamGateway(url, ready, {person.name: person for person in people})
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                yield gateway
            finally:
                server.shutdown()


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
