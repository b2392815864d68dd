"""Checks rows against the rules of `lint`. `auth_jwt` decides what a secret may verify; this module only asks it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from auth_jwt.credentials import Credential, load_credentials
from auth_jwt.errors import Flaw, Reason
from auth_jwt.issuers.models import issuer_of_user
from auth_jwt.jose.tokens import unverified_tag
from auth_jwt.models import Columns, Policy, Profile, Secret, Unusable, fold_domain, says_what_it_is
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.inspection import SecretRecord, inspect_secret
from auth_jwt.provisioning.registry import MAX_TIME
from auth_jwt.provisioning.statements import Statement, in_order, statement_of, weakness_in
from auth_jwt.provisioning.windows import is_in_milliseconds
from auth_jwt.rules import denial_by, ever_opens, has_ended, revokes_every_token, usable_profile
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.guessing import why_guessable
from auth_jwt_cli.migration.intentions import is_disabled_on_purpose
from auth_jwt_cli.migration.layout import BOTH_TABLES
from auth_jwt_cli.migration.ledger import Ledger
from auth_jwt_cli.migration.translation import TargetRow

_PRIVATE_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY", re.IGNORECASE)
_PUBLIC_PEM: Final = re.compile(r"-----BEGIN", re.IGNORECASE)
_OTHER_PRIVATE: Final = re.compile(r"PuTTY-User-Key-File-\d")
_REGISTRABLE: Final = re.compile(r"[ -~]{1,64}")
"""Usernames that every version of Kamailio registers (frontends/kamailio). Version 5.6 accepts no longer ones."""
RULES_OF_FLAWS: Final[Mapping[Flaw, str]] = {
    Flaw.NOT_TEXT: "not-text",
    Flaw.EMPTY: "empty-secret",
    Flaw.NOT_UNICODE: "unusable-key",
    Flaw.REFERENCE: "reference",
    Flaw.PRIVATE_KEY: "private-key",
    Flaw.UNREADABLE_KEY: "unreadable-key",
    Flaw.UNSUPPORTED_KEY: "unusable-key",
    Flaw.MALFORMED_JWK: "unreadable-key",
    Flaw.NOT_FOR_VERIFYING: "unusable-key",
    Flaw.KEY_MATERIAL: "unread-key-material",
    Flaw.IN_DOUBT: "in-doubt",
    Flaw.NO_ALG: "alg-required",
    Flaw.MALFORMED_ALG: "alg-or-kid-unusable",
    Flaw.MALFORMED_KID: "alg-or-kid-unusable",
    Flaw.ALG_DISAGREES: "alg-disagrees",
    Flaw.DEGENERATE_KEY: "degenerate-key",
    Flaw.PUBLISHED_KEY: "published-key",
    Flaw.BLANK_KEY: "blank-key",
    Flaw.TOO_SHORT: "short-secret",
    Flaw.NOT_ALLOWED: "unusable-key",
    Flaw.NEVER_OPENS: "never-opens",
    Flaw.BEYOND_LIMIT: "too-many-secrets",
}
"""The rule for each reason why a row verifies nothing."""


class Found(NamedTuple):
    """A rule that a row breaks.

    Attributes:
        rule: the rule's id.
        why: a more precise sentence than the rule's. Empty when there is none.
        words: the replacements for words in the commands of the remedy.
    """

    rule: str
    why: str = ""
    words: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of checking one row.

    Attributes:
        findings: the rules that the row breaks.
        shared: the text of an HMAC secret, which no two tags should share. None for all other rows.
        stated: the `alg` to write when the source's row has none. None when it cannot be determined.
        is_open: whether the row is a secret whose window is open.
        rests: whether the row is out of use in the live tables: a secret that has ended, or a profile disabled on
            purpose.
    """

    findings: list[Finding]
    shared: str | None = field(repr=False)
    stated: str | None = None
    is_open: bool = False
    rests: bool = False

    @property
    def bar(self) -> Finding | None:
        """The finding that bars the row from the import, or None."""
        return next((finding for finding in self.findings if finding.rule.bars), None)


