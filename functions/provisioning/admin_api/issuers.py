"""`/admin/issuers`: identity providers whose published keys verify tokens.

Paths name an issuer by its id, a hash: an identifier is a URL, whose slashes not every proxy passes on.
"""

import json
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BeforeValidator

from admin_api.answers import (
    AddedIssuerOut,
    FoundOut,
    IssuerOut,
    IssuersOut,
    RefreshedIssuerOut,
    describe_answers,
)
from admin_api.bodies import IssuerChange, IssuerIn
from admin_api.conditions import cursor_of, entity_tag, key_of, unquote_segment, version_to_match
from admin_api.profiles import STALE, Cursor, IfMatch, Limit
from admin_api.visit import fetching_for, new_router, provisioning_for, visit_of
from auth_jwt.errors import Conflict
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.fetching.lookup import look_up
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.issuers import MAX_PAGE, Issuers
from auth_jwt.refreshing.models import RefreshOutcome

SECONDS_FOR_REFRESH: Final = 15.0
"""How long a refresh may take: two documents of five seconds each, their keys, and the tables."""

router = new_router()
_TAGS: Final = ["issuers"]
_NONE: Final = "There is no such issuer"
_NOTHING_USABLE: Final = "Nothing usable was fetched from the issuer: `failure` and `detail` say why"
_CHANGES: Final = "Somebody else changed the issuer meanwhile"

IssuerId = Annotated[str, BeforeValidator(unquote_segment), Path(description="The issuer's `id`, a hash")]
Key = Annotated[
    str,
    BeforeValidator(unquote_segment),
    Path(description="The key's RFC 7638 thumbprint; or, percent-encoded, a `kid` that one of the fetched keys has"),
]


@router.get(
    "/admin/issuers",
    operation_id="list_issuers",
    tags=_TAGS,
    summary="List issuers, sorted by identifier",
    responses=describe_answers((200, "A page of issuers")),
)
def list_issuers(limit: Limit = MAX_PAGE, cursor: Cursor = None) -> Response[IssuersOut]:
    """Return a page of issuers."""
    page = provisioning_for(router).issuers.page(after=key_of(cursor), limit=limit)
    body = IssuersOut(issuers=[IssuerOut.of(record) for record in page.issuers], next=cursor_of(page.next))
    return Response(200, JSON, body)


@router.post(
    "/admin/issuers",
    operation_id="add_issuer",
    tags=_TAGS,
    summary="Look an issuer up, and add it if the address of its keys is confirmed",
    description="The first request has no `confirmed_keys_url`: it fetches what the issuer publishes, checks the "
    "configuration and writes nothing. The second repeats it with the `keys_url` that was found: it looks again, adds "
    "the issuer if that is still the address, and fetches its keys. Repeated, it changes nothing and answers 200.",
    responses=describe_answers(
        (201, "Added; `Location` is its path"),
        (200, "Looked up only; or the same issuer was there already"),
        conflict="The address of keys is another than the confirmed one. Or the issuer is there with another "
        "configuration, the tag has a profile or secrets, or another issuer has the SIP domain",
        fetch_failed=_NOTHING_USABLE,
    ),
)
def add_issuer(new: Annotated[IssuerIn, Body()]) -> Response[AddedIssuerOut]:
    """Look up an issuer and add it."""
    issuers = provisioning_for(router, new.issuer).issuers
    given = {name: value for name, value in new.configuration.to_members().items() if value is not None}
    keys_url = given.get("keys_url")
    found = look_up(fetching_for(router).client(), new.issuer, keys_url=keys_url)
    members = {**({} if keys_url is None else {"discovery": False}), **given, "keys_url": found.keys_url}
    issuer = issuers.check(new.issuer, members, trusts_claim=new.users_cannot_change_claim)
    status, headers, added = 200, dict[str, str](), None
    if new.confirmed_keys_url is not None:
        if new.confirmed_keys_url != found.keys_url:
            raise Conflict("the address of the keys is another than the confirmed one: look the issuer up again")
        record = issuers.add(new.issuer, members, trusts_claim=new.users_cannot_change_claim)
        status, headers = visit_of(router).created(f"/admin/issuers/{record.id}")
        added = _refresh_and_show(issuers, new.issuer)
    answer = AddedIssuerOut(
        found=FoundOut.of(found, issuer),
        configuration=json.loads(issuer.to_json()),
        is_set=fetching_for(router).refresher().follows(new.issuer),
        issuer=added,
    )
    return Response(status, JSON, answer, headers)


