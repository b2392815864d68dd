"""frontends/opensips/auth_jwt.cfg, without OpenSIPS: its text, what it asks, and what it makes of every answer.

OpenSIPS cannot be installed here. So the text is held against a list of what OpenSIPS documents; what it sends is put
together as it says and given to the real function; and its branches are read from it and tried with real answers.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.runtime.settings import DEFAULTS
from tests.integration.conftest import SetStage
from tests.integration.opensips_script import FOLDER, README, STRING, calls, code, documented, routes, variables, words
from tests.issuers import ISSUER, a_token_of_a_new_key, write_issuer
from tests.page_commands import blocks_of, run
from tools.events.samples import ALICE, ALICE_EXPIRED, DOMAIN
from tools.events.stage import Answer, template
from tools.serve.gateway import HttpRequest, RestApi

YOURS = {"jwt_authorized"}
"""Routes that README.md has the reader write."""
OF_A_503 = {"type", "retry_after"}
"""What the script reads of an answer that decides nothing."""


# --- The text ---------------------------------------------------------------------------------------------------------


def test_every_bracket_is_closed_and_every_string_ends() -> None:
    text, open_ = words(), []
    for character in text:
        if character in "({[":
            open_.append(character)
        elif character in ")}]":
            assert open_.pop() + character in {"()", "{}", "[]"}

    assert open_ == []
    assert text.count('"') % 2 == 0
    assert all(line.count('"') % 2 == 0 for line in text.splitlines())


def test_every_statement_ends() -> None:
    """A line of a route opens or closes a block, is a statement, or is empty."""
    lines = [line.strip() for body in routes().values() for line in body.splitlines()]

    assert [line for line in lines if line and line[-1] not in ";{}"] == []


def test_what_it_loads_and_sets_is_documented() -> None:
    loaded = re.findall(r'^loadmodule "(\S+)"$', code(), re.MULTILINE)
    set_ = re.findall(r'^modparam\("(\w+)", "(\w+)", (\S+)\)', code(), re.MULTILINE)

    assert set(loaded) == documented()["modules"].keys()
    assert {f"{module}.{name}" for module, name, _ in set_} == documented()["parameters"].keys()


def test_what_it_calls_is_documented_with_as_many_arguments() -> None:
    found = {(name, len(arguments)) for name, arguments in calls() if name not in {"if", "modparam"}}

    assert found == {(name, count) for name, (count, _) in documented()["calls"].items()}


def test_the_variables_and_transformations_are_documented() -> None:
    names = {re.sub(r"\W", "", name.partition("(")[0]) or name.split("(")[1] for name in variables()}

    assert names == documented()["variables"].keys()
    assert set(re.findall(r"\{(\w+\.\w+)", code())) == documented()["transformations"].keys()


def test_the_operators_and_statements_are_documented() -> None:
    text = re.sub(r"\$\(?[\w(),.{}/\[\]-]+", "", words())

    assert set(re.findall(r"=~|:=|&&|\|\||[!=]=|[!<>]|(?<= )-(?= )", text)) == documented()["operators"].keys()
    assert {name for name in ("if", "else", "while", "switch", "for", "route") if re.search(rf"\b{name}\b", text)} == (
        documented()["statements"].keys()
    )


def test_every_page_is_used_and_named() -> None:
    tables = documented()
    used = {
        page if isinstance(page, str) else page[1]
        for kind, table in tables.items()
        if kind not in {"pages", "packages"}
        for page in table.values()
    }

    assert used == tables["pages"].keys()
    assert all(
        page.startswith(("https://opensips.org/", "https://www.opensips.org/")) for page in tables["pages"].values()
    )


def test_every_route_that_is_called_is_there() -> None:
    called = re.findall(r"(?<!\w)route\((\w+)\)|\), (\w+)\);", words())
    names = {name for pair in called for name in pair if name} - {"jwt_authorize"}

    assert names - YOURS == routes().keys() - {"jwt_authorize"}
    assert all(f"route[{name}]" in README for name in YOURS)
    assert "route(jwt_authorize)" in README


@pytest.mark.parametrize("name", ["jwt_accept", "jwt_refuse", "jwt_deferred", "jwt_fault"])
def test_what_answers_the_client_does_not_come_back(name: str) -> None:
    assert routes()[name].split()[-1] == "exit;"


def test_the_token_is_taken_away_before_anything_is_relayed() -> None:
    accept = routes()["jwt_accept"]

    for header in ("Authorization", "Proxy-Authorization"):
        assert accept.index(f'remove_hf("{header}")') < accept.index("route(jwt_authorized)")


def test_what_it_logs_holds_no_token() -> None:
    logged = re.findall(rf"xlog\({STRING}, ({STRING})\)", code())
    shown = {name for line in logged for name in re.findall(r"\$\w+(?:\(\w+\))?", line)}

    assert shown == {"$rm", "$ci", "$avp(jwt_rc)", "$avp(jwt_status)", "$avp(jwt_after)"}


def test_what_is_deferred_is_logged_as_an_information_and_a_fault_as_an_error() -> None:
    levels = {name: re.findall(r'xlog\("(\w+)"', routes()[name]) for name in ("jwt_deferred", "jwt_fault")}

    assert levels == {"jwt_deferred": ["L_INFO"], "jwt_fault": ["L_ERR"]}
    assert "deferred" in routes()["jwt_deferred"]


# --- What it asks -----------------------------------------------------------------------------------------------------


def question(values: dict[str, str]) -> str:
    """Put the JSON together as the script says, from the *values* of variables."""
    text = routes()["jwt_authorize"]
    assigned = re.findall(r"^\t\$json\(jwt_question/(\w+)\) = (\S+);$", text, re.MULTILINE)
    conditional = re.findall(
        rf"^\tif \((\S+) =~ ({STRING})\) \{{ *\n\t\t\$json\(jwt_question/(\w+)\) = \1;\n\t\}}$", text, re.MULTILINE
    )
    assigned += [(name, tested) for tested, shape, name in conditional if re.search(shape[1:-1], values[tested])]
    assert len(re.findall(r"\$json\(jwt_question/", text)) == 2 + len(conditional), "all of them are understood"
    return json.dumps({name: values[variable] for name, variable in assigned})


CALL_ID = "a-call@203.0.113.9"

Ask = Callable[..., Answer]


@pytest.fixture(name="ask")
def _ask(set_stage: SetStage) -> Ask:
    """Ask the real function what the script asks it."""
    stage = set_stage()
    return lambda given, user, call_id=CALL_ID: stage.ask(event_of(given.text, user, call_id))


def event_of(token: str, user: str, call_id: str) -> dict[str, Any]:
    body = question({"$avp(jwt_token)": token, "$avp(jwt_user)": user, "$ci": call_id})
    (content_type,) = re.findall(r'async\(rest_post\(.*?, "(\S+)"', code())
    (path,) = re.findall(r'\$avp\(jwt_url\) = "https://[^/]+/v1(/\S+)"', code())
    request = HttpRequest("POST", path, "", [("Content-Type", content_type)], body.encode(), "127.0.0.1")
    api = RestApi(template()["Resources"]["Api"]["Properties"]["DefinitionBody"])
    return api.event_of(request, "an-id")


@pytest.fixture(name="deferred")
def _deferred(set_stage: SetStage) -> Answer:
    """The real answer about a token of an issuer whose key is not fetched yet."""
    stage = set_stage(ISSUERS=ISSUER)
    now = int(time.time())
    write_issuer(stage.tables, now=now)
    return stage.ask(event_of(a_token_of_a_new_key(now=now), "alice", CALL_ID))


def test_what_it_asks_is_understood_and_all_of_it_counts(ask: Ask) -> None:
    answer = ask(ALICE, "alice")

    assert answer.status == 200
    assert answer.record["call_id"] == CALL_ID


def test_the_longest_call_id_that_the_service_takes_is_sent(ask: Ask) -> None:
    assert ask(ALICE, "alice", "c" * 128).record["call_id"] == "c" * 128


@pytest.mark.parametrize(
    "call_id", ["c" * 129, "a\x07call", "caf\u00e9", ""], ids=["long", "control", "not ASCII", "empty"]
)
def test_a_call_id_that_the_service_would_not_take_costs_the_log_a_word_and_nobody_a_call(
    ask: Ask, call_id: str
) -> None:
    answer = ask(ALICE, "alice", call_id)

    assert answer.status == 200
    assert "call_id" not in answer.record


def test_register_is_asked_about_by_its_to_which_is_what_is_registered() -> None:
    """OpenSIPS compares without regard to case: ALICE in To is alice in From to it, and may be somebody else."""
    authorize = routes()["jwt_authorize"]
    users = re.findall(r"^(\t+)\$avp\(jwt_user\) = (\$\w+);$", authorize, re.MULTILINE)
    (registers,) = re.findall(r'^\tif \(is_method\("REGISTER"\)\) \{\n(.*?)^\t\}', authorize, re.MULTILINE | re.DOTALL)

    assert users == [("\t", "$fU"), ("\t\t", "$tU")]
    assert registers.endswith("\t\t$avp(jwt_user) = $tU;\n")


def test_a_user_is_compared_as_save_registers_it_and_a_domain_in_small_letters() -> None:
    authorize = routes()["jwt_authorize"]

    assert authorize.index('if ($fU == NULL || $fU =~ "%" || ') < authorize.index("$avp(jwt_user) = $fU;")
    assert re.findall(r"(\S+) != \$avp\(jwt_domain\)", authorize) == ["$(fd{s.tolower})", "$(td{s.tolower})"]


def read_of_answers() -> set[str]:
    return set(re.findall(r"\$\(?json\(jwt/([\w/]+)\)", code()))


def test_all_it_reads_of_an_answer_is_there(ask: Ask) -> None:
    answer, read = ask(ALICE, "alice"), read_of_answers() - OF_A_503

    assert {name.split("/")[0] for name in read} == answer.body.keys()
    assert {name for name in read if "/" in name} == {"credentials/extra_jwt_info"}


def test_all_it_reads_of_a_deferral_is_there(deferred: Answer) -> None:
    assert read_of_answers() & deferred.body.keys() >= OF_A_503


# --- What it makes of an answer ---------------------------------------------------------------------------------------


def text_of(value: object) -> str:
    """A member of an answer as OpenSIPS's `=~` sees it: as JSON has it, texts without quotes, NULL as nothing."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def branch_of(status: int, body: dict[str, Any], user: str) -> str:
    """Read the branches from the script, and return where an answer leads."""
    branches = re.findall(r"^\tif \((.*)\) \{\n((?:\t\t.*\n)+)\t\}", routes()["jwt_answered"], re.MULTILINE)
    by_answer = [(condition, block) for condition, block in branches if "jwt_status" in condition]
    values = {"$avp(jwt_status)": status, "$avp(jwt_user)": user}
    for condition, block in by_answer:
        holds = []
        for part in condition.split(" && "):
            left, operator, right = part.split()
            value = body.get(left[len("$json(jwt/") : -1]) if left.startswith("$json") else values[left]
            if operator == "=~":
                holds.append(re.search(right[1:-1], text_of(value)) is not None)
                continue
            wanted = values[right] if right in values else None if right == "NULL" else json.loads(right)
            holds.append((value == wanted) is (operator == "=="))
        if all(holds):
            (end,) = re.findall(r"route\((\w+)\)|send_reply\((\d+),", block)
            return str(end[0] or end[1])
    (last,) = re.findall(r"route\((\w+)\);\n?$", routes()["jwt_answered"].rstrip())
    return str(last)


