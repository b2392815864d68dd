"""The spine of a decision: token -> tag -> secrets -> signature -> claims -> profile -> result.

`Authorizer.authorize` orders the steps; each step is a function elsewhere. `jose.tokens` reads the token, `memory` has
the rows and asks the tables for them, `Secret.keys` in `models` has the parsed keys, `jose.signatures` verifies by
them, and `rules` has every rule about rows and claims. docs/architecture.md says in which order to read the files.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.credentials import load_credentials
from auth_jwt.errors import Denied, InvalidKey, Reason
from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.keys import VerificationKey, verification_keys
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import UnverifiedJws, unverified_jws, unverified_object, unverified_tag
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.memory.second_look import look_again
from auth_jwt.models import Asked, Authorized, Half, Policy, Profile, Report, TagRows
from auth_jwt.ports import Deadline
from auth_jwt.rules import (
    check_claims,
    check_time_of_issue,
    expires_at,
    open_secrets,
    same_domain,
    same_user,
    signing_secret,
    token_id,
    usable_profile,
)

if TYPE_CHECKING:
    from auth_jwt.issuers.authorizer import IssuerAuthorizer

WORTH_A_SECOND_LOOK: Final[Mapping[Reason, Half]] = {
    Reason.BAD_SIGNATURE: Half.SECRETS,
    Reason.NO_ACTIVE_SECRET: Half.SECRETS,
    Reason.UNKNOWN_TAG: Half.SECRETS,
    Reason.UNKNOWN_PROFILE: Half.PROFILE,
    Reason.INCOMPLETE_PROFILE: Half.PROFILE,
}
"""The reasons to read rows again before a denial, and the half of a tag's rows, profile or secrets, each rests on.

An operator may have written since the remembered rows were read, and a new secret must work at once.
"""

MAX_SCRIPT_KEYS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """Decides which SIP user a token speaks for.

    Attributes:
        memory: the profiles and secrets, as the process remembers them.
        policy: the rules that an operator set.
        store_seconds: the total time that the tables may take in one request, retries included.
        revocations: the table of revoked tokens, as the process remembers it; None without such a table.
        clock: returns the time in UNIX seconds. Windows and claims are judged by this one clock.
        issuers: decides about the tokens of issuers; None where no issuer is set.
    """

    memory: RowMemory
    policy: Policy
    store_seconds: float
    revocations: RevocationMemory | None = None
    clock: Callable[[], float] = time.time
    issuers: "IssuerAuthorizer | None" = None

    def authorize(
        self,
        token: object,
        *,
        from_user: str | None = None,
        from_domain: str | None = None,
        knows_domain: bool = True,
        report: Report | None = None,
    ) -> Authorized:
        """Return the SIP user that *token* speaks for.

        Args:
            token: a JWT in compact serialization.
            from_user: the SIP user the request acts as. It must equal the profile's username exactly.
            from_domain: the SIP domain of that user. It must equal the profile's domain; the case of A to Z is ignored.
            knows_domain: whether the caller could know the domain. The users of some issuers are known by it only.
            report: records what the decision saw, for logs and metrics.

        Raises:
            Denied: the token is denied, or it speaks for another user.
            Deferred: the issuer's key that signed the token may not have been fetched yet.
            Fault: no decision is possible.
        """
        report = Report() if report is None else report
        now = self.clock()
        deadline = Deadline(self.store_seconds)
        if self.issuers is None:
            jws, claims = self._read_unverified(token)
        else:
            jws, claims, issuer = self.issuers.read_unverified(token)
            if issuer is not None:
                asked = Asked(user=from_user, domain=from_domain, knows_domain=knows_domain)
                return self.issuers.authorize(issuer, jws, claims, asked, now, deadline, report)
        report.algorithm = jws.algorithm
        report.tag = unverified_tag(claims, self.policy.tag_claim)
        # `decide_with_second_look`, written out: nearly all requests need no second look, and so pay for no closure.
        recalled = self.memory.recall(report.tag, deadline)
        report.origin = recalled.origin
        try:
            authorized, profile = self._decide(recalled.found, jws, claims, now, report)
        except Denied as denied:
            decide = partial(self._decide, jws=jws, claims=claims, now=now, report=report)
            authorized, profile = look_again(
                self.memory, report.tag, recalled, denied, decide, WORTH_A_SECOND_LOOK, deadline, report
            )
        if self.revocations is not None and self.revocations.is_revoked(report.tag, token_id(claims), deadline):
            raise Denied(Reason.REVOKED_TOKEN)
        if from_user is not None and not same_user(from_user, authorized.sip_username):
            raise Denied(Reason.USERNAME_MISMATCH)
        if from_domain is not None and not same_domain(from_domain, profile.domain):
            raise Denied(Reason.DOMAIN_MISMATCH)
        return authorized

    def script_authorize(self, token: object, key: str) -> tuple[int, str | None]:
        """Validate *token* with *key*, as `jwt_script_authorize()` of the OpenSIPS module does. Claims are not checked.

        Args:
            token: a JWT in compact serialization.
            key: the text of a secret, with at most 16 candidate keys. A reference is never followed.

        Returns:
            1 and the decoded token if the key signed it; -1 and the decoded token if not; -2 and None if the token is
            malformed or its header is not accepted.
        """
        try:
            jws, claims = self._read_unverified(token)
        except Denied:
            return -2, None
        valid = is_signed_by(jws, _read_script_keys(key), self.policy.min_hmac_key_bytes)
        return (1 if valid else -1), decoded_token(jws.header, claims)

    def _read_unverified(self, token: object) -> tuple[UnverifiedJws, dict[str, Any]]:
        jws = unverified_jws(token, self.policy.header, max_bytes=self.policy.max_token_bytes)
        return jws, unverified_object(jws.payload)

    def _decide(
        self, rows: TagRows, jws: UnverifiedJws, claims: dict[str, Any], now: float, report: Report
    ) -> tuple[Authorized, Profile]:
        secrets = open_secrets(rows, now, self.policy.max_secrets_per_tag, report)
        secret = signing_secret(jws, secrets, self.policy.min_hmac_key_bytes, report)
        report.secret_id = secret.id
        claims_end = check_claims(claims, self.policy, now)
        profile, username = usable_profile(rows.profile)
        check_time_of_issue(profile.valid_after, claims)
        credentials, report.unusable_credentials = load_credentials(self.policy.credentials, profile.attributes)
        until = expires_at(claims_end, secret)
        return Authorized(username, decoded_token(jws.header, claims), credentials, until), profile


def _read_script_keys(key: str) -> tuple[VerificationKey, ...]:
    try:
        keys = verification_keys(key)
    except InvalidKey:
        return ()
    return keys if len(keys) <= MAX_SCRIPT_KEYS else ()
