"""What ends by itself: idle connections, and what is held against an address that showed refused tokens."""

import re
import time
import uuid

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import answer_to, tcp
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import bearer, proxy
from tools.events.stage import ROOT

IDLE_SECONDS = 2
"""In place of a minute."""
A_WHILE = 60
"""Kamailio hands a connection back from process to process every few seconds, and ends it only then."""
ALLOWED = 8
MORE_THAN_A_SECOND = 2.1
"""What lives for a second is there until the clock shows another one than that."""


def seconds_left(kamailio: Kamailio, port: int) -> int:
    """Return how long Kamailio keeps a connection on which nothing comes."""
    told = kamailio.ask("core.tcp_list")
    (connection,) = (each for each in told.split("}") if re.search(rf"src_port: {port}$", each, re.MULTILINE))
    found = re.search(r"timeout: (\d+)", connection)
    assert found is not None
    return int(found[1])


def test_who_does_not_register_is_cut_off_and_who_does_is_not(
    line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Calls come to those who registered over their connection, until the registration ends."""
    user = desk.user()
    registration = Request(call=str(uuid.uuid4()), user=user.name, more=[bearer(desk.token(user))])
    hooks = 'loadmodule "cfg_rpc.so"\n' + (ROOT / "frontends" / "kamailio" / "hooks.cfg").read_text("utf-8")
    with proxy(tmp_path_factory.mktemp("impatient"), line.url, desk, hooks=hooks, MAX_EXPIRES=7200) as kamailio:
        assert "connection_lifetime: 60\n" in kamailio.ask("core.tcp_options")
        kamailio.ask("cfg.set_now_int", "tcp", "connection_lifetime", str(IDLE_SECONDS))

        with tcp(kamailio.tcp) as silent, tcp(kamailio.tcp) as stranger, tcp(kamailio.tcp) as phone:
            assert answer_to(phone, bytes(registration)).status == 200
            assert 7100 < seconds_left(kamailio, phone.port) <= 7205
            assert answer_to(stranger, bytes(Request(call=str(uuid.uuid4())))).status == 401
            for client in (silent, stranger):
                with pytest.raises(ConnectionResetError):
                    client.receive(A_WHILE)

            assert answer_to(phone, bytes(Request(call=str(uuid.uuid4())))).status == 401


def test_refused_tokens_are_counted_by_the_minute(
    line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the first one on, and not from the last: a phone that tries its old token now and then is never banned."""
    with proxy(tmp_path_factory.mktemp("minute"), line.url, desk, MAX_REFUSALS=ALLOWED) as kamailio:

        def tries(times: int) -> list[int | None]:
            with tcp(kamailio.tcp) as client:
                requests = [
                    Request(call=str(uuid.uuid4()), more=[bearer(desk.forged("alice-web"))]) for _ in range(times)
                ]
                return [answer_to(client, bytes(request)).status for request in requests]

        answers = tries(1)
        kamailio.ask("htable.setex", "refusals", "127.0.0.1", "1")
        answers += tries(ALLOWED - 1)
        time.sleep(MORE_THAN_A_SECOND)
        answers += tries(ALLOWED)
        banned = kamailio.ask("htable.dump", "banned")

    assert answers == [401] * 2 * ALLOWED
    assert "127.0.0.1" not in banned
