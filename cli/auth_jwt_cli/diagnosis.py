"""Diagnosis: why a SIP user is refused, by everything that is known: profiles, secrets, revocations, logs, audit.

Only judgement is here; `why_command` reads. A line is what `auth-jwt doctor` calls an observation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from auth_jwt.errors import Reason
from auth_jwt.issuers.models import issuer_of_user
from auth_jwt.provisioning.advice import advice_about, naming
from auth_jwt.provisioning.explanation import Explanation
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.profiles import ProfileRecord
from auth_jwt.provisioning.revocations import RevocationPage
from auth_jwt_cli.doctor.models import Observation, Verdict, ok, problem, skipped, warning
from auth_jwt_cli.logs.audit_trail import TrailEntry
from auth_jwt_cli.logs.refusals import ReasonCount
from auth_jwt_cli.output import pluralize
from auth_jwt_cli.times import distance, format_instant

_SOON_SECONDS = 86400
_SHOWN_WRITES = 5


@dataclass(frozen=True, slots=True)
class KnownUser:
    """What is known of a SIP user.

    Attributes:
        name: the user, as the operator named it.
        now: the instant of the look, in UNIX seconds.
        since: since when logs and audit were read.
        profiles: the profiles that speak for the user.
        secrets: the secrets of each tag; None for a tag whose secrets could not be read.
        revoked: the first tokens of each tag that are revoked by their ids; None for a tag whose revocations could not
            be read, and without a table of them.
        counts: how the user's requests ended; None if the log was not read.
        writes: the writes to rows of the user, the oldest first.
        explanation: the decision about a token, if there was one.
    """

    name: str
    now: float
    since: int
    profiles: tuple[ProfileRecord, ...]
    secrets: Mapping[str, Sequence[SecretRecord] | None]
    revoked: Mapping[str, RevocationPage | None] | None = None
    counts: tuple[ReasonCount, ...] | None = None
    writes: tuple[TrailEntry, ...] = ()
    explanation: Explanation | None = field(default=None, repr=False)

    @property
    def refused(self) -> list[ReasonCount]:
        """What was refused, the newest first."""
        failed = [count for count in self.counts or () if count.outcome in ("denied", "fault")]
        return sorted(failed, key=lambda count: count.last or 0, reverse=True)

    @property
    def let_in(self) -> ReasonCount | None:
        """The requests that were authorized; None if there were none."""
        return next((count for count in self.counts or () if count.outcome == "authorized"), None)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What all of it comes to.

    Attributes:
        text: one sentence.
        remedy: what to do next.
        is_refusal: whether the user is refused now, as far as is known.
    """

    text: str
    remedy: str
    is_refusal: bool


def lines_about(known: KnownUser) -> Iterator[Observation]:
    """Yield one line for each thing that is known."""
    for profile in known.profiles:
        yield from _profile_lines(profile, known.now)
        yield from _secret_lines(profile.tag, known.secrets.get(profile.tag, ()), known.now)
        if known.revoked is not None and profile.tag in known.revoked:
            yield from _revocation_lines(profile.tag, known.revoked[profile.tag], known.now)
    if known.counts is not None:
        yield from _log_lines(known)
    for write in known.writes[-_SHOWN_WRITES:]:
        done = "" if write.outcome == "done" else f" ({write.outcome})"
        which = "" if write.id is None else f" {write.id!r}"
        yield ok(
            "audit", f"{write.action}{which} of {write.tag!r}{done}, {_ago(write.at, known.now)}, by {write.actor}"
        )
    if known.explanation is not None:
        yield _token_line(known.explanation, known)


