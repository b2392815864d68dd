"""A phone whose network changes in a call comes back over another connection: it is reached there, and nowhere else."""

import uuid
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Client, answer_to, tcp, websocket
from tests.e2e.sip.dialogs import Dialog, begun_by, final_answers, gruu_of, lose, next_request, registered
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request, reply_to
from tests.e2e.sip.stand import OUR_PAGE, Phones, bearer, proxy

CALLER, CALLED = "the caller", "the called"


@dataclass
class Call:
    """A call between two browsers, which gave each other their GRUUs.

    Attributes:
        dialog: the call.
        stays: the connection of the one who stays where he is.
        moves: of the one whose network changes.
        mover: who that is.
        instance: of the mover's phone.
    """

    dialog: Dialog
    stays: Client
    moves: Client
    mover: User
    instance: str

    def say(self, method: str, sequence: int) -> None:
        """Have the one who stays say something to the other."""
        of_caller = self.stays is self.dialog.one
        request = (self.dialog.from_the_caller if of_caller else self.dialog.from_the_called)(method, sequence)
        self.stays.send(bytes(request))


def a_call(kamailio: Kamailio, desk: Desk, open_ones: ExitStack, *, moves: str, kind: str) -> Call:
    one, other = (open_ones.enter_context(websocket(kamailio.ws, origin=OUR_PAGE)) for _ in range(2))
    caller, called = desk.user("caller"), desk.user("called")
    instances = [str(uuid.uuid4()) for _ in range(2)]
    gruus = tuple(
        gruu_of(client, user, desk.token(user), instance=instance, kind=kind)
        for client, user, instance in zip((one, other), (caller, called), instances, strict=True)
    )
    dialog = begun_by(one, caller, desk.token(caller), other, called, contacts=(gruus[0], gruus[1]))
    one.send(bytes(dialog.from_the_caller("ACK", 1)))
    assert next_request(other).method == "ACK"
    if moves == CALLER:
        return Call(dialog, other, one, caller, instances[0])
    return Call(dialog, one, other, called, instances[1])


@pytest.mark.parametrize("moves", [CALLER, CALLED])
def test_who_comes_back_over_another_connection_is_reached_over_it(kamailio: Kamailio, desk: Desk, moves: str) -> None:
    """Without a re-INVITE: the GRUU is looked up whenever it is used. Until then there is one answer, and not two."""
    with ExitStack() as open_ones:
        call = a_call(kamailio, desk, open_ones, moves=moves, kind="pub-gruu")
        call.say("INFO", 3)
        before = next_request(call.moves)
        call.moves.send(reply_to(before, 200, contact=0))
        lose(kamailio, call.moves)
        final_answers(call.stays)
        call.say("INFO", 4)
        meanwhile = final_answers(call.stays)

        back = open_ones.enter_context(websocket(kamailio.ws, origin=OUR_PAGE))
        gruu_of(back, call.mover, desk.token(call.mover), instance=call.instance)
        afterwards = []
        for sequence, method in enumerate(("INFO", "BYE"), start=5):
            call.say(method, sequence)
            afterwards.append(next_request(back))
            back.send(reply_to(afterwards[-1], 200, contact=0))
        ended = final_answers(call.stays)

    assert before.method == "INFO"
    assert meanwhile == [430]  # RFC 5626, section 5.3.1; the call is not lost by it
    assert [message.method for message in afterwards] == ["INFO", "BYE"]
    assert ended == [200, 200]


@pytest.mark.parametrize("kind", ["pub-gruu", "temp-gruu"])
@pytest.mark.parametrize("moves", [CALLER, CALLED])
def test_a_gruu_wins_over_the_connection_that_it_had_while_both_are_there(
    kamailio: Kamailio, desk: Desk, moves: str, kind: str
) -> None:
    """A network that is gone closes nothing: the proxy learns late, or never, that a connection leads nowhere."""
    with ExitStack() as open_ones:
        call = a_call(kamailio, desk, open_ones, moves=moves, kind=kind)
        back = open_ones.enter_context(websocket(kamailio.ws, origin=OUR_PAGE))
        gruu_of(back, call.mover, desk.token(call.mover), instance=call.instance)

        call.say("INFO", 3)
        arrived = [next_request(back)]
        lose(kamailio, call.moves)
        call.say("BYE", 4)
        arrived.append(next_request(back))

    assert [message.method for message in arrived] == ["INFO", "BYE"]


def test_a_gruu_that_is_bound_no_more_leads_to_the_connection_it_had(kamailio: Kamailio, desk: Desk) -> None:
    """A call outlives the registration of its phone."""
    with ExitStack() as open_ones:
        call = a_call(kamailio, desk, open_ones, moves=CALLER, kind="pub-gruu")
        more = ["Contact: *", "Expires: 0", bearer(desk.token(call.mover))]
        request = Request(call=str(uuid.uuid4()), user=call.mover.name, over="WS", contact=0, more=more)
        assert answer_to(call.moves, bytes(request)).status == 200
        assert call.mover.name not in kamailio.ask("ul.dump")

        call.say("BYE", 3)

        assert next_request(call.moves).method == "BYE"


def test_who_is_called_at_a_connection_that_is_gone_is_not_available(kamailio: Kamailio, desk: Desk) -> None:
    """Which the caller is told at once."""
    user = desk.user()
    with tcp(kamailio.tcp) as caller, tcp(kamailio.tcp) as phone:
        assert registered(phone, user, desk.token(user))
        lose(kamailio, phone)
        more = [bearer(desk.token(user))]
        request = Request(method="MESSAGE", user=user.name, contact=0, call=str(uuid.uuid4()), more=more)

        assert answer_to(caller, bytes(request)).status == 480


UNREACHABLE = """
route[ON_ACCEPTED] { return; }
route[IN_DIALOG] { return; }
route[OUTWARD] {
	$du = "sip:nowhere.invalid";
	route(RELAY);
}
"""


@pytest.mark.parametrize("peers", ["none", "127.0.0.1"], ids=["a user with a token", "a server of ours"])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_what_cannot_be_sent_on_is_answered_once(
    line: Line, phones: Phones, desk: Desk, peers: str, method: str
) -> None:
    user = desk.user()
    with (
        proxy(phones.new_folder(), line.url, desk, hooks=UNREACHABLE, TRUSTED_PEERS=peers) as kamailio,
        tcp(kamailio.tcp) as client,
    ):
        to, more = f"sip:+4930123456@{DOMAIN}", [bearer(desk.token(user))]
        request = Request(method=method, user=user.name, to_uri=to, call=str(uuid.uuid4()), more=more)
        client.send(bytes(request))

        assert final_answers(client) == [480]
