"""frontends/freeswitch, without FreeSWITCH: its XML is well-formed, agrees with itself, and lets in Kamailio alone."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

FOLDER = Path(__file__).parents[2] / "frontends" / "freeswitch"
FILES = sorted(FOLDER.rglob("*.xml"))
HOOKS = (FOLDER / "hooks.cfg").read_text(encoding="utf-8")
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def parsed(name: str) -> ET.Element:
    (file,) = FOLDER.rglob(name)
    return ET.parse(file).getroot()


def settings() -> dict[str, str]:
    """The parameters of the SIP profile; one of each name."""
    params = parsed("behind-kamailio.xml").findall("settings/param")
    values = {param.attrib["name"]: param.attrib["value"] for param in params}
    assert len(values) == len(params)
    return values


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_xml_is_well_formed_and_the_page_names_it(file: Path) -> None:
    assert ET.parse(file).getroot() is not None
    assert file.relative_to(FOLDER).as_posix() in README


def test_the_profile_lets_in_who_is_on_the_list_and_asks_nobody_for_a_password() -> None:
    values = settings()

    assert values["apply-inbound-acl"] == parsed("kamailio.acl.xml").attrib["name"]
    assert (values["auth-calls"], values["disable-register"]) == ("false", "true")
    assert not [name for name in values if "blind" in name]


def test_the_list_denies_all_but_one_address() -> None:
    acl = parsed("kamailio.acl.xml")

    assert acl.attrib["default"] == "deny"
    assert [(node.attrib["type"], node.attrib["cidr"][-3:]) for node in acl] == [("allow", "/32")]


def test_both_sides_agree_on_the_addresses() -> None:
    values = settings()
    ((kamailio, port),) = re.findall(r"^listen=udp:([\d.]+):(\d+)$", HOOKS, re.MULTILINE)
    (freeswitch,) = re.findall(r'!FREESWITCH!sip:([\d.:]+);transport=(\w+)!g"$', HOOKS, re.MULTILINE)

    assert freeswitch == (f"{values['sip-ip']}:{values['sip-port']}", values["bind-params"].partition("=")[2])
    assert parsed("kamailio.acl.xml")[0].attrib["cidr"] == f"{kamailio}/32"
    assert f"fs_path=sip:{kamailio}:{port}`" in README


def test_a_call_without_a_user_is_refused_before_anything_else() -> None:
    context = parsed("from-kamailio.xml")[0]
    first = context[0]

    assert context.attrib["name"] == settings()["context"]
    assert first.find("condition").attrib == {"field": "${sip_h_X-Auth-User}", "expression": "^$"}  # type: ignore[union-attr]
    assert "continue" not in first.attrib
    assert [action.attrib["application"] for action in first.iter("action")] == ["respond"]


def test_the_dialplan_reads_what_kamailio_sets() -> None:
    read = set(re.findall(r"sip_h_(X-[\w-]+)", (FOLDER / "dialplan" / "from-kamailio.xml").read_text(encoding="utf-8")))
    set_ = set(re.findall(r'append_hf\("(X-[\w-]+): ', HOOKS))
    removed = re.findall(r'^route\[(\w+)\] \{[^}]*remove_hf_re\("\^([\w-]+)"\)', HOOKS, re.MULTILINE)

    assert read == set_
    assert removed == [("ON_ACCEPTED", "X-Auth-"), ("IN_DIALOG", "X-Auth-")]
    assert all(name.startswith("X-Auth-") for name in set_)


def test_the_wire_is_udp_since_behind_haproxy_kamailio_takes_no_tcp_from_freeswitch() -> None:
    assert "tcp" not in re.sub(r"(?m)^#[^!].*$", "", HOOKS)
    assert settings()["bind-params"] == "transport=udp"