def conclude(known: KnownUser) -> Diagnosis:
    """Return what all of it comes to: the token first, then the rows, then what the log says."""
    explanation = known.explanation
    if explanation is not None:
        line = _token_line(explanation, known)
        if line.verdict is Verdict.PROBLEM:  # a fault says nothing of the token
            return Diagnosis(line.text, line.remedy, is_refusal=True)
    obstacles = {profile.tag: _obstacle(profile, known) for profile in known.profiles}
    broken = {tag: obstacle for tag, obstacle in obstacles.items() if obstacle is not None}
    if known.profiles and len(broken) == len(known.profiles):
        line = next(iter(broken.values()))
        return Diagnosis(f"{line.about}: {line.text}{_who_did(known)}", line.remedy, is_refusal=True)
    refused, let_in = known.refused, known.let_in
    if refused:
        return _conclude_by_log(known, refused, let_in)
    if let_in is not None:
        return Diagnosis(
            f"the service lets {known.name} in, the last time {_ago(let_in.last, known.now)}",
            "look at the frontend: the registration, its expiry, the network",
            is_refusal=False,
        )
    if broken:
        line = next(iter(broken.values()))
        others = ", ".join(profile.tag for profile in known.profiles if profile.tag not in broken)
        return Diagnosis(f"{line.about}: {line.text}; {others} may log in", line.remedy, is_refusal=False)
    warnings = [line for line in lines_about(known) if line.verdict is Verdict.WARNING]
    if warnings:
        return Diagnosis(f"{warnings[0].about}: {warnings[0].text}", warnings[0].remedy, is_refusal=False)
    unknown = "; the log was not read" if known.counts is None else ", and the log has no refusal"
    return Diagnosis(
        f"nothing in the tables refuses {known.name}{unknown}",
        "explain the token itself by --token-file FILE, and look whether the frontend asks at all",
        is_refusal=False,
    )


def _conclude_by_log(known: KnownUser, refused: Sequence[ReasonCount], let_in: ReasonCount | None) -> Diagnosis:
    """Conclude from what was *refused*, the newest first. The next step is that of the most frequent reason."""
    newest, commonest = refused[0], max(refused, key=lambda each: each.times)
    tag = known.profiles[0].tag if len(known.profiles) == 1 else None
    remedy = (commonest.reason and advice_about(commonest.reason, tag)) or "look at the line in the log"
    times = pluralize(sum(each.times for each in refused), "time")
    if len(refused) > 1:
        by_times = sorted(refused, key=lambda each: each.times, reverse=True)
        times += f" ({', '.join(f'{each.reason} {each.times}' for each in by_times)})"
    text = f"{known.name} was refused {times}, the last {_ago(newest.last, known.now)}: {newest.reason}"
    if let_in is None:
        return Diagnosis(f"{text}; nothing was let in", remedy, is_refusal=True)
    if (let_in.last or 0) > (newest.last or 0):
        return Diagnosis(
            f"{text}; but the newest request, {_ago(let_in.last, known.now)}, was let in", remedy, is_refusal=False
        )
    return Diagnosis(f"{text}; before, {_ago(let_in.last, known.now)}, it was let in", remedy, is_refusal=True)


def _profile_lines(profile: ProfileRecord, now: float) -> Iterator[Observation]:
    about = f"profile {profile.tag}"
    if profile.sip_username is None:
        yield problem(about, "it names no SIP user", _advice(Reason.INCOMPLETE_PROFILE, profile.tag))
        return
    user = profile.sip_username if profile.sip_domain is None else f"{profile.sip_username}@{profile.sip_domain}"
    if profile.disabled:
        yield problem(
            about, f"it speaks for {user} and is disabled, so every login with it is denied",
            _advice(Reason.DISABLED_PROFILE, profile.tag),
        )  # fmt: skip
    else:
        yield ok(about, f"it speaks for {user}")
    if profile.tokens_valid_after is not None:
        yield warning(
            about,
            f"tokens issued before {format_instant(profile.tokens_valid_after, now)} are revoked",
            naming("get a new token; `auth-jwt revoke TAG --all --lift` undoes it", profile.tag),
        )


def _secret_lines(tag: str, secrets: Sequence[SecretRecord] | None, now: float) -> Iterator[Observation]:
    about = f"secrets {tag}"
    issuer = issuer_of_user(tag)
    if issuer is not None:
        yield ok(about, f"the keys of the issuer {issuer!r} verify its tokens: `auth-jwt issuer show`")
        return
    if secrets is None:
        yield skipped(about, "they could not be read", "ask somebody who may read them")
        return
    if not secrets:
        yield problem(about, "there are none, so every login is denied", _advice(Reason.UNKNOWN_TAG, tag))
        return
    usable = [secret for secret in secrets if secret.state is SecretState.OPEN]
    if not usable:
        told = "; ".join(_state_of(secret, now) for secret in secrets)
        yield problem(about, f"none is open, so every login is denied: {told}", _advice(Reason.NO_ACTIVE_SECRET, tag))
        return
    last = max(float(secret.end) for secret in usable if secret.end is not None)
    text = f"{len(usable)} of {len(secrets)} open; the last of them ends {distance(last - now)}"
    if last - now < _SOON_SECONDS:
        yield warning(about, text, naming("`auth-jwt secret rotate TAG`", tag))
    else:
        yield ok(about, text)
    for secret in secrets:
        if secret.state is SecretState.UNUSABLE:
            remedy = naming("`auth-jwt secret show TAG ID`, and docs/operations.md has the flaw", tag, row=secret.id)
            yield warning(about, _state_of(secret, now), remedy)


