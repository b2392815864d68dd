"""Records as JSON. The admin API and `--json` show the same members, and never a secret's value."""

import json
from base64 import b64encode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from auth_jwt.issuers.status import FetchStatus
from auth_jwt.provisioning.inspection import SecretRecord
from auth_jwt.provisioning.issuers import IssuerRecord, PublishedKey
from auth_jwt.provisioning.profiles import ProfileRecord
from auth_jwt.provisioning.revocations import Revocation
from auth_jwt.provisioning.secrets import Rotated
from auth_jwt.provisioning.tokens import Minted

if TYPE_CHECKING:  # a command that shows a profile loads none of these
    from auth_jwt.provisioning.endings import Ending
    from auth_jwt.provisioning.explanation import Explanation
    from auth_jwt.provisioning.secret_search import SharedKey
    from auth_jwt.provisioning.tombstones import Tombstone

Json = dict[str, Any]


def profile_json(profile: ProfileRecord) -> Json:
    """Return the members of a profile."""
    return {
        "tag": profile.tag,
        "sip_username": profile.sip_username,
        "sip_domain": profile.sip_domain,
        "disabled": profile.disabled,
        "tokens_valid_after": _plain(profile.tokens_valid_after),
        "attributes": {name: _plain(value) for name, value in sorted(profile.attributes.items())},
    }


def tombstone_json(tombstone: "Tombstone") -> Json:
    """Return the members of a deleted profile that can be restored."""
    return {
        "tag": tombstone.tag,
        "deleted_at": tombstone.deleted_at,
        "deleted_by": tombstone.deleted_by,
        "kept_until": tombstone.kept_until,
        "profile": tombstone.has_profile,
        "secrets": tombstone.secrets,
    }


def ending_json(ending: "Ending") -> Json:
    """Return the members of a tag whose secrets end: when, and a command that mends it."""
    return {
        "tag": ending.tag,
        "id": ending.secret_id,
        "kind": ending.kind.value,
        "end_ts": _plain(ending.end),
        "opens_again_ts": _plain(ending.opens_again),
        "command": ending.remedy,
    }


def secret_json(secret: SecretRecord) -> Json:
    """Return the members of a secret: everything except its value."""
    return {
        "tag": secret.tag,
        "id": secret.id,
        "kind": secret.kind,
        "algorithms": list(secret.algorithms),
        "kid": secret.kid,
        "start_ts": _plain(secret.start),
        "end_ts": _plain(secret.end),
        "state": secret.state.value,
        "flaw": None if secret.unusable is None else secret.unusable.flaw.value,
        "unusable_because": None if secret.unusable is None else secret.unusable.because,
        "keys": [
            {
                "kind": key.kind,
                "algorithms": list(key.algorithms),
                "kid": key.kid,
                "fingerprint": key.fingerprint,
            }
            for key in secret.keys
        ],
    }


def shared_key_json(key: "SharedKey") -> Json:
    """Return the members of a key that several tags share."""
    return {"fingerprint": key.fingerprint, "kind": key.kind, "tags": key.tags, "some_tags": list(key.named)}


def rotated_json(rotated: Rotated) -> Json:
    """Return the members of a rotation, without the value of its new secret."""
    return {"secret": secret_json(rotated.secret), "closing": [secret_json(secret) for secret in rotated.closing]}


def minted_json(minted: Minted) -> Json:
    """Return the members of a minted token, including the token itself."""
    return {
        "token": minted.token,
        "tag": minted.tag,
        "sip_username": minted.answer.sip_username,
        "secret_id": minted.secret_id,
        "jti": minted.jti,
        "expires_at": minted.expires_at,
    }


def revocation_json(revocation: Revocation) -> Json:
    """Return the members of a revoked token."""
    return {
        "tag": revocation.tag,
        "jti": revocation.jti,
        "revoked_at": revocation.revoked_at,
        "expires_at": revocation.expires_at,
    }


def issuer_json(record: IssuerRecord) -> Json:
    """Return the members of an issuer. Keys are named by their thumbprints, which may be shown."""
    issuer = record.issuer
    return {
        "issuer": record.identifier,
        "id": record.id,
        "disabled": record.disabled,
        "tokens_valid_after": None if issuer is None else _plain(issuer.valid_after),
        "version": None if issuer is None else issuer.version,
        "problem": record.problem,
        "configuration": None if issuer is None else json.loads(issuer.to_json()),
        "status": None if record.status is None else _status_json(record.status),
        "keys": [key_json(key) for key in record.keys],
    }


def key_json(key: PublishedKey) -> Json:
    """Return the members of a key that an issuer publishes: everything except the key."""
    return {
        "kid": key.kid,
        "kind": key.kind,
        "algorithms": list(key.algorithms),
        "thumbprint": key.thumbprint,
        "blocked": key.blocked,
    }


def explanation_json(explanation: "Explanation", *, with_claims: bool) -> Json:
    """Return the members of an *explanation*, and the token's claims on demand."""
    answer = explanation.answer
    document: Json = {
        "accepted": answer is not None,
        "reason": explanation.reason,
        "fault": None if explanation.fault is None else str(explanation.fault),
        "retry_after": explanation.retry_after,
        "remedy": explanation.remedy,
        "issuer": explanation.issuer,
        "tag": explanation.tag,
        "steps": [
            {"name": step.name, "outcome": step.outcome, "reason": step.reason, "text": step.text}
            for step in explanation.steps
        ],
        "secrets": [
            {
                **secret_json(look.record),
                "passed_over": look.passed_over,
                "signed": look.signed,
                "misreading": None if look.misreading is None else look.misreading.name,
            }
            for look in explanation.secrets
        ],
        "keys": [
            {
                "kid": look.key.kid,
                "thumbprint": look.key.thumbprint,
                "blocked": look.key.blocked,
                "named": look.named,
                "signed": look.signed,
            }
            for look in explanation.keys
        ],
    }
    if answer is not None:
        document["sip_username"] = answer.sip_username
        document["expires_at"] = answer.expires_at
        document["credentials"] = sorted(answer.credentials)
    if with_claims:
        document |= {"header": explanation.header, "claims": explanation.claims}
    return document


def _status_json(status: FetchStatus) -> Json:
    return {
        "fetched_at": status.fetched_at,
        "next_fetch_at": status.next_fetch_at,
        "failures": status.failures,
        "failure": status.failure,
        "next_discovery_at": status.next_discovery_at,
        "moved_to": status.moved_to,
    }


def _plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a column's *value* as JSON: whole numbers stay exact, sets become lists, bytes become base64."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(member) for member in value]
    return b64encode(value).decode("ascii") if isinstance(value, bytes) else value