@router.get(
    "/admin/issuers/<issuer_id>",
    operation_id="show_issuer",
    tags=_TAGS,
    summary="Show an issuer",
    description="Its configuration, how the fetches of its keys went, and its keys by their thumbprints, never a key. "
    "The `ETag` is the version of the configuration: the rest changes without it.",
    responses=describe_answers((200, "The issuer; its version is the `ETag`"), not_found=_NONE),
)
def show_issuer(issuer_id: IssuerId) -> Response[IssuerOut]:
    """Return an issuer."""
    issuers, identifier = _find(issuer_id)
    record = issuers.show(identifier)
    return Response(200, JSON, IssuerOut.of(record), {"ETag": entity_tag(str(record.version))})


@router.patch(
    "/admin/issuers/<issuer_id>",
    operation_id="change_issuer",
    tags=_TAGS,
    summary="Change the configuration of an issuer",
    description="With `keys_url`, the keys are looked at before anything is written, and fetched after it. To accept "
    "an address that has moved, send `status.moved_to` as `keys_url`.",
    responses=describe_answers(
        (200, "The issuer as it is now"),
        not_found=_NONE,
        conflict=f"Another issuer has the SIP domain. Or: {_CHANGES.lower()}",
        stale=STALE,
        fetch_failed=_NOTHING_USABLE,
    ),
)
def change_issuer(
    issuer_id: IssuerId, change: Annotated[IssuerChange, Body()], if_match: IfMatch = None
) -> Response[RefreshedIssuerOut]:
    """Change an issuer."""
    issuers, identifier = _find(issuer_id)
    version = version_to_match(if_match, lambda: str(issuers.show(identifier).version))
    members = change.configuration.to_members()
    keys_url = members.get("keys_url")
    if keys_url is not None:
        look_up(fetching_for(router).client(), identifier, keys_url=keys_url)
    record = issuers.change(
        identifier,
        members,
        trusts_claim=change.users_cannot_change_claim,
        if_version=None if version is None else int(version),
    )
    etag = {"ETag": entity_tag(str(record.version))}
    if keys_url is not None:
        return Response(200, JSON, _refresh_and_show(issuers, identifier), etag)
    return Response(200, JSON, RefreshedIssuerOut.of_refreshed(record, None), etag)


@router.delete(
    "/admin/issuers/<issuer_id>",
    operation_id="remove_issuer",
    tags=_TAGS,
    summary="Delete an issuer and its keys",
    description="The profiles of its users stay, and no token speaks for them any more.",
    responses=describe_answers((204, "Deleted"), not_found=_NONE, conflict=_CHANGES),
)
def remove_issuer(issuer_id: IssuerId) -> Response[None]:
    """Delete an issuer."""
    issuers, identifier = _find(issuer_id)
    issuers.remove(identifier)
    return Response(204)


@router.post(
    "/admin/issuers/<issuer_id>/refresh",
    operation_id="refresh_issuer",
    tags=_TAGS,
    summary="Fetch the keys of an issuer now",
    description="Whether that is due or not. After a failed fetch, the keys that were fetched before go on verifying.",
    responses=describe_answers(
        (200, "Fetched: `refreshed` says what came of it"),
        not_found=_NONE,
        conflict="The issuer is disabled, `ISSUERS` does not name it, its rows cannot be used, or somebody else wrote "
        "them meanwhile",
        fetch_failed=_NOTHING_USABLE,
    ),
)
def refresh_issuer(issuer_id: IssuerId) -> Response[RefreshedIssuerOut]:
    """Fetch the keys of an issuer."""
    issuers, identifier = _find(issuer_id)
    refreshed = fetching_for(router).refresher().refresh(identifier)
    if isinstance(refreshed.problem, FetchFailed):
        raise refreshed.problem
    if refreshed.outcome in _NOT_FETCHED:
        why = "" if refreshed.problem is None else f": {refreshed.problem}"
        raise Conflict(f"the keys were not fetched, because {_NOT_FETCHED[refreshed.outcome]}{why}")
    return Response(200, JSON, RefreshedIssuerOut.of_refreshed(issuers.show(identifier), refreshed))


