"""What the rules say of rows of our own tables, where no OpenSIPS reads them and our commands can mend them.

The commands of a remedy stand in its sentence, with words in capitals for what they are about. TAG, ID and what else
the row tells are filled in for machines.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_COMMAND: Final = re.compile(r"`(auth-jwt [^`]+)`")
_OF_ROWS: Final = ("TAG", "ID", "NEW-TAG")
_PLACES: Final = re.compile(r"\b(?:TAG|ID|NEW-TAG|NAME|TEXT|TIME|FILE|PEM|LIST|KID)\b")


@dataclass(frozen=True, slots=True)
class LiveRule:
    """What a rule says of a row of our own tables.

    Attributes:
        remedy: what to do, in one sentence or two that name the commands.
        why: what it is about, where that is another than for a source.
    """

    remedy: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class RowCommand:
    """A command of a remedy, about one row.

    Attributes:
        argv: its words.
        fill_in: those of them in capitals that are still to be filled in.
    """

    argv: tuple[str, ...]
    fill_in: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, `fill_in` only where there is something to fill in."""
        return {"argv": list(self.argv), **({"fill_in": list(self.fill_in)} if self.fill_in else {})}


@dataclass(frozen=True, slots=True)
class About:
    """What the commands about a row need to know of it.

    Attributes:
        tag: the row's.
        id: of a secret.
        words: what other words of a command become; None for one that goes.
        where: the options that say which tables the row is in.
    """

    tag: str
    id: str | None
    words: Mapping[str, str | None] = field(default_factory=dict)
    where: tuple[str, ...] = ()


def commands_in(remedy: str, about: About) -> Iterator[RowCommand]:
    """Give the commands of a *remedy*, in its order, filled in with what is known of the row."""
    for text in _COMMAND.findall(remedy):
        yield _filled(shlex.split(text), about)


def _filled(template: list[str], about: About) -> RowCommand:
    row = {name: value for name, value in (("TAG", about.tag), ("ID", about.id)) if value is not None}
    is_odd = any("\0" in value for value in row.values())  # no argument holds a NUL
    words = {**about.words, **{name: json.dumps(value)[1:-1] if is_odd else value for name, value in row.items()}}
    rows = [word for word in template if word in _OF_ROWS]
    before, after = template, list[str]()
    if rows:
        begin = template.index(rows[0])
        before, after = template[:begin], template[begin + len(rows) :] + ["--escaped"] * is_odd
    named = [words.get(word, word) or word for word in rows]
    where = about.where if template[1] != "key" else ()  # whose commands know no tables
    options = [*(word for word in (words.get(word, word) for word in after) if word), *where]
    # Behind the options, a tag or an id with a hyphen before it is not taken for one.
    rest = [*options, "--", *named] if any(word.startswith("-") for word in named) else [*named, *options]
    unknown = [name for word in template for name in _PLACES.findall(word) if word not in words or name == "TEXT"]
    return RowCommand((*before, *rest), tuple(dict.fromkeys(unknown)))


_GENERATED: Final = (
    "`auth-jwt secret add TAG --generate --out FILE` makes another, and `auth-jwt secret close TAG ID` ends this one"
)
_GIVEN: Final = (
    "`auth-jwt secret add TAG --secret-file FILE` stores another, and `auth-jwt secret close TAG ID` ends this one"
)
_MENDED: Final = (
    "Have the key from its issuer: `auth-jwt key mend FILE` writes it as PEM, `auth-jwt secret add TAG --secret-file"
    " PEM` stores that, and `auth-jwt secret close TAG ID` ends this one."
)
_RENAMED: Final = "`auth-jwt profile rename TAG NEW-TAG`"

