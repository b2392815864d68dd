"""Explanations: why the service accepts or denies a token, step by step.

The real authorizer decides, over the present rows. Each step calls the function that decides it in the service; this
module only words the result. Steps after a failed one are judged, too, because several things may need mending. No
step shows the token.
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied, Fault, Reason
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import (
    HMAC_ALGORITHMS,
    MAX_TAG_CHARACTERS,
    UnverifiedJws,
    decoded_segment,
    unverified_jws,
    unverified_object,
    unverified_tag,
)
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import MAX_JTI_BYTES, Authorized, Columns, Policy, Profile, Report, Secret, TagRows
from auth_jwt.ports import Deadline
from auth_jwt.provisioning.advice import advice_about, advice_on_revoked, naming
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.inspection import SecretRecord, inspect_secret
from auth_jwt.provisioning.issuers import PublishedKey
from auth_jwt.provisioning.pasted import PUBLIC_KINDS, key_pasted_as_token
from auth_jwt.provisioning.readings import Misreading, misreading_of
from auth_jwt.rules import (
    Obstacle,
    check_claims,
    check_time_of_issue,
    denial_by,
    is_number,
    obstacle_to,
    open_secrets,
    same_domain,
    same_user,
    signing_secret,
    token_id,
    usable_profile,
)
from auth_jwt.strict_json import strict_json_object
from auth_jwt.wording import distance, format_date, format_duration, format_instant, pluralize

STORE_SECONDS: Final = 60
_SEGMENTS: Final = ("header", "payload", "signature")
_ODD_CHARACTER: Final = re.compile(r"[^A-Za-z0-9_-]")
_JWE_SEGMENTS: Final = 5
_SHOWN_CHARACTERS: Final = 60
_UNITS: Final = (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
_FIRST_PLAUSIBLE: Final = 10**9  # in September 2001
_LAST_PLAUSIBLE: Final = 10**10  # in November 2286
_ABOUT_TIMES: Final = (Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_TOO_OLD)
TIME_RULES: Final = {
    "exp": "when it expires",
    "nbf": "when it becomes valid",
    "iat": "when it was issued",
}


class StepOutcome(StrEnum):
    """The result of a step."""

    PASSED = "passed"
    REFUSED = "refused"
    NOTED = "noted"  # the step decides nothing
    UNKNOWN = "unknown"  # the tables could not be read


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of the decision.

    Attributes:
        name: the name of the rule, or of the claim or setting that it is about.
        outcome: the result.
        text: the explanation, for people.
        reason: the reason of the denial; None if the rule does not deny the token.
    """

    name: str
    outcome: StepOutcome
    text: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class SecretLook:
    """A secret, and what the service does with it for this token.

    Attributes:
        record: everything about the secret except its value.
        passed_over: why the service does not try it; None when it does.
        signed: whether its key made the token's signature, even if the service does not try it.
        misreading: another reading of its text that made the signature; None if none did, or its key did.
    """

    record: SecretRecord
    passed_over: str | None
    signed: bool
    misreading: Misreading | None = None


@dataclass(frozen=True, slots=True)
class KeyLook:
    """A key of an issuer, and what the service does with it for this token.

    Attributes:
        key: everything about the key that may be shown.
        named: whether the token's `kid` names it; True for a token without one.
        signed: whether it made the token's signature, even if the service does not try it.
    """

    key: PublishedKey
    named: bool
    signed: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """An explained decision.

    Attributes:
        steps: the rules, in the service's order.
        secrets: the secrets of the tag, in the table's order.
        reason: why the token is denied; None when it is not.
        fault: why the service cannot decide; None when it can.
        answer: the answer to an accepted token; None for others.
        tag: the tag in the token; None if it has none.
        header: the token's header; unverified unless the token is accepted.
        claims: the token's claims; unverified unless the token is accepted.
        issuer: the issuer whose rules judge the token; None where the rules of tags do.
        keys: the keys of that issuer.
        retry_after: in how many seconds the key that signed it will have been fetched; None when that is not awaited.
        remedy: what to do about a denied token, in one sentence; None for others.
    """

    steps: tuple[Step, ...]
    secrets: tuple[SecretLook, ...]
    reason: Reason | None
    fault: Fault | None
    answer: Authorized | None
    tag: str | None
    header: Mapping[str, Any] | None = field(repr=False)
    claims: Mapping[str, Any] | None = field(repr=False)
    issuer: str | None = None
    keys: tuple[KeyLook, ...] = ()
    retry_after: int | None = None
    remedy: str | None = None