def test_it_looks_at_four_answers_and_calls_the_rest_a_fault() -> None:
    assert routes()["jwt_answered"].count("$avp(jwt_status) ==") == 4
    assert branch_of(200, {}, "alice") == "jwt_fault"


def test_a_good_token_is_accepted_a_bad_one_challenged_another_user_forbidden(ask: Ask) -> None:
    good, expired, other = ask(ALICE, "alice"), ask(ALICE_EXPIRED, "alice"), ask(ALICE, "bob")

    assert branch_of(good.status or 0, good.body, "alice") == "jwt_accept"
    assert branch_of(expired.status or 0, expired.body, "alice") == "jwt_refuse"
    assert branch_of(other.status or 0, other.body, "bob") == "403"


def test_a_token_whose_key_is_not_fetched_yet_is_deferred_and_neither_refused_nor_a_fault(deferred: Answer) -> None:
    assert branch_of(deferred.status or 0, deferred.body, "alice") == "jwt_deferred"


def test_an_outage_and_a_deferral_with_another_status_are_faults(deferred: Answer) -> None:
    outage = {**deferred.body, "type": "urn:auth-jwt:problem:unavailable"}

    assert branch_of(503, outage, "alice") == "jwt_fault"
    assert {branch_of(status, deferred.body, "alice") for status in (200, 401, 403, 429, 500, 502)} == {"jwt_fault"}


