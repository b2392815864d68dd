"""An issuer on loopback that changes its keys again and again, and the operators who look after it."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from auth_jwt.issuers.models import id_of
from tests.certificates import Authority
from tests.factories import a_jwk
from tests.issuers import SUBJECT, a_login_token
from tests.security.issuer_lab import ISSUERS, Published, octets
from tests.soak.changes import PROFILES, DirectWrites
from tests.soak.journal import History
from tests.soak.judge import Exchange
from tests.soak.wire import Answered, ServiceEnded, Wire
from tests.unit.fetching.servers import a_server, answer

SIGNERS: Final = (("rsa_2048", "RS256"), ("p256", "ES256"), ("rsa_2048_other", "RS256"))
ROTATION_SECONDS: Final = 8.0
_PATH: Final = "/sip"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the issuer: its id, the name of the key, and the algorithm."""

    kid: str
    name: str
    algorithm: str


@dataclass
class LoopbackIssuer:
    """The issuer.

    Attributes:
        url: its identifier.
        settings: by which `make serve` believes its certificate and asks its address.
        published: what its server answers.
        keys: those with which it has signed, the one of now last.
    """

    url: str
    settings: Mapping[str, str]
    published: Published
    keys: list[SigningKey] = field(default_factory=list)

    def rotate(self, choice: random.Random) -> None:
        """Sign by a new key from now on, and publish it: alone, or beside the one before."""
        name, algorithm = SIGNERS[len(self.keys) % len(SIGNERS)]
        self.keys.append(SigningKey(f"key-{len(self.keys)}", name, algorithm))
        shown = self.keys[-choice.choice((1, 2)) :]
        keys = [a_jwk(key.name, kid=key.kid) for key in shown]
        documents = {"keys": {"keys": keys}, ".well-known/openid-configuration": self._discovery()}
        self.published.answers = {f"{_PATH}/{path}": answer(octets(value)) for path, value in documents.items()}

    def _discovery(self) -> dict[str, str]:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def a_token(self, choice: random.Random) -> str:
        """Sign a token by a key of now or of lately, in the name of one of them; sometimes by another than it names."""
        named = choice.choice([*self.keys[-3:], self.keys[-1], self.keys[-1]])
        signing = named if choice.random() < 0.9 else choice.choice(self.keys)
        now = int(time.time())
        return a_login_token(
            now=now,
            iss=self.url,
            sub=choice.choice((SUBJECT, SUBJECT, SUBJECT, "nobody")),
            key=signing.name,
            alg=signing.algorithm,
            header={"kid": named.kid},
            iat=now - choice.choice((0, 0, 20, 90)),
            exp=now + choice.choice((300, 300, 60, 2, 0)),
        )


@contextmanager
def a_loopback_issuer(folder: Path, choice: random.Random) -> Iterator[LoopbackIssuer]:
    """Run it, with its first key."""
    authority, published = Authority(folder), Published()
    with a_server(authority.identity(), published) as server:
        host = f"https://127.0.0.1:{server.port}"
        settings = {
            "ISSUERS": f"{host}/*",
            "KEYS_CA_BUNDLE": str(authority.certificate),
            "KEYS_ACCEPTED_NETWORKS": "127.0.0.1/32",
            "REFRESH_SECONDS": "5",
        }
        issuer = LoopbackIssuer(f"{host}{_PATH}", settings, published)
        issuer.rotate(choice)
        yield issuer


class IssuerOperators:
    """Add the issuer; afterwards have its keys change, be refreshed by hand or by schedule, and its user disabled.

    Args:
        issuer: the issuer.
        wire: the way to the admin API.
        direct: the way to the tables.
        history: what the tables held.
        choice: what is done next.
        sent: where the exchanges with the admin API go.
        is_faulty: whether the tables fail now.

    Attributes:
        done: how often what was done.
    """

    def __init__(
        self,
        issuer: LoopbackIssuer,
        wire: Wire,
        direct: DirectWrites,
        history: History,
        choice: random.Random,
        sent: "deque[Exchange]",
        is_faulty: Callable[[], bool],
    ) -> None:
        self._issuer = issuer
        self._wire = wire
        self._direct = direct
        self._history = history
        self._choice = choice
        self._sent = sent
        self._is_faulty = is_faulty
        self._user = f"{issuer.url}#{SUBJECT}"
        self.done: Counter[str] = Counter()

    def begin(self) -> None:
        """Add the issuer, and a user of it."""
        body = {
            "issuer": self._issuer.url,
            "configuration": {"audiences": ["sip"]},
            "confirmed_keys_url": f"{self._issuer.url}/keys",
        }
        answered = self._wire.ask_json("POST", ISSUERS, body)
        if answered.status != 201:
            raise ServiceEnded(f"the admin API did not add the issuer: status {answered.status}")
        self._direct.put(PROFILES, {"tag": self._user, "sip_username": "issued"})

    def go_on(self, stop: threading.Event) -> None:
        """Do all that until *stop*."""
        while not stop.wait(ROTATION_SECONDS * self._choice.uniform(0.5, 1.5)):
            self._issuer.rotate(self._choice)
            self.done["the issuer changes its keys"] += 1
            if self._choice.random() < 0.25:
                profile = self._history.latest.profiles[self._user]
                disabled = None if "disabled" in profile else True
                self._direct.change(PROFILES, profile, disabled=disabled)
                self.done["disable or enable the issuer's user, written directly"] += 1
            if self._choice.random() < 0.7 and not self._is_faulty() and not stop.wait(self._choice.uniform(0, 3)):
                self._refresh(self._wire.ask_json("POST", f"{ISSUERS}/{id_of(self._issuer.url)}/refresh"))

    def _refresh(self, answered: Answered) -> None:
        self._sent.append(
            Exchange(
                "operators: refresh the issuer's keys",
                None,
                answered.sent,
                answered.answered,
                answered.status,
                answered.body,
                right=(200,),
                reads_tables=True,
            )
        )
        self.done["refresh the issuer's keys"] += 1