def explain_token(
    token: str,
    *,
    store: ProvisioningStore,
    columns: Columns,
    policy: Policy,
    now: float,
    from_user: str | None = None,
    from_domain: str | None = None,
) -> Explanation:
    """Explain what the service would decide about *token*, by the present rows.

    Args:
        token: the token as a caller presents it.
        store: the tables.
        columns: the names of their columns.
        policy: the rules, as the settings define them.
        now: the time of the decision, in UNIX seconds.
        from_user: the SIP user that the request acts as; None if the request names none.
        from_domain: the SIP domain of that user; None if the request names none.
    """
    tables = Tables(store, columns, policy)
    authorizer = Authorizer(
        memory=RowMemory(tables, ttl=0, stale_for=0),
        revocations=RevocationMemory(tables, ttl=0, stale_for=0) if store.keeps_revocations else None,
        policy=policy,
        store_seconds=STORE_SECONDS,
        clock=lambda: now,
    )
    reason = fault = answer = None
    try:
        answer = authorizer.authorize(token, from_user=from_user, from_domain=from_domain)
    except Denied as denied:
        reason = denied.reason
    except Fault as problem:
        fault = problem
    walk = Walk(token, tables, policy, now)
    steps = tuple(walk.steps(from_user, from_domain))
    remedy = None if reason is None else remedy_for(reason, walk)
    return Explanation(
        steps, tuple(walk.secrets), reason, fault, answer, walk.tag, walk.header, walk.claims, remedy=remedy
    )


_KEEP_THE_KEY: Final = "find the token, and keep the key to yourself"


def remedy_for(reason: Reason, walk: "Walk") -> str | None:
    """Return what to do about a denial: what the walk has found out, or else what the page of operations says."""
    if walk.key is not None:
        return "give the token, not the key" if walk.key in PUBLIC_KINDS else _KEEP_THE_KEY
    if walk.is_no_token:
        return "give the token as the client sends it: three parts with two dots between them, as in `eyJ….eyJ….…`"
    misreadings = [look.misreading for look in walk.secrets if look.misreading is not None]
    if reason is Reason.BAD_SIGNATURE and misreadings:
        return naming(misreadings[0].remedy, walk.tag)
    signers = [look.record.id for look in walk.secrets if look.signed]
    if reason in (Reason.BAD_SIGNATURE, Reason.NO_ACTIVE_SECRET) and signers:
        return naming(
            "have the issuer sign with an open secret of `auth-jwt secret list TAG`, or see by "
            "`auth-jwt secret show TAG ID` why that one is not tried",
            walk.tag,
            row=signers[0],
        )
    if reason in _ABOUT_TIMES:
        units = {name: unit for name in TIME_RULES if (unit := unit_of((walk.claims or {}).get(name))) is not None}
        if units:
            return f"have the issuer write `{'`, `'.join(units)}` in seconds, not in {next(iter(units.values()))}"
    if reason is Reason.REVOKED_TOKEN and walk.revoked_by:
        return advice_on_revoked(walk.revoked_by)
    return advice_about(reason, walk.tag)