def seconds_passed_on(status: int, body: dict[str, Any]) -> str:
    """Work the header Retry-After of the SIP answer out as route[jwt_retry_after] does."""
    text = routes()["jwt_retry_after"]
    ((usual, wanted, pattern),) = re.findall(
        r'^\t\$avp\(jwt_after\) = "(\d+)";\n'
        r'\tif \(\$avp\(jwt_status\) == (\d+) && \$json\(jwt/retry_after\) =~ "(\S+)"\) \{\n'
        r"\t\t\$avp\(jwt_after\) = \$\(json\(jwt/retry_after\)\{s\.substr,0,0\}\);\n\t\}$",
        text,
        re.MULTILINE,
    )
    assert 'append_to_reply("Retry-After: $avp(jwt_after)\\r\\n");' in text
    said = text_of(body.get("retry_after"))
    return said if status == int(wanted) and re.search(pattern, said) else usual


def test_the_client_comes_back_when_the_service_says(deferred: Answer) -> None:
    assert seconds_passed_on(503, deferred.body) == deferred.headers["retry-after"]
    assert 30 <= int(deferred.headers["retry-after"]) <= 62


@pytest.mark.parametrize("said", [1, 9, 10, 99, 100, 899, 900], ids=repr)
def test_a_time_up_to_15_minutes_is_passed_on(said: int) -> None:
    assert seconds_passed_on(503, {"retry_after": said}) == str(said)


