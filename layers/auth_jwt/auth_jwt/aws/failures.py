"""What AWS's errors mean, whichever client got them. The only module that reads botocore's errors.

Each client reports a failure as one of three errors: `Refused`, the answer is an error; `Unreachable`, no whole answer
came; `Fault`, no request can be sent. Their messages do not say what was asked: `translated_errors` adds that.
`remedy_of` says what an operator does next: the advice depends on the fault, never on the command.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from auth_jwt.errors import Fault, Throttled, Unreachable

_THROTTLED: Final = re.compile(r"Throttl|ThroughputExceeded|LimitExceeded|TooManyRequests")
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_SERVER_ERROR: Final = 500
_MINUTE: Final = 60


class Cause(StrEnum):
    """What an error is about, where AWS says it in the text alone, and not by a code of its own.

    The text itself is not kept: it may quote the request. Each value is the name that `_REMEDIES` knows it by.
    """

    CLOCK = "WrongClock"
    KMS = "KmsDenied"
    KEY_SCHEMA = "OtherKeySchema"


_CAUSES: Final = (
    # DynamoDB: `InvalidSignatureException: Signature expired: 20260101T000000Z is now earlier than ...`
    (
        Cause.CLOCK,
        r"RequestTimeTooSkewed|RequestExpired|InvalidSignature|SignatureDoesNotMatch",
        "Signature (expired|not yet)",
    ),
    (Cause.CLOCK, r"RequestTimeTooSkewed|RequestExpired", ""),
    (Cause.KMS, r"^KMS", ""),
    (Cause.KMS, r"AccessDenied", r"\bkms:|KMS"),
    (Cause.KEY_SCHEMA, r"ValidationException", r"does not match the schema|[Mm]issed key schema|Missing the key"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks AWS, and where: what the advice names. What is not known is left out of it.

    Attributes:
        profile: the profile of the AWS configuration; None leaves it to the SDK.
        has_keys: whether the credentials are in variables of the environment, which the SDK prefers.
        region: the region that is asked.
        endpoint: the address that is asked, if it is not AWS's own.
        identity: asks AWS who the caller is: the ARN and the account; None if AWS does not tell.
    """

    profile: str | None = None
    has_keys: bool = False
    region: str | None = None
    endpoint: str | None = None
    identity: Callable[[], tuple[str, str] | None] = lambda: None


_REMEDIES: Final = (
    (
        r"SSOTokenLoad",
        "Nobody has logged in by SSO for {the_profile}, or has logged out. Run {sso_login}, then try again.",
    ),
    (
        r"SSO|TokenRetrieval",
        "The SSO login of {the_profile} has expired. Run {sso_login}, then try again.",
    ),
    (
        r"NoCredentials|PartialCredentials|CredentialRetrieval|NoAuthToken|LoginRefresh",
        "AWS credentials are missing: {the_profile} has none. Log in to AWS ({sso_login}, for example), or name "
        "the profile to use by --profile, a context or AWS_PROFILE.",
    ),
    (
        Cause.CLOCK,
        "The clock of this machine is wrong{skew}. AWS takes requests of the last 5 minutes only. Set it "
        "(`timedatectl set-ntp true`, for example), then try again.",
    ),
    (
        r"ExpiredToken",
        "The AWS session of {the_profile} has expired. Log in to AWS again ({sso_login}, for example), then try again.",
    ),
    (
        r"InvalidSignature|SignatureDoesNotMatch",
        "The secret access key of {the_profile} is not that of its access key id. Log in to AWS again, correct it, "
        "or name another profile by --profile.",
    ),
    (
        r"UnrecognizedClient|InvalidClientTokenId|IncompleteSignature|MissingAuthe",
        "AWS does not know the access key of {the_profile}. Log in to AWS again, or name another profile by --profile.",
    ),
    (r"NoRegion", "Name it by --region, in a context, or by AWS_DEFAULT_REGION."),
    (r"InvalidRegion", "The region is not a valid name. Correct --region, the context or AWS_DEFAULT_REGION."),
    (
        r"ProfileNotFound",
        "`aws configure list-profiles` shows those that there are. Name one by --profile, a context or AWS_PROFILE.",
    ),
    (
        r"EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|ProxyConnection",
        "Check the network, {the_region}, and {the_endpoint}. Then try again.",
    ),
    (r"SSLError", "Check the certificates and any proxy on the way: AWS_CA_BUNDLE names the roots to trust."),
    (
        r"NoWholeAnswer",
        "What answers is not DynamoDB, or something on the way cuts its answers. Check {the_endpoint}, and any proxy.",
    ),
    (
        r"ResourceNotFound",
        "It does not exist {in_place}. Check its name, --region and --profile: `auth-jwt target` shows where "
        "each comes from.",
    ),
    (
        Cause.KMS,
        "The KMS key that encrypts it does not let {you} use it: get kms:Decrypt for that key, or name another "
        "profile by --profile.",
    ),
    (
        r"AccessDenied|UnauthorizedOperation",
        "The permission is missing: {you} may not do this {in_place}. docs/permissions.md has a policy for "
        "each role. Get it, or name another profile by --profile.",
    ),
    (
        Cause.KEY_SCHEMA,
        "The table has another key than the settings say. `auth-jwt config check` says which it has and which it "
        "needs.",
    ),
    (r"InternalServer|ServiceUnavailable|InternalFailure", "Look at AWS Health for this region, and try again."),
    (
        _THROTTLED.pattern,
        "More is asked of it than it may answer now. Try again in a minute; if it stays, look at the table's "
        "capacity, and at who asks so much.",
    ),
)
"""What an operator can do, by the name of an SDK's error, of AWS's code or of a `Cause`.

The names are patterns as text: logins load this module, and none of them needs this advice.
"""


