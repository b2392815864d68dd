"""The second spine: issuer -> keys -> verify -> user's profile -> result. It judges the tokens of issuers.

No login fetches anything and none waits for a fetch: `refresh_keys` writes an issuer's keys into the tables, and logins
read them there as rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any, Final

from auth_jwt.credentials import load_credentials
from auth_jwt.errors import Denied, Reason
from auth_jwt.issuers.memory import IssuerMemory, ProfileMemory
from auth_jwt.issuers.models import USER_SEPARATOR, Issuer, IssuerPatterns, IssuerRows, user_tag
from auth_jwt.issuers.rules import (
    ACCEPTED_TYPES,
    check_algorithm,
    check_claims,
    check_identity,
    check_signature,
    identify,
    usable_issuer,
)
from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.tokens import (
    MAX_TAG_CHARACTERS,
    HeaderRules,
    UnverifiedJws,
    check_type,
    unverified_jws,
    unverified_object,
    unverified_payload,
)
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.second_look import decide_with_second_look
from auth_jwt.models import Asked, Authorized, Half, Policy, Profile, Report
from auth_jwt.ports import Deadline
from auth_jwt.rules import check_time_of_issue, token_id

_ROWS_OF_ISSUER: Final[Mapping[Reason, Half]] = {
    Reason.UNKNOWN_ISSUER: Half.PROFILE,
    Reason.UNKNOWN_KEY: Half.SECRETS,
    Reason.BAD_SIGNATURE: Half.SECRETS,
}
_ROW_OF_USER: Final[Mapping[Reason, Half]] = {
    Reason.UNKNOWN_PROFILE: Half.PROFILE,
    Reason.INCOMPLETE_PROFILE: Half.PROFILE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerAuthorizer:
    """Decides which SIP user an issuer's token speaks for.

    Attributes:
        patterns: whose tokens are judged here.
        issuers: the configurations and keys, as the process remembers them.
        profiles: the profiles of issuers' users, likewise.
        policy: the global rules. Of these only the algorithms, the leeway, the size of tokens and the credentials hold.
        keys_lifetime: for how many seconds after a successful fetch an issuer's keys count.
        revocations: the table of revoked tokens, as the process remembers it; None without such a table.
    """

    patterns: IssuerPatterns
    issuers: IssuerMemory
    profiles: ProfileMemory
    policy: Policy
    keys_lifetime: float
    revocations: RevocationMemory | None = None
    _header: HeaderRules = field(init=False)

    def __post_init__(self) -> None:
        """Make, once, the rules for a header whose token may or may not be of an issuer."""
        own = self.policy.header
        either = HeaderRules(own.algorithms, None if own.types is None else own.types | ACCEPTED_TYPES)
        object.__setattr__(self, "_header", either)

    def read_unverified(self, token: object) -> tuple[UnverifiedJws, dict[str, Any], str | None]:
        """Read *token*, and return its header, its claims and the issuer that it names, if that is judged here.

        Raises:
            Denied: the token is malformed, or its header is not accepted.
        """
        own, size = self.policy.header, self.policy.max_token_bytes
        try:
            jws = unverified_jws(token, self._header, max_bytes=size)
            claims = unverified_object(jws.payload)
        except Denied:
            if not self._is_named_in(token):
                unverified_jws(token, own, max_bytes=size)  # it may deny for an earlier reason
            raise
        issuer = claims.get("iss")
        if not self.patterns.match(issuer):
            check_type(jws.header, own.types)
            return jws, claims, None
        check_type(jws.header, ACCEPTED_TYPES)
        return jws, claims, issuer

    def _is_named_in(self, token: object) -> bool:
        """Tell whether a token that is denied for its header names an issuer that is judged here."""
        try:
            claims = unverified_object(unverified_payload(token, max_bytes=self.policy.max_token_bytes))
        except Denied:
            return False
        return self.patterns.match(claims.get("iss"))

    def authorize(
        self,
        identifier: str,
        jws: UnverifiedJws,
        claims: dict[str, Any],
        asked: Asked,
        now: float,
        deadline: Deadline,
        report: Report,
    ) -> Authorized:
        """Return the SIP user that a token of the issuer *identifier* speaks for.

        Raises:
            Denied: the token is denied, or it speaks for another user.
            Deferred: the key that signed it may not have been fetched yet.
            Fault: no decision is possible.
        """
        report.algorithm = jws.algorithm
        report.note_issuer(identifier, jws.kid)
        if len(identifier) > MAX_TAG_CHARACTERS or USER_SEPARATOR in identifier:  # no row can be of such an issuer
            raise Denied(Reason.UNKNOWN_ISSUER)

        def verify(rows: IssuerRows) -> Issuer:
            issuer = usable_issuer(rows)
            check_algorithm(issuer, jws.algorithm)
            check_signature(issuer, rows.fetched, jws, claims.get("iat"), now=now, keys_lifetime=self.keys_lifetime)
            return issuer

        issuer = decide_with_second_look(self.issuers, identifier, verify, _ROWS_OF_ISSUER, deadline, report)
        report.issuer_origin = report.origin
        subject, expires = check_claims(issuer, jws, claims, self.policy, now)
        report.tag = user_tag(identifier, subject)

        def identify_user(profile: Profile | None) -> tuple[str, Profile]:
            return identify(issuer, profile, claims)

        user, profile = decide_with_second_look(
            self.profiles, report.tag, identify_user, _ROW_OF_USER, deadline, report
        )
        check_time_of_issue(profile.valid_after, claims)
        check_time_of_issue(issuer.valid_after, claims)
        self._check_revocation(identifier, issuer, claims, deadline)
        check_identity(issuer, user, profile, asked)
        credentials, report.unusable_credentials = load_credentials(self.policy.credentials, profile.attributes)
        return Authorized(user, decoded_token(jws.header, claims), credentials, floor(expires), issuer.domain)

    def _check_revocation(self, identifier: str, issuer: Issuer, claims: dict[str, Any], deadline: Deadline) -> None:
        if self.revocations is None or not (issuer.requires_jti or "jti" in claims):
            return
        if self.revocations.is_revoked(identifier, token_id(claims), deadline):
            raise Denied(Reason.REVOKED_TOKEN)