@pytest.mark.parametrize(
    "said", [0, -1, 901, 1000, 9000, 2**32 + 1, 1.5, True, None, "", "soon", "042", " 42", "4\r\nX: y", [42]], ids=repr
)
def test_any_other_time_is_five_seconds(said: object) -> None:
    assert seconds_passed_on(503, {"retry_after": said}) == "5"


def test_no_other_answer_says_when_to_come_back() -> None:
    assert {seconds_passed_on(status, {"retry_after": 42}) for status in (0, 200, 401, 429, 500, 502)} == {"5"}


@pytest.mark.parametrize("name", ["jwt_deferred", "jwt_fault"])
def test_whoever_is_sent_away_is_told_when_to_come_back(name: str) -> None:
    body = routes()[name]

    assert body.index("route(jwt_retry_after)") < body.index("xlog(") < body.index("send_reply(503, ")


def test_an_answer_that_names_another_user_is_a_fault(ask: Ask) -> None:
    good = ask(ALICE, "alice")

    assert branch_of(200, good.body, "bob") == "jwt_fault"


@pytest.mark.parametrize("value", ["soon", "", True, 1.5, 1e20, -1, None, [], {}, "4070908800 "], ids=repr)
def test_a_good_answer_whose_end_is_no_whole_number_is_a_fault(ask: Ask, value: object) -> None:
    """It used to be accepted, and REGISTER then got no answer at all: save() takes no such limit."""
    body = ask(ALICE, "alice").body | {"expires_at": value}

    assert branch_of(200, body, "alice") == "jwt_fault"


