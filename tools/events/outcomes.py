"""Is an answer what the file of outcomes says? And does nothing show where it never may?"""

import json
import re
from collections.abc import Iterable
from functools import cache

from tools.events.stage import SAMPLES, Answer, Json, read_json
from tools.events.words import TOKEN, body_text, shortened


def differences(event: Json, expected: Json, answer: Answer) -> list[str]:
    """Return what is not as expected, one line each; empty when all is."""
    if "answer" in expected:  # of an authorizer
        return [*_unequal(_authorizer_pairs(expected, answer)), *leaks(event, answer)]
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
    return [*_unequal(pairs), *leaks(event, answer)]


def _unequal(pairs: Iterable[tuple[str, object, object]]) -> list[str]:
    return [f"{what}: expected {shortened(want)}, got {shortened(got)}" for what, want, got in pairs if want != got]


def _authorizer_pairs(expected: Json, answer: Answer) -> list[tuple[str, object, object]]:
    raised = [("raised", expected["raised"], answer.raised)]
    logged = [(name, expected[name], answer.record.get(name)) for name in ("outcome", "reason", "dropped")]
    return [*raised, *_member_pairs(expected["answer"] or {}, answer.given or {}), *logged]


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
    tokens = set(re.findall(TOKEN, json.dumps(event) + body_text(event)))
    context = {**(answer.member("context") or {}), "sip_username": None}
    credentials = answer.member("credentials") or context
    shown = {value for value in credentials.values() if isinstance(value, str)}
    log = "\n".join(answer.lines)
    everything = log + json.dumps(answer.given, default=str) + (answer.raised or "")
    return [
        *("a token is in the answer or the log" for text in tokens if text in everything),
        *("a secret is in the answer or the log" for text in sample_secrets() if text in everything),
        *("a credential is in the log" for text in shown if text in log),
    ]


@cache
def sample_secrets() -> frozenset[str]:
    """Return the secrets of the sample rows, as they are and as JSON would write them."""
    items = (row["PutRequest"]["Item"] for row in read_json(SAMPLES / "rows.json")["jwt_secrets"])
    texts = {item["secret"]["S"] for item in items} - {""}
    return frozenset(texts | {json.dumps(text)[1:-1] for text in texts})
