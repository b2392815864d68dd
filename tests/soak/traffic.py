"""What is sent: good tokens, and everything that hostile clients send, at a bounded rate."""

import json
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tests.factories import a_private_key, a_token, segment
from tests.model.decision import Row
from tests.soak.changes import KEY_PREFIX, TAGS, Staging, a_jti
from tests.soak.issuer import LoopbackIssuer
from tests.soak.journal import History
from tests.soak.judge import Exchange
from tests.soak.wire import JSON_BODY, Answered, Wire

RATE: Final = 40
"""The most requests a second, of all kinds together."""
CLIENTS: Final = 8
"""How many requests wait for an answer at a time."""
REMEMBERED_SECONDS: Final = 20
"""Tokens are signed by keys that were in the tables in so many seconds: some of them are closed by now."""
_OF_PEM: Final = {"rsa_2048": "RS256", "p256": "ES256", "ed25519": "EdDSA"}


class Pace:
    """Lets so many through in a second. What was not used is not made up for."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> bool:
        """Wait for one's turn; tell whether it came before *stop*."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        return not stop.wait(max(0.0, turn - time.monotonic()))


class Client:
    """One of those who ask.

    Args:
        wire: the way to the service.
        history: what the tables held: whom there is, with which keys.
        staging: the attack of the corpus whose rows are there.
        issuer: whose users log in as well.
        choice: what it does next.
        sent: where its exchanges go.
    """

    def __init__(
        self,
        wire: Wire,
        history: History,
        staging: Staging,
        issuer: LoopbackIssuer,
        choice: random.Random,
        sent: "deque[Exchange]",
    ) -> None:
        self._wire = wire
        self._history = history
        self._staging = staging
        self._issuer = issuer
        self._choice = choice
        self._sent = sent

    def work(self, pace: Pace, stop: threading.Event) -> None:
        """Ask until *stop*, and at most as fast as *pace*."""
        kinds, weights = list(KINDS), [weight for _, weight in KINDS.values()]
        while pace.wait(stop):
            kind = self._choice.choices(kinds, weights)[0]
            self._sent.append(KINDS[kind][0](self, kind))

    # -- tokens -------------------------------------------------------------------------------------------------------

    def good(self, kind: str) -> Exchange:
        """A token as a user has it: by a key of now or of lately, with claims that hold, or just do not."""
        tag = self._choice.choice(TAGS)
        user = None
        if self._choice.random() < 0.3:
            profile = self._history.latest.profiles.get(tag, {})
            user = str(self._choice.choice([profile.get("sip_username"), profile.get("sip_username"), "mallory"]))
        return self._ask(kind, self._a_token(tag), user)

    def mutated(self, kind: str) -> Exchange:
        """Such a token, damaged."""
        token = self._a_token(self._choice.choice(TAGS))
        return self._ask(kind, self._choice.choice(_MUTATIONS)(token, self._choice))

    def unknown(self, kind: str) -> Exchange:
        """A token of a tag that nobody has; each is another one."""
        tag = f"nobody-{self._choice.randrange(10**12)}"
        return self._ask(kind, a_token(key=secrets.token_hex(32), tag=tag, jti="1"))

    def forged(self, kind: str) -> Exchange:
        """A user's token by a key of nobody's."""
        return self._ask(kind, a_token(key=secrets.token_hex(32), tag=self._choice.choice(TAGS), jti="1"))

    def attacking(self, kind: str) -> Exchange:
        """The token of the attack whose rows are in the tables now."""
        attack = self._staging.current
        return self._ask(kind, str(attack.token)) if attack is not None else self.forged(kind)

    def issued(self, kind: str) -> Exchange:
        """A token that the issuer signed, by a key of now or of lately."""
        return self._ask(kind, self._issuer.a_token(self._choice))

    def slow(self, kind: str) -> Exchange:
        """A good token that arrives in pieces."""
        token = self._a_token(self._choice.choice(TAGS))
        body = json.dumps({"jwt_token": token}).encode()
        answered = self._wire.request("POST", "/authorize", body, JSON_BODY, pieces=5, pause=0.3)
        return _exchange(kind, token, answered)

    def _a_token(self, tag: str) -> str:
        now = int(time.time())
        states = self._history.between(now - REMEMBERED_SECONDS, time.time())
        rows = self._choice.choice(states).secrets.get(tag, ())
        claims: dict[str, Any] = {
            "tag": tag,
            "jti": a_jti(tag, self._choice),
            "iat": now - self._choice.choice((0, 0, 0, 1, 3, 30)),
            "exp": now + self._choice.choice((3600, 60, 60, 60, 5, 2, 1, 0)),
        }
        return _signed_by(self._choice.choice(list(rows)), claims) if rows else a_token(key="k" * 64, **claims)

    def _ask(self, kind: str, token: str, user: str | None = None) -> Exchange:
        if user is None and _fits_a_header(token) and self._choice.random() < 0.5:
            answered = self._wire.request("POST", "/authorize", b"", {"Authorization": f"Bearer {token}"})
            return _exchange(kind, token, answered)
        body = {"jwt_token": token} | ({} if user is None else {"from_user": user})
        return _exchange(kind, token, self._wire.ask_json("POST", "/authorize", body), user)

    # -- what asks about no token -------------------------------------------------------------------------------------

    def huge(self, kind: str) -> Exchange:
        """A body over 64 KiB, and sometimes one over 10 MB, whose end nobody reads."""
        size = self._choice.choice((70_000, 70_000, 300_000, 300_000, 300_000, 1_000_000, 11_000_000))
        body = b'{"jwt_token": "' + b"a" * size + b'"}'
        answered = self._wire.request("POST", "/authorize", body, JSON_BODY)
        return _exchange(kind, None, answered, right=(413,) if size < 10_000_000 else (413, None))

    def malformed(self, kind: str) -> Exchange:
        """A request that is none of ours."""
        body, headers, status = self._choice.choice(_MALFORMED)
        return _exchange(kind, None, self._wire.request("POST", "/authorize", body, headers), right=(status,))

    def script(self, kind: str) -> Exchange:
        """A token and a key of a script's own."""
        body = {"jwt_token": self._a_token(self._choice.choice(TAGS)), "key": secrets.token_hex(32)}
        return _exchange(kind, None, self._wire.ask_json("POST", "/script-authorize", body), right=(200,))

    def health(self, kind: str) -> Exchange:
        """Whether it lives."""
        return _exchange(kind, None, self._wire.request("GET", "/health"), right=(200,))

    def half(self, kind: str) -> Exchange:
        """Half a request, and then nothing for a while."""
        whole = self._wire.octets("POST", "/authorize", b"x" * 2000, JSON_BODY)
        held = self._choice.choice((0.0, 0.5, 3.0))
        return _exchange(kind, None, self._wire.begin_and_leave(whole[: -self._choice.randrange(1, 2100)], held))

    def dropped(self, kind: str) -> Exchange:
        """A good request whose answer nobody waits for."""
        token = self._a_token(self._choice.choice(TAGS))
        whole = self._wire.octets("POST", "/authorize", json.dumps({"jwt_token": token}).encode(), JSON_BODY)
        return _exchange(kind, None, self._wire.begin_and_leave(whole))

    def noise(self, kind: str) -> Exchange:
        """Octets that are no HTTP."""
        return _exchange(kind, None, self._wire.begin_and_leave(self._choice.randbytes(300), 0.1))