class Refused(Exception):
    """The answer is an error of AWS, or of a proxy on the way.

    Attributes:
        status: the HTTP status.
        code: AWS's code for the error, or the status as text.
        reasons: why a transaction was cancelled, for each of its actions; empty for other errors.
        cause: what it is about, where the code does not say it.
        skew_seconds: how far this machine's clock is ahead of AWS's; None where the answer has no date.
        is_repeated: whether an earlier attempt of the same request failed, whose answer may have been lost.
    """

    def __init__(
        self,
        status: int,
        code: str,
        reasons: Sequence[Mapping[str, Any]] = (),
        *,
        cause: Cause | None = None,
        skew_seconds: float | None = None,
        is_repeated: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.reasons = reasons
        self.cause = cause
        self.skew_seconds = skew_seconds
        self.is_repeated = is_repeated


@contextmanager
def translated_errors(action: str) -> Iterator[None]:
    """Turn a client's errors into ours, and put the *action* into their messages.

    Raises:
        Unreachable: AWS does not answer now; the same request may succeed later.
        Fault: AWS cannot be used until an operator acts.
    """
    try:
        yield
    except Refused as error:
        raise failure_of(action, error.status, error.code) from error
    except Unreachable as error:
        raise Unreachable(f"{action}: no answer ({error})") from error
    except Fault as error:
        raise Fault(f"{action} cannot be done: {error}") from error


@contextmanager
def known_outcome() -> Iterator[None]:
    """Make the refusal of a write's second attempt an unknown outcome: its first one may have been carried out.

    Raises:
        Unreachable: the write may have been done.
    """
    try:
        yield
    except Unreachable:
        raise
    except Fault as fault:
        if isinstance(fault.__cause__, Refused) and fault.__cause__.is_repeated:
            raise unknown_outcome(fault) from fault.__cause__
        raise


def unknown_outcome(fault: Fault) -> Unreachable:
    """Return the error of a write that an earlier attempt may have made, before the *fault* of the last one."""
    return Unreachable(f"{fault}; an earlier attempt got no answer, so the write may have been done")


def failure_of(action: str, status: int, code: str) -> Fault:
    """Return the fault that an AWS error means, by its HTTP *status* and its *code*."""
    if status == _TOO_MANY_REQUESTS or _THROTTLED.search(code):
        return Throttled(f"{action} is throttled ({code})")
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return Unreachable(f"{action} failed on the service's side ({code})")
    return Fault(f"{action} is refused: {code}")


def remedy_of(fault: Fault, caller: Caller | None = None) -> str | None:
    """Return what an operator of the command line can do about a *fault*; None if its causes do not tell.

    Args:
        fault: the fault, with its causes.
        caller: who asked, and where; the advice names it. AWS is asked for an identity only if the advice needs it.
    """
    cause: BaseException | None = fault
    while cause is not None:
        for name in _names_of(cause):
            for names, remedy in _REMEDIES:
                if re.search(names, name):
                    return remedy.format_map(_Words(caller or Caller(), cause))
        cause = cause.__cause__
    return None


def _names_of(cause: BaseException) -> tuple[str, ...]:
    if isinstance(cause, Refused):
        return (cause.code,) if cause.cause is None else (cause.cause.value,)
    return tuple(kind.__name__ for kind in type(cause).__mro__)  # NoWholeAnswer is an Unreachable


class _Words(dict[str, str]):
    """The words of an advice that depend on the caller. Each is made when the advice has it."""

    def __init__(self, caller: Caller, cause: BaseException) -> None:
        super().__init__()
        self._caller = caller
        self._cause = cause

    def __missing__(self, name: str) -> str:
        word: str = getattr(self, f"_{name}")()
        return word

    def _the_profile(self) -> str:
        profile = self._caller.profile
        if self._caller.has_keys:
            return "this environment (AWS_ACCESS_KEY_ID)"
        return "the default profile" if profile is None else f"the profile {profile!r}"

    def _sso_login(self) -> str:
        profile = self._caller.profile
        return "`aws sso login`" if profile is None else f"`aws sso login --profile {profile}`"

    def _the_region(self) -> str:
        return "the region" if self._caller.region is None else f"the region ({self._caller.region})"

    def _the_endpoint(self) -> str:
        endpoint = self._caller.endpoint
        return "the endpoint in DB_URL if it is set" if endpoint is None else f"the endpoint {endpoint}"

    def _in_place(self) -> str:
        if self._caller.endpoint is not None:
            return f"at {self._caller.endpoint}"
        identity, region = self._caller.identity(), self._caller.region
        account = "this account" if identity is None else f"account {identity[1]}"
        return f"in {account} and region" if region is None else f"in region {region} of {account}"

    def _you(self) -> str:
        identity = self._caller.identity()
        return "your AWS identity" if identity is None else identity[0]

    def _skew(self) -> str:
        seconds = self._cause.skew_seconds if isinstance(self._cause, Refused) else None
        if seconds is None or abs(seconds) < _MINUTE:
            return ""
        return f" by {abs(seconds) / _MINUTE:.0f} minutes: it is {'ahead' if seconds > 0 else 'behind'}"


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Turn botocore's errors into `Refused`, `Unreachable` and `Fault`.

    The messages of botocore's errors may quote the request, so only the names of their types are kept.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    try:
        yield
    except ClientError as error:
        answer: Mapping[str, Any] = error.response
        about = answer.get("ResponseMetadata", {})
        told = answer.get("Error", {})
        code = told.get("Code", "")
        raise Refused(
            about.get("HTTPStatusCode", 0),
            code,
            answer.get("CancellationReasons", ()),
            cause=_cause_of(code, str(told.get("Message", ""))),
            skew_seconds=_skew_of(about.get("HTTPHeaders", {}).get("date")),
            is_repeated=about.get("RetryAttempts", 0) > 0,
        ) from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise Unreachable(type(error).__name__) from error
    except BotoCoreError as error:
        raise Fault(type(error).__name__) from error


def _cause_of(code: str, message: str) -> Cause | None:
    return next(
        (cause for cause, codes, texts in _CAUSES if re.search(codes, code) and re.search(texts, message)), None
    )


def _skew_of(date: str | None) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return None


@contextmanager
def configuration_errors(consequence: str) -> Iterator[None]:
    """Turn the errors of making a session or a client into faults whose messages begin with the *consequence*.

    No request exists yet, so the SDK's message is kept: it names the profile or the setting.

    Raises:
        Fault: the SDK rejects its configuration.
    """
    from botocore.exceptions import BotoCoreError, NoRegionError

    try:
        yield
    except NoRegionError as error:
        raise Fault(f"{consequence}: the region is missing") from error
    except (BotoCoreError, ValueError) as error:
        raise Fault(f"{consequence}: {str(error).rstrip('.')}") from error


def missing_credentials() -> Exception:
    """Make the error by which a provider of credentials tells botocore that it has found none."""
    from botocore.exceptions import NoCredentialsError

    made: Exception = NoCredentialsError()
    return made


def is_read_timeout(error: Exception) -> bool:
    """Tell whether the SDK had a connection, but no answer in time."""
    from botocore.exceptions import ReadTimeoutError

    return isinstance(error, ReadTimeoutError)
