"""Run every sample event through the real handler, DynamoDB in memory, and show what went in and came out.

``python events/demo.py`` (or ``make demo``) needs no AWS account and no network: moto plays DynamoDB inside this
process, with the tables and settings of template.yaml and the rows of rows.json. What an event should be
answered is in outcomes.json; an answer that differs is shown with the difference, and the exit code is 1.
"""

import argparse
import base64
import contextlib
import importlib.util
import io
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
REGION: Final = "eu-central-1"
END_OF_TIME: Final = 2**63
SHORT: Final = 300
TOKEN: Final = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"

Json = dict[str, Any]
Handler = Callable[[Json, object], Any]


# --- The stage: template, environment, tables, handler ------------------------------------------------------


def template() -> Json:
    """Return template.yaml with its short tags written out (``!Ref X`` as ``{"Ref": "X"}``)."""
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader that knows CloudFormation's tags."""

    def construct(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> object:
        name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
        if isinstance(node, yaml.MappingNode):
            return {name: loader.construct_mapping(node, deep=True)}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        return {name: node.value}

    Loader.add_multi_constructor("!", construct)
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    loaded: Json = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    return loaded


def with_defaults(value: object, parameters: Json) -> Any:  # noqa: ANN401 - any part of a template
    """Return *value* with every ``Ref`` to a parameter replaced by the parameter's default."""
    if isinstance(value, list):
        return [with_defaults(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"} and value["Ref"] in parameters:
        return parameters[value["Ref"]]["Default"]
    return {name: with_defaults(item, parameters) for name, item in value.items()}


def lambda_environment(stack: Json, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables the deployed function has by default, with *settings* on top and no real account."""
    function = stack["Resources"]["AuthorizeFunction"]["Properties"]
    variables = with_defaults(function["Environment"]["Variables"], stack["Parameters"])
    fake = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {name: str(value) for name, value in variables.items()} | fake | dict(settings)


def enter_environment(variables: Mapping[str, str]) -> None:
    """Replace whatever this shell says about AWS and Powertools by *variables*."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "POWERTOOLS_")):
            del os.environ[name]
    os.environ.update(variables)


def create_tables(client: "DynamoDBClient", stack: Json) -> None:
    """Create the tables of the template, under their default names and with their keys."""
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            table = with_defaults(resource["Properties"], stack["Parameters"])
            client.create_table(
                TableName=table["TableName"],
                AttributeDefinitions=table["AttributeDefinitions"],
                KeySchema=table["KeySchema"],
                BillingMode="PAY_PER_REQUEST",
            )


def read_json(path: Path) -> Json:
    """Return the object in a JSON file."""
    value: Json = json.loads(path.read_text(encoding="utf-8"))
    return value


def load_handler() -> Handler:
    """Import functions/authorize/app.py as Lambda would: its folder and the layer on the path."""
    source = ROOT / "functions" / "authorize" / "app.py"
    sys.path[:0] = [str(ROOT / "layers" / "auth_jwt"), str(source.parent)]
    spec = importlib.util.spec_from_file_location("authorize_app", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {source}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda tells a function about its invocation."""

    aws_request_id: str
    function_name: str = "authorize"
    function_version: str = "$LATEST"
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:123456789012:function:authorize"
    memory_limit_in_mb: int = 512
    log_group_name: str = "/aws/lambda/authorize"
    log_stream_name: str = "demo"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run."""
        return 10_000


# --- One event ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the handler gave for an event, and what it wrote while it did."""

    given: Any
    """The Lambda function's result, or None when it raised."""
    raised: str | None
    lines: Sequence[str]
    seconds: float

    @property
    def is_http(self) -> bool:
        """Whether this is an answer for a gateway, not a direct one."""
        return isinstance(self.given, dict) and "statusCode" in self.given

    @property
    def status(self) -> int | None:
        """The HTTP status."""
        return self.given["statusCode"] if self.is_http else None

    @property
    def headers(self) -> dict[str, str]:
        """The header fields, names in lower case, several values joined."""
        if not self.is_http:
            return {}
        many = self.given.get("multiValueHeaders") or {}
        one = {name: [value] for name, value in (self.given.get("headers") or {}).items()}
        return {name.lower(): ", ".join(map(str, values)) for name, values in (many | one).items()}

    @property
    def body(self) -> Any:  # noqa: ANN401 - whatever JSON it is
        """The body, decoded where it is JSON."""
        if not self.is_http:
            return self.given
        text = self.given.get("body") or ""
        if self.given.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return _json_or(text, text)

    def member(self, name: str) -> Any:  # noqa: ANN401
        """Return a member of the body, None where there is none."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    @property
    def denial(self) -> str | None:
        """The reason in the log, when the outcome there is a denial; only those have stable reasons."""
        reason = self.record.get("reason")
        return str(reason) if self.record.get("outcome") == "denied" else None

    @property
    def record(self) -> Json:
        """The log line of the request: the one that says the outcome."""
        records = (_json_or(line, None) for line in self.lines)
        found = [record for record in records if isinstance(record, dict) and "outcome" in record]
        return next((record for record in reversed(found) if "_aws" not in record), {})


def _json_or(text: str, otherwise: object) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except ValueError:
        return otherwise


@dataclass(slots=True)
class Stage:
    """The handler over tables in memory, its output kept off the screen."""

    handler: Handler
    printed: io.StringIO
    asked: int = 0

    def ask(self, event: Json) -> Answer:
        """Give *event* to the handler."""
        given, raised = None, None
        self.asked += 1
        context = LambdaContext(aws_request_id=f"00000000-0000-4000-8000-{self.asked:012}")
        begun = time.perf_counter()
        with contextlib.redirect_stdout(self.printed):
            try:
                given = self.handler(event, context)
            except Exception as exc:  # noqa: BLE001 - a direct invocation may raise; Lambda would report it
                raised = f"{type(exc).__name__}: {exc}"
        seconds = time.perf_counter() - begun
        lines = self.printed.getvalue().splitlines()
        self.printed.seek(0)
        self.printed.truncate()
        return Answer(given, raised, lines, seconds)


@contextlib.contextmanager
def stage(settings: Mapping[str, str]) -> Iterator[Stage]:
    """Set up tables, rows and handler in this process, and take them down again."""
    stack = template()
    enter_environment(lambda_environment(stack, settings))
    import boto3
    from moto import mock_aws

    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client, stack)
        client.batch_write_item(RequestItems=read_json(HERE / "rows.json"))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):  # Powertools' logger keeps the stdout it finds when it is made
            handler = load_handler()
        yield Stage(handler, printed)


# --- Is it what outcomes.json says? -------------------------------------------------------------------------


def differences(event: Json, expected: Json, answer: Answer) -> list[str]:
    """Return what is not as expected, one line each; empty when all is."""
    if answer.raised:
        return [f"raised {answer.raised}"]
    pairs: list[tuple[str, object, object]] = [
        ("status", expected["status"], answer.status),
        ("code", expected["code"], answer.member("code")),
        ("denial in the log", expected["reason"], answer.denial),
    ]
    if expected["body"] is not None:
        pairs += _member_pairs(expected["body"], answer.body)
    if expected["status"] is not None:
        pairs += [
            ("Cache-Control", "no-store", answer.headers.get("cache-control")),
            ("WWW-Authenticate", expected["challenge"], answer.headers.get("www-authenticate")),
            ("Allow", expected["allow"], answer.headers.get("allow")),
            ("headers under", _header_member(event), _header_member(answer.given or {})),
        ]
    if expected["problem"]:
        pairs += _problem_pairs(expected, answer)
    return [
        *(f"{what}: expected {_short(want)}, got {_short(got)}" for what, want, got in pairs if want != got),
        *leaks(event, answer),
    ]


def _member_pairs(want: Json, got: object) -> list[tuple[str, object, object]]:
    if not isinstance(got, dict):
        return [("body", want, got)]
    return [(f"body, {name}", want.get(name), got.get(name)) for name in sorted(want.keys() | got.keys())]


def _problem_pairs(expected: Json, answer: Answer) -> list[tuple[str, object, object]]:
    instance, title = str(answer.member("instance")), answer.member("title")
    return [
        ("Content-Type", "application/problem+json", answer.headers.get("content-type", "").partition(";")[0]),
        ("problem, type", expected["problem"], answer.member("type")),
        ("problem, status", expected["status"], answer.member("status")),
        ("problem, challenge", expected["challenge"], answer.member("challenge")),
        ("problem, has a title", True, isinstance(title, str) and title != ""),
        ("problem, instance is urn:request:ID", True, bool(re.fullmatch(r"urn:request:\S+", instance))),
    ]


def _header_member(message: Json) -> str:
    """Return where a load balancer event, and so its answer, has its header fields; others take either."""
    lists_only = "multiValueHeaders" in message and "headers" not in message
    return "multiValueHeaders" if lists_only else "headers"


def leaks(event: Json, answer: Answer) -> list[str]:
    """Return a line for each token, secret or credential that shows where it never may."""
    tokens = set(re.findall(TOKEN, json.dumps(event) + _body_text(event)))
    credentials = answer.member("credentials") or {}
    shown = {value for value in credentials.values() if isinstance(value, str)}
    log = "\n".join(answer.lines)
    everything = log + json.dumps(answer.given, default=str)
    return [
        *("a token is in the answer or the log" for text in tokens if text in everything),
        *("a secret is in the answer or the log" for text in sample_secrets() if text in everything),
        *("a credential is in the log" for text in shown if text in log),
    ]


@cache
def sample_secrets() -> frozenset[str]:
    """Return the secrets of the sample rows, as they are and as JSON would write them."""
    items = (row["PutRequest"]["Item"] for row in read_json(HERE / "rows.json")["jwt_secrets"])
    texts = {item["secret"]["S"] for item in items} - {""}
    return frozenset(texts | {json.dumps(text)[1:-1] for text in texts})


def _short(value: object) -> str:
    text = without_tokens(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


# --- Saying it in one line ----------------------------------------------------------------------------------


def _body_text(event: Json) -> str:
    text = event.get("body") or ""
    return base64.b64decode(text).decode(errors="replace") if event.get("isBase64Encoded") else text


def _headers_of(event: Json) -> list[tuple[str, str]]:
    many = event.get("multiValueHeaders") or {name: [value] for name, value in event.get("headers", {}).items()}
    return [(name, value) for name, values in many.items() for value in values]


def short_token(token: str) -> str:
    """Return the little of a token that may be shown: its first characters, its size, and what it claims."""
    start = f"{token[:8]}…" if len(token) > 24 else ""
    return f"{start}({len(token)} bytes){_claims_of(token)}" if token else "(empty)"


def without_tokens(text: str) -> str:
    """Return *text* with every token in it cut short: even a faulty handler's answer shows none here."""
    return re.sub(TOKEN, lambda match: short_token(match[0]), text)


def _claims_of(token: str) -> str:
    parts = token.split(".")
    try:
        header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
        facts = [str(header["alg"])]
        facts += [f"{name}={_quoted(header[name])}" for name in ("kid", "crit") if name in header]
        facts += [f"typ={header['typ']}"] if header.get("typ", "JWT") != "JWT" else []
        facts += [f"tag={_quoted(payload['tag'])}"] if "tag" in payload else ["no tag"]
        facts += [f"{name}={_date(payload[name])}" for name in ("exp", "nbf", "iat") if _tells(name, payload)]
    except (ValueError, TypeError, KeyError):
        return ""
    return " " + " ".join(facts)


def _tells(name: str, payload: Json) -> bool:
    """Say whether a time claim is worth a word: no number, or on the wrong side of now."""
    value = payload.get(name, 0 if name != "exp" else END_OF_TIME)
    return not isinstance(value, int) or (value > time.time()) == (name != "exp")


def _quoted(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[\w.@:+-]+", text) else json.dumps(value, ensure_ascii=False)


def _date(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return json.dumps(value)
    moment = datetime.fromtimestamp(value, UTC)
    return moment.strftime("%Y-%m-%d" if value % 86400 == 0 else "%Y-%m-%d %H:%M:%S UTC")


def _body_parts(event: Json) -> list[str]:
    """Return the body's members in words: tokens cut short, keys by their size alone."""
    text = _body_text(event)
    if not text:
        return []
    types = [value for name, value in _headers_of(event) if name.lower() == "content-type"]
    encoded = " in base64" if event.get("isBase64Encoded") else ""
    if "x-www-form-urlencoded" in "".join(types):
        fields = parse_qsl(text, keep_blank_values=True)
        return [f"form{encoded}:", *(_field(name, value) for name, value in fields)]
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: tuple(_field(*pair) for pair in pairs))
    except ValueError:
        return [f"broken JSON, {len(text)} bytes"]
    return [f"JSON{encoded}:", *(value if isinstance(value, tuple) else [f"a {type(value).__name__}"])]


def _field(name: str, value: object) -> str:
    if isinstance(value, str) and name == "jwt_token":
        return f"{name}={short_token(value)}"
    if isinstance(value, str) and name == "key":
        return f"{name}=({len(value)} bytes)"
    return f"{name}={_quoted(value)}"


def what_went_in(event: Json) -> str:
    """Return method, path, token and body of an event in a line."""
    if "requestContext" not in event:
        return "  ".join(["invoke", *(_field(name, value) for name, value in event.items())])
    http = event["requestContext"].get("http", {})
    parts = [f"{event.get('httpMethod') or http['method']} {event.get('path') or event['rawPath']}"]
    queries = event.get("queryStringParameters") or {}
    parts += [f"?{_field(name, value)}" for name, value in queries.items()]
    for name, value in _headers_of(event):
        if name.lower() == "authorization":
            parts += [_credentials(one) for one in re.split(r",(?=Bearer )", value)]
    return "  ".join([*parts, *_body_parts(event)])


def _credentials(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return f"{scheme} {short_token(rest.strip())}"
    return f"{scheme} …"


def what_came_out(answer: Answer) -> str:
    """Return an answer in a line."""
    if answer.raised:
        return f"raised {answer.raised}"
    parts = [str(answer.status)] if answer.status else []
    parts += [name for name in [answer.member("sip_username")] if name]
    if answer.member("credentials"):
        facts = (
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in answer.body["credentials"].items()
        )
        parts.append(" ".join(facts))
    if answer.member("expires_at"):
        parts.append(f"until {_date(answer.body['expires_at'])}")
    problem = str(answer.member("type") or "").rpartition(":")[2]
    parts += [part for part in (problem, answer.headers.get("www-authenticate")) if part]
    if "allow" in answer.headers:
        parts.append(f"Allow: {answer.headers['allow']}")
    if not answer.member("sip_username") and answer.member("code") is not None:
        parts.append(f"code {answer.member('code')}")
    return "  ".join(parts if len(parts) > 1 or not answer.is_http else [*parts, _short(answer.body)])


def what_was_logged(answer: Answer) -> str:
    """Return outcome, reason and secret of the request's log line."""
    record = answer.record
    words = [str(record[name]) for name in ("outcome", "reason") if record.get(name)]
    words += [f"secret {record['secret_id']}"] if record.get("secret_id") else []
    words += [f"rows from {record['rows']}"] if record.get("rows") else []
    return ", ".join(words)


# --- The show -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Screen:
    """Prints the demo for people."""

    coloured: bool
    logs: bool
    marks: tuple[str, str]
    """Before an answer that is as expected, and before one that is not."""
    width: int
    """Of the column of titles."""
    decoded_before: set[str] = field(default_factory=set)

    def paint(self, text: str, code: str) -> str:
        """Return *text* in an ANSI colour, where there are colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def opening(self, settings: Mapping[str, str], events: int) -> None:
        """Say what is about to happen."""
        rows = read_json(HERE / "rows.json")
        tables = ", ".join(f"{name} {len(items)} rows" for name, items in rows.items())
        print(self.paint("auth_jwt: whose token is it?", "1"))
        print(f"Sample events ({events}) through the real handler. DynamoDB in memory: {tables}.")
        print("\n".join(f"{name}={value}" for name, value in settings.items()), flush=True)

    def heading(self, form: str) -> None:
        """Begin a form's events."""
        print(f"\n{self.paint(form, '1;36')}")

    def event(self, name: str, expected: Json, event: Json, answer: Answer, wrong: Sequence[str]) -> None:
        """Show one event."""
        mark = self.paint(self.marks[1], "1;31") if wrong else self.paint(self.marks[0], "32")
        print(f"{mark} {self.paint(expected['title'].ljust(self.width), '1')}  {self.paint(name, '2')}")
        self.line("in", what_went_in(event))
        self.line("out", what_came_out(answer), "32" if answer.status == 200 or answer.member("code") == 1 else "33")
        decoded = answer.member("decoded_token")
        if decoded and decoded not in self.decoded_before:
            self.decoded_before.add(decoded)
            self.line("", decoded)
        if answer.record:
            self.line("log", what_was_logged(answer))
        for line in wrong:
            self.line("!!", line, "31")
        for line in answer.lines if self.logs else ():
            self.line("", line, "2")
        sys.stdout.flush()

    def line(self, label: str, text: str, colour: str = "") -> None:
        """Print a line below a title."""
        text = without_tokens(text)
        print(f"    {self.paint(label.ljust(3), '2')}  {self.paint(text, colour) if colour else text}")

    def closing(self, results: Sequence[Json], seconds: float) -> None:
        """Sum up: by form, by status, and what is not as expected."""
        good = Counter(result["form"] for result in results if not result["differences"])
        print()
        for form, count in Counter(result["form"] for result in results).items():
            mark = self.paint(self.marks[0], "32") if good[form] == count else self.paint(self.marks[1], "1;31")
            print(f"{mark} {form.ljust(self.width)}  {good[form]} of {count} as expected")
        statuses = Counter(result["status"] for result in results if result["status"])
        print(
            ", ".join(f"{count} x {status} {HTTPStatus(status).phrase}" for status, count in sorted(statuses.items()))
        )
        wrong = [result["name"] for result in results if result["differences"]]
        for name in wrong:
            print(self.paint(f"not as expected: {name}", "31"))
        total = f"{len(results)} event{'' if len(results) == 1 else 's'}"
        summary = f"{total}: {len(results) - len(wrong)} as expected, in {seconds:.1f} s"
        print(self.paint(summary, "1;31" if wrong else "1;32"))


def selected(outcomes: Json, only: str) -> dict[str, Json]:
    """Return the events whose name contains *only*, and make sure that files and outcomes are the same set."""
    events: dict[str, Json] = outcomes["events"]
    files = {path.stem for path in (HERE / "authorize").glob("*.json")}
    if files != events.keys():
        odd = ", ".join(sorted(files ^ events.keys()))
        sys.exit(f"outcomes.json and the files of authorize/ do not agree on: {odd}")
    return {name: expected for name, expected in events.items() if only in name}


def result_of(name: str, expected: Json, event: Json, answer: Answer, wrong: Sequence[str]) -> Json:
    """Return what ``--json`` says of an event; the token is cut short here, too."""
    return {
        "name": name,
        "title": expected["title"],
        "form": expected["form"],
        "in": what_went_in(event),
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "raised": answer.raised,
        "log": answer.record,
        "milliseconds": round(answer.seconds * 1000, 1),
        "differences": list(wrong),
    }


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead, for machines")
    parser.add_argument("--only", metavar="NAME", default="", help="only events with NAME in their name")
    parser.add_argument("--logs", action="store_true", help="show the handler's log lines and metrics, too")
    return parser.parse_args(arguments)


def _screen(events: Mapping[str, Json], *, logs: bool) -> Screen:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    try:
        "✓✗…".encode(sys.stdout.encoding or "ascii")
        marks = ("✓", "✗")
    except UnicodeEncodeError:
        marks = ("ok", "XX")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    width = max(len(expected[member]) for expected in events.values() for member in ("title", "form"))
    return Screen(coloured, logs, marks, width)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 when every answer is as expected."""
    chosen = options(arguments)
    outcomes = read_json(HERE / "outcomes.json")
    events = selected(outcomes, chosen.only)
    if not events:
        sys.exit(f"no event has {chosen.only!r} in its name")
    screen = None if chosen.json else _screen(events, logs=chosen.logs)
    if screen:
        screen.opening(outcomes["settings"], len(events))
    begun = time.perf_counter()
    results, form = [], None
    with stage(outcomes["settings"]) as ready:
        for name, expected in events.items():
            event = read_json(HERE / "authorize" / f"{name}.json")
            answer = ready.ask(event)
            wrong = differences(event, expected, answer)
            results.append(result_of(name, expected, event, answer, wrong))
            if screen and form != expected["form"]:
                form = expected["form"]
                screen.heading(form)
            if screen:
                screen.event(name, expected, event, answer, wrong)
    seconds = time.perf_counter() - begun
    as_expected = sum(not result["differences"] for result in results)
    if screen:
        screen.closing(results, seconds)
    else:
        summary = {"events": len(results), "as_expected": as_expected}
        document = {"settings": outcomes["settings"], "summary": summary, "events": results}
        print(without_tokens(json.dumps(document, indent=2, default=str)))
    return 0 if as_expected == len(results) else 1


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