class Examination:
    """Checks rows against the rules: each row by itself, then all rows together.

    Args:
        columns: the names of our columns.
        policy: the settings by which secrets are judged.
        live: whether the rows come from our own tables. Rules about what OpenSIPS makes of a row then do not apply.
        tables: the tables to check.
        hmac: whether the operator has declared that texts in doubt are HMAC secrets.
        domains: returns the SIP domains, in lower case, that issuers have, each with the issuer. It is called once,
            for the first profile with a domain.
        clock: UNIX seconds.
    """

    def __init__(
        self,
        columns: Columns,
        policy: Policy,
        *,
        live: bool,
        tables: tuple[Table, ...] = BOTH_TABLES,
        hmac: bool = False,
        domains: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], float],
    ) -> None:
        self._columns = columns
        self._policy = policy
        self._live = live
        self._hmac = hmac
        self._read_domains = domains
        self._judging = columns if live else replace(columns, requires_alg=False)  # the import writes `alg`
        self.tables = tables
        self._now = clock()

    @cached_property
    def _domains(self) -> Mapping[str, str]:
        return self._read_domains()

    def of(self, row: TargetRow) -> Examined:
        """Check *row* by itself."""
        shared, stated, is_open, rests = None, None, False, False
        rules: Iterable[Found]
        if row.key.table is Table.PROFILES:
            rules = self._of_profile(row)
            rests = self._live and is_disabled_on_purpose(row.columns.get(self._columns.disabled, False))
        else:
            if not self._live:
                stated = self.determine_alg(row).alg or None
            written = row.columns if stated is None else {**row.columns, self._columns.alg: stated}
            secret = Secret.from_row(written, self._judging)
            is_text = isinstance(row.columns.get(self._columns.secret, ""), str | None)
            is_open = secret.is_open(self._now)
            rests = self._live and has_ended(secret, self._now)
            rules = self._of_ended(secret) if rests else self._of_secret(secret, row.key.tag, is_text=is_text)
            if any(isinstance(key.material, bytes) for key in secret.keys):
                shared = secret.stored
        of_tag = () if rests and row.key.table is Table.SECRETS else self._of_tag(row.key.tag)
        findings = [self._finding(rule, row.key, why, row.place, words) for rule, why, words in (*of_tag, *rules)]
        return Examined(findings, shared, stated, is_open, rests)

    def determine_alg(self, row: TargetRow) -> Statement:
        """Return what the `alg` of a secret without one should be."""
        statement = statement_of(row.columns, self._columns, hmac=self._hmac)
        return Statement() if statement.is_there else statement

    def in_doubt(self, row: TargetRow) -> Finding | None:
        """Return a finding if *row* is a secret that looks like HMAC but may be something else, None otherwise."""
        unusable = None if row.key.table is Table.PROFILES else self.determine_alg(row).unusable
        if unusable is None or unusable.flaw is not Flaw.IN_DOUBT:
            return None
        rule, why, _ = _rule_of(unusable)
        return self._finding(rule, row.key, why, row.place)

    def between(self, ledger: Ledger) -> Iterator[Finding]:
        """Give the findings that come from comparing all rows in the *ledger* with each other."""
        are_both = set(self.tables) >= set(BOTH_TABLES)
        if are_both or not self._live:
            for key, other in ledger.folded_together(lacking=self._live):
                if issuer_of_user(key.tag) is not None:  # its `sub` is compared exactly, wherever it is
                    continue
                why = f"Another spelling of its tag is {other!r}: one tag to MySQL, two here."
                yield self._finding("folded-tags", key, why)
        for key, other in ledger.sharing_secrets():
            yield self._finding("shared-secret", key, f"The tag {other!r} has the same secret.")
        for tag, count in ledger.crowded(self._policy.max_secrets_per_tag):
            why = f"The tag has {count} open secrets, and MAX_SECRETS_PER_TAG is {self._policy.max_secrets_per_tag}."
            yield self._finding("too-many-secrets", Key(Table.SECRETS, tag), why)
        if are_both:
            yield from (self._finding("secret-without-profile", key) for key in ledger.secrets_without_profile())
            for key in ledger.profiles_without_secret():
                if issuer_of_user(key.tag) is None:
                    yield self._finding("profile-without-secret", key)

    def _finding(
        self,
        rule: str,
        key: Key,
        why: str = "",
        place: str | None = None,
        words: Mapping[str, str | None] | None = None,
    ) -> Finding:
        if self._live:
            return Finding.of_live_row(rule, key, why, words)
        return Finding(RULES[rule], key.table, key.tag, key.id, why or RULES[rule].why, place)

    def _of_tag(self, tag: str) -> Iterator[Found]:
        if tag and issuer_of_user(tag) is None and denial_by(lambda: unverified_tag({"tag": tag}, "tag")):
            yield Found("tag-too-long")
        if bare := tag.strip():
            if tag != bare:
                yield Found("blank-around-tag", words={"NEW-TAG": bare})
        else:
            yield Found("blank-around-tag")
        if "\0" in tag:
            yield Found("nul-in-tag")

    def _of_profile(self, row: TargetRow) -> Iterator[Found]:
        columns = self._columns
        profile = Profile.from_row(row.columns, columns, ())
        enabled, named = replace(profile, disabled=False), replace(profile, username=profile.username or "anybody")
        if denial_by(lambda: usable_profile(enabled)) is Reason.INCOMPLETE_PROFILE:
            yield Found("no-username")
        elif not _REGISTRABLE.fullmatch(profile.username or ""):
            yield Found("username-not-registrable")
        if denial_by(lambda: usable_profile(named)) is Reason.DISABLED_PROFILE and not (
            self._live and is_disabled_on_purpose(row.columns.get(columns.disabled, False))
        ):
            yield Found("disabled-profile")
        if revokes_every_token(profile):
            yield Found("valid-after-not-a-number")
        elif isinstance(profile.valid_after, Decimal) and is_in_milliseconds(profile.valid_after):
            yield Found("valid-after-in-milliseconds")
        issuer = self._domains.get(fold_domain(profile.domain)) if profile.domain else None
        if issuer is not None and issuer != issuer_of_user(row.key.tag):
            yield Found("issuers-domain", f"The SIP domain of the profile is that of the issuer {issuer!r}.")
        yield from self._of_credentials(row)

    def _of_credentials(self, row: TargetRow) -> Iterator[Found]:
        columns = self._columns
        told_otherwise = (columns.tag, columns.username, columns.disabled, columns.valid_after) if self._live else ()
        for column in dict.fromkeys(credential.column for credential in self._policy.credentials):
            loaded, unusable = load_credentials((Credential(column, column),), row.columns)
            if column in told_otherwise or loaded:
                continue
            words: dict[str, str | None] = {"COLUMN=TEXT": f"{column}=TEXT", "COLUMN": column}
            if column == columns.domain:
                words = {"--attribute": "--domain", "COLUMN=TEXT": "TEXT", "--remove-attribute": "--no-domain"}
                words["COLUMN"] = None
            if not unusable:
                why = f"Column {column!r}, which LOAD_CREDENTIALS names, is NULL or empty."
                yield Found("credential-missing", why, words)
            else:
                why = f"Column {column!r} holds neither text nor a number nor a boolean."
                yield Found("credential-of-another-type", why, words)

    def _of_secret(self, secret: Secret, tag: str, *, is_text: bool) -> Iterator[Found]:
        record = inspect_secret(secret, tag, self._policy, self._now)
        if is_text:
            yield from self._of_key(secret, record)
        else:
            yield Found("not-text")
        yield from self._of_window(secret)

    def _of_ended(self, secret: Secret) -> Iterator[Found]:
        """Give the findings that still matter for a live secret that has ended and can verify nothing any more."""
        if secret.stored and _holds_private_key(secret.stored):
            yield Found("private-key")

    def _of_window(self, secret: Secret) -> Iterator[Found]:
        if secret.start is None or secret.end is None:
            yield Found("bound-not-a-number")
        elif not ever_opens(secret):
            yield Found("never-opens")
        elif secret.start > MAX_TIME and not is_in_milliseconds(secret.start):
            yield Found("never-opens", "The window begins after the year 5138: are these microseconds?")
        elif has_ended(secret, self._now):
            yield Found("expired")
        if is_in_milliseconds(secret.start) or is_in_milliseconds(secret.end):
            yield Found("window-in-milliseconds")

    def _of_key(self, secret: Secret, record: SecretRecord) -> Iterator[Found]:
        stored = secret.stored
        if secret.flaw is not None:
            yield _rule_of(secret.flaw)
        if not stored or (stored.startswith("\0") and not self._live):
            yield Found("empty-secret")
            return
        is_malformed = secret.flaw is not None and secret.flaw.flaw is Flaw.MALFORMED_ALG
        read = replace(secret, flaw=None, algorithms=None if is_malformed else secret.algorithms)
        if _holds_private_key(stored):
            yield Found("private-key")
        elif read.unusable is not None:
            yield _rule_of(read.unusable)
        else:
            yield from self._of_keys(secret, record)
            if self._live and secret.flaw is None and not says_what_it_is(secret.algorithms):
                yield Found("no-alg")
        if not self._live:
            yield from self._of_text_there(stored, usable=bool(secret.keys))

    def _of_keys(self, secret: Secret, record: SecretRecord) -> Iterator[Found]:
        """Give the findings about keys that can be read."""
        if not record.algorithms:
            if secret.flaw is None and record.unusable is not None:
                yield _rule_of(record.unusable)
            return
        stored = secret.stored or ""
        is_text = isinstance(secret.keys[0].material, bytes) and not _is_jwk(stored)
        if is_text and record.keys[0].algorithms != in_order(
            secret.keys[0].algorithms & self._policy.header.algorithms
        ):
            why = f"The secret is long enough for {', '.join(record.algorithms)} only."
            yield Found("short-for-some-algorithms", why, {"LIST": ",".join(record.algorithms)})
        if is_text and not stored.isascii() and not self._live:
            yield Found("secret-not-ascii")
        guesses = [why_guessable(key.material) for key in secret.keys if isinstance(key.material, bytes)]
        for guess in dict.fromkeys(filter(None, guesses)):
            yield Found("weak-words", f"The HMAC secret is {guess}.")
        if weakness := weakness_in(secret.keys):
            yield Found("degenerate-key", f"Anybody can sign with this key: it is {weakness}.")

    def _of_text_there(self, stored: str, *, usable: bool) -> Iterator[Found]:
        """Give the findings about what OpenSIPS makes of the text of a secret."""
        if (_PUBLIC_PEM.search(stored) and not _PRIVATE_PEM.search(stored)) or _is_public(stored):
            yield Found("public-key-as-hmac")
        elif usable and _is_jwk(stored):
            yield Found("jwk-secret")
        if usable and "\0" in stored:
            yield Found("nul-in-secret")


