"""The rules of `auth-jwt lint`: what each finds, why it matters, and what to do before the import.

There are three severities. *danger*: somebody may get in, here or at OpenSIPS, who should not. *difference*: the row
behaves differently here, or cannot be imported at all. *hint*: worth knowing, and the same in both places.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from auth_jwt.jose.tokens import MAX_TAG_CHARACTERS
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.live_rules import LIVE_RULES, About, commands_in


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    DANGER = "danger"
    DIFFERENCE = "difference"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about rows.

    Attributes:
        id: the rule's name. It is stable: scripts rely on it.
        severity: how much it matters.
        why: what the rule is about, in one sentence.
        remedy: what to do about rows of a source, in one sentence. For rows of our own tables see `live_rules`.
        bars: whether `auth-jwt import` leaves such a row out.
    """

    id: str
    severity: Severity
    why: str
    remedy: str
    bars: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, and a row that breaks it.

    Attributes:
        rule: the rule.
        table: the row's table.
        tag: the row's tag. None when it has none that can be shown.
        id: the row's `id`, if it is a secret that has one.
        why: the rule's sentence, or a more precise one.
        place: the row's place in the source. None for rows of the live tables.
        live: whether the row is in the live tables.
        words: for a live row, the replacements for words in the commands of the remedy.
    """

    rule: Rule
    table: Table
    tag: str | None
    id: str | None
    why: str
    place: str | None = None
    live: bool = False
    words: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of_live_row(
        cls, rule: str, key: Key, why: str | None = None, words: Mapping[str, str | None] | None = None
    ) -> "Finding":
        """Make a finding about a row of our own tables."""
        told = why or LIVE_RULES[rule].why or RULES[rule].why
        return cls(RULES[rule], key.table, key.tag, key.id, told, live=True, words=words or {})

    @property
    def remedy(self) -> str:
        """What to do."""
        return LIVE_RULES[self.rule.id].remedy if self.live else self.rule.remedy

    @property
    def general_why(self) -> str:
        """What the rule is about, for any row."""
        return (LIVE_RULES[self.rule.id].why if self.live else None) or self.rule.why

    def as_json(self, where: tuple[str, ...] = ()) -> dict[str, object]:
        """Return the finding as a JSON object, without the members that are None.

        Args:
            where: the options with which commands find the live tables.
        """
        commands = commands_in(self.remedy, About(self.tag or "", self.id, self.words, where)) if self.live else ()
        members = {
            "rule": self.rule.id,
            "severity": self.rule.severity.value,
            "table": self.table.value,
            "tag": self.tag,
            "id": self.id,
            "place": self.place,
            "why": self.why,
            "remedy": self.remedy,
            "commands": [command.as_json() for command in commands] or None,
        }
        return {name: value for name, value in members.items() if value is not None}


_DANGER, _DIFFERENCE, _HINT = Severity.DANGER, Severity.DIFFERENCE, Severity.HINT

_RULES: Final = (
    Rule(
        "empty-secret",
        _DANGER,
        "The secret is empty, is NULL or begins with a NUL: OpenSIPS lets in anyone who names the tag.",
        "Close this hole at OpenSIPS today, and give the tag a secret with `auth-jwt secret add`.",
        bars=True,
    ),
    Rule(
        "short-secret",
        _DANGER,
        "The HMAC secret is so short that it can be guessed, and verifies nothing under these settings.",
        "Rotate to a generated one with `auth-jwt secret rotate`, or accept the risk with MIN_HMAC_KEY_BYTES.",
    ),
    Rule(
        "public-key-as-hmac",
        _DANGER,
        "The secret is a public key (PEM or JWK): OpenSIPS accepts HS256 tokens that anyone signs with its text.",
        "There is nothing to do here, where it verifies only its own algorithms. Migrate soon.",
    ),
    Rule(
        "unread-key-material",
        _DANGER,
        "The secret is key material in a form that the service does not read. OpenSIPS uses its text as an HMAC key.",
        "`auth-jwt key mend` writes its public key as PEM: store that.",
    ),
    Rule(
        "in-doubt",
        _DANGER,
        "No `alg` says what the secret is, and its text may be a public key, a certificate or a reference.",
        "If it is an HMAC secret, say so with `--hmac` (`import`, `secret set-alg`). If not, store the key as PEM.",
        bars=True,
    ),
    Rule(
        "degenerate-key",
        _DANGER,
        "The secret is a public key so weak that anybody can sign for it.",
        "Ask the issuer where this key comes from, and get another one.",
        bars=True,
    ),
    Rule(
        "published-key",
        _DANGER,
        "The secret is a key from an RFC or a well-known page, so everybody has it.",
        "Make a new one.",
    ),
    Rule(
        "blank-key",
        _DANGER,
        "The HMAC secret consists of blanks, NULs or invisible characters only.",
        "Rotate to a generated one with `auth-jwt secret rotate`.",
    ),
    Rule(
        "weak-words",
        _DANGER,
        "The HMAC secret is long enough, but can be guessed all the same.",
        "Rotate to a generated one with `auth-jwt secret rotate`.",
    ),
    Rule(
        "private-key",
        _DANGER,
        "The secret holds a private key: anyone who can read the table can sign with it.",
        "Make a new pair of keys, and store only the public one: `auth-jwt key mend` writes it.",
    ),
    Rule(
        "shared-secret",
        _DANGER,
        "Another tag has the same HMAC secret, so anyone who knows it can sign for both.",
        "Give each tag its own secret. If one issuer signs for all of them, let it use a public key.",
    ),
    Rule(
        "issuers-domain",
        _DANGER,
        "The SIP domain is that of an issuer, whose users a claim names: one of them may have the same name.",
        "Give the profile another domain, or have the issuer map its users by profiles.",
        bars=True,
    ),
    Rule(
        "window-in-milliseconds",
        _DANGER,
        "A bound of the window looks like milliseconds, but bounds are seconds: such an end never comes.",
        "Divide it by 1000.",
    ),
    Rule(
        "folded-tags",
        _DIFFERENCE,
        "Tags that differ only by case, accents or trailing blanks are one tag to MySQL, but several tags here.",
        "Use one spelling in the profile, its secrets and the issuer's tokens.",
    ),
    Rule(
        "blank-around-tag",
        _DIFFERENCE,
        "The tag begins or ends with a blank, and tokens must then have it too.",
        "Remove the blank in the profile and in its secrets.",
    ),
    Rule(
        "tag-too-long",
        _DIFFERENCE,
        f"The tag has more than {MAX_TAG_CHARACTERS} characters, and every token that names it is denied.",
        "Give the profile a shorter tag.",
    ),
    Rule(
        "nul-in-tag",
        _DIFFERENCE,
        "The tag contains a NUL, and every token that names it is denied.",
        "Give the profile another tag.",
    ),
    Rule(
        "no-username",
        _DIFFERENCE,
        "The profile has no username: OpenSIPS returns an empty one, here the login is denied.",
        "Set it with `auth-jwt profile set`, or remove the profile.",
    ),
    Rule(
        "unusable-key",
        _DIFFERENCE,
        "The secret verifies nothing here.",
        "Store another key. The README says what a secret may hold.",
    ),
    Rule(
        "unreadable-key",
        _DIFFERENCE,
        "The secret is PEM, a JWK or a JWKS that cannot be read, and verifies nothing here.",
        "`auth-jwt key mend` recovers the intended key, and writes it as PEM.",
    ),
    Rule(
        "alg-disagrees",
        _DIFFERENCE,
        "The `alg` of the row or of the JWK names no algorithm that fits the key, so it verifies nothing here.",
        "Correct it with `auth-jwt secret set-alg`, or store the intended key.",
    ),
    Rule(
        "alg-required",
        _DIFFERENCE,
        "REQUIRE_ALG_COLUMN is true and no `alg` says what the secret is, so it verifies nothing here.",
        "Write it with `auth-jwt secret set-alg`.",
    ),
    Rule(
        "too-many-secrets",
        _DIFFERENCE,
        "The tag has more open secrets than MAX_SECRETS_PER_TAG, and those that opened first verify nothing here.",
        "Close or remove the secrets that are not needed, or raise MAX_SECRETS_PER_TAG.",
    ),
    Rule(
        "reference",
        _DIFFERENCE,
        "The secret looks like a reference (an ARN or a URL), and the service does not resolve references.",
        "Store the key itself.",
    ),
    Rule(
        "jwk-secret",
        _DIFFERENCE,
        "The secret is a JWK or JWKS with an HMAC key: OpenSIPS uses its text as the key, here the key inside counts.",
        "If tokens were signed with the text, rotate to another secret.",
    ),
    Rule(
        "nul-in-secret",
        _DIFFERENCE,
        "The secret contains a NUL: OpenSIPS uses only the part before it, here the whole text counts.",
        "Rotate to a secret without it.",
    ),
    Rule(
        "secret-not-ascii",
        _DIFFERENCE,
        "The secret has characters beyond ASCII: the key here is UTF-8, OpenSIPS uses its connection's character set.",
        "If logins fail, rotate to an ASCII secret.",
    ),
    Rule(
        "bound-not-a-number",
        _DIFFERENCE,
        "A bound of the window is missing or not a number, so the window never opens here.",
        "Write UNIX seconds there.",
    ),
    Rule(
        "alg-or-kid-unusable",
        _DIFFERENCE,
        "The column for algorithms or key ids holds something else, so the secret verifies nothing here.",
        "Correct it, leave it out with --skip-column, or name another column in ALG_COLUMN or KID_COLUMN.",
    ),
    Rule(
        "disabled-profile",
        _DIFFERENCE,
        "The column for disabled profiles holds something other than 0 or false, so the profile is disabled here.",
        "Correct it, leave it out with --skip-column, or name another column in DISABLED_COLUMN.",
    ),
    Rule(
        "valid-after-not-a-number",
        _DIFFERENCE,
        "The column for revocations does not hold a number, so every token of the profile is denied here.",
        "Correct it, leave it out with --skip-column, or name another column in VALID_AFTER_COLUMN.",
    ),
    Rule(
        "valid-after-in-milliseconds",
        _DIFFERENCE,
        "The bound for revocations looks like milliseconds, so every token of the profile is denied here.",
        "Divide it by 1000, or leave the column out with --skip-column.",
    ),
    Rule(
        "credential-of-another-type",
        _DIFFERENCE,
        "A column that LOAD_CREDENTIALS names holds neither text nor a number nor a boolean, so it is left out.",
        "Store text there.",
    ),
    Rule(
        "malformed-row",
        _DIFFERENCE,
        "The row cannot be read.",
        "Correct it in the source, and import again.",
        bars=True,
    ),
    Rule(
        "no-tag",
        _DIFFERENCE,
        "The row has no tag, so no token can name it.",
        "Give it a tag, or remove it.",
        bars=True,
    ),
    Rule(
        "not-text",
        _DIFFERENCE,
        "A secret is a number or bytes, or a tag or an id is not UTF-8 text.",
        'Write a secret of bytes as a JWK, `{"kty":"oct","k":"..."}`. Export tags and ids as UTF-8.',
        bars=True,
    ),
    Rule(
        "cannot-be-stored",
        _DIFFERENCE,
        "DynamoDB cannot hold the row.",
        "Shorten it, or leave columns out with --skip-column.",
        bars=True,
    ),
    Rule(
        "duplicate-key",
        _DIFFERENCE,
        "An earlier row of the source has the same key and other content. The earlier row counts.",
        "Keep one of them.",
        bars=True,
    ),
    Rule(
        "kept-closed",
        _DIFFERENCE,
        "The table ends, disables or revokes what the source does not, and --overwrite does not undo that.",
        "To open it again: `auth-jwt secret add`, `auth-jwt profile enable` or `auth-jwt revoke --all --lift`.",
    ),
    Rule(
        "no-alg",
        _HINT,
        "No `alg` says what the secret is. With REQUIRE_ALG_COLUMN it would verify nothing.",
        "Write it with `auth-jwt secret set-alg`.",
    ),
    Rule(
        "short-for-some-algorithms",
        _HINT,
        "The HMAC secret is long enough for some of the algorithms only.",
        "If the issuer uses the others, rotate to 64 bytes. Otherwise there is nothing to do.",
    ),
    Rule(
        "never-opens",
        _HINT,
        "The window ends before it begins, or at once.",
        "Correct it, or remove the secret.",
    ),
    Rule(
        "expired",
        _HINT,
        "The window has closed.",
        "Remove the secret when nobody needs it any more.",
    ),
    Rule(
        "secret-without-profile",
        _HINT,
        "No profile has the tag of this secret, so it lets nobody in.",
        "Add the profile, or remove the secret.",
    ),
    Rule(
        "profile-without-secret",
        _HINT,
        "No secret has the tag of this profile, so nobody can log in with it.",
        "Add a secret with `auth-jwt secret add`, or remove the profile.",
    ),
    Rule(
        "username-not-registrable",
        _HINT,
        "Kamailio's registrar rejects the username: it is not printable ASCII, or longer than 64 characters.",
        "Behind Kamailio, give the profile another one with `auth-jwt profile set`.",
    ),
    Rule(
        "credential-missing",
        _HINT,
        "A column that LOAD_CREDENTIALS names is NULL or empty, so its credential is left out.",
        "Fill it in, if the proxy's script relies on it.",
    ),
)

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _RULES}
"""Every rule by its id, in the order of the documentation."""
