"""The configuration of an issuer: what is accepted, what is not, and that it reads what it has written."""

import json
from decimal import Decimal

import pytest

from auth_jwt.errors import Invalid
from auth_jwt.issuers.models import FetchedKeys, Issuer, KeySet, check_identifier, check_keys_url, user_tag
from auth_jwt.models import Columns

ISSUER = "https://login.example.com"
URL = "https://login.example.com/keys"


def an_issuer(**members: object) -> Issuer:
    return Issuer.from_json(ISSUER, json.dumps({"keys_url": URL, "audiences": ["sip"], **members}))


@pytest.mark.parametrize(
    "identifier",
    [
        "https://a",
        "https://a/",
        "https://login.example.com:8443/realms/sip",
        "https://[2001:db8::1]/",
        "https://[2001:db8::1]:8443/",
        "https://a/b//c/",
        pytest.param("https://" + "a" * 120, id="128 characters"),
    ],
)
def test_an_https_url_can_be_an_issuer(identifier: str) -> None:
    check_identifier(identifier)


@pytest.mark.parametrize(
    ("identifier", "because"),
    [
        pytest.param("http://a", "https URL", id="plain http"),
        pytest.param("HTTPS://a", "https URL", id="upper case"),
        pytest.param("https://", "with a host", id="no host"),
        pytest.param("https://a:0", "with a host", id="port 0"),
        pytest.param("https://a:b", "https URL", id="no port"),
        pytest.param("https://[a", "https URL", id="a bracket"),
        pytest.param("https://[2001:db8::1]a/", "neither a name", id="a name behind an address"),
        pytest.param("https://[v1.a]/", "neither a name", id="a name in brackets"),
        pytest.param("https://u:p@a", "no user", id="a user"),
        pytest.param("https://a?", "no query", id="an empty query"),
        pytest.param("https://a#", "no fragment", id="an empty fragment"),
        pytest.param("https://a/{tenantid}", "printable ASCII", id="a template"),
        pytest.param("https://a/ ", "printable ASCII", id="a blank"),
        pytest.param("https://ä", "printable ASCII", id="beyond ASCII"),
        pytest.param("https://" + "a" * 121, "at most 128", id="129 characters"),
    ],
)
def test_other_text_can_not(identifier: str, because: str) -> None:
    with pytest.raises(Invalid, match=because):
        check_identifier(identifier)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a/keys",
            "https:///keys",
            "https://a:x/",
            "https://u@a/",
            "https://a/#",
            "https://a/{x}",
            "https://ä/",
            "https://a:0/",
            "https://a/ ",
            "https://a/\x7f",
            "https://[::1]a/",
        ),
        pytest.param(f"https://a/{'x' * 2039}", id="2049 characters"),
    ],
)
def test_keys_are_fetched_from_https_addresses_only(url: str) -> None:
    with pytest.raises(Invalid, match=r"in the address|address of the keys"):
        check_keys_url(url)


def test_a_query_is_part_of_the_address_of_keys() -> None:
    """As Entra's `appid` is."""
    check_keys_url("https://login.example.com/keys?appid=1")


def test_an_address_of_keys_may_be_long() -> None:
    check_keys_url(f"https://a/{'x' * 2038}")