def _rule_of(unusable: Unusable) -> Found:
    """Return the rule for a secret that verifies nothing, with the precise reason."""
    rule = RULES_OF_FLAWS[unusable.flaw]
    return Found(rule, "" if rule == "reference" else f"The secret verifies nothing here: {unusable.because}.")


def _holds_private_key(text: str) -> bool:
    return bool(_PRIVATE_PEM.search(text) or _OTHER_PRIVATE.search(text)) or any(
        isinstance(key, dict) and key.get("kty") != "oct" and "d" in key for key in _keys_in(text)
    )


def _is_public(text: str) -> bool:
    """Tell whether the JWK or JWKS *text* holds only public keys, which anybody may know."""
    keys = _keys_in(text)
    return bool(keys) and all(
        isinstance(key, dict) and key.get("kty") not in ("oct", None) and "d" not in key for key in keys
    )


def _keys_in(text: str) -> list[object]:
    """Return the keys in *text* if it is a JWK or JWKS, an empty list otherwise."""
    document = _parse_json(text)
    return _as_list(document.get("keys", [document])) if isinstance(document, dict) else []


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_jwk(text: str) -> bool:
    document = _parse_json(text)
    return isinstance(document, dict) and not document.keys().isdisjoint({"kty", "keys"})


def _parse_json(text: str) -> object:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