class Tables:
    """The authorizer's ports, over the tables as operators read them. It keeps the rows that it returned last."""

    def __init__(self, store: ProvisioningStore, columns: Columns, policy: Policy) -> None:
        self.store = store
        self._columns = columns
        self._policy = policy
        self.rows: TagRows | None = None

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:  # noqa: ARG002 - always, and patient
        """Read the rows of *tag*."""
        profile = self.store.profile(tag)
        self.rows = TagRows(
            None if profile is None else Profile.from_row(profile, self._columns, self._policy.credentials),
            tuple(Secret.from_row(row, self._columns) for row in self.store.secrets(tag)),
        )
        return self.rows

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline | None = None) -> bool:  # noqa: ARG002
        """Tell whether the table of revoked tokens lists this one."""
        return self.store.revocation(tag, jti) is not None

    def tags_like(self, tag: str) -> list[str]:
        """Return tags that have a profile and that a database would equate with *tag*: other case, more blanks."""
        alike = dict.fromkeys((tag.strip(), tag.lower(), tag.upper(), tag.capitalize(), f"{tag} "))
        return [other for other in alike if other and other != tag and self.store.profile(other) is not None]


class Walk:
    """A walk through the decision, step by step."""

    def __init__(self, token: str, tables: Tables, policy: Policy, now: float) -> None:
        self._token = token
        self._tables = tables
        self._policy = policy
        self._now = now
        self.tag: str | None = None
        self.header: Mapping[str, Any] | None = None
        self.claims: dict[str, Any] | None = None
        self.secrets: list[SecretLook] = []
        self.key: str | None = None
        self.revoked_by: list[tuple[str, str | None]] = []

    def steps(self, from_user: str | None, from_domain: str | None) -> Iterator[Step]:
        """Yield the steps, until one leaves nothing to judge for the next."""
        jws = yield from self.header_steps()
        if jws is None:
            return
        claims = yield from self.payload_steps(jws)
        if claims is None:
            return
        tag = yield from self._tag_steps(claims)
        rows = self._tables.rows
        if tag is None:
            return
        if rows is None:
            yield Step("rows", StepOutcome.UNKNOWN, "the tables cannot be read")
            return
        yield self._rows_step(rows, tag)
        yield self._signature_step(rows, tag, jws)
        yield from self._claim_steps(claims)
        yield from self._profile_steps(rows, tag, claims)
        yield from self.revocation_steps(tag, claims)
        yield from _request_steps(rows, from_user, from_domain)

    @property
    def is_no_token(self) -> bool:
        """Whether the text has not even the dots of a token, and is not so long that its length is the cause."""
        is_short = len(self._token) <= self._policy.max_token_bytes
        return is_short and self._token.count(".") + 1 not in (len(_SEGMENTS), _JWE_SEGMENTS)

    def header_steps(self) -> Generator[Step, None, UnverifiedJws | None]:
        """Yield the steps about the form of the token and its header, and return the token if they pass."""
        policy = self._policy
        try:
            jws = unverified_jws(self._token, policy.header, max_bytes=policy.max_token_bytes)
        except Denied as denied:
            self.key = key_pasted_as_token(self._token)
            flaw = self.key or _flaw_of_form(self._token, policy)
            if flaw is not None:
                yield Step("gate", StepOutcome.REFUSED, flaw, denied.reason)
                return None
            yield self._form_step()
            yield Step("header", StepOutcome.REFUSED, _header_flaw(self._token, denied.reason), denied.reason)
            return None
        yield self._form_step()
        self.header = jws.header.members
        kid = "no kid" if jws.kid is None else f"kid {quote(jws.kid)}"
        kind = f"typ {quote(self.header['typ'])}" if "typ" in self.header else "no typ"
        yield Step("header", StepOutcome.PASSED, f"alg {jws.algorithm}, {kind}, {kid}")
        return jws

    def _form_step(self) -> Step:
        size = f"{len(self._token)} of at most {self._policy.max_token_bytes} bytes"
        return Step("gate", StepOutcome.PASSED, f"three segments of base64url, {size}")

    def payload_steps(self, jws: UnverifiedJws) -> Generator[Step, None, dict[str, Any] | None]:
        """Yield the step about the payload, and return the claims if it passes."""
        try:
            claims = unverified_object(jws.payload)
        except Denied as denied:
            yield Step("payload", StepOutcome.REFUSED, _json_flaw(jws.payload), denied.reason)
            return None
        self.claims = claims
        yield Step("payload", StepOutcome.PASSED, f"a JSON object of {len(claims)} claims")
        return claims

    def _tag_steps(self, claims: dict[str, Any]) -> Generator[Step, None, str | None]:
        name = self._policy.tag_claim
        try:
            self.tag = unverified_tag(claims, name)
        except Denied as denied:
            yield Step("tag", StepOutcome.REFUSED, _tag_flaw(claims, name), denied.reason)
            return None
        yield Step("tag", StepOutcome.PASSED, f"{quote(self.tag)}, by the claim {name!r}")
        return self.tag

    def _rows_step(self, rows: TagRows, tag: str) -> Step:
        found = f"{pluralize(len(rows.secrets), 'secret')} and {'a' if rows.profile else 'no'} profile"
        if rows.secrets and rows.profile is not None:
            return Step("rows", StepOutcome.NOTED, found)
        alike = self._tables.tags_like(tag)
        meant = f"; there is {', '.join(map(repr, alike))}: tags are compared exactly" if alike else ""
        return Step("rows", StepOutcome.NOTED, found + meant)

    def _signature_step(self, rows: TagRows, tag: str, jws: UnverifiedJws) -> Step:
        policy, now = self._policy, self._now
        self.secrets = [
            SecretLook(
                inspect_secret(secret, tag, policy, now),
                _why_passed_over(secret, jws, policy, now),
                signed := _has_signed(secret, jws),
                None if signed else misreading_of(secret, jws),
            )
            for secret in rows.secrets
        ]
        report = Report()
        try:
            tried = open_secrets(rows, now, policy.max_secrets_per_tag, report)
            left_out = f"left out: MAX_SECRETS_PER_TAG is {policy.max_secrets_per_tag}, and so many opened later"
            self._pass_over(report.left_out, left_out)
            signer = signing_secret(jws, tried, policy.min_hmac_key_bytes, report)
        except Denied as denied:
            return Step("signature", StepOutcome.REFUSED, self._why_not_signed(denied.reason), denied.reason)
        behind = [secret.id for secret in tried[tried.index(signer) + 1 :]]
        self._pass_over(behind, f"{signer.id!r} verified it already")
        return Step("signature", StepOutcome.PASSED, f"by the secret {signer.id!r}")

    def _pass_over(self, ids: Sequence[str], why: str) -> None:
        """Note *why* these secrets are not tried, unless another reason is noted already."""
        passed_over = frozenset(ids)
        self.secrets = [
            replace(look, passed_over=look.passed_over or why) if look.record.id in passed_over else look
            for look in self.secrets
        ]

    def _why_not_signed(self, reason: Reason) -> str:
        if reason is Reason.UNKNOWN_TAG:
            return "the tag has no secrets"
        signers = [look for look in self.secrets if look.signed]
        if signers:
            named = "; ".join(f"{look.record.id!r}: {look.passed_over}" for look in signers)
            return f"the secret that signed it is not tried: {named}"
        for look in self.secrets:
            if look.misreading is not None:
                attack = "; THIS IS AN ATTACK" if look.misreading.is_attack else ""
                return f"no secret that is tried made it; {look.record.id!r} {look.misreading.name} did{attack}"
        return "no secret is open" if reason is Reason.NO_ACTIVE_SECRET else "no secret that is tried made it"

    def _claim_steps(self, claims: dict[str, Any]) -> Iterator[Step]:
        policy = self._policy
        for name in policy.required_claims:
            rule = Policy(enforce_time_claims=False, required_claims=(name,))
            yield self._claim_step(name, claims, rule, "present, as REQUIRED_CLAIMS asks")
        if policy.enforce_time_claims:
            rule = Policy(leeway_seconds=policy.leeway_seconds)
            times = [self._time_step(name, claims, rule) for name in TIME_RULES]
            yield from sorted(times, key=lambda step: step.reason is not Reason.MALFORMED_CLAIM)  # as the service does
        else:
            yield Step("times", StepOutcome.NOTED, "exp, nbf and iat are not looked at: ENFORCE_TIME_CLAIMS is false")
        if policy.max_token_age_seconds is not None:
            rule = Policy(
                enforce_time_claims=False,
                leeway_seconds=policy.leeway_seconds,
                max_token_age_seconds=policy.max_token_age_seconds,
            )
            allowed = f"MAX_TOKEN_AGE_SECONDS allows {format_duration(policy.max_token_age_seconds)}"
            yield self._claim_step("age", claims, rule, f"since its iat; {allowed}")
        if policy.issuers:
            rule = Policy(enforce_time_claims=False, issuers=policy.issuers)
            yield self._claim_step("iss", claims, rule, f"ISSUER wants {' or '.join(policy.issuers)}")
        if policy.audiences:
            rule = Policy(enforce_time_claims=False, audiences=policy.audiences)
            yield self._claim_step("aud", claims, rule, f"AUDIENCE wants {' or '.join(policy.audiences)}")

    def _time_step(self, name: str, claims: dict[str, Any], rule: Policy) -> Step:
        if name not in claims:
            return Step(name, StepOutcome.NOTED, "the token does not say " + TIME_RULES[name])
        leeway = f", LEEWAY_SECONDS {rule.leeway_seconds}" if rule.leeway_seconds else ""
        value = show_number(claims[name], self._now)
        return self._claim_step(name, {name: claims[name]}, rule, f"{value}; the clock is at {self._clock()}{leeway}")

    def _claim_step(self, name: str, claims: dict[str, Any], rule: Policy, text: str) -> Step:
        wrong = {Reason.MISSING_CLAIM: "missing; ", Reason.MALFORMED_CLAIM: "of the wrong type; "}
        try:
            check_claims(claims, rule, self._now)
        except Denied as denied:
            return Step(name, StepOutcome.REFUSED, wrong.get(denied.reason, "") + text, denied.reason)
        return Step(name, StepOutcome.PASSED, text)

    def _profile_steps(self, rows: TagRows, tag: str, claims: dict[str, Any]) -> Iterator[Step]:
        try:
            _, username = usable_profile(rows.profile)
        except Denied as denied:
            texts = {
                Reason.UNKNOWN_PROFILE: f"there is no profile {tag!r}",
                Reason.INCOMPLETE_PROFILE: "its row has no SIP username that is text",
                Reason.DISABLED_PROFILE: "it is disabled",
            }
            yield Step("profile", StepOutcome.REFUSED, texts[denied.reason], denied.reason)
        else:
            yield Step("profile", StepOutcome.PASSED, f"it speaks for {quote(username)}")
        if rows.profile is None or rows.profile.valid_after is None:
            return
        bound = rows.profile.valid_after
        text = f"tokens issued before {format_instant(bound, self._now)} are revoked"
        if not isinstance(bound, Decimal):
            text = "the bound of the profile is not a number, which revokes all tokens"
        elif "iat" not in claims:
            text += ", and this one does not say when it was issued"
        yield self.issued_step(text, tag, bound, claims)

    def issued_step(self, text: str, tag: str, bound: object, claims: dict[str, Any]) -> Step:
        """Return the step about the *bound* in the row of *tag*, before which tokens are revoked."""
        step = step_of("issued", text, lambda: check_time_of_issue(bound, claims))
        if step.outcome is StepOutcome.REFUSED:
            self.revoked_by.append((tag, None))
        return step

    def revocation_steps(self, tag: str, claims: dict[str, Any]) -> Iterator[Step]:
        """Yield the steps about the table of revoked tokens, if there is one."""
        if not self._tables.store.keeps_revocations:
            return
        try:
            jti = token_id(claims)
        except Denied as denied:
            text = f"REVOCATIONS_TABLE is set, so a token needs a `jti`: text of at most {MAX_JTI_BYTES} bytes"
            yield Step("jti", StepOutcome.REFUSED, text, denied.reason)
            return
        try:
            revoked = self._tables.is_revoked(tag, jti)
        except Fault as fault:
            yield Step("revocation", StepOutcome.UNKNOWN, str(fault))
            return
        if revoked:
            self.revoked_by.append((tag, jti))
            text = "REVOCATIONS_TABLE lists this token"
            yield Step("revocation", StepOutcome.REFUSED, text, Reason.REVOKED_TOKEN)
        else:
            yield Step("revocation", StepOutcome.PASSED, "REVOCATIONS_TABLE does not list this token")

    def _clock(self) -> str:
        return format_date(self._now)