@pytest.mark.parametrize(
    ("members", "because"),
    [
        pytest.param({"unheard_of": 1}, "'unheard_of' is unknown", id="an unknown member"),
        pytest.param({"keys_url": ""}, "'keys_url'", id="no address"),
        pytest.param({"keys_url": "http://a"}, "address of the keys", id="plain http"),
        pytest.param({"algorithms": ["HS256"]}, "'HS256'", id="an algorithm of HMAC"),
        pytest.param({"algorithms": ["none"]}, "'none'", id="no signature"),
        pytest.param({"algorithms": []}, "no algorithm", id="no algorithm"),
        pytest.param({"algorithms": "RS256"}, "list", id="a text for a list"),
        pytest.param({"audiences": []}, "'audiences'", id="no audience"),
        pytest.param({"audiences": [""]}, "'audiences'", id="an empty audience"),
        pytest.param({"client_claim": "azp"}, "go together", id="a claim without clients"),
        pytest.param({"audiences": [], "client_claim": "azp", "client_ids": ["a"]}, "required", id="clients alone"),
        pytest.param({"access_audiences": ["web"]}, "'access_audiences'", id="an access audience that is none"),
        pytest.param({"access_claims": ["typ"]}, "'access_claims'", id="an access claim that is not required"),
        pytest.param({"token_kind": "refresh"}, "'access' nor 'id'", id="another kind"),
        pytest.param({"required_claims": {"a": 1.5}}, "'required_claims'", id="a real number"),
        pytest.param({"required_claims": {"": "a"}}, "'required_claims'", id="a claim without a name"),
        pytest.param({"longest_lifetime": 0}, "'longest_lifetime'", id="no lifetime"),
        pytest.param({"longest_lifetime": True}, "'longest_lifetime'", id="true is no number"),
        pytest.param({"longest_lifetime": 10**9 + 1}, "'longest_lifetime'", id="a lifetime of more than 31 years"),
        pytest.param({"requires_jti": "no"}, "'requires_jti'", id="a text for a boolean"),
        pytest.param({"mapping": "email"}, "'profile' nor 'claim'", id="another mapping"),
        pytest.param({"mapping": "claim"}, "'username_claim'", id="a mapping by no claim"),
        pytest.param({"mapping": "claim", "username_claim": "u"}, "'sip_domain'", id="a mapping without a domain"),
        pytest.param({"sip_domain": "example.com"}, "mapping 'claim'", id="a domain without that mapping"),
        pytest.param({"username_claim": "u"}, "mapping 'claim'", id="a claim without that mapping"),
        pytest.param({"permits_no_domain": True}, "mapping 'claim'", id="a permission without that mapping"),
        pytest.param({"username_pattern": "(a+)+"}, "group", id="a pattern that may take for ever"),
        pytest.param({"username_pattern": "a*a*a*a*"}, "3 repetitions", id="a pattern that takes long"),
        pytest.param({"username_pattern": "a{1,9}a+a*a{1,9}"}, "3 repetitions", id="likewise"),
        pytest.param({"username_pattern": "a" * 256}, "255 characters", id="a pattern that is too long"),
        pytest.param({"username_pattern": "["}, "regular expression", id="no pattern"),
        pytest.param({"username_pattern": "a{1,4294967296}"}, "regular expression", id="repetitions without end"),
        pytest.param({"blocked_keys": [1]}, "'blocked_keys'", id="a thumbprint that is no text"),
    ],
)
def test_a_configuration_that_would_not_work_is_refused_by_name(members: dict[str, object], because: str) -> None:
    with pytest.raises(Invalid, match=because):
        an_issuer(**members)


@pytest.mark.parametrize(
    "pattern",
    [
        "a" * 255,
        r"[A-Za-z0-9._+-]{1,64}",
        r"[*+{]+\.[^]*+{]+",
        r"\*\+\{[a-z]*",
        r"[\]*+]{2}[*][+][{]",
        r"u+\.[a-z]+[0-9]{1,4}",
    ],
)
def test_of_a_pattern_only_repetitions_count(pattern: str) -> None:
    assert an_issuer(
        mapping="claim", username_claim="u", sip_domain="a.example", username_pattern=pattern
    ).username_pattern


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":1,"a":2}', '{"audiences":["sip"]}'])
def test_a_text_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Issuer.from_json(ISSUER, text)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"longest_lifetime": 1},
        {"longest_lifetime": 10**9},
        {"algorithms": ["EdDSA", "ES512"], "longest_lifetime": 600, "requires_jti": False, "blocked_keys": ["x", "a"]},
        {"mapping": "claim", "username_claim": "u", "sip_domain": "example.com", "permits_no_domain": True},
        {"token_kind": "id", "required_claims": {"tid": "a", "ok": True, "level": 1}, "access_claims": ["tid"]},
    ],
    ids=[
        "nothing but what is needed",
        "the shortest lifetime",
        "the longest lifetime",
        "lists and numbers",
        "by claim",
        "claims",
    ],
)
def test_what_is_written_is_read_again(members: dict[str, object]) -> None:
    issuer = an_issuer(**members)

    assert Issuer.from_json(ISSUER, issuer.to_json()) == issuer
    assert json.loads(issuer.to_json()).keys() == {"keys_url", "audiences", *members}


def test_a_row_of_another_kind_is_no_issuer() -> None:
    assert Issuer.from_row({"tag": ISSUER, "sip_username": "alice"}, Columns()) is None


def test_a_row_tells_its_version_and_whether_it_is_disabled() -> None:
    row = {"tag": ISSUER, "issuer_config": an_issuer().to_json(), "issuer_version": Decimal(7), "disabled": "yes"}
    issuer = Issuer.from_row(row, Columns())

    assert issuer is not None
    assert (issuer.version, issuer.disabled, issuer.valid_after) == (7, True, None)


@pytest.mark.parametrize("text", [None, Decimal(1), {"L": []}])
def test_a_row_whose_configuration_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(Invalid, match="no text"):
        Issuer.from_row({"tag": ISSUER, "issuer_config": text}, Columns())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys":1}', '{"keys":[1]}', '{"keys":null}'])
def test_a_key_set_that_is_none_has_no_keys(text: str) -> None:
    assert KeySet(text, URL).keys == ()


def test_rows_that_were_never_fetched_have_no_keys() -> None:
    assert FetchedKeys.from_rows([{"id": "7", "secret": "x"}], "id") == FetchedKeys()


def test_the_profile_of_a_user_bears_the_issuer_and_the_sub() -> None:
    assert user_tag(ISSUER, "a#b") == f"{ISSUER}#a#b"
