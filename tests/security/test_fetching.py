"""Attacks by an issuer's server, and by whoever names one, at everything that fetches: class G, and SSRF of this year.

What the client alone does with an address, an answer or a document is held in tests/unit/fetching. Here each attack
comes through the admin API, the command line and the function: the reason that each says, no key that is written, no
address that is asked, nothing of the answer that is shown.
"""

import gzip
import json
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.factories import a_jwk
from tests.issuers import KID
from tests.security.issuer_lab import (
    CANARY,
    FETCHED,
    GOOD_KEY,
    ISSUERS,
    IssuerLab,
    Told,
    add_by_shell,
    an_issuer_lab,
    look_up_by_api,
    octets,
    refresh_by_api,
    refresh_by_function,
    refresh_by_shell,
    try_by_shell,
)
from tests.unit.fetching.servers import answer

CONTROLS: Final = "\x1b[31m\x9b\x85\u2028\u202e"
METADATA: Final = "169.254.169.254"


@pytest.fixture(name="lab", scope="module")
def _lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IssuerLab]:
    with an_issuer_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def _shows_nothing_and_asks_nobody_else(lab: IssuerLab) -> Iterator[None]:
    """Whatever the attack: only the server that may be asked was, and nobody was shown a key or what it said."""
    lab.wipe()
    lab.publish()
    yield
    assert set(lab.connected) <= {"127.0.0.1"}
    shown = "".join([*lab.shell.written, *lab.operator.lines])
    for hidden in (CANARY, *CONTROLS.replace("[31m", ""), str(GOOD_KEY["n"]), "Traceback", "an error in this program"):
        assert hidden not in shown


def holds(told: Told, *words: str) -> None:
    """Hold that a fetch ended in one of *words*, and showed nothing of the answer."""
    assert told.word in words, told.shown
    assert CANARY not in told.shown


# -- addresses --------------------------------------------------------------------------------------------------------

BAD, PRIVATE = "bad_keys_url", "not_public"

ADDRESSES: Final = {
    "CVE-2026-48522: file": (BAD, "file:///etc/passwd"),
    "CVE-2026-48522: ftp": (BAD, "ftp://127.0.0.1/keys"),
    "CVE-2026-48522: data": (BAD, 'data:application/json,{"keys":[]}'),
    "CVE-2026-48522: gopher": (BAD, "gopher://127.0.0.1:6379/_SET"),
    "CVE-2026-48522: plain http": (BAD, "http://127.0.0.1/keys"),
    "CVE-2026-1180: metadata": (PRIVATE, f"https://{METADATA}/latest/meta-data/"),
    "CVE-2026-1180: metadata as IPv6": (PRIVATE, f"https://[::ffff:{METADATA}]/"),
    "CVE-2026-1180: metadata as IPv6 in hex": (PRIVATE, "https://[::ffff:a9fe:a9fe]/"),
    "CVE-2026-1180: metadata by NAT64": (PRIVATE, "https://[64:ff9b::a9fe:a9fe]/"),
    "CVE-2026-1180: metadata by 6to4": (PRIVATE, "https://[2002:a9fe:a9fe::1]/"),
    "CVE-2026-1180: metadata of IPv6": (PRIVATE, "https://[fd00:ec2::254]/"),
    "CVE-2026-1180: a decimal address": (PRIVATE, "https://2852039166/"),
    "CVE-2026-1180: a hexadecimal address": (PRIVATE, "https://0xa9fea9fe/"),
    "CVE-2026-1180: hexadecimal parts": (PRIVATE, "https://0xa9.0xfe.0xa9.0xfe/"),
    "CVE-2026-1180: an octal address": (PRIVATE, "https://0251.0376.0251.0376/"),
    "CVE-2026-1180: a short address": (PRIVATE, "https://169.254.43518/"),
    "CVE-2026-1180: zero": (PRIVATE, "https://0/"),
    "CVE-2026-1180: beside the accepted address": (PRIVATE, "https://127.0.0.2/"),
    "CVE-2026-1180: loopback as short as can be": (PRIVATE, "https://127.2/"),
    "CVE-2026-1180: a private network": (PRIVATE, "https://10.0.0.1:8443/"),
    "CVE-2026-1180: a carrier's network": (PRIVATE, "https://100.100.100.200/latest/"),
    "CVE-2026-1180: credentials of a container": (PRIVATE, "https://169.254.170.2/v2/credentials"),
    "CVE-2026-1180: the host as a user": (BAD, f"https://login.example.com@{METADATA}/"),
    "CVE-2026-1180: a backslash before a user": (BAD, f"https://login.example.com\\@{METADATA}/"),
    "CVE-2026-1180: a fragment": (BAD, f"https://{METADATA}/#@login.example.com/"),
    "CVE-2026-1180: a name behind an address": (BAD, "https://[::1]login.example.com/keys"),
    "CVE-2026-1180: a name in brackets": (BAD, "https://[v1.login.example.com]/keys"),
    "CVE-2026-1180: full-width dots": (BAD, "https://169\uff0e254\uff0e169\uff0e254/"),
    "CVE-2026-1180: letters in circles": (BAD, "https://\u24db\u24de\u24d2alhost/"),
    "CVE-2026-1180: an ideographic full stop": (BAD, f"https://{METADATA}\u3002login.example.com/"),
    "CVE-2026-1180: an encoded dot": (BAD, "https://169%2e254%2e169%2e254/"),
    "CVE-2026-1180: a tab in the host": (BAD, "https://127.0.0\t.1/"),
    "CVE-2026-1180: another request behind it": (BAD, "https://127.0.0.1/ HTTP/1.1\r\nHost: x"),
    "CVE-2026-1180: port 0": (BAD, "https://127.0.0.1:0/"),
    "CVE-2026-1180: a port too high": (BAD, "https://127.0.0.1:65536/"),
    "CVE-2026-1180: what a terminal obeys": (BAD, f"https://127.0.0.1/{CONTROLS}"),
    "CVE-2026-1180: no text": (BAD, 7),
}
"""What an issuer's discovery document may say of its keys. The encoded dot is found when the address is looked up."""