def _request_steps(rows: TagRows, from_user: str | None, from_domain: str | None) -> Iterator[Step]:
    profile = rows.profile or Profile(None)
    if from_user is not None:
        fits = same_user(from_user, profile.username)
        text = f"the request acts as {quote(from_user)}, the profile is {quote(profile.username)}"
        yield _step_if("from_user", fits, text, Reason.USERNAME_MISMATCH)
    if from_domain is not None:
        fits = same_domain(from_domain, profile.domain)
        text = f"the request acts in {quote(from_domain)}, the profile's domain is {quote(profile.domain)}"
        yield _step_if("from_domain", fits, text, Reason.DOMAIN_MISMATCH)


def _step_if(name: str, fits: bool, text: str, reason: Reason) -> Step:
    return Step(name, StepOutcome.PASSED, text) if fits else Step(name, StepOutcome.REFUSED, text, reason)


def step_of(name: str, text: str, check: Callable[[], object]) -> Step:
    """Return the step of a *check* that denies a token or does not."""
    reason = denial_by(check)
    return Step(name, StepOutcome.PASSED if reason is None else StepOutcome.REFUSED, text, reason)


def _flaw_of_form(token: str, policy: Policy) -> str | None:
    """Return which rule about the form of a token a malformed *token* breaks; None when it breaks none."""
    if not token:
        return "the token is empty"
    if len(token) > policy.max_token_bytes:
        return f"{len(token)} characters; MAX_TOKEN_BYTES allows {policy.max_token_bytes}"
    if token.lower().startswith("bearer "):
        return "it begins with `Bearer`; the token is what follows"
    segments = token.split(".")
    if len(segments) != len(_SEGMENTS):
        jwe = " (five are an encrypted token, which is not read here)" if len(segments) == _JWE_SEGMENTS else ""
        return f"{pluralize(len(segments), 'segment')} between dots, not three{jwe}"
    for name, segment in zip(_SEGMENTS, segments, strict=True):
        if not segment:
            return f"its {name} is empty"
        if odd := _ODD_CHARACTER.search(segment):
            padding = ": base64url without padding is needed" if odd[0] in "=+/" else ""
            return f"its {name} has a character that is not base64url, {odd[0]!r} at {odd.start() + 1}{padding}"
        try:
            decoded_segment(segment)
        except Denied:
            return f"its {name} is cut off, or its unused last bits are not zero"
    return None