@pytest.mark.parametrize("member", ["code", "sip_username", "decoded_token", "expires_at"])
def test_a_good_answer_with_a_member_left_out_is_a_fault(ask: Ask, member: str) -> None:
    body = {name: value for name, value in ask(ALICE, "alice").body.items() if name != member}

    assert branch_of(200, body, "alice") == "jwt_fault"


def test_whatever_the_gateway_says_by_itself_is_a_fault() -> None:
    api = RestApi(template()["Resources"]["Api"]["Properties"]["DefinitionBody"])
    for kind in api.document["x-amazon-apigateway-gateway-responses"]:
        own = api.own_answer(kind, "an-id")

        assert branch_of(own.status, json.loads(own.body), "alice") == "jwt_fault", kind


def test_an_outage_and_a_missing_token_are_faults(set_stage: SetStage) -> None:
    """The script never asks without a token, so 401 without a code is a fault as well."""
    api = RestApi(template()["Resources"]["Api"]["Properties"]["DefinitionBody"])
    request = HttpRequest("POST", "/authorize", "", [], b"", "127.0.0.1")
    without = set_stage().ask(api.event_of(request, "an-id"))

    assert without.status == 401
    assert branch_of(401, without.body, "alice") == "jwt_fault"
    assert branch_of(503, {"status": 503}, "alice") == "jwt_fault"
    assert branch_of(0, {}, "alice") == "jwt_fault"


# --- The page ---------------------------------------------------------------------------------------------------------


def test_the_page_installs_the_packages_of_all_modules_and_no_others() -> None:
    loaded = {name.removesuffix(".so") for name in documented()["modules"]}
    (wanted,) = re.findall(r"with the modules ([^.]+)\.", README)
    (installed,) = re.findall(r"apt-get install (opensips [\w -]+?) +#", README)

    assert set(re.findall(r"`(\w+)`", wanted)) == documented()["packages"].keys() >= loaded
    assert sorted(installed.split()) == sorted(set(documented()["packages"].values()))


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_register_that_the_page_sends_is_well_formed_and_accepted(ask: Ask, shell: str, tmp_path: Path) -> None:
    (shown,) = (block for block in blocks_of(FOLDER / "README.md") if "REGISTER" in block)
    sent = tmp_path / "sent"
    stand_ins = {"auth-jwt": f"echo {ALICE.text}", "nc": f"cat > {sent}", "opensips-cli": ""}

    ended = run(shell, shown, tmp_path, stand_ins)

    start, *lines = sent.read_bytes().decode().removesuffix("\r\n\r\n").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    ((user, domain),) = re.findall(r"^<sip:(\w+)@([\w.]+)>$", fields["To"])
    scheme, _, given = fields["Authorization"].partition(" ")
    assert sent.read_bytes().endswith(b"\r\n\r\n")
    assert (start, domain) == (f"REGISTER sip:{DOMAIN} SIP/2.0", DOMAIN)
    assert fields["From"].startswith(f"{fields['To']};tag=")
    assert fields["CSeq"].endswith(" REGISTER")
    assert ";rport;" in fields["Via"], "or the answer would go to a port where nobody listens"
    assert (scheme, given) == ("Bearer", ALICE.text)
    assert ask(ALICE, user, fields["Call-ID"]).status == 200
    assert ended.called == ["auth-jwt token mint alice-web", "nc -u -w5 127.0.0.1 5060", "opensips-cli -x mi ul_dump"]


def test_the_page_tells_of_every_setting_that_the_module_has() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`?", README.partition("| modparam |")[2], re.MULTILINE))
    settings = {row for row in rows.values() if row.isupper()}

    assert {name.upper() for name in rows if name != "db_mode"} == settings
    assert settings <= DEFAULTS.keys()


def test_the_domain_is_the_realm() -> None:
    settings = routes()["jwt_settings"]

    assert f'$avp(jwt_domain) = "{DOMAIN}"' in settings
    assert DOMAIN.lower() == DOMAIN
    assert f'Bearer realm=\\"{DOMAIN}\\"' in settings
