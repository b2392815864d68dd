"""Explanations of decisions about issuers' tokens, as `auth_jwt.provisioning.explanation` explains those about tags.

The real authorizer decides, over the present rows. Each step calls the rule that decides it in the service.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Deferred, Denied, Fault, Invalid, Reason
from auth_jwt.issuers.authorizer import IssuerAuthorizer
from auth_jwt.issuers.memory import IssuerMemory, ProfileMemory
from auth_jwt.issuers.models import (
    FetchedKeys,
    Issuer,
    IssuerKey,
    IssuerPatterns,
    IssuerRows,
    Mapped,
    user_tag,
)
from auth_jwt.issuers.rules import (
    ACCEPTED_TYPES,
    REQUIRED_CLAIMS,
    check_algorithm,
    check_identity,
    check_kind,
    check_lifetime,
    check_recipient,
    check_signature,
    identify,
    subject_of,
    usable_issuer,
)
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import HeaderRules, UnverifiedJws
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import MAX_JTI_BYTES, SECRET_ID, Asked, Columns, Policy, Profile, Report
from auth_jwt.ports import Deadline
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.explanation import (
    STORE_SECONDS,
    TIME_RULES,
    Explanation,
    KeyLook,
    Step,
    StepOutcome,
    Tables,
    Walk,
    explain_token,
    quote,
    remedy_for,
    show_number,
    step_of,
)
from auth_jwt.provisioning.issuers import describe_key
from auth_jwt.rules import check_times, denial_by, is_number, require_claim, token_id
from auth_jwt.wording import format_date, format_duration, format_instant

_PROFILE_TEXTS: Final = {
    Reason.UNKNOWN_PROFILE: "there is no profile of this user",
    Reason.INCOMPLETE_PROFILE: "its row has no SIP username that is text",
    Reason.DISABLED_PROFILE: "it is disabled",
    Reason.MISSING_CLAIM: "the claim that names the SIP user is missing",
    Reason.USERNAME_REFUSED: "the claim that names the SIP user does not match the issuer's pattern",
}


def explain(
    token: str,
    *,
    patterns: IssuerPatterns | None,
    keys_lifetime: float,
    store: ProvisioningStore,
    columns: Columns,
    policy: Policy,
    now: float,
    from_user: str | None = None,
    from_domain: str | None = None,
) -> Explanation:
    """Explain what the service would decide about *token*, whether it is an issuer's or one with a tag.

    Args:
        token: the token as a caller presents it.
        patterns: the setting `ISSUERS`; None without issuers.
        keys_lifetime: for how many seconds after a successful fetch an issuer's keys count.
        store: the tables.
        columns: the names of their columns.
        policy: the rules, as the settings define them.
        now: the time of the decision, in UNIX seconds.
        from_user: the SIP user that the request acts as; None if the request names none.
        from_domain: the SIP domain of that user; None if the request names none.
    """
    rows = _Rows(store, columns, policy)
    issuers = None if patterns is None else _authorizer_of(patterns, keys_lifetime, store, rows, policy)
    identifier = None if issuers is None else _issuer_of(token, issuers)
    if issuers is None or identifier is None:
        return explain_token(
            token, store=store, columns=columns, policy=policy, now=now, from_user=from_user, from_domain=from_domain
        )
    tables = Tables(store, columns, policy)
    authorizer = Authorizer(
        memory=RowMemory(tables, ttl=0, stale_for=0),
        policy=policy,
        store_seconds=STORE_SECONDS,
        clock=lambda: now,
        issuers=issuers,
    )
    reason = fault = answer = retry_after = None
    report = Report()
    try:
        answer = authorizer.authorize(token, from_user=from_user, from_domain=from_domain, report=report)
    except Denied as denied:
        reason = denied.reason
    except Deferred as deferred:
        retry_after = deferred.retry_after
    except Fault as problem:
        fault = problem
    walk = _IssuerWalk(token, identifier, tables, rows, policy, keys_lifetime, now)
    steps = tuple(walk.steps(Asked(user=from_user, domain=from_domain)))
    remedy = None if reason is None else walk.remedy_for(reason)
    return Explanation(
        steps,
        (),
        reason,
        fault,
        answer,
        report.tag,
        walk.header,
        walk.claims,
        identifier,
        walk.keys,
        retry_after,
        remedy,
    )


def _authorizer_of(
    patterns: IssuerPatterns, keys_lifetime: float, store: ProvisioningStore, rows: "_Rows", policy: Policy
) -> IssuerAuthorizer:
    tables = Tables(store, rows.columns, policy)
    return IssuerAuthorizer(
        patterns=patterns,
        issuers=IssuerMemory(rows, ttl=0, stale_for=0),
        profiles=ProfileMemory(rows, ttl=0, stale_for=0),
        policy=policy,
        keys_lifetime=keys_lifetime,
        revocations=RevocationMemory(tables, ttl=0, stale_for=0) if store.keeps_revocations else None,
    )


def _issuer_of(token: str, issuers: IssuerAuthorizer) -> str | None:
    """Return the issuer that a well-formed *token* names, if issuers' rules judge it."""
    try:
        return issuers.read_unverified(token)[2]
    except Denied:
        return None