def _header_flaw(token: str, reason: Reason) -> str:
    octets = decoded_segment(token.partition(".")[0])
    try:
        header = unverified_object(octets)
    except Denied:
        return _json_flaw(octets)
    texts = {
        Reason.UNSUPPORTED_ALGORITHM: f"alg {quote(header.get('alg'))} is not among ALLOWED_ALGORITHMS",
        Reason.UNSUPPORTED_TYPE: f"typ {quote(header.get('typ'))} is not among ACCEPTED_TYPES",
        Reason.UNSUPPORTED_CRITICAL_HEADER: "`crit` is there, or `b64` is not true",
    }
    if "alg" not in header:
        return "`alg` is missing"
    odd = [name for name in ("alg", "typ", "kid") if name in header and not isinstance(header[name], str)]
    return texts.get(reason) or f"`{odd[0] if odd else 'header'}` is not text"


def _json_flaw(octets: bytes) -> str:
    """Return which rule of strict JSON the *octets* break."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not valid UTF-8, at byte {error.start + 1}"
    if text.startswith("\ufeff"):
        return "it begins with a byte order mark"
    try:
        strict_json_object(text)
    except UnicodeEncodeError:
        return "an escape is half of a surrogate pair"
    except ValueError as error:
        place = getattr(error, "pos", None)
        return f"not strict JSON: {error}" if place is None else f"not JSON from character {place + 1} on"
    return "not strict JSON"


def _tag_flaw(claims: Mapping[str, Any], name: str) -> str:
    if name not in claims:
        return f"no claim {name!r} (TAG_CLAIM)"
    if not isinstance(claims[name], str):
        return f"the claim {name!r} is not text"
    return f"the claim {name!r} has {len(claims[name])} characters; 1 to {MAX_TAG_CHARACTERS} are needed"


def _why_passed_over(secret: Secret, jws: UnverifiedJws, policy: Policy, now: float) -> str | None:
    """Return why *secret* is not tried, in words; None if it is tried."""
    if not secret.is_open(now):
        return _window_flaw(secret, now)
    obstacle = obstacle_to(secret, jws, policy.min_hmac_key_bytes)
    if obstacle is None:
        return None
    algorithm, allows = jws.algorithm, secret.algorithms is None or jws.algorithm in secret.algorithms
    texts: Mapping[Obstacle, str] = {
        "unusable": f"unusable ({secret.unusable})",
        "kid": f"its kid is {quote(secret.kid)}, the token's {quote(jws.kid)}",
        "algorithm": f"its key cannot verify {algorithm}" if allows else f"its `alg` does not allow {algorithm}",
        "kid of its key": f"its key has another kid than the token's {quote(jws.kid)}",
        "size": f"its key is too short for {algorithm}",
    }
    return texts[obstacle]


def _has_signed(secret: Secret, jws: UnverifiedJws) -> bool:
    """Tell whether the key in *secret* signed *jws*, whatever else its row says."""
    readings = [replace(secret, algorithms=algorithms) for algorithms in (None, HMAC_ALGORITHMS)]
    return any(is_signed_by(_without_kid(jws), reading.keys, 1) for reading in readings)


def _window_flaw(secret: Secret, now: float) -> str:
    start, end = secret.start, secret.end
    if start is None or end is None:
        return "its window has no numeric start and end"
    if now < start < end:
        unit = unit_of(float(start))
        odd = "" if unit is None else f" (its start seems to be in {unit})"
        return f"not open yet: its window begins {distance(float(start) - now)}{odd}"
    return "its window ends before it begins" if end <= start else f"closed {distance(float(end) - now)}"


def _without_kid(jws: UnverifiedJws) -> UnverifiedJws:
    return replace(jws, header=replace(jws.header, kid=None))


def show_number(value: object, now: float) -> str:
    """Return the time in a claim, for people."""
    if not is_number(value):
        return "not a number"
    unit = unit_of(value)
    if unit is None:
        return format_instant(value, now)
    return f"{value}, which seems to be in {unit} ({format_instant(value / dict(_UNITS)[unit], now)}), not in seconds"


def unit_of(value: object) -> str | None:
    """Return the unit in which a time seems to be instead of in seconds, such as `milliseconds`; None if in none.

    It seems so if it lies between 2001 and 2286 in that unit, and so far beyond that in seconds.
    """
    if not is_number(value):
        return None
    return next((name for name, size in _UNITS if _FIRST_PLAUSIBLE <= value / size < _LAST_PLAUSIBLE), None)


def quote(value: object) -> str:
    """Return a *value* of a token or a row, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"
