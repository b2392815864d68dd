"""The lines of auth_jwt.cfg and its page in which a real OpenSIPS (3.4.18, 3.6.8, 4.0.1) once showed a fault.

None of them can be run here. So what a line says is read from the file, and worked out as OpenSIPS works it out.
"""

import re

import pytest

from tests.integration.opensips_script import README, STRING, calls, code, documented, routes

NOW = 1_800_000_000
TOKEN = "eyJh.eyJ0.c2ln"


# --- Numbers: the JSON module keeps 32 bits of them ------------------------------------------------------------------


def number_of(value: int) -> int:
    """What OpenSIPS 3.4.18 and newer make of a number in JSON."""
    return (value + 2**31) % 2**32 - 2**31


def seconds_left(expires_at: int) -> int:
    """Work `$avp(jwt_expires)` out as route[jwt_accept] does: a condition on the text, a cap, a difference."""
    ((beyond, cap),) = re.findall(
        r'^\tif \(\$json\(jwt/expires_at\) =~ "(\S+)"\) \{\n'
        r"\t\t\$avp\(jwt_expires\) = (\d+) - \$Ts;\n"
        r"\t\} else \{\n"
        r"\t\t\$avp\(jwt_expires\) = \$\(json\(jwt/expires_at\)\{s\.int\}\) - \$Ts;\n\t\}$",
        routes()["jwt_accept"],
        re.MULTILINE,
    )
    end = int(cap) if re.search(beyond, str(expires_at)) else number_of(expires_at)
    return end - NOW


@pytest.mark.parametrize(
    "expires_at",
    [
        *(1, NOW - 1, NOW, NOW + 1, 2_099_999_999, 2_139_999_999, 2_140_000_000, 2_147_483_647, 2_147_483_648),
        *(2_199_999_999, 2_999_999_999, 4_070_908_800, 2**32 - 1, 2**32, 9_999_999_999, 10**10, 2**53, 2**63 - 1),
    ],
)
def test_no_registration_outlives_its_token_and_none_is_refused_for_ending_late(expires_at: int) -> None:
    """4070908800 was negative, and so in the past: a token of the year 2099 was challenged again and again."""
    left = seconds_left(expires_at)

    assert left <= expires_at - NOW
    assert (left > 0) is (expires_at > NOW)
    assert number_of(left) == left, "or it would be cut itself"


def test_what_fits_is_exact_to_the_second() -> None:
    assert seconds_left(NOW + 3600) == 3600
    assert seconds_left(2_139_999_999) == 2_139_999_999 - NOW
    assert "2140000000 (October 2037)" in README


def test_a_limit_that_is_null_is_not_accepted() -> None:
    """`NULL < 1` is false to OpenSIPS, so the question is put the other way round."""
    refused = routes()["jwt_accept"].partition("\tif (!($avp(jwt_expires) > 0)) {")[2]

    assert re.findall(r"route\((\w+)\)", refused)[0] == "jwt_refuse"
    assert "route(jwt_authorized)" in refused


def test_nothing_is_calculated_with_a_number_in_json_as_it_is() -> None:
    assert re.findall(r"\$json\(jwt/[\w/]+\) [-+*/<>]", code()) == []


def test_a_credential_is_text_so_that_it_keeps_its_digits() -> None:
    """70368744177664 was another number."""
    lines = [line.strip() for line in routes()["jwt_credentials"].splitlines() if line.strip()]

    assert [re.sub(r"(?<=[(/])extra_jwt_info(?=\))", "NAME", line) for line in lines] == [
        "$avp(NAME) = $(json(jwt/credentials/NAME){s.substr,0,0});"
    ]


# --- A request that arrives twice at once ----------------------------------------------------------------------------


def test_the_second_copy_of_a_request_ends_before_the_key_waits_in_its_process() -> None:
    """It ended within async(), and x-api-key stayed for the next user's question: 15 of 300 were refused."""
    asked = [name for name, _ in calls() if name in {"t_newtran", "rest_append_hf", "async", "rest_post"}]

    assert asked == ["t_newtran", "rest_append_hf", "async", "rest_post"]


def test_nothing_can_end_the_route_between_the_key_and_the_question() -> None:
    between = routes()["jwt_authorize"].partition("\trest_append_hf(")[2].partition("\tasync(")[0]

    assert between.count("\n") == 1


# --- White space in headers ------------------------------------------------------------------------------------------


def token_in(header: str) -> str | None:
    """Read the token as the script does; None where it challenges without a look at it."""
    authorize = routes()["jwt_authorize"]
    (scheme,) = re.findall(rf"^\tif \(!\(\$avp\(jwt_header\) =~ ({STRING})\)\) \{{$", authorize, re.MULTILINE)
    ((start,),) = [
        match.groups()
        for match in re.finditer(
            r"^\t\$avp\(jwt_token\) = \$\(avp\(jwt_header\)\{s\.substr,(\d+),0\}\{s\.trim\}\);$",
            authorize,
            re.MULTILINE,
        )
    ]
    pattern = scheme[1:-1].encode().decode("unicode_escape")  # as OpenSIPS's lexer reads \t, \r and \n
    return header[int(start) :].strip(" \t\r\n") if re.search(pattern, header) else None


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER   {TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer\r\n {TOKEN}",
        f"Bearer \r\n\t{TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}\t \r\n ",
    ],
    ids=repr,
)
def test_a_token_is_read_whatever_blanks_stand_around_it(header: str) -> None:
    assert token_in(header) == TOKEN


@pytest.mark.parametrize("header", ["Bearer", f"Bearer{TOKEN}", f"Basic {TOKEN}", f" Bearer {TOKEN}", ""], ids=repr)
def test_what_is_no_bearer_is_challenged(header: str) -> None:
    assert token_in(header) is None


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_a_module_loaded_twice_does() -> None:
    """OpenSIPS does not start then, and nothing in its words leads to the file that was included."""
    (said,) = re.findall(r"`auth_jwt\.cfg` loads ([^:]*):", README)

    assert set(re.findall(r"`(\w+)`", said)) == {name.removesuffix(".so") for name in documented()["modules"]}


def test_the_page_records_the_route_before_it_looks_the_callee_up() -> None:
    """Otherwise ACK never arrives, and BYE gets 404."""
    after = README.partition("\n## After\n")[2]

    assert 0 < after.index("\trecord_route();") < after.index("lookup(")


def test_the_page_gives_the_server_the_memory_that_questions_take() -> None:
    """Of 32 MB nothing was left at some 600 REGISTER/s; 128 carried 1,400."""
    assert "Environment=S_MEMORY=128" in README
    assert re.search(r"500 to 700 REGISTER/s; 128 MB carried 1,400", README)


def test_the_page_has_the_names_that_opensips_4_gave_its_commands() -> None:
    assert re.search(r"ul_dump .*usrloc:dump", README)
    assert re.search(r"ul_rm [^\n]*\n[^\n]*usrloc:rm", README)


def test_the_page_says_what_to_set_for_a_service_that_starts() -> None:
    (seconds,) = re.findall(r'^modparam\("rest_client", "curl_timeout", (\d+)\)', code(), re.MULTILINE)

    assert f"After {seconds} s without an answer (`curl_timeout`)" in README
    assert "`curl_timeout` 8 waits for it" in README
