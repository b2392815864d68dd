"""SIP messages, as far as these tests look into them: RFC 3261, section 7."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

COMPACT: Final = {"c": "content-type", "f": "from", "i": "call-id", "l": "content-length", "m": "contact", "t": "to"}
"""The compact forms of header names that may come here (section 7.3.3)."""


_COPIED: Final = ("via", "record-route", "from", "to", "call-id", "cseq")


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response.

    Attributes:
        start: its first line.
        headers: names in lower case and long, values, in order.
        raw: all of it, as it was on the wire.
    """

    start: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    raw: bytes = field(repr=False)

    @classmethod
    def of(cls, raw: bytes) -> "Message":
        """Read a message, whatever its encoding."""
        head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        start, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return cls(start, tuple((_long(name), value.strip()) for name, _, value in pairs), raw)

    @property
    def status(self) -> int | None:
        """The status of a response; None of a request."""
        version, _, rest = self.start.partition(" ")
        return int(rest[:3]) if version == "SIP/2.0" else None

    @property
    def method(self) -> str:
        """What was asked for: of a response, in the request it belongs to."""
        return self.start.partition(" ")[0] if self.status is None else self.one("cseq").split()[1]

    @property
    def is_final(self) -> bool:
        """Whether it is a response after which no other comes."""
        return self.status is not None and self.status >= 200

    def all(self, name: str) -> list[str]:
        """Return the values of a header, by its name in lower case."""
        return [value for given, value in self.headers if given == name]

    def one(self, name: str) -> str:
        """Return the value of a header that is there once.

        Raises:
            LookupError: it is not, or there are several.
        """
        values = self.all(name)
        if len(values) != 1:
            raise LookupError(f"{len(values)} headers {name!r} in {self.start!r}")
        return values[0]


def _long(name: str) -> str:
    name = name.strip().lower()
    return COMPACT.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to be sent, with what every request has.

    Attributes:
        method: REGISTER and the like.
        user, domain: of From and To.
        over: the transport, as Via names it.
        port: where answers are expected.
        call: names the call, and with *sequence* the transaction.
        sequence: number of the request in the call.
        uri: Request-URI; None is the domain for a REGISTER, else the one in To.
        from_uri, to_uri: where they are to be others.
        to_tag: the other side's tag, of a request within a dialog.
        from_tag: one's own; empty takes the call's name.
        contact: port of the Contact; 0 leaves it out.
        more: further header lines.
        body: text.
    """

    method: str = "REGISTER"
    user: str = "alice"
    domain: str = "sip.example.com"
    over: str = "TCP"
    port: int = 5060
    call: str
    sequence: int = 1
    uri: str | None = None
    from_uri: str | None = None
    to_uri: str | None = None
    to_tag: str = ""
    from_tag: str = ""
    contact: int = 5060
    more: Sequence[str] = field(default=(), repr=False)
    body: str = ""

    def __bytes__(self) -> bytes:
        """Write it."""
        own = f"sip:{self.user}@{self.domain}"
        contact = f"sip:{self.user}@127.0.0.1:{self.contact};transport={self.over.lower()}"
        to = self.to_uri or own
        uri = self.uri or (f"sip:{self.domain}" if self.method == "REGISTER" else to)
        lines = [
            f"{self.method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.over} 127.0.0.1:{self.port};branch=z9hG4bK-{self.call}-{self.sequence};rport",
            "Max-Forwards: 70",
            f"From: <{self.from_uri or own}>;tag={self.from_tag or self.call}",
            f"To: <{to}>" + f";tag={self.to_tag}" * bool(self.to_tag),
            f"Call-ID: {self.call}",
            f"CSeq: {self.sequence} {self.method}",
            *([f"Contact: <{contact}>"] if self.contact else []),
            *self.more,
            f"Content-Length: {len(self.body.encode())}",
        ]
        return "\r\n".join([*lines, "", self.body]).encode()


def reply_to(request: Message, status: int, *, contact: int | str, tag: str = "callee") -> bytes:
    """Write a response to a *request*, by a phone at the port, or with the URI, *contact* (RFC 3261, section 8.2.6)."""
    uri = contact if isinstance(contact, str) else f"sip:callee@127.0.0.1:{contact}"
    copied = [(name, value) for name in _COPIED for value in request.all(name)]
    lines = [f"{name}: {value}" + f";tag={tag}" * (name == "to" and ";tag=" not in value) for name, value in copied]
    more = [f"Contact: <{uri}>", "Content-Length: 0"]
    return "\r\n".join([f"SIP/2.0 {status} So", *lines, *more, "", ""]).encode()