LIVE_RULES: Final[Mapping[str, LiveRule]] = {
    "empty-secret": LiveRule(f"{_GENERATED}.", "The secret is empty or NULL, and verifies nothing."),
    "short-secret": LiveRule(f"{_GENERATED}. Or accept the risk by MIN_HMAC_KEY_BYTES."),
    "unread-key-material": LiveRule(
        _MENDED, "The secret is key material in a form that is not read, and verifies nothing."
    ),
    "in-doubt": LiveRule(
        "If it is an HMAC secret, say so by `auth-jwt secret set-alg TAG ID --hmac`. If not,"
        " `auth-jwt secret add TAG --secret-file FILE` stores the key as PEM, and `auth-jwt secret close TAG ID` ends"
        " this one."
    ),
    "degenerate-key": LiveRule(f"Ask the issuer where this key comes from: {_GIVEN}."),
    "published-key": LiveRule(f"{_GIVEN}."),
    "blank-key": LiveRule(f"{_GENERATED}."),
    "weak-words": LiveRule(f"{_GENERATED}, once the issuer signs with the other."),
    "private-key": LiveRule(
        "Have a new pair made: `auth-jwt secret add TAG --secret-file FILE` stores its public key,"
        " `auth-jwt secret close TAG ID` ends this one, and `auth-jwt secret rm TAG ID` takes it out of the table.",
    ),
    "shared-secret": LiveRule(f"{_GENERATED}, once the issuer signs with the other."),
    "window-in-milliseconds": LiveRule(
        "`auth-jwt secret set TAG ID --mend` divides it by 1000; where that time has passed, the secret ends."
    ),
    "folded-tags": LiveRule(
        f"{_RENAMED} brings it to the spelling of the issuer's tokens.",
        "Another spelling of the tag has the rows that this one lacks: the two were one tag to MySQL.",
    ),
    "blank-around-tag": LiveRule(
        f"{_RENAMED} takes the blank away, if the issuer's tokens do not have it; `auth-jwt profile rm TAG` removes it."
    ),
    "tag-too-long": LiveRule(f"{_RENAMED} gives it a shorter one; `auth-jwt profile rm TAG` removes it."),
    "nul-in-tag": LiveRule(f"{_RENAMED} gives it another one; `auth-jwt profile rm TAG` removes it."),
    "no-username": LiveRule(
        "`auth-jwt profile set TAG --username NAME` sets it; `auth-jwt profile rm TAG` removes the profile.",
        "The profile has no username, or one that is no text, and every login is refused.",
    ),
    "unusable-key": LiveRule(f"{_GIVEN}."),
    "unreadable-key": LiveRule(_MENDED),
    "alg-disagrees": LiveRule(
        "`auth-jwt secret set-alg TAG ID --alg LIST` corrects that of the row. If the key is the wrong one, or the JWK,"
        f" {_GIVEN}."
    ),
    "alg-required": LiveRule(
        "`auth-jwt secret set-alg TAG ID` writes it, and `auth-jwt secret set-alg --all` that of all rows."
    ),
    "too-many-secrets": LiveRule(
        "`auth-jwt secret list TAG` shows them, and `auth-jwt secret close TAG ID` ends one; or raise"
        " MAX_SECRETS_PER_TAG."
    ),
    "reference": LiveRule(f"{_GIVEN}."),
    "bound-not-a-number": LiveRule(
        "`auth-jwt secret set TAG ID --mend` makes numbers of digits, `auth-jwt secret set TAG ID --start TIME --end"
        " TIME` sets both, and `auth-jwt secret close TAG ID` ends it for good."
    ),
    "alg-or-kid-unusable": LiveRule(
        "`auth-jwt secret set-alg TAG ID --alg LIST` corrects `alg`; `auth-jwt secret set TAG ID --kid KID` corrects"
        " `kid`, and `auth-jwt secret set TAG ID --no-kid` takes it away. Or name another column in ALG_COLUMN or"
        " KID_COLUMN."
    ),
    "disabled-profile": LiveRule(
        "If the user is to log in, `auth-jwt profile enable TAG`; if not, `auth-jwt profile disable TAG` writes `true`."
        " Or name another column in DISABLED_COLUMN.",
        "The column for disabled profiles holds what looks like a no, or like no answer, and disables the profile.",
    ),
    "valid-after-not-a-number": LiveRule(
        "`auth-jwt revoke TAG --all` revokes the tokens issued until now, and no later ones;"
        " `auth-jwt revoke TAG --all --lift` revokes none. Or name another column in VALID_AFTER_COLUMN."
    ),
    "valid-after-in-milliseconds": LiveRule(
        "`auth-jwt revoke TAG --all` revokes the tokens issued until now, and no later ones;"
        " `auth-jwt revoke TAG --all --lift` revokes none."
    ),
    "credential-of-another-type": LiveRule(
        "`auth-jwt profile set TAG --attribute COLUMN=TEXT` sets it,"
        " `auth-jwt profile set TAG --remove-attribute COLUMN` takes it away."
    ),
    "not-text": LiveRule(
        f'{_GIVEN}; octets are stored as a JWK, `{{"kty":"oct","k":"..."}}`.',
        "The secret is no text but a number or bytes, and verifies nothing.",
    ),
    "no-alg": LiveRule(
        "`auth-jwt secret set-alg TAG ID` writes it, and `auth-jwt secret set-alg --all` that of all rows."
    ),
    "short-for-some-algorithms": LiveRule(
        "If the issuer signs by none of the others, `auth-jwt secret set-alg TAG ID --alg LIST` says so. If it does,"
        f" {_GENERATED}."
    ),
    "never-opens": LiveRule(
        "`auth-jwt secret set TAG ID --start TIME --end TIME` corrects it, `auth-jwt secret rm TAG ID` removes it."
    ),
    "secret-without-profile": LiveRule(
        "`auth-jwt profile add TAG --username NAME` adds it, `auth-jwt profile rm TAG` removes its secrets."
    ),
    "profile-without-secret": LiveRule(
        "`auth-jwt secret add TAG --generate --out FILE` adds one; `auth-jwt profile disable TAG` says that none is"
        " meant to be, `auth-jwt profile rm TAG` removes the profile.",
        "No secret of this profile is open, or will be, so nobody can log in by it.",
    ),
    "username-not-registrable": LiveRule(
        "Behind Kamailio, `auth-jwt profile set TAG --username NAME` gives the profile another one.",
    ),
    "credential-missing": LiveRule(
        "`auth-jwt profile set TAG --attribute COLUMN=TEXT` fills it in, if the proxy's script relies on it."
    ),
}
"""Of each rule that rows of our own tables may fall under, what it says of them."""
