"""The spine: token -> tag -> secrets -> verify -> profile -> result. Start reading here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auth_jwt.credentials import load_credentials
from auth_jwt.errors import Denied, InvalidKey, Reason
from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.keys import VerificationKey, verification_keys
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import UnverifiedJws, unverified_jws, unverified_object, unverified_tag
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Authorized, Half, Policy, Profile, Report, TagRows
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

WORTH_A_SECOND_LOOK: Final[Mapping[Reason, Half]] = {
    Reason.BAD_SIGNATURE: Half.SECRETS,
    Reason.NO_ACTIVE_SECRET: Half.SECRETS,
    Reason.UNKNOWN_TAG: Half.SECRETS,
    Reason.UNKNOWN_PROFILE: Half.PROFILE,
    Reason.INCOMPLETE_PROFILE: Half.PROFILE,
}
"""The reasons to read rows again before a denial, and the table each reason rests on.

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
    """

    memory: RowMemory
    policy: Policy
    store_seconds: float
    revocations: RevocationMemory | None = None
    clock: Callable[[], float] = time.time

    def authorize(
        self,
        token: object,
        *,
        from_user: str | None = None,
        from_domain: str | None = None,
        report: Report | None = None,
    ) -> Authorized:
        """Return the SIP user that *token* speaks for.

        Args:
            token: a JWT in compact serialization.
            from_user: the SIP user the request acts as. It must equal the profile's username exactly.
            from_domain: the SIP domain of that user. It must equal the profile's domain; the case of A to Z is ignored.
            report: records what the decision saw, for logs and metrics.

        Raises:
            Denied: the token is denied, or it speaks for another user.
            Fault: no decision is possible.
        """
        report = Report() if report is None else report
        now = self.clock()
        jws, claims = self._read_unverified(token)
        report.algorithm = jws.algorithm
        report.tag = unverified_tag(claims, self.policy.tag_claim)
        deadline = Deadline(self.store_seconds)
        answer, profile = self._decide(report.tag, jws, claims, now, deadline, report)
        if self.revocations is not None and self.revocations.is_revoked(report.tag, token_id(claims), deadline):
            raise Denied(Reason.REVOKED_TOKEN)
        if from_user is not None and not same_user(from_user, answer.sip_username):
            raise Denied(Reason.USERNAME_MISMATCH)
        if from_domain is not None and not same_domain(from_domain, profile.domain):
            raise Denied(Reason.DOMAIN_MISMATCH)
        return answer

    def script_authorize(self, token: object, key: str) -> tuple[int, str | None]:
        """Validate *token* with *key*, as the module's `jwt_script_authorize()` does. Claims are not checked.

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
        self, tag: str, jws: UnverifiedJws, claims: dict[str, Any], now: float, deadline: Deadline, report: Report
    ) -> tuple[Authorized, Profile]:
        """Decide from remembered rows. Before a denial that fresh rows could reverse, read them and decide again.

        Such a denial stands only on rows that were read for this request. If they cannot be read, it is a fault.
        """
        recalled = self.memory.recall(tag, deadline)
        report.rows = recalled.origin
        try:
            return self._decide_from_rows(recalled.found, jws, claims, now, report)
        except Denied as denied:
            half = WORTH_A_SECOND_LOOK.get(denied.reason)
            if half is None or half in recalled.read:
                raise
            renewed = self.memory.renew(tag, deadline, instead_of=recalled.found)
            if renewed is None:
                raise
        report.start_over(renewed.origin)
        try:
            return self._decide_from_rows(renewed.found, jws, claims, now, report)
        except Denied as denied:
            half = WORTH_A_SECOND_LOOK.get(denied.reason)
            if renewed.failure is None or half is None or half in renewed.read:
                raise
            raise renewed.failure from denied

    def _decide_from_rows(
        self, rows: TagRows, jws: UnverifiedJws, claims: dict[str, Any], now: float, report: Report
    ) -> tuple[Authorized, Profile]:
        secrets = open_secrets(rows, now, self.policy.max_secrets_per_tag, report)
        secret = signing_secret(jws, secrets, self.policy.min_hmac_key_bytes, report)
        report.secret_id = secret.id
        check_claims(claims, self.policy, now)
        profile, username = usable_profile(rows)
        check_time_of_issue(profile, claims)
        credentials, report.unusable_credentials = load_credentials(self.policy.credentials, profile.attributes)
        until = expires_at(claims, secret, self.policy)
        return Authorized(username, decoded_token(jws.header, claims), credentials, until), profile


def _read_script_keys(key: str) -> tuple[VerificationKey, ...]:
    try:
        keys = verification_keys(key)
    except InvalidKey:
        return ()
    return keys if len(keys) <= MAX_SCRIPT_KEYS else ()
