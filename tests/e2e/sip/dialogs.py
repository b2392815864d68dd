"""What clients do that are connected: they register, and call each other."""

import contextlib
import re
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Final

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import PATIENCE_SECONDS, Client, answer_to, final_answer
from tests.e2e.sip.issuing import Desk, User
from tests.e2e.sip.messages import Message, Request, reply_to
from tests.e2e.sip.stand import bearer

CALLEES_TAG: Final = "callee"


@dataclass(frozen=True, slots=True)
class Call:
    """What was seen of a call.

    Attributes:
        answer: to the INVITE, as the caller got it.
        at_the_called: requests, in order.
        at_the_caller: likewise.
    """

    answer: Message = field(repr=False)
    at_the_called: tuple[Message, ...] = field(repr=False)
    at_the_caller: tuple[Message, ...] = field(repr=False)

    @property
    def methods(self) -> tuple[list[str], list[str]]:
        """What the called one was asked for, and what the caller."""
        return [each.method for each in self.at_the_called], [each.method for each in self.at_the_caller]


def registered(client: Client, user: User, token: str) -> bool:
    """Whether a user can register over a connection."""
    request = Request(call=str(uuid.uuid4()), user=user.name, over=client.over, port=client.port, more=[bearer(token)])
    return answer_to(client, bytes(request)).status == 200


def registers(client: Client, desk: Desk) -> bool:
    """Whether somebody new can register over a connection."""
    user = desk.user()
    return registered(client, user, desk.token(user))


def gruu_of(client: Client, user: User, token: str, *, instance: str, kind: str = "pub-gruu") -> str:
    """Register a user's phone, and return the GRUU that it gets, of a *kind* (RFC 5627, section 4.2).

    Args:
        client: its connection.
        user: whose phone.
        token: shown with it.
        instance: of all phones this one, on whatever connection: a UUID.
        kind: `pub-gruu`, or `temp-gruu`, which names nobody.
    """
    contact = f"<sip:{user.name}@phone.invalid;transport={client.over.lower()}>"
    more = [f'Contact: {contact};+sip.instance="<urn:uuid:{instance}>"', "Supported: gruu", bearer(token)]
    request = Request(call=str(uuid.uuid4()), user=user.name, over=client.over, port=client.port, contact=0, more=more)
    answer = answer_to(client, bytes(request))
    found = re.search(rf'{kind}="([^"]+)"', ", ".join(answer.all("contact")))
    assert found is not None, answer.start
    return found[1]


@dataclass(frozen=True, slots=True)
class Dialog:
    """A call that was taken (RFC 3261, section 12): what each side needs to say more within it.

    Attributes:
        one, other: the connections of who called and who was called.
        begun: the INVITE as it was sent, without its token.
        invite: as it arrived.
        answer: to it, as the caller got it.
    """

    one: Client
    other: Client
    begun: Request
    invite: Message = field(repr=False)
    answer: Message = field(repr=False)

    def from_the_caller(self, method: str, sequence: int, *more: str) -> Request:
        """Return a request of who called."""
        routes = [f"Route: {route}" for route in reversed(self.answer.all("record-route"))]
        uri = self.answer.one("contact").strip("<>")
        return replace(self.begun, method=method, sequence=sequence, to_tag=CALLEES_TAG, uri=uri, more=[*routes, *more])

    def from_the_called(self, method: str, sequence: int, *more: str) -> Request:
        """Return a request of who was called."""
        routes = [f"Route: {route}" for route in self.invite.all("record-route")]
        caller, called = (self.invite.one(name).split("sip:")[1].partition(">")[0] for name in ("from", "to"))
        return replace(
            self.begun,
            method=method,
            sequence=sequence,
            over=self.other.over,
            port=self.other.port,
            contact=0,
            user=called.partition("@")[0],
            uri=self.invite.one("contact").strip("<>"),
            to_uri=f"sip:{caller}",
            to_tag=self.begun.call,
            from_tag=CALLEES_TAG,
            more=[*routes, *more],
        )


def begun_through(one: Client, other: Client, desk: Desk) -> Dialog:
    """Have a new user at *one* call a new user at *other*, who takes the call; both speak over their connection alone.

    The Contact of who is called leads nowhere: a port of loopback where nobody listens by UDP.
    """
    caller, called = desk.user("caller"), desk.user("called")
    assert registered(other, called, desk.token(called))
    return begun_by(one, caller, desk.token(caller), other, called)


def begun_by(
    one: Client, caller: User, token: str, other: Client, called: User, *, contacts: tuple[str, str] | None = None
) -> Dialog:
    """Have a user at *one* call a registered user at *other*, who takes the call.

    Args:
        one: connection of who calls.
        caller: who that is.
        token: the caller's.
        other: connection of who is called.
        called: who that is.
        contacts: URIs by which they want to be reached, the caller's first; None for addresses that lead nowhere.
    """
    begun = Request(
        method="INVITE", over=one.over, port=one.port, user=caller.name, to_uri=called.uri, call=str(uuid.uuid4())
    )
    if contacts is not None:
        begun = replace(begun, contact=0)
    shown = [f"Contact: <{contacts[0]}>"] if contacts is not None else []
    one.send(bytes(replace(begun, more=[*shown, bearer(token)])))
    invite = other.receive()
    other.send(reply_to(invite, 200, contact=contacts[1] if contacts is not None else other.port, tag=CALLEES_TAG))
    return Dialog(one, other, begun, invite, final_answer(one, begun.call))


def called_through(one: Client, other: Client, desk: Desk) -> Call:
    """Have a new user at *one* call a new user at *other*, who hangs up."""
    dialog = begun_through(one, other, desk)
    one.send(bytes(dialog.from_the_caller("ACK", 1)))
    one.send(bytes(dialog.from_the_caller("INFO", 2)))
    at_the_called = (dialog.invite, other.receive(), other.receive())
    other.send(bytes(dialog.from_the_called("BYE", 7)))
    return Call(dialog.answer, at_the_called, (next_request(one),))


def next_request(client: Client) -> Message:
    """Return the next request, whatever is answered before it."""
    while (message := client.receive()).status is not None:
        pass
    return message


def lose(kamailio: Kamailio, client: Client) -> None:
    """End a connection, and wait until Kamailio has seen that."""
    client.close()
    ends = time.monotonic() + PATIENCE_SECONDS
    while f"src_port: {client.port}\n" in kamailio.ask("core.tcp_list"):
        assert time.monotonic() < ends
        time.sleep(0.02)


def final_answers(client: Client, *, seconds: float = 0.4) -> list[int]:
    """Return the status of every final response that comes: the first, however late, and those close behind it.

    Args:
        client: to whom.
        seconds: how close.
    """
    statuses: list[int] = []
    with contextlib.suppress(TimeoutError):
        while True:
            message = client.receive(seconds if statuses else PATIENCE_SECONDS)
            if message.is_final and message.status is not None:
                statuses.append(message.status)
    return statuses