def _state_of(secret: SecretRecord, now: float) -> str:
    if secret.unusable is not None:
        return f"{secret.id!r} is unusable ({secret.unusable})"
    if secret.state is SecretState.FUTURE and secret.start is not None:
        return f"{secret.id!r} opens {distance(float(secret.start) - now)}"
    return f"{secret.id!r} ended" + ("" if secret.end is None else f" {distance(float(secret.end) - now)}")


def _revocation_lines(tag: str, page: RevocationPage | None, now: float) -> Iterator[Observation]:
    about = f"revocations {tag}"
    if page is None:
        yield skipped(about, "they could not be read", "ask somebody who may read them")
        return
    revoked = page.revocations
    if not revoked:
        yield ok(about, "no token is revoked by its id")
        return
    newest = max(revocation.revoked_at or 0 for revocation in revoked)
    when = f", the last {_ago(newest, now)}" if newest else ""
    more = "" if page.next is None else " or more"
    text = f"{pluralize(len(revoked), 'token')}{more} revoked by id{when}"
    yield warning(about, text, naming("`auth-jwt revoke TAG --list`", tag))


def _log_lines(known: KnownUser) -> Iterator[Observation]:
    since = format_instant(known.since, known.now)
    if not known.counts:
        yield skipped("log", f"no request of this user since {since}", "look whether the frontend asks at all")
    for count in known.counts or ():
        times, last = pluralize(count.times, "time"), _ago(count.last, known.now)
        if count.outcome in ("denied", "fault"):
            text = f"{count.outcome} {times}, first {_ago(count.first, known.now)}, last {last}: {count.reason}"
            tag = known.profiles[0].tag if len(known.profiles) == 1 else None
            advice = (count.reason and advice_about(count.reason, tag)) or count.advice
            yield problem("log", text, advice or "look at the line")
        else:
            yield ok("log", f"{count.outcome} {times}, last {last}")


def _token_line(explanation: Explanation, known: KnownUser) -> Observation:
    tags = [profile.tag for profile in known.profiles]
    if explanation.tag is not None and explanation.tag not in tags:
        text = f"the token is of the tag {explanation.tag!r}, which does not speak for {known.name}"
        return problem("token", text, "find out whose token the client has")
    if explanation.answer is not None:
        return ok("token", f"it would be accepted, until {format_instant(explanation.answer.expires_at, known.now)}")
    if explanation.reason is not None:
        return problem("token", f"the token is denied: {explanation.reason}", explanation.remedy or "")
    why = explanation.fault or "its issuer's key may not have been fetched yet"
    return warning("token", f"nothing can be said of the token: {why}", "ask again in a minute")


def _obstacle(profile: ProfileRecord, known: KnownUser) -> Observation | None:
    """Return what denies every login with a profile; None if nothing does."""
    lines = (
        *_profile_lines(profile, known.now),
        *_secret_lines(profile.tag, known.secrets.get(profile.tag, ()), known.now),
    )
    return next((line for line in lines if line.verdict is Verdict.PROBLEM), None)


def _who_did(known: KnownUser) -> str:
    """Return who disabled the first profile, if it is disabled and the audit trail says so."""
    profile = known.profiles[0]
    did = [write for write in known.writes if write.tag == profile.tag and write.action == "profile.disable"]
    return f" ({_ago(did[-1].at, known.now)}, by {did[-1].actor})" if profile.disabled and did else ""


def _advice(reason: Reason, tag: str) -> str:
    return advice_about(reason, tag) or ""


def _ago(at: float | None, now: float) -> str:
    return "at an unknown time" if at is None else distance(min(at - now, 0))
