"""Every way by which a token gets to a decision, and how each says what was decided.

A token that cannot travel by a way (one with a line break in a header, say) is not sent there.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

from auth_jwt.errors import Reason
from auth_jwt.provisioning.pasted import read_pasted
from tests.security.attacks import USER, Attack
from tests.security.place import Place
from tools.events import authorize_events, gateway_authorizer_events
from tools.events.http_request import FORM_TYPE, JSON_TYPE, Request, bearer
from tools.events.provisioning_events import Case, asking
from tools.events.stage import Answer

ACCEPTED: Final = "accepted"
BODY_BYTES_BESIDE_TOKEN: Final = 49152
LEAST_MAX_BODY: Final = 65536
USUAL_MAX_TOKEN: Final = 16384
MAX_EXPLAINED_CHARACTERS: Final = 100_000
MAX_GIVEN_BYTES: Final = 1_000_000
"""The most that a command reads from its standard input."""

_LAST_WORD: Final = re.compile(rf"^(?P<accepted>accepted, for {USER})|^denied: (?P<reason>\w+)$", re.MULTILINE)
_FIELD_VALUE: Final = re.compile(r"[!-+\--~]*")  # visible ASCII without the comma, by which fields are joined
_COOKIE_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265, section 4.1.1


@dataclass(frozen=True)
class Verdict:
    """What came of a token.

    Attributes:
        word: `accepted`, the reason of a denial as the log has it, or what else was answered.
        answer: what the caller gets, without the id of the request; None where denials may differ.
        shown: all that was written or answered.
        log: what was written for people, who read it at a terminal.
    """

    word: str
    answer: object = field(repr=False)
    shown: str = field(repr=False)
    log: str = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """A way in.

    Attributes:
        name: what people call it.
        carries: whether a token can travel by it.
        ask: sends the token of an attack.
        expect: what `ask` must say of it.
        shows_claims: whether an accepted token's header and payload are part of the answer in base64url.
        is_slow: whether it takes as long as all others together: it gets some of each kind of attack.
    """

    name: str
    carries: Callable[[Attack], bool]
    ask: Callable[[Place, Attack], Verdict]
    expect: Callable[[Attack], str]
    shows_claims: bool = False
    is_slow: bool = False

    def __str__(self) -> str:
        return self.name

    def refusal(self, place: Place, attack: Attack) -> object:
        """Return what a caller gets here for nonsense: no denial may differ from that."""
        key = (self.name, *sorted(attack.settings.items()))
        if key not in place.refusals:
            nonsense = Attack("own", "nonsense", "nonsense", Reason.MALFORMED_TOKEN, settings=attack.settings)
            place.refusals[key] = self.ask(place, nonsense).answer
        return place.refusals[key]


def word_of(reason: Reason | None) -> str:
    """Return how a verdict is called."""
    return ACCEPTED if reason is None else reason.value


def expect_reason(attack: Attack) -> str:
    """Return the verdict of the attack, as ways say it that take any token."""
    return word_of(attack.reason)


# -- how a token travels ----------------------------------------------------------------------------------------------


def is_text(attack: Attack) -> bool:
    """Tell whether the token is text that has a UTF-8 form."""
    return isinstance(attack.token, str) and not re.search("[\ud800-\udfff]", attack.token)


def fits_a_header(attack: Attack) -> bool:
    """Tell whether the token can be the value of a header field: gateways send no other."""
    return isinstance(attack.token, str) and bool(_FIELD_VALUE.fullmatch(attack.token))


def fits_a_cookie(attack: Attack) -> bool:
    """Tell whether the token can be the value of a cookie."""
    return isinstance(attack.token, str) and bool(_COOKIE_VALUE.fullmatch(attack.token))


def fits_a_query(attack: Attack) -> bool:
    """Tell whether the token can be one parameter. Blanks around it are dropped there, and commas separate tokens."""
    return is_text(attack) and "," not in text_of(attack) and text_of(attack).strip(" \t") == attack.token


def text_of(attack: Attack) -> str:
    """Return the token of an attack that has one that is text."""
    assert isinstance(attack.token, str)
    return attack.token


# -- functions/authorize ----------------------------------------------------------------------------------------------


def in_header(attack: Attack) -> Request:
    """Return the request that has the token in its header."""
    return bearer(text_of(attack))


def in_json(attack: Attack) -> Request:
    """Return the request that has the token in a JSON body."""
    return Request(body=json.dumps({"jwt_token": attack.token}), content_type=JSON_TYPE)


def in_form(attack: Attack) -> Request:
    """Return the request that has the token in a form."""
    return Request(body=urlencode({"jwt_token": text_of(attack)}), content_type=FORM_TYPE)


def _expect_by_body(request_of: Callable[[Attack], Request]) -> Callable[[Attack], str]:
    def expect(attack: Attack) -> str:
        body = request_of(attack).body or ""
        allowed = int(attack.settings.get("MAX_TOKEN_BYTES", USUAL_MAX_TOKEN)) + BODY_BYTES_BESIDE_TOKEN
        if len(body) > max(LEAST_MAX_BODY, allowed):
            return "payload_too_large"
        return word_of(attack.reason) if isinstance(attack.token, str) else "invalid_request"

    return expect


def read_http(answer: Answer) -> str:
    """Say what `/authorize` answered, if log and answer agree; otherwise, say all."""
    record = answer.record
    outcome, reason = record.get("outcome"), record.get("reason")
    seen = (answer.raised, answer.status, answer.member("code"), outcome)
    if seen == (None, 200, 1, "authorized") and answer.member("sip_username") == USER:
        return ACCEPTED
    if seen in [(None, 401, -1, "denied"), (None, 403, -1, "denied")]:
        return str(reason)
    if seen in [(None, 400, None, "rejected"), (None, 413, None, "rejected")]:
        return str(reason)
    return f"{seen} {reason}"


def read_direct(answer: Answer) -> str:
    """Say what a direct invocation gave."""
    if answer.raised is None and answer.given == {"code": -1} and answer.denial:
        return answer.denial
    is_let_in = answer.member("code") == 1 and answer.member("sip_username") == USER
    return ACCEPTED if answer.raised is None and is_let_in else f"{answer.raised} {answer.record.get('outcome')}"


def read_jambonz(answer: Answer) -> str:
    """Say what jambonz was answered: a denial is a 200."""
    members = (answer.status, answer.member("status"), answer.member("code"), answer.record.get("outcome"))
    if members == (200, "fail", -1, "denied"):
        return str(answer.denial)
    is_let_in = members == (200, "ok", 1, "authorized") and answer.member("sip_username") == USER
    if is_let_in and answer.raised is None:
        return ACCEPTED
    return str(answer.record.get("reason")) if answer.status in (400, 413) else f"{answer.raised} {members}"


def read_script(answer: Answer) -> str:
    """Say which code a script was answered; the log agrees."""
    code, outcome = answer.member("code"), answer.record.get("outcome")
    if (answer.status, answer.raised) == (200, None) and (code == 1) == (outcome == "validated"):
        has_token = answer.member("decoded_token") is not None
        return f"code {code}" if has_token == (code != -2) else f"code {code} with the wrong members"
    return str(answer.record.get("reason")) if answer.status in (400, 413) else f"{answer.raised} {answer.status}"


def _asked(
    event_of: Callable[[Attack], Any],
    read: Callable[[Answer], str],
    function: str = "authorize",
    own_settings: Mapping[str, str] | None = None,
) -> Callable[[Place, Attack], Verdict]:
    def ask(place: Place, attack: Attack) -> Verdict:
        return _verdict(place.ask(function, {**attack.settings, **(own_settings or {})}, event_of(attack)), read)

    return ask


def _verdict(answer: Answer, read: Callable[[Answer], str]) -> Verdict:
    given = json.dumps(answer.given, default=repr, ensure_ascii=False)
    request_id = str(answer.record.get("request_id", "")) or "no id"
    plain = json.dumps([answer.given, answer.raised], default=repr).replace(request_id, "ID")
    log = "\n".join(answer.lines)
    return Verdict(read(answer), plain, "\n".join([log, given, answer.raised or ""]), log)


def _by_http(form: str, how: str, request_of: Callable[[Attack], Request]) -> Entry:
    found = authorize_events.FORMS[form]
    carries: Callable[[Attack], bool] = {"header": fits_a_header, "form": is_text}.get(how, lambda _: True)
    return Entry(
        f"{found.title}, token in the {how}",
        carries,
        _asked(lambda attack: found.event_of("an-attack", request_of(attack)), read_http),
        expect_reason if how == "header" else _expect_by_body(request_of),
    )


def to_script(attack: Attack) -> Request:
    """Return the request of a script that gives the key itself."""
    body = json.dumps({"jwt_token": attack.token, "key": attack.script_key})
    return Request(path="/script-authorize", body=body, content_type=JSON_TYPE)


def _expect_by_script(attack: Attack) -> str:
    usual = _expect_by_body(to_script)(attack)
    return usual if usual in ("payload_too_large", "invalid_request") else f"code {attack.script_code}"


def to_jambonz(attack: Attack) -> Request:
    """Return the hook of `frontends/jambonz/bearer.js`, which has the token in a member of its own."""
    body = {"method": "INVITE", "jwt_token": attack.token, "username": USER}
    return Request(path="/frontends/jambonz", body=json.dumps(body), content_type=JSON_TYPE)


def to_jambonz_as_digest(attack: Attack) -> Request:
    """Return the hook of an unchanged jambonz: the token is what a phone gave as its name."""
    headers = {"from": f"<sip:{USER}@sip.example.com>", "to": f"<sip:{USER}@sip.example.com>"}
    body = {"method": "REGISTER", "username": attack.token, "headers": headers, "expires": 60}
    return Request(path="/frontends/jambonz", body=json.dumps(body), content_type=JSON_TYPE)


def _rest(request: Request) -> Any:
    return authorize_events.FORMS["rest-"].event_of("an-attack", request)


AUTHORIZE: Final = (
    *(_by_http(form, "header", in_header) for form in authorize_events.FORMS),
    *(_by_http(form, "JSON body", in_json) for form in authorize_events.FORMS),
    *(_by_http(form, "form", in_form) for form in authorize_events.FORMS),
    Entry(
        "Direct invocation",
        lambda _: True,
        _asked(lambda attack: {"jwt_token": attack.token}, read_direct),
        expect_reason,
    ),
    Entry(
        "/script-authorize",
        lambda attack: attack.script_key is not None and len(attack.script_key.encode()) <= 16384,
        _asked(lambda attack: _rest(to_script(attack)), read_script),
        _expect_by_script,
    ),
    *(
        Entry(
            f"/frontends/jambonz, {name}",
            lambda _: True,
            _asked(lambda attack, request_of=request_of: _rest(request_of(attack)), read_jambonz),  # type: ignore[misc]
            _expect_by_body(request_of),
        )
        for name, request_of in {"jwt_token": to_jambonz, "Digest username": to_jambonz_as_digest}.items()
    ),
)


# -- functions/gateway_authorizer -------------------------------------------------------------------------------------

ANYWHERE: Final = {"TOKEN_SOURCES": "header:authorization,query:token,cookie:token"}
IAM: Final = {"AUTHORIZER_RESPONSE": "iam"}
DENY: Final = {"AUTHORIZER_REFUSAL": "deny"}


def read_gateway(answer: Answer) -> str:
    """Say what a gateway was answered, if log and answer agree."""
    outcome, reason, effect = answer.record.get("outcome"), answer.record.get("reason"), answer.effect or ""
    is_refused = answer.raised == "Unauthorized: Unauthorized" or (
        answer.raised is None and effect.startswith(("isAuthorized: false", "Deny "))
    )
    if is_refused and outcome == "denied":
        return str(reason)
    context = answer.member("context") or {}
    is_let_in = effect.startswith(("isAuthorized: true", "Allow ")) and context.get("sip_username") == USER
    if is_let_in and outcome == "authorized" and answer.raised is None:
        return ACCEPTED
    return f"{answer.raised} {effect} {outcome} {reason}"


def _get(attack: Attack, how: str) -> Request:
    token = text_of(attack)
    if how == "cookie":
        return gateway_authorizer_events.get([("Cookie", f"theme=dark; token={token}; lang=cs")])
    if how == "query":
        return gateway_authorizer_events.get((), [("room", "7"), ("token", token)])
    return gateway_authorizer_events.by_header(token)


def _by_gateway(form: str, how: str, more: str = "", **settings: str) -> Entry:
    found = gateway_authorizer_events.FORMS[form]
    carries = {"header": fits_a_header, "cookie": fits_a_cookie, "query": fits_a_query}[how]
    return Entry(
        f"{found.title}, token in the {how}{more}",
        carries,
        _asked(
            lambda attack: found.event_of("an-attack", _get(attack, how)),
            read_gateway,
            "gateway_authorizer",
            {**ANYWHERE, **settings},
        ),
        expect_reason,
        shows_claims=True,
        is_slow=bool(settings),  # another environment has a memory of its own
    )


GATEWAY_AUTHORIZER: Final = (
    _by_gateway("rest-token-", "header"),
    _by_gateway("rest-token-", "header", ", a Deny policy", **IAM, **DENY),
    *(_by_gateway("rest-request-", how) for how in ("header", "query", "cookie")),
    *(_by_gateway("websocket-", how) for how in ("header", "query", "cookie")),
    _by_gateway("http-payload-1-", "header"),
    *(_by_gateway("http-", how, ", simple") for how in ("header", "query", "cookie")),
    _by_gateway("http-", "header", ", IAM and a Deny policy", **IAM, **DENY),
)


# -- operators --------------------------------------------------------------------------------------------------------


def _is_read_as_it_is(attack: Attack) -> bool:
    """Tell whether what people paste is this token, and not another that is in it."""
    return is_text(attack) and read_pasted(text_of(attack)).token == attack.token


def _explain_to_api(place: Place, attack: Attack) -> Verdict:
    event = Case("an-attack", "", asking("POST", "/admin/explain", {"token": attack.token}), 0).event()

    def read(answer: Answer) -> str:
        if (answer.status, answer.raised) != (200, None):
            return f"{answer.status} {answer.raised}"
        return _explained(answer.body)

    return replace(_verdict(place.ask("provisioning", attack.settings, event), read), answer=None)


def _explained(told: Mapping[str, Any]) -> str:
    is_accepted = (told["accepted"], told["reason"], told["fault"]) == (True, None, None)
    return ACCEPTED if is_accepted else f"{told['fault'] or told['reason']}"


def _explain_to_shell(place: Place, attack: Attack) -> Verdict:
    result = place.run(attack.settings, "token", "explain", given=text_of(attack))
    last = _LAST_WORD.search(result.stdout)
    word = f"exit code {result.exit_code}"
    if last and result.exit_code == (0 if last["accepted"] else 1):
        word = ACCEPTED if last["accepted"] else last["reason"]
    return Verdict(word, None, result.stdout + result.stderr, result.stdout + result.stderr)


OPERATORS: Final = (
    Entry(
        "/admin/explain",
        lambda attack: _is_read_as_it_is(attack) and len(text_of(attack)) <= MAX_EXPLAINED_CHARACTERS,
        _explain_to_api,
        expect_reason,
        is_slow=True,
    ),
    Entry(
        "auth-jwt token explain",
        lambda attack: _is_read_as_it_is(attack) and len(text_of(attack).encode()) <= MAX_GIVEN_BYTES,
        _explain_to_shell,
        expect_reason,
        is_slow=True,
    ),
)

FUNCTIONS: Final = (*AUTHORIZE, *GATEWAY_AUTHORIZER)
ENTRIES: Final = (*FUNCTIONS, *OPERATORS)