@pytest.mark.matrix(kinds=lambda what, **_: [what.partition(":")[0], ADDRESSES[what][0]])
@pytest.mark.parametrize("what", ADDRESSES)
def test_an_address_in_a_discovery_document_is_judged_by_everybody_who_reads_it(lab: IssuerLab, what: str) -> None:
    """Nobody asks there, and nothing is written: neither when it is added, nor when it has been added before."""
    kind, url = ADDRESSES[what]
    kinds = (kind, "bad_url") if what.endswith("an encoded dot") else (kind,)
    lab.publish(discovery={"jwks_uri": url})
    holds(look_up_by_api(lab), *kinds)
    holds(add_by_shell(lab), "refused")
    assert lab.rows() == []

    lab.has_the_issuer()
    before = lab.rows()
    lab.publish(discovery={"jwks_uri": url})
    holds(try_by_shell(lab), "refused")
    for refresh in (refresh_by_api, refresh_by_function):
        holds(refresh(lab), FETCHED)  # from the address that an operator confirmed
    assert lab.rows() == before


GIVEN: Final = {what: url for what, (_, url) in ADDRESSES.items() if isinstance(url, str)}


@pytest.mark.matrix(kinds=lambda what, **_: [what.partition(":")[0], ADDRESSES[what][0]])
@pytest.mark.parametrize("what", GIVEN)
def test_an_address_that_an_operator_gives_is_judged_as_well(lab: IssuerLab, what: str) -> None:
    """A portal may pass on what its own user typed: the admin API must be no way into the operator's network."""
    url = GIVEN[what]
    body = {"issuer": lab.issuer, "configuration": {"audiences": ["sip"], "keys_url": url}}

    added = lab.operator.ask("POST", ISSUERS, {**body, "confirmed_keys_url": url})
    by_shell = lab.shell("issuer", "add", lab.issuer, "--audience", "sip", "--keys-url", url, "--yes", exit_code=None)
    assert (added.status in (400, 422), by_shell.exit_code in (1, 2)) == (True, True)
    assert lab.rows() == []

    lab.has_the_issuer()
    before = lab.rows()
    changed = lab.operator.ask("PATCH", lab.path, {"configuration": {"keys_url": url}})
    assert changed.status in (400, 422)
    assert lab.rows() == before


IDENTIFIERS: Final = {
    "CVE-2026-48522: file": "file:///etc/passwd",
    "CVE-2026-48522: plain http": "http://127.0.0.1/",
    "CVE-2026-1180: metadata": f"https://{METADATA}/",
    "CVE-2026-1180: metadata as IPv6": f"https://[::ffff:{METADATA}]",
    "CVE-2026-1180: a decimal address": "https://2852039166",
    "CVE-2026-1180: a user": f"https://login.example.com@{METADATA}",
    "CVE-2026-1180: a query": f"https://{METADATA}/?a=",
    "CVE-2026-1180: a name behind an address": "https://[::1]login.example.com",
    "CVE-2026-1180: beyond ASCII": "https://\u24db\u24de\u24d2alhost",
    "CVE-2026-1180: what a terminal obeys": f"https://127.0.0.1/{CONTROLS}",
}