@router.post(
    "/admin/issuers/<issuer_id>/disable",
    operation_id="disable_issuer",
    tags=_TAGS,
    summary="Deny every token of an issuer",
    description="It takes effect within `CACHE_TTL_SECONDS`, when the service reads the table again.",
    responses=describe_answers((200, "The issuer as it is now"), not_found=_NONE, conflict=_CHANGES),
)
def disable_issuer(issuer_id: IssuerId) -> Response[IssuerOut]:
    """Disable an issuer."""
    issuers, identifier = _find(issuer_id)
    return Response(200, JSON, IssuerOut.of(issuers.disable(identifier)))


@router.post(
    "/admin/issuers/<issuer_id>/enable",
    operation_id="enable_issuer",
    tags=_TAGS,
    summary="Enable a disabled issuer, and fetch its keys",
    responses=describe_answers(
        (200, "The issuer as it is now; `refreshed` says what came of the fetch"), not_found=_NONE, conflict=_CHANGES
    ),
)
def enable_issuer(issuer_id: IssuerId) -> Response[RefreshedIssuerOut]:
    """Enable an issuer."""
    issuers, identifier = _find(issuer_id)
    issuers.enable(identifier)
    return Response(200, JSON, _refresh_and_show(issuers, identifier))


@router.post(
    "/admin/issuers/<issuer_id>/blocked-keys/<thumbprint>",
    operation_id="block_key",
    tags=_TAGS,
    summary="Block a key of an issuer",
    description="It verifies nothing, even while the issuer goes on publishing it. It takes effect within "
    "`CACHE_TTL_SECONDS`. A repeated request changes nothing.",
    responses=describe_answers(
        (200, "The issuer as it is now"),
        not_found="There is no such issuer, or no such key among those fetched",
        conflict=f"Several keys have the `kid`. Or: {_CHANGES.lower()}",
    ),
)
def block_key(issuer_id: IssuerId, thumbprint: Key) -> Response[IssuerOut]:
    """Block a key."""
    issuers, identifier = _find(issuer_id)
    return Response(200, JSON, IssuerOut.of(issuers.block_key(identifier, thumbprint)))


@router.delete(
    "/admin/issuers/<issuer_id>/blocked-keys/<thumbprint>",
    operation_id="unblock_key",
    tags=_TAGS,
    summary="Let a blocked key of an issuer verify again",
    responses=describe_answers(
        (200, "The issuer as it is now"),
        not_found="There is no such issuer, or the key is not blocked",
        conflict=f"Several keys have the `kid`. Or: {_CHANGES.lower()}",
    ),
)
def unblock_key(issuer_id: IssuerId, thumbprint: Key) -> Response[IssuerOut]:
    """Unblock a key."""
    issuers, identifier = _find(issuer_id)
    return Response(200, JSON, IssuerOut.of(issuers.unblock_key(identifier, thumbprint)))


_NOT_FETCHED: Final = {
    RefreshOutcome.OVERTAKEN: "another refresh or an operator wrote them meanwhile",
    RefreshOutcome.DISABLED: "the issuer is disabled",
    RefreshOutcome.GONE: "the issuer has no configuration",
    RefreshOutcome.NOT_SET: "ISSUERS does not name the issuer",
    RefreshOutcome.UNUSABLE: "the rows of the issuer cannot be used",
}


def _find(issuer_id: str) -> tuple[Issuers, str]:
    """Return the operations on issuers, and the identifier of the one with this id.

    Raises:
        NotFound: there is no such issuer.
    """
    identifier = provisioning_for(router).issuers.find(issuer_id)
    return provisioning_for(router, identifier).issuers, identifier


def _refresh_and_show(issuers: Issuers, identifier: str) -> RefreshedIssuerOut:
    """Fetch the keys of an issuer, unless too little time is left for it, and return the issuer as it is then."""
    fetching, refreshed = fetching_for(router), None
    if fetching.seconds_left() >= SECONDS_FOR_REFRESH:
        refreshed = fetching.refresher().refresh(identifier)
    return RefreshedIssuerOut.of_refreshed(issuers.show(identifier), refreshed)
