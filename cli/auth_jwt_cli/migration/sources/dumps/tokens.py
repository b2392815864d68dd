"""Splits the text of a dump into tokens, by the rules of the dialects that are possible at that place.

A statement may be of any length (extended INSERTs have millions of bytes): only one token of it is in memory.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from io import BufferedIOBase
from typing import Final, NamedTuple

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.dumps.dialects import MYSQL, POSTGRESQL, SQLITE, Dialect, Session

_CHUNK: Final = 256 * 1024
_MAX_TOKEN_BYTES: Final = 64 * 1024 * 1024  # far beyond DynamoDB's limit: a longer token is an error

_PLAIN: Final = rb"'[^']*+(?:''[^']*+)*+'"
_ESCAPED: Final = rb"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
_PLAIN_QUOTED: Final = rb'"[^"]*+(?:""[^"]*+)*+"'
_ESCAPED_QUOTED: Final = rb'"[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+"'
_MYSQL_COMMENT: Final = rb"--(?:[ \t][^\n]*+|(?=\r?(?:\n|\Z)))|\#[^\n]*+"
_OPENING: Final = (b"'", b'"', b"`", b"[")
_CONDITIONAL: Final = re.compile(rb"/\*(M?)!([0-9]*+)")
_SANDBOX: Final = b"999999"  # a version that no server has: https://mariadb.org/mariadb-dump-file-compatibility-change/
_BEGINNINGS: Final = {"INSERT": ("INTO", "IGNORE", "OR"), "REPLACE": ("INTO",), "CREATE": ("TABLE",)}
"""Words that surely begin a statement if they begin a line and one of these words follows."""
_MARK_LENGTH: Final = 12
_BLOCK_MARK: Final = re.compile(rb"/\*|\*/")


class SqlToken(NamedTuple):
    """A piece of SQL: its kind (a group of the pattern), its bytes, and whether it is the first of its line."""

    kind: str
    octets: bytes
    begins_line: bool = False

    @property
    def word(self) -> str:
        """A keyword in upper case, or a sign. Empty for anything quoted."""
        return self.octets.decode("utf-8", "replace").upper() if self.kind in ("word", "sign") else ""

    @property
    def is_end(self) -> bool:
        """Whether it ends a statement."""
        return self.kind == "end"


class NotUnderstood(Exception):
    """The dump holds something that is not understood. The message says what, and shows no value."""


class Unended(NotUnderstood):
    """The next statement begins before this one has ended."""


class CutOff(Exception):
    """The dump ends in the middle of something.

    Attributes:
        line: the line in which the unfinished part begins.
        within: what the unfinished part is.
    """

    def __init__(self, line: int, within: str) -> None:
        super().__init__(within)
        self.line = line
        self.within = within


class SqlTokens:
    """The tokens of a file. Memory holds about one token at a time.

    Args:
        file: the dump.
        session: the dialects and settings.
        on_comment: called for every comment, with its text and its line.
    """

    def __init__(self, file: BufferedIOBase, session: Session, on_comment: Callable[[bytes, int], None]) -> None:
        self._file = file
        self._session = session
        self._on_comment = on_comment
        self._buffer = b""
        self._position = 0
        self._start = 0
        self._counted = 0
        self._line = 1
        self._at_end = False
        self._waiting: list[SqlToken] = []
        self._begins_line = True
        self._version = -1
        self._token = self._unended = re.compile(b"")

    @property
    def line(self) -> int:
        """The line in which the last token begins."""
        return self._line_at(self._start)

    def next(self) -> SqlToken:
        """Return the next token of a statement.

        Raises:
            CutOff: the dump ends here.
            Unended: the next statement begins here.
        """
        token = self.next_of_body()
        if token.begins_line and token.word in _BEGINNINGS:
            following = self.next_of_body()
            self.put_back(following)
            if following.word in _BEGINNINGS[token.word]:
                self.put_back(token)
                raise Unended("a statement without its end")
        return token

    def next_of_body(self) -> SqlToken:
        """Return the next token of a statement that may hold other statements.

        Raises:
            CutOff: the dump ends here.
        """
        token = self.next_or_none()
        if token is None:
            raise CutOff(self.line, "a statement")
        return token

    def pass_over(self) -> None:
        """Skip the rest of the statement."""
        while not self.next().is_end:
            pass

    def put_back(self, token: SqlToken) -> None:
        """Make *token* the next one again."""
        self._waiting.append(token)

    def next_or_none(self) -> SqlToken | None:
        """Return the next token, None at the end of the dump.

        Raises:
            CutOff: the dump ends within a quoted text or a comment.
            SourceError: the meaning of the token depends on the dialect, which is undetermined.
        """
        if self._waiting:
            return self._waiting.pop()
        while (match := self._match()) is not None:
            kind = str(match.lastgroup)
            self._start = match.start()
            if kind == "blank":
                self._position = match.end()
                self._begins_line = self._begins_line or b"\n" in match[0]
            elif kind == "comment":
                self._take_comment(match[0])
                self._position = match.end()
            elif kind == "block":
                self._skip_block()
            elif kind == "hash":
                if not self._begins_line:
                    raise self._session.doubt("a #", self.line)
                self._session.narrow(MYSQL, "a comment after #", self.line)
            elif kind == "dollar":
                return self._take("dollar", self._read_dollar_quoted(match[0]))
            elif self._is_read_alike(kind, match[0]):
                self._position = match.end()
                return self._take(kind, match[0])
        self._start = self._position
        return None

    def _take(self, kind: str, octets: bytes) -> SqlToken:
        begins_line, self._begins_line = self._begins_line, False
        return SqlToken(kind, octets, begins_line)

    def rest_of_line(self) -> bytes | None:
        """Return the rest of the line, None at the end of the file. Tokens that were put back are lost."""
        self._waiting.clear()
        self._begins_line = True
        while (end := self._buffer.find(b"\n", self._position)) < 0:
            if not self._read_on():
                rest = self._buffer[self._position :]
                self._start = self._position
                self._position = len(self._buffer)
                return rest or None
        self._start = self._position
        rest = self._buffer[self._position : end]
        self._position = end + 1
        return rest

    def skip_line(self) -> None:
        """Continue after the line in which the last token begins."""
        self._position = self._start
        self.rest_of_line()

    def _match(self) -> re.Match[bytes] | None:
        """Find the next token or blank, None at the end of the file."""
        while True:
            if self._version != self._session.version:
                self._version = self._session.version
                self._token, self._unended = _patterns_of(
                    self._session.dialects,
                    escapes=self._session.escapes is True,
                    escapes_in_double_quotes=self._session.escapes_in_double_quotes is True,
                    delimiter=self._session.delimiter,
                )
            match = self._token.match(self._buffer, self._position)
            # A token at the end of the buffer may continue in the bytes not read yet, and an open one may end there.
            unended = (
                match is not None
                and match.lastgroup in ("sign", "word")
                and self._unended.match(self._buffer, self._position) is not None
            )
            if (match is None or match.end() == len(self._buffer) or unended) and self._read_on():
                continue
            if unended and match is not None and match[0] in _OPENING:
                raise CutOff(self._line_at(self._position), "a quoted text")
            return match

    def _is_read_alike(self, kind: str, octets: bytes) -> bool:
        """Tell whether all possible dialects read this token alike. If not, rule out some and return False.

        The token must then be read again.

        Raises:
            SourceError: the dialects differ, and the token rules none out.
        """
        session = self._session
        before = session.version
        if kind == "name":
            session.narrow(MYSQL | SQLITE, "a ` around a name", self.line)
        elif kind == "prefixed":
            session.narrow(POSTGRESQL, "a text with E or U& before it", self.line)
        elif kind == "string" and octets.startswith(b"_"):
            session.narrow(MYSQL, "a character set before a text", self.line)
        if session.version != before:
            return False
        escapes = session.escapes_in_double_quotes if kind == "quoted" else session.escapes
        if escapes is None and kind in ("string", "quoted") and b"\\" in octets:
            raise session.doubt("a backslash in a text", self.line)
        return True

    def _take_comment(self, text: bytes) -> None:
        session = self._session
        if text.startswith(b"--") and text[2:3].strip() and session.dialect is None and session.may_be(Dialect.MYSQL):
            raise session.doubt("-- with no blank after it", self.line)
        self._on_comment(text, self.line)

    def _skip_block(self) -> None:
        """Skip a block comment. If MySQL runs its text, skip only its opening."""
        while len(self._buffer) - self._position < _MARK_LENGTH and self._read_on():
            pass
        self._start = self._position
        conditional = _CONDITIONAL.match(self._buffer, self._position)
        if conditional is not None and self._session.may_be(Dialect.MYSQL):
            self._session.narrow(MYSQL, "a comment that MySQL runs (/*!)", self.line)
            if conditional[2] != _SANDBOX:
                self._position = conditional.end()
                return
        nests = self._session.dialects == POSTGRESQL
        while (end := _end_of_block(self._buffer, self._position, nests=nests)) is None:
            if not self._read_on():
                raise CutOff(self.line, "a comment")
        text = self._buffer[self._position : end]
        if not nests and self._session.may_be(Dialect.POSTGRESQL) and b"/*" in text[2:]:
            raise self._session.doubt("a comment within a comment", self.line)
        self._start = self._position
        self._on_comment(text, self.line)
        self._begins_line = self._begins_line or b"\n" in text
        self._position = end

    def _read_dollar_quoted(self, tag: bytes) -> bytes:
        """Read a dollar-quoted text of PostgreSQL."""
        if self._session.dialects != POSTGRESQL:
            raise self._session.doubt("a $ that may be a quote", self.line)
        while (end := self._buffer.find(tag, self._position + len(tag))) < 0:
            if not self._read_on():
                raise CutOff(self._line_at(self._position), "a quoted text")
        self._start = self._position
        text = self._buffer[self._position + len(tag) : end]
        self._position = end + len(tag)
        return text

    def _line_at(self, position: int) -> int:
        if position < self._counted:
            return self._line - self._buffer.count(b"\n", position, self._counted)
        self._line += self._buffer.count(b"\n", self._counted, position)
        self._counted = position
        return self._line

    def _read_on(self) -> bool:
        """Read at least as many bytes as are waiting. Tell whether there were any. The waiting bytes move to 0."""
        if self._at_end:
            return False
        waiting = len(self._buffer) - self._position
        if waiting > _MAX_TOKEN_BYTES:
            raise SourceError("the dump has a value of more than 64 MB, or a quote that is never closed")
        more = self._file.read1(max(_CHUNK, waiting))  # whatever is there: a pipe may be slow
        self._at_end = not more
        self._line = self._line_at(self._position)
        self._buffer = self._buffer[self._position :] + more
        self._position = self._start = self._counted = 0
        return bool(more)


def _end_of_block(buffer: bytes, start: int, *, nests: bool) -> int | None:
    """Return the end of the comment that begins at *start*, None if it is not in the *buffer*."""
    if not nests:
        end = buffer.find(b"*/", start + 2)
        return None if end < 0 else end + 2
    depth = 0
    for mark in _BLOCK_MARK.finditer(buffer, start):
        depth += 1 if mark[0] == b"/*" else -1
        if not depth:
            return mark.end()
    return None


@lru_cache
def _patterns_of(
    dialects: frozenset[Dialect], *, escapes: bool, escapes_in_double_quotes: bool, delimiter: bytes
) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the pattern of a token, and that of the beginning of a token that has not ended yet.

    The pattern accepts whatever is a token in any possible dialect. Its caller checks that all read it alike.
    """
    is_mysql, is_postgresql, is_sqlite = (
        dialect in dialects for dialect in (Dialect.MYSQL, Dialect.POSTGRESQL, Dialect.SQLITE)
    )
    alone = len(dialects) == 1
    text = _ESCAPED if escapes else _PLAIN
    parts = [
        rb"(?P<end>%b)" % re.escape(delimiter),
        rb"(?P<blank>\s++|\xef\xbb\xbf%b)" % (rb"|\*/" if is_mysql and alone else b""),
        rb"(?P<comment>%b)" % (_MYSQL_COMMENT if is_mysql and alone else rb"--[^\n]*+"),
        rb"(?P<block>/\*)",
        rb"(?P<string>%b%b)" % (rb"(?:_[A-Za-z0-9]++\s*+|[nN])?" if is_mysql else b"[nN]?", text),
        rb"(?P<quoted>%b)" % (_ESCAPED_QUOTED if escapes_in_double_quotes else _PLAIN_QUOTED),
        rb"(?P<hex>%b(?:0x[0-9A-Fa-f]*+(?![A-Za-z_$])|[xX]'[0-9A-Fa-f]*+'))"
        % (rb"(?:_[A-Za-z0-9]++\s*+)?" if is_mysql else b""),
        rb"(?P<bits>[bB]'[01]*+')",
        rb"(?P<number>[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![A-Za-z_$.]))",
    ]
    unended = [rb"""['"`]""", rb"[xXbBnN]'", rb"[-+]?[0-9.]++[eE]?[-+]?\Z"]
    if is_mysql:
        parts += [] if alone else [rb"(?P<hash>\#)"]
        unended.append(rb"_[A-Za-z0-9]++\s*+(?:'|\Z)")
    if is_mysql or is_sqlite:
        parts.append(rb"(?P<name>`(?:[^`]|``)*+`%b)" % (rb"|\[[^\]]*+\]" if is_sqlite and alone else b""))
        unended += [rb"\["] if is_sqlite and alone else []
    if is_postgresql:
        parts.append(rb"(?P<prefixed>[eE]%b|[uU]&(?:%b|%b))" % (_ESCAPED, _PLAIN, _PLAIN_QUOTED))
        parts.append(rb"(?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\$)")
        unended.append(rb"[eE]'|[uU]&(?:['\"]|\Z)|[uU]\Z")
    parts += [rb"(?P<word>[A-Za-z0-9_$\x80-\xff]++)", rb"(?P<sign>::|.)"]
    return re.compile(b"|".join(parts), re.DOTALL), re.compile(b"|".join(unended))