def _exchange(
    kind: str, token: str | None, answered: Answered, user: str | None = None, right: Collection[int | None] = (None,)
) -> Exchange:
    right = right if token is None else ()
    return Exchange(kind, token, answered.sent, answered.answered, answered.status, answered.body, user, right)


def _fits_a_header(token: str) -> bool:
    return 0 < len(token) < 20_000 and token.isascii() and token.isprintable() and not {" ", ","} & set(token)


def _signed_by(row: Row, claims: Mapping[str, Any]) -> str:
    name = str(row["id"]).removeprefix(KEY_PREFIX)
    if name in _OF_PEM:
        return a_token(key=a_private_key(name), alg=_OF_PEM[name], **claims)
    return a_token(key=str(row["secret"]), alg=str(row.get("alg", "HS256")).split(",")[0], **claims)


# -- what becomes of a good token -------------------------------------------------------------------------------------


def _with_another_character(token: str, choice: random.Random) -> str:
    at = choice.randrange(len(token))
    return token[:at] + choice.choice("ABab09-_=.+/ é\0\n") + token[at + 1 :]


def _with_another_tag(token: str, choice: random.Random) -> str:
    head, _, signature = token.split(".")
    claims = {"tag": choice.choice(TAGS), "jti": "1", "exp": int(time.time()) + 60, "iat": int(time.time())}
    return f"{head}.{segment(json.dumps(claims).encode())}.{signature}"


def _with_another_header(token: str, choice: random.Random) -> str:
    header = choice.choice(({"alg": "none"}, {"alg": "HS512"}, {"alg": "HS256", "crit": ["exp"]}, {"alg": "ES256"}))
    return ".".join([segment(json.dumps(header).encode()), *token.split(".")[1:]])


_MUTATIONS: Final[tuple[Callable[[str, random.Random], str], ...]] = (
    _with_another_character,
    _with_another_character,
    _with_another_tag,
    _with_another_header,
    lambda token, choice: token[: choice.randrange(len(token))],
    lambda token, choice: token + choice.choice((".", "A", "AA", "=", "\n", ".".join(["", token]))),
    lambda token, choice: ".".join(choice.sample(token.split("."), 3)),
    lambda token, _: token.upper(),
    lambda token, choice: token + "A" * choice.choice((100, 10_000, 17_000, 60_000)),
)

_MALFORMED: Final[tuple[tuple[bytes, Mapping[str, str], int], ...]] = (
    (b"{", JSON_BODY, 400),
    (b"[" * 30_000, JSON_BODY, 400),
    (b'{"jwt_token": 7}', JSON_BODY, 400),
    (b'{"jwt_token": "a", "jwt_token": "b"}', JSON_BODY, 400),
    (b'{"jwt_token": "a.b.c"}', {**JSON_BODY, "Authorization": "Bearer d.e.f"}, 400),
    (b"", {}, 401),
    (b"{}", JSON_BODY, 401),
    (b"", {"Authorization": "Basic YTpi"}, 401),
)

KINDS: Final[Mapping[str, tuple[Callable[[Client, str], Exchange], int]]] = {
    "a user's token": (Client.good, 38),
    "an issuer's token": (Client.issued, 12),
    "a damaged token": (Client.mutated, 9),
    "a token of a tag that nobody has": (Client.unknown, 10),
    "a forged token": (Client.forged, 3),
    "an attack of the corpus": (Client.attacking, 11),
    "a user's token, in pieces": (Client.slow, 2),
    "a huge body": (Client.huge, 2),
    "a malformed request": (Client.malformed, 4),
    "a script's question": (Client.script, 2),
    "a question for health": (Client.health, 2),
    "half a request": (Client.half, 2),
    "a dropped connection": (Client.dropped, 2),
    "no HTTP": (Client.noise, 1),
}
"""Each kind of traffic, and its share in a hundred."""