class _Rows:
    """The ports of the authorizer, over the tables as operators read them."""

    def __init__(self, store: ProvisioningStore, columns: Columns, policy: Policy) -> None:
        self._store = store
        self.columns = columns
        self._policy = policy

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline | None = None) -> IssuerRows:  # noqa: ARG002 - always, and patient
        row = self._store.profile(identifier)
        issuer: Issuer | Invalid | None
        try:
            issuer = None if row is None else Issuer.from_row(row, self.columns)
        except Invalid as problem:
            issuer = problem
        return IssuerRows(issuer, FetchedKeys.from_rows(self._store.secrets(identifier), SECRET_ID))

    def read_profile(self, tag: str, *, consistent: bool, deadline: Deadline | None = None) -> Profile | None:  # noqa: ARG002
        row = self._store.profile(tag)
        return None if row is None else Profile.from_row(row, self.columns, self._policy.credentials)


class _IssuerWalk:
    """A walk through the decision about an issuer's token, step by step."""

    def __init__(
        self,
        token: str,
        identifier: str,
        tables: Tables,
        rows: _Rows,
        policy: Policy,
        keys_lifetime: float,
        now: float,
    ) -> None:
        header = HeaderRules(policy.header.algorithms, ACCEPTED_TYPES)
        self._walk = Walk(token, tables, replace(policy, header=header), now)
        self._identifier = identifier
        self._rows = rows
        self._policy = policy
        self._keys_lifetime = keys_lifetime
        self._now = now
        self.keys: tuple[KeyLook, ...] = ()

    @property
    def header(self) -> Any:  # noqa: ANN401 - as of a walk
        """The token's header."""
        return self._walk.header

    @property
    def claims(self) -> dict[str, Any] | None:
        """The token's claims."""
        return self._walk.claims

    def remedy_for(self, reason: Reason) -> str | None:
        """Return what to do about a denial."""
        return remedy_for(reason, self._walk)

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield the steps, until one leaves nothing to judge for the next."""
        jws = yield from self._walk.header_steps()
        if jws is None:
            return
        claims = yield from self._walk.payload_steps(jws)
        if claims is None:
            return
        try:
            rows = self._rows.read_issuer(self._identifier, consistent=True)
        except Fault:
            yield Step("issuer", StepOutcome.UNKNOWN, "the tables cannot be read")
            return
        issuer = yield from self._issuer_steps(rows)
        if issuer is None:
            return
        yield step_of(
            "algorithm",
            f"{jws.algorithm}; the issuer's are {', '.join(sorted(issuer.algorithms))}",
            lambda: check_algorithm(issuer, jws.algorithm),
        )
        yield self._signature_step(issuer, rows.fetched, jws, claims)
        yield from self._claim_steps(issuer, jws, claims)
        yield from self._user_steps(issuer, claims, asked)

    def _issuer_steps(self, rows: IssuerRows) -> Generator[Step, None, Issuer | None]:
        name = quote(self._identifier)
        texts = {Reason.UNKNOWN_ISSUER: f"there is no issuer {name}", Reason.DISABLED_ISSUER: f"{name} is disabled"}
        try:
            usable_issuer(rows)
        except Denied as denied:
            yield Step("issuer", StepOutcome.REFUSED, texts[denied.reason], denied.reason)
        except Fault as fault:
            yield Step("issuer", StepOutcome.UNKNOWN, str(fault))
        else:
            yield Step("issuer", StepOutcome.PASSED, f"{name}, by the claim 'iss'")
        return rows.issuer if isinstance(rows.issuer, Issuer) else None

    def _signature_step(self, issuer: Issuer, fetched: FetchedKeys, jws: UnverifiedJws, claims: dict[str, Any]) -> Step:
        known = fetched.key_set.keys if fetched.key_set is not None and fetched.key_set.url == issuer.keys_url else ()
        self.keys = tuple(
            KeyLook(describe_key(key, issuer), jws.kid is None or key.kid == jws.kid, _has_signed(key, jws))
            for key in known
        )
        named = [look for look in self.keys if look.named]
        signers = [look.key for look in self.keys if look.signed]
        try:
            check_signature(issuer, fetched, jws, claims.get("iat"), now=self._now, keys_lifetime=self._keys_lifetime)
        except Deferred as deferred:
            text = f"the key may not have been fetched yet: ask again in {format_duration(deferred.retry_after)}"
            return Step("signature", StepOutcome.UNKNOWN, text)
        except Fault as fault:
            return Step("signature", StepOutcome.UNKNOWN, str(fault))
        except Denied as denied:
            why = "none of the keys that are tried made it"
            if denied.reason is Reason.UNKNOWN_KEY:
                kid = (
                    "the token names no kid, and not exactly one key fits" if jws.kid is None else "no key has its kid"
                )
                why = "every key of its kid is blocked, or can verify nothing" if jws.kid is not None and named else kid
            if signers:
                why += f"; it was made by the key {signers[0].thumbprint}"
                why += ", which is blocked" if signers[0].blocked else ""
            return Step("signature", StepOutcome.REFUSED, why, denied.reason)
        return Step("signature", StepOutcome.PASSED, f"by the key {signers[0].thumbprint}")

    def _claim_steps(self, issuer: Issuer, jws: UnverifiedJws, claims: dict[str, Any]) -> Iterator[Step]:
        for name in REQUIRED_CLAIMS:
            if denial_by(lambda name=name: require_claim(claims, name)):  # type: ignore[misc]
                yield Step(
                    name, StepOutcome.REFUSED, "missing; every token of an issuer needs it", Reason.MISSING_CLAIM
                )
        times = [self._time_step(name, claims[name]) for name in TIME_RULES if name in claims]
        yield from sorted(times, key=lambda step: step.reason is not Reason.MALFORMED_CLAIM)  # as the service does
        if is_number(claims.get("exp")) and is_number(claims.get("iat")):
            allowed = f"at most {format_duration(issuer.longest_lifetime)}"
            lives = f"it lives for {format_duration(claims['exp'] - claims['iat'])}, {allowed} is allowed"
            yield step_of("lifetime", lives, lambda: check_lifetime(issuer, claims))
        wanted = [f"`aud` is one of {', '.join(issuer.audiences)}"] if issuer.audiences else []
        if issuer.client_claim is not None:
            wanted.append(f"{issuer.client_claim!r} is one of {', '.join(issuer.client_ids)}")
        yield step_of(
            "audience", f"the issuer wants that {' and '.join(wanted)}", lambda: check_recipient(issuer, claims)
        )
        yield step_of("kind", _kind_text(issuer), lambda: check_kind(issuer, jws, claims))
        if issuer.requires_jti:
            text = f"the issuer's tokens need a `jti`: text of at most {MAX_JTI_BYTES} bytes"
            yield step_of("jti", text, lambda: token_id(claims))
        if "sub" in claims:
            yield step_of("sub", quote(claims["sub"]), lambda: subject_of(claims))

    def _time_step(self, name: str, value: object) -> Step:
        leeway = self._policy.leeway_seconds
        told = f", LEEWAY_SECONDS {leeway}" if leeway else ""
        text = f"{show_number(value, self._now)}; the clock is at {format_date(self._now)}{told}"
        return step_of(name, text, lambda: check_times({name: value}, leeway, self._now))

    def _user_steps(self, issuer: Issuer, claims: dict[str, Any], asked: Asked) -> Iterator[Step]:
        """Yield the steps about the user, for a token that names one."""
        try:
            tag = user_tag(self._identifier, subject_of(claims))
        except (Denied, KeyError):
            return
        try:
            found = self._rows.read_profile(tag, consistent=True)
        except Fault as fault:
            yield Step("profile", StepOutcome.UNKNOWN, str(fault))
            return
        try:
            user, profile = identify(issuer, found, claims)
        except Denied as denied:
            yield Step("profile", StepOutcome.REFUSED, _PROFILE_TEXTS[denied.reason], denied.reason)
            return
        way = "its profile" if issuer.mapped is Mapped.BY_PROFILE else f"the claim {issuer.username_claim!r}"
        yield Step("profile", StepOutcome.PASSED, f"it speaks for {quote(user)}, by {way}")
        bounds = (("the profile", tag, profile.valid_after), ("the issuer", self._identifier, issuer.valid_after))
        for whose, owner, bound in bounds:
            if bound is not None:
                text = f"{whose} revokes tokens issued before {format_instant(bound, self._now)}"
                yield self._walk.issued_step(text, owner, bound, claims)
        if issuer.requires_jti or "jti" in claims:
            yield from self._walk.revocation_steps(self._identifier, claims)
        yield from _request_steps(issuer, user, profile, asked)


def _request_steps(issuer: Issuer, user: str, profile: Profile, asked: Asked) -> Iterator[Step]:
    def check(part: Asked) -> Callable[[], object]:
        return lambda: check_identity(issuer, user, profile, part)

    if asked.user is not None:
        text = f"the request acts as {quote(asked.user)}, the token speaks for {quote(user)}"
        yield step_of("from_user", text, check(Asked(user=asked.user, domain=profile.domain)))
    if asked.domain is not None or issuer.mapped is Mapped.BY_CLAIM:
        acts = "names no domain" if asked.domain is None else f"acts in {quote(asked.domain)}"
        text = f"the request {acts}, the user's domain is {quote(profile.domain)}"
        yield step_of("from_domain", text, check(Asked(domain=asked.domain)))


def _kind_text(issuer: Issuer) -> str:
    needs = [f"{name}={value}" for name, value in issuer.required_claims.items()]
    signs = "" if issuer.kind.value == "id" else ", which shows by its header, a claim or an audience that it is one"
    kind = f"the issuer wants an {'ID' if issuer.kind.value == 'id' else issuer.kind.value} token{signs}"
    return kind + (f", with {', '.join(needs)}" if needs else "")


def _has_signed(key: IssuerKey, jws: UnverifiedJws) -> bool:
    """Tell whether *key* signed *jws*, whatever its kid."""
    nameless = replace(jws, header=replace(jws.header, kid=None))
    return key.key is not None and is_signed_by(nameless, (key.key,), None)