@pytest.mark.parametrize("what", IDENTIFIERS)
def test_an_issuer_is_an_address_as_well(lab: IssuerLab, what: str) -> None:
    """Its discovery document would be asked for there."""
    issuer = IDENTIFIERS[what]

    by_api = lab.operator.ask("POST", ISSUERS, {"issuer": issuer, "configuration": {"audiences": ["sip"]}})
    by_shell = lab.shell("issuer", "add", issuer, "--audience", "sip", "--yes", exit_code=None)

    assert (by_api.status in (400, 422), by_shell.exit_code in (1, 2)) == (True, True)
    assert lab.rows() == []


def test_a_name_that_is_rebound_is_asked_at_the_address_that_was_judged(
    lab: IssuerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2026-1180: the name leads to an address that is accepted, and an instant later to another."""
    asked = list[str]()
    system = socket.getaddrinfo

    def rebound(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return system(METADATA if host == "localhost" and asked.count(host) > 1 else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    lab.publish(discovery={"jwks_uri": f"https://localhost:{lab.server.port}/sip/keys"})

    look_up_by_api(lab)

    assert METADATA not in lab.connected
    assert asked.count("localhost") <= 1


# -- answers ----------------------------------------------------------------------------------------------------------


def redirect(status: str, location: str) -> bytes:
    """An answer that leads elsewhere."""
    return answer(octets({"keys": [GOOD_KEY]}), status, Location=location)


def key_set(*keys: object) -> bytes:
    """The answer with a key set."""
    return answer(octets({"keys": keys}))


@dataclass(frozen=True)
class Bad:
    """An answer at the address of the keys, and why the fetch fails."""

    kind: str
    given: bytes


BOMB: Final = gzip.compress(bytes(64 * 1024 * 1024), 9)
RSA: Final = a_jwk()
ANSWERS: Final = {
    "CVE-2026-102267: metadata": Bad("redirected", redirect("302 Found", f"http://{METADATA}/")),
    "CVE-2026-102267: metadata by https": Bad("redirected", redirect("307 Temporary Redirect", f"https://{METADATA}/")),
    "CVE-2026-102267: plain http": Bad("redirected", redirect("301 Moved Permanently", "http://127.0.0.1/keys")),
    "CVE-2026-102267: a file": Bad("redirected", redirect("308 Permanent Redirect", "file:///etc/passwd")),
    "CVE-2026-102267: a path": Bad("redirected", redirect("303 See Other", "/sip/other")),
    "CVE-2026-102267: a choice": Bad("redirected", redirect("300 Multiple Choices", f"https://{CANARY}@x/")),
    "CVE-2026-102267: nowhere": Bad("redirected", redirect("302 Found", "")),
    "CVE-2026-102267: unchanged since never": Bad("bad_status", answer(b"", "304 Not Modified")),
    "GHSA-fhv5: an error": Bad("bad_status", answer(CANARY.encode(), "500 Internal Server Error")),
    "GHSA-fhv5: not found": Bad("bad_status", answer(CANARY.encode(), "404 Not Found")),
    "GHSA-fhv5: nothing": Bad("broken_answer", b""),
    "GHSA-fhv5: no HTTP": Bad("broken_answer", CANARY.encode() + b"\r\n\r\n"),
    "GHSA-fhv5: a page": Bad("not_json", answer(f"<html>{CANARY}".encode())),
    "CVE-2026-102274: malformed alone": Bad("no_usable_key", key_set({**RSA, "n": "!"})),
    "CVE-2026-102275: x and d disagree": Bad(
        "private_key_published", key_set(GOOD_KEY, {**a_jwk("ed25519"), "d": a_jwk("ed448")["x"]})
    ),
    "CVE-2026-102275: a private key of ML-DSA": Bad(
        "private_key_published", key_set(GOOD_KEY, {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "priv": CANARY})
    ),
    "CVE-2026-33996: members that are numbers": Bad("no_usable_key", key_set({"kty": 1, "n": 2, "e": 3, "kid": 4})),
    "CVE-2026-33996: numbers in an RSA key": Bad("no_usable_key", key_set({**RSA, "n": 7, "e": 65537})),
    "CVE-2026-33996: members that are null": Bad("no_usable_key", key_set({**RSA, "n": None, "e": None})),
    "CVE-2026-33996: members that are lists": Bad("no_usable_key", key_set({"kty": ["RSA"], "crv": {}, "x": []})),
    "CVE-2026-33996: no objects": Bad("no_usable_key", key_set(None, 7, "x", [], True)),
    "CVE-2026-102266: an oct key of nothing": Bad("no_usable_key", key_set({"kty": "oct", "k": "", "kid": KID})),
    "CVE-2026-44699: an oct key": Bad("no_usable_key", key_set({"kty": "oct", "k": "A" * 43, "kid": KID})),
    "CVE-2026-48523: another algorithm": Bad("no_usable_key", key_set({**RSA, "alg": "HS256"})),
    "own: a bomb": Bad("too_large", answer(BOMB, Content_Encoding="gzip")),
    "own: more than 256 KiB": Bad("too_large", answer(b" " * (256 * 1024 + 1))),
    "own: 100,000 levels": Bad("not_json", answer(b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "own: an integer of 200,000 digits": Bad("not_json", answer(b'{"keys":[' + b"1" * 200_000 + b"]}")),
    "own: a member twice": Bad("not_json", answer(b'{"keys":[],"keys":[]}')),
    "own: 101 keys": Bad("too_many_keys", key_set(*[GOOD_KEY] * 101)),
    "own: a modulus of a million bits": Bad("no_usable_key", key_set({**RSA, "n": "_" * 170_000})),
    "own: another encoding": Bad("bad_encoding", answer(CANARY.encode(), Content_Encoding="br")),
}


@pytest.mark.matrix(kinds=lambda what, **_: [what.partition(":")[0]])
@pytest.mark.parametrize("what", ANSWERS)
def test_a_bad_answer_adds_no_issuer_and_takes_no_key_from_one(lab: IssuerLab, what: str) -> None:
    """Each way in says the same reason; the keys that were fetched last go on letting users in."""
    bad = ANSWERS[what]
    lab.publish(bad.given)
    tracemalloc.start()
    try:
        told = look_up_by_api(lab)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    holds(told, bad.kind)
    assert peak < 32 * 1024 * 1024
    holds(add_by_shell(lab), "refused")
    assert lab.rows() == []

    lab.has_the_issuer()
    before = lab.rows()
    lab.publish(bad.given)
    holds(refresh_by_api(lab), bad.kind)
    holds(refresh_by_function(lab), bad.kind)
    holds(try_by_shell(lab), "refused")
    assert lab.rows() == before
    assert lab.log_in().status == 200


ASKS: Final[dict[str, Callable[[IssuerLab], Told]]] = {
    "the admin API": refresh_by_api,
    "the command line": refresh_by_shell,
    "the function": refresh_by_function,
}


@pytest.mark.parametrize("ask", ASKS)
def test_one_malformed_key_does_not_spoil_the_others(lab: IssuerLab, ask: str) -> None:
    """CVE-2026-102274, CVE-2026-33996: what cannot be read is left out, and what is good lets users in."""
    lab.has_the_issuer()
    lab.publish(
        key_set(
            {"kty": "RSA", "n": "!", "e": "AQAB", "kid": KID},
            {"kty": 1},
            None,
            {"kty": "oct", "k": "", "kid": KID},
            a_jwk("p256", kid="new"),
            {**GOOD_KEY, "x5u": f"https://{METADATA}/", "x5c": [CANARY], "jku": f"https://{METADATA}/"},
        )
    )

    told = ASKS[ask](lab)

    assert told.word == FETCHED
    assert lab.log_in().status == 200
    assert lab.log_in(alg="ES256", key="p256", header={"kid": "new"}).status == 200
    assert not any(CANARY in row or METADATA in row for row in lab.rows())


def test_a_flood_of_unknown_key_ids_fetches_nothing(lab: IssuerLab) -> None:
    """CVE-2026-101917: no login asks the issuer, whatever the token names."""
    lab.has_the_issuer()
    asked, connected = lab.server.connections, len(lab.connected)

    for number in range(10):
        lab.log_in(header={"kid": f"invented {number}"})

    assert (lab.server.connections, len(lab.connected)) == (asked, connected)


def test_a_login_that_has_two_tokens_while_the_issuer_is_down_is_no_login(lab: IssuerLab) -> None:
    """CVE-2024-45809, CVE-2025-64527: no crash, and closed."""
    lab.has_the_issuer()
    lab.publish(b"")
    refresh_by_function(lab)

    event = json.loads(json.dumps(REST_EVENT))
    answered = lab.authorize.ask(event)

    assert (answered.status, answered.raised, answered.member("code")) == (400, None, None)


REST_EVENT: Final[dict[str, Any]] = {
    "httpMethod": "POST",
    "path": "/authorize",
    "resource": "/authorize",
    "requestContext": {"requestId": "1", "identity": {}},
    "headers": {"Authorization": "Bearer b"},
    "multiValueHeaders": {"Authorization": ["Bearer a", "Bearer b"]},
    "body": None,
    "isBase64Encoded": False,
}


def test_a_key_without_an_algorithm_verifies_no_hmac(lab: IssuerLab) -> None:
    """CVE-2026-44699, CVE-2026-22817: nor does an HMAC over nothing, where the issuer's key says no algorithm."""
    lab.has_the_issuer()
    lab.publish(key_set({name: value for name, value in GOOD_KEY.items() if name != "alg"}))
    assert refresh_by_function(lab).word == FETCHED

    for header in ({"alg": "HS256"}, {"alg": "HS512"}, {"alg": "none"}):
        assert lab.log_in(header=header).status == 401
    assert lab.log_in().status == 200
