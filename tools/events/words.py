"""Events and answers said in one line each, with the tokens cut short."""

import base64
import json
import re
import time
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from tools.events.stage import Answer, Json

END_OF_TIME: Final = 2**63
SHORT: Final = 300
TOKEN: Final = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"


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
        facts += [f"{name}={date_of(payload[name])}" for name in ("exp", "nbf", "iat") if _tells(name, payload)]
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


def date_of(value: object) -> str:
    """Return UNIX seconds as a date; anything else as JSON."""
    if isinstance(value, bool) or not isinstance(value, int):
        return json.dumps(value)
    moment = datetime.fromtimestamp(value, UTC)
    return moment.strftime("%Y-%m-%d" if value % 86400 == 0 else "%Y-%m-%d %H:%M:%S UTC")


def _body_parts(event: Json) -> list[str]:
    """Return the body's members in words: tokens cut short, keys by their size alone."""
    text = body_text(event)
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
    if event.get("type") in {"TOKEN", "REQUEST"}:
        return _what_a_gateway_asks(event)
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


def _what_a_gateway_asks(event: Json) -> str:
    """Return form, method and everything that may hold a token of an authorizer's event in a line."""
    arn = str(event.get("routeArn") or event.get("methodArn"))
    headers = [(name, value) for name, value in _headers_of(event) if _tells_who(name, value)]
    cookies = [("Cookie", "; ".join(event["cookies"]))] if "cookies" in event else []
    alone = [("token", str(event["authorizationToken"]))] if event["type"] == "TOKEN" else []
    queries = [("?" + name, value) for name, value in (event.get("queryStringParameters") or {}).items()]
    shown = [f"{name}: {without_tokens(value)}" for name, value in (*alone, *headers, *cookies, *queries)]
    return "  ".join([f"{event['type']} {event.get('version', '')}".strip(), arn.rpartition(":")[2], *shown])


def _tells_who(name: str, value: str) -> bool:
    return name.lower() in {"authorization", "cookie"} or re.search(TOKEN, value) is not None


def _credentials(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return f"{scheme} {short_token(rest.strip())}"
    return f"{scheme} …"


def what_came_out(answer: Answer) -> str:
    """Return an answer in a line."""
    if answer.raised:
        return f"raised {answer.raised}"
    if answer.effect:
        return _what_a_gateway_is_told(answer)
    parts = [str(answer.status)] if answer.status else []
    parts += [name for name in [answer.member("sip_username")] if name]
    if answer.member("credentials"):
        facts = (
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in answer.body["credentials"].items()
        )
        parts.append(" ".join(facts))
    if answer.member("expires_at"):
        parts.append(f"until {date_of(answer.body['expires_at'])}")
    problem = str(answer.member("type") or "").rpartition(":")[2]
    parts += [part for part in (problem, answer.headers.get("www-authenticate")) if part]
    if "allow" in answer.headers:
        parts.append(f"Allow: {answer.headers['allow']}")
    if not answer.member("sip_username") and answer.member("code") is not None:
        parts.append(f"code {answer.member('code')}")
    return "  ".join(parts if len(parts) > 1 or not answer.is_http else [*parts, shortened(answer.body)])


def _what_a_gateway_is_told(answer: Answer) -> str:
    """Return an authorizer's answer in a line; the decoded token is base64url, and as good as not readable."""
    context = dict(answer.member("context") or {})
    until = [f"until {date_of(context.pop('expires_at'))}"] if context else []
    decoded = [f"decoded_token=({len(context.pop('decoded_token'))} bytes)"] if "decoded_token" in context else []
    facts = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in context.items()]
    return "  ".join([answer.effect or "", *([" ".join(facts)] if facts else []), *until, *decoded])


def what_was_logged(answer: Answer) -> str:
    """Return outcome, reason and secret of the request's log line."""
    record = answer.record
    words = [str(record[name]) for name in ("outcome", "reason") if record.get(name)]
    words += [f"secret {record['secret_id']}"] if record.get("secret_id") else []
    words += [f"rows from {record['rows']}"] if record.get("rows") else []
    words += [f"{record['dropped']} dropped"] if record.get("dropped") else []
    return ", ".join(words)


def body_text(event: Json) -> str:
    """Return the body of an event, base64 undone."""
    text = event.get("body") or ""
    return base64.b64decode(text).decode(errors="replace") if event.get("isBase64Encoded") else text


def shortened(value: object) -> str:
    """Return *value* as JSON, cut short, without tokens."""
    text = without_tokens(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
