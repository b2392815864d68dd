"""Write docs/opensips-parity.md: where this service and the OpenSIPS module agree, and where they differ on purpose.

`python -m tools.parity` writes the page from the recorded cases; `python -m tools.parity --check` writes nothing and
exits with 1 when the page is not what it would write. A difference or a group that is not explained here is an error.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "opensips-parity.md"
GOLDEN: Final = ROOT / "tests" / "conformance" / "golden"

Case = Mapping[str, Any]

GROUPS: Final[Mapping[str, str]] = {
    "alg": "each algorithm against keys of each kind",
    "alg-header": "spellings and types of the header's `alg`",
    "claims": "values of `exp` and `nbf`, which the module does not check",
    "confusion": "a public key used as an HMAC secret",
    "credentials": "`load_credentials` over column types",
    "empty-secret": "a row whose secret is empty",
    "extract_pub_key_from_cert": "the key helper for certificates",
    "extract_pub_key_from_exp_mod": "the key helper for RSA numbers",
    "header": "other members of the header, and its JSON",
    "none": "`alg` `none`",
    "payload": "JSON of the payload, and how it is rendered",
    "pem": "forms of PEM text",
    "profile": "what the profile row holds",
    "script": "`jwt_script_authorize`",
    "secret": "other contents of a secret",
    "size": "long tokens",
    "structure": "segments, dots and base64url, HS256",
    "structure-es": "the same, ES256",
    "structure-rs": "the same, RS256",
    "tag": "types and values of the tag claim",
    "tag-collation": "letter case, blanks and look-alikes in tags",
    "tag-json": "the tag written in odd JSON",
    "tag-length": "long tags",
    "tag-sqli": "SQL in the tag",
    "window": "edges of a secret's window",
}
"""What is varied in each group of cases."""

DIFFERENCES: Final[Mapping[str, str]] = {
    "base64url is strict": (
        "The module skips characters that are not base64url, and accepts padding, the standard alphabet and a final"
        " dot, so one token has many spellings. Here every segment must be base64url without padding (RFC 7515,"
        " section 2)."
    ),
    'jwt_script_authorize shows the real alg, not "none"': (
        "The module's decoded token says `none`, whatever the token says. Here it says the same as the token."
    ),
    "same strictness as the table form": (
        "`/script-authorize` reads a token by the same rules as `/authorize`. Each of these cases follows from another"
        " difference on this page."
    ),
    "tags compare exactly": (
        "The recorded database compares tags by its collation. It ignores case and trailing spaces, and treats a"
        " dotless i as an i. DynamoDB compares bytes, so each spelling is another tag. Rows that relied on the"
        " collation need one spelling."
    ),
    "JSON is strict (duplicates, trailing bytes, depth)": (
        "If a member is given twice, the module uses the last one; other parsers use the first. Here a token that two"
        " parsers may read differently is denied. So is one with nesting deeper than 64."
    ),
    "RSA below 2048 bits and curves that do not fit the algorithm are refused": (
        "RFC 7518, sections 3.3 and 3.4: RSA keys have at least 2048 bits, and ES256, ES384 and ES512 each name one"
        " curve."
    ),
    "asymmetric keys: PEM is read more leniently, certificates and every block of a bundle count": (
        "A key is used if its meaning is plain: indented PEM, PEM with other line ends, a certificate, any block of a"
        " bundle."
    ),
    "credentials: the whole text of a column (NUL included) and numbers of any size": (
        "The module cuts text at a NUL, and leaves out 64-bit integers and decimals. Here text stays whole, and a"
        " number keeps its digits."
    ),
    "an empty secret verifies nothing": (
        "With an empty key the module checks nothing: any signature passes, so anybody can log in. It treats a secret"
        " that begins with a NUL as empty, too. Here an empty secret is unusable, counted and logged. A NUL is a"
        " character like any other."
    ),
    "PS* and EdDSA are supported": "The recorded module refuses these algorithms.",
    "algorithm names are case-sensitive and `none` is never accepted": (
        "RFC 7515, section 4.1.1: names of algorithms are case-sensitive. `none` is not an algorithm here."
    ),
    "asymmetric key material is never an HMAC secret": (
        "Anybody who knows a public key could sign with it (the class of CVE-2015-9235 and CVE-2022-29217). Here the"
        " secret's content decides what it may verify, never the token."
    ),
    "header members are strictly typed, JSON is strict": (
        "`typ` must be a string if it is present (RFC 7515, section 4.1.9), and nothing may follow the JSON."
    ),
    "the whole secret counts; JWKs are keys": (
        "The module cuts a secret at a NUL, and does not know JWKs. Here the whole text is the key, and a JWK is the"
        " key that it describes."
    ),
    "crit and b64=false are refused": (
        "RFC 7515, section 4.1.11, and RFC 7797: a verifier must understand every extension that the token calls"
        " critical, and this service understands none."
    ),
    "a profile without a username is refused": "An empty username names nobody. The module returns it.",
    "the header shows what the token says, also next to an empty secret row": (
        "After the module has tried an empty secret, its decoded token says `none`, even if a good secret verified it."
    ),
    "alg none is never accepted": "With an empty secret in the table, the module accepts a token that nobody signed.",
    "numbers that make no usable RSA key are refused": (
        "The module writes PEM for nearly any two numbers. Here an exponent that is even or below 3, or a modulus below"
        " 512 bits, raises `InvalidKey`."
    ),
}
"""Why each difference is intended."""

SIDE_BY_SIDE: Final[Mapping[str, tuple[str, str]]] = {
    "a credential beyond 32 bits": ("left out, or 32 bits of it", "all its digits"),
    "a credential that is a BOOL": ("`1`, `0`", "`true`, `false`"),
    "a profile that is `disabled`": ("accepts: it has no such column", "refuses: `disabled_profile`"),
    "a token issued before `tokens_valid_after`": ("accepts: it has no such column", "refuses: `revoked_token`"),
    "a token in `REVOCATIONS_TABLE`": ("accepts: it has no such table", "refuses: `revoked_token`"),
}
"""What differed where a running OpenSIPS and this service had the same tokens: the module, and here."""

SETTINGS: Final[Mapping[str, str]] = {
    "ENFORCE_TIME_CLAIMS": "by default `exp`, `nbf` and `iat` are checked when present",
    "MIN_HMAC_KEY_BYTES": "by default HMAC keys shorter than RFC 7518 requires (32, 48, 64 bytes) verify nothing",
    "MAX_TOKEN_BYTES": "by default tokens above 16384 bytes are denied",
}
"""The settings of the recorded cases, and what their defaults do instead."""

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>&|~$#])")
_SHORT: Final = 120


def page() -> str:
    """Return the page for the recorded cases.

    Raises:
        KeyError: this module does not explain a group, difference or setting of the cases.
    """
    decisions, keys = _read("opensips.json"), _read("keys.json")
    cases: list[Case] = [*decisions["cases"], *({"group": case["op"], **case} for case in keys["cases"])]
    differing = [case for case in cases if "difference" in case]
    recorded = re.match(r"Behaviour of (.+?) recorded", decisions["about"])
    if recorded is None:
        raise KeyError("about")
    lines = [
        "<!-- Written by tools/parity.py from tests/conformance/golden. Do not edit. -->",
        "# Parity with the OpenSIPS module",
        "",
        f"{len(decisions['cases'])} decisions and {len(keys['cases'])} results of the key helpers were recorded from"
        f" the real module, {recorded[1]}, and every one is a test here (`make conformance`).",
        f"**{len(cases) - len(differing)} of {len(cases)} are the same**, decoded tokens byte for byte;"
        f" {len(differing)} differ on purpose, each listed below with its reason.",
        "",
        *_summary(differing),
        "",
        "All cases run with the settings nearest to the module. With the defaults the service is stricter:",
        "",
        *_settings(decisions["cases"]),
        "",
        "## Cases by group",
        "",
        *_groups(cases),
        "",
        "## Side by side",
        "",
        "A running OpenSIPS with the module, and one with [the recipe](../frontends/opensips/README.md) in its place,"
        " got the same 56 tokens. Wherever both accept, decoded token, user and AVPs are equal, except for these."
        " The recipe's page lists [faults of the module itself](../frontends/opensips/README.md#leaving-the-module).",
        "",
        *_table(["what", "OpenSIPS", "here"], [[what, *sides] for what, sides in SIDE_BY_SIDE.items()]),
        "",
        "## Differences",
        "",
        "A denial here has a reason, which only the log shows. `/script-authorize` answers 1 (validated), -1 (not"
        " validated by the key) or -2 (no token), as the module does.",
        *_differences(differing),
    ]
    return "\n".join(lines) + "\n"


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return document


def _summary(cases: Iterable[Case]) -> list[str]:
    kinds = Counter((_is_yes(case["opensips"]["rc"]), _is_yes(_code(case["ours"]))) for case in cases)
    words = {
        (True, False): "OpenSIPS accepts, refused here",
        (False, True): "OpenSIPS refuses, accepted here",
        (True, True): "both accept, the answers differ",
        (False, False): "both refuse, the answers differ",
    }
    return _table(["what differs", "cases"], [[text, str(kinds[kind])] for kind, text in words.items()])


def _settings(cases: Sequence[Case]) -> list[str]:
    common = dict(set.intersection(*(set(case["settings"].items()) for case in cases)))
    return [f"- `{name}={value}`: {SETTINGS[name]}." for name, value in sorted(common.items())]


def _groups(cases: Iterable[Case]) -> list[str]:
    total: Counter[str] = Counter()
    differ: Counter[str] = Counter()
    for case in cases:
        total[case["group"]] += 1
        differ[case["group"]] += "difference" in case
    rows = [
        [group, GROUPS[group], str(total[group]), str(total[group] - differ[group]), str(differ[group])]
        for group in sorted(total)
    ]
    rows.append(["**all**", "", str(total.total()), str(total.total() - differ.total()), str(differ.total())])
    return _table(["group", "what is varied", "cases", "same", "differ"], rows)


def _differences(cases: Iterable[Case]) -> list[str]:
    by_difference: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_difference[case["difference"]].append(case)
    lines: list[str] = []
    for difference, members in sorted(by_difference.items(), key=lambda item: (-len(item[1]), item[0])):
        why = DIFFERENCES[difference]
        title = difference if "`" in difference else plain(difference)
        rows = [[plain(case["name"]), case["group"], theirs(case), ours(case)] for case in members]
        lines += ["", f"### {title} ({len(members)})", "", why, ""]
        lines += _table(["case", "group", "OpenSIPS", "here"], rows)
    return lines


def theirs(case: Case) -> str:
    """Return a table cell that says what the module did in *case*."""
    recorded = case["opensips"]
    if "op" in case and case["op"].startswith("extract_"):
        return "gives PEM" if recorded["rc"] == 1 else "fails"
    if case["op"] == "script":
        return " ".join([str(recorded["rc"]), *_header_shown(case, recorded)])
    if recorded["rc"] != 1:
        return "refuses"
    who = f"accepts as {code(recorded['sip_username'])}" if recorded["sip_username"] else "accepts, username empty"
    return "".join([who, *(f", {text}" for text in _told_apart(case, recorded, recorded["avps"]))])


def ours(case: Case) -> str:
    """Return a table cell that says what this service answers in *case*."""
    answer = case["ours"]
    if case["op"].startswith("extract_"):
        return "gives PEM" if answer["rc"] == 1 else "`InvalidKey`"
    if case["op"] == "script":
        return " ".join([str(answer["code"]), *_header_shown(case, answer)])
    if answer["code"] != 1:
        return f"refuses: {code(answer['reason'])}"
    who = f"accepts as {code(answer['sip_username'])}"
    return "".join([who, *(f", {text}" for text in _told_apart(case, answer, answer["credentials"]))])


def _code(answer: Mapping[str, Any]) -> int:
    value: int = answer["code"] if "code" in answer else answer["rc"]
    return value


def _is_yes(value: int) -> bool:
    return value == 1


def _header_shown(case: Case, answer: Mapping[str, Any]) -> list[str]:
    """Return the header of a decoded token if the two answers show different ones."""
    headers = [_header(side.get("decoded_token")) for side in (case["opensips"], case["ours"])]
    shown = _header(answer.get("decoded_token"))
    return [code(shown)] if None not in headers and headers[0] != headers[1] and shown else []


def _header(decoded: str | None) -> str | None:
    if decoded is None:
        return None
    _, end = json.JSONDecoder().raw_decode(decoded)
    return decoded[:end]


def _told_apart(case: Case, answer: Mapping[str, Any], credentials: Mapping[str, Any]) -> list[str]:
    """Return the parts in which the two answers differ, if both accept."""
    if case["opensips"]["rc"] != 1 or case["ours"]["code"] != 1:
        return []
    shown = _header_shown(case, answer)
    if case["opensips"]["avps"] != case["ours"]["credentials"]:
        shown.append(f"credentials {code(json.dumps(credentials, ensure_ascii=True))}")
    return shown


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(titles)} |",
        f"|{' --- |' * len(titles)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def plain(text: str) -> str:
    """Return *text* escaped, so that Markdown shows each of its characters, also in a table cell."""
    return _SPECIAL.sub(r"\\\1", _visible(text)).strip() or "(empty)"


def code(text: str) -> str:
    """Return *text* as a code span that fits into a table cell. Long text is shortened."""
    text = _visible(text)
    if len(text) > _SHORT:
        text = f"{text[: _SHORT - 1]}…"
    if not text.strip() or "|" in text:  # a span may not be blank, and a bar in one has no certain escape
        return plain(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    padding = " " if "`" in text or text != text.strip() else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def _visible(text: str) -> str:
    """Escape every character that is invisible or would end a line."""
    return "".join(
        character if character == " " or (character.isprintable() and not character.isspace()) else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    return f"\\u{ord(character):04X}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08X}"


def main() -> None:
    """Write the page, or with `--check` tell whether it is stale."""
    parser = argparse.ArgumentParser(description="Write docs/opensips-parity.md from the recorded cases.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the page is stale")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        parser.exit(1, f"{PAGE.name} is stale: run `python -m tools.parity`\n")


if __name__ == "__main__":
    main()
