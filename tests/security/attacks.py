"""An attack, as data: what is stored, what is sent, and what must come of it. `tests/security/corpus` has them all.

An attacker controls the token alone. The rows are an operator's, who may have stored a public key where an HMAC secret
belongs. What the service accepts, a sound token whose key has an odd spelling, say, is in the corpus as well: a service
that denied everything would fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from auth_jwt.errors import Reason
from tests.factories import StoredRow, a_profile, a_secret

USER: Final = "alice"
DOMAIN: Final = "sip.example.com"
ALWAYS: Final[Mapping[str, object]] = {"start_ts": 0, "end_ts": 4_102_444_800}
"""A window that is open by the clock of the real handlers."""

OF_THE_FORM: Final = frozenset(
    {
        Reason.MALFORMED_TOKEN,
        Reason.UNSUPPORTED_ALGORITHM,
        Reason.UNSUPPORTED_TYPE,
        Reason.UNSUPPORTED_CRITICAL_HEADER,
    }
)
"""Reasons that no key is asked for: to a script they are -2."""

VALIDATED, NOT_VALIDATED, REFUSED = 1, -1, -2


def a_row(secret: object, /, **columns: object) -> StoredRow:
    """A row of the secrets table whose window is open."""
    return a_secret(secret, **{**ALWAYS, **columns})


def a_user(**columns: object) -> StoredRow:
    """The profile of the user whom the attacks are about."""
    return a_profile(sip_username=USER, sip_domain=DOMAIN, **columns)


@dataclass(frozen=True)
class Attack:
    """A token sent against stored rows, and what must come of it.

    Attributes:
        advisory: the advisory, as `ADVISORIES` names it.
        what: the input, in a few words. Together with the advisory it is the id of the test.
        token: what is sent.
        reason: the stable reason; None where the token is sound.
        rows: the secrets that are stored.
        profiles: the profiles that are stored.
        settings: settings that differ from the defaults.
        key: what a script gives as the key; by default the one secret that is stored, if it is text.
        script: what a script is answered, where that does not follow from the reason: it sees no rows and no claims.
    """

    advisory: str
    what: str
    token: object = field(repr=False)
    reason: Reason | None = None
    rows: tuple[StoredRow, ...] = field(default_factory=lambda: (a_row(a_secret()["secret"]),), repr=False)
    profiles: tuple[StoredRow, ...] = field(default_factory=lambda: (a_user(),), repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    key: str | None = field(default=None, repr=False)
    script: int | None = None

    def __str__(self) -> str:
        return f"{self.advisory}: {self.what}"

    @property
    def script_key(self) -> str | None:
        """The text that a script gives as the key; None where there is none to give."""
        if self.key is not None or len(self.rows) != 1:
            return self.key
        secret = self.rows[0].get("secret")
        return secret if isinstance(secret, str) else None

    @property
    def script_code(self) -> int:
        """What a script is answered."""
        if self.script is not None:
            return self.script
        if self.reason in OF_THE_FORM:
            return REFUSED
        return NOT_VALIDATED if self.reason is Reason.BAD_SIGNATURE else VALIDATED


@dataclass(frozen=True)
class Advisory:
    """Where an attack comes from.

    Attributes:
        group: the group of attacks: `A` to `F`, and `H` for what was seen accepted by this service before.
        source: the component that it broke, and until which version.
    """

    group: str
    source: str


OWN: Final = "own"

ADVISORIES: Final[Mapping[str, Advisory]] = {
    # A public key, in any textual form, used as an HMAC secret.
    "CVE-2015-9235": Advisory("A", "node jsonwebtoken < 4.2.2"),
    "CVE-2017-11424": Advisory("A", "PyJWT < 1.5.1"),
    "CVE-2022-23541": Advisory("A", "node jsonwebtoken < 9"),
    "CVE-2022-29217": Advisory("A", "PyJWT < 2.4"),
    "CVE-2024-33663": Advisory("A", "python-jose <= 3.3"),
    "CVE-2026-85394": Advisory("A", "python-jose <= 3.5.0"),
    "CVE-2024-37568": Advisory("A", "Authlib < 1.3.1"),
    "CVE-2026-114615": Advisory("A", "Authlib"),
    "CVE-2023-48223": Advisory("A", "fast-jwt < 3.3.2"),
    "CVE-2026-34950": Advisory("A", "fast-jwt"),
    "CVE-2026-107722": Advisory("A", "fast-jwt"),
    "CVE-2026-107724": Advisory("A", "fast-jwt"),
    "CVE-2026-48526": Advisory("A", "PyJWT < 2.13"),
    "CVE-2026-102268": Advisory("A", "PyJWT < 2.14"),
    "CVE-2026-102271": Advisory("A", "PyJWT < 2.14"),
    "CVE-2026-102272": Advisory("A", "PyJWT < 2.14"),
    "CVE-2026-102273": Advisory("A", "PyJWT < 2.14"),
    "CVE-2026-39999": Advisory("A", "APISIX jwt-auth 2.2 to 3.16"),
    "CVE-2026-22817": Advisory("A", "hono"),
    "OpenSIPS PEM": Advisory("A", "auth_jwt with libjwt 1.x"),
    "CVE-2026-57997": Advisory("A", "Strapi"),
    # An empty, missing or weak key.
    "OpenSIPS empty": Advisory("B", "auth_jwt with libjwt 1.x"),
    "CVE-2026-102266": Advisory("B", "PyJWT"),
    "CVE-2026-49852": Advisory("B", "joserfc < 1.6.8"),
    "CVE-2026-114616": Advisory("B", "Authlib"),
    "CVE-2026-45363": Advisory("B", "ruby-jwt"),
    "CVE-2026-44699": Advisory("B", "libjwt 3.0.0 to 3.3.2"),
    "CVE-2026-33996": Advisory("B", "libjwt < 3.3.0"),
    "CVE-2025-65945": Advisory("B", "node-jws"),
    "CVE-2022-23540": Advisory("B", "node jsonwebtoken < 9"),
    "RFC 8725 3.5": Advisory("B", "all"),
    # `alg: none`, keys in the header, rules for headers.
    "CVE-2021-44878": Advisory("C", "pac4j"),
    "CVE-2026-29000": Advisory("C", "pac4j"),
    "CVE-2022-23539": Advisory("C", "node jsonwebtoken < 9"),
    "CVE-2018-0114": Advisory("C", "node-jose"),
    "CVE-2026-27962": Advisory("C", "Authlib < 1.6.9"),
    "CVE-2026-48523": Advisory("C", "PyJWT 2.9 to 2.12.1"),
    "CVE-2026-32597": Advisory("C", "PyJWT < 2.12"),
    "CVE-2025-59420": Advisory("C", "Authlib"),
    "CVE-2026-35042": Advisory("C", "fast-jwt"),
    "GHSA-5739": Advisory("C", "web-token for PHP"),
    "CVE-2026-102946": Advisory("C", "joserfc < 1.7.4"),
    "CVE-2026-96760": Advisory("C", "Authlib <= 1.7.2"),
    "CVE-2022-39227": Advisory("C", "python-jwt"),
    "CVE-2026-102270": Advisory("C", "PyJWT"),
    # Arithmetic and encoding of signatures.
    "CVE-2022-21449": Advisory("D", "Java"),
    "CVE-2026-65632": Advisory("D", "erlang-jose"),
    "Wycheproof": Advisory("D", "JWS set"),
    "CVE-2026-102269": Advisory("D", "PyJWT < 2.14"),
    "GHSA-3fvg": Advisory("D", "jsrsasign"),
    "own encodings": Advisory("D", OWN),
    # Claims and identity.
    "CVE-2024-53861": Advisory("E", "PyJWT 2.10.0"),
    "CVE-2020-26160": Advisory("E", "dgrijalva/jwt-go"),
    "PyJWT 2.15": Advisory("E", "PyJWT < 2.15"),
    "APISIX#10891": Advisory("E", "APISIX"),
    "Kamailio#4007": Advisory("E", "Kamailio"),
    "CVE-2026-25554": Advisory("E", "OpenSIPS auth_jwt before 3.6.4 and 3.4.17"),
    "own tags": Advisory("E", OWN),
    # Denial of service.
    "CVE-2025-30204": Advisory("F", "golang-jwt"),
    "CVE-2025-61920": Advisory("F", "Authlib < 1.6.5"),
    "CVE-2026-48990": Advisory("F", "joserfc <= 1.6.5"),
    "CVE-2026-48525": Advisory("F", "PyJWT < 2.13"),
    "GHSA-8wjv-2p76-3863": Advisory("F", "PyJWT"),
    "CVE-2024-33664": Advisory("F", "python-jose"),
    "CVE-2023-6681": Advisory("F", "jwcrypto"),
    "CVE-2026-28490": Advisory("F", "Authlib"),
    "own sizes": Advisory("F", OWN),
    # Seen accepted by this service, in November 2026.
    "seen public keys": Advisory("H", OWN),
    "seen oct JWKs": Advisory("H", OWN),
    "seen references": Advisory("H", OWN),
    "seen degenerate keys": Advisory("H", OWN),
    "seen published keys": Advisory("H", OWN),
    "seen blank keys": Advisory("H", OWN),
    "seen many secrets": Advisory("H", OWN),
    "seen tags": Advisory("H", OWN),
}
"""Every advisory that has an input in the corpus, as tests name it. Some are known by their number only."""
