"""The wording of the rules for rows of our own tables, which OpenSIPS does not read and our commands can correct.

The sentence of a remedy holds its commands, with words in capitals as placeholders. `commands_in` fills in TAG, ID and
whatever else the row tells, for machines.
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
    """The wording of a rule for a row of our own tables.

    Attributes:
        remedy: what to do, in one or two sentences that name the commands.
        why: what the rule is about, where this differs from the wording for a source.
    """

    remedy: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class RowCommand:
    """A command of a remedy, for one row.

    Attributes:
        argv: the words of the command.
        fill_in: the placeholders among them that the operator must still fill in.
    """

    argv: tuple[str, ...]
    fill_in: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the command as a JSON object, with `fill_in` only when there is something to fill in."""
        return {"argv": list(self.argv), **({"fill_in": list(self.fill_in)} if self.fill_in else {})}


@dataclass(frozen=True, slots=True)
class About:
    """The facts about a row that its commands need.

    Attributes:
        tag: the row's tag.
        id: the id of a secret. None for a profile.
        words: the replacements for other words of a command. None removes the word.
        where: the options that say which tables the row is in.
    """

    tag: str
    id: str | None
    words: Mapping[str, str | None] = field(default_factory=dict)
    where: tuple[str, ...] = ()


def commands_in(remedy: str, about: About) -> Iterator[RowCommand]:
    """Give the commands of a *remedy* in its order, with the known facts about the row filled in."""
    for text in _COMMAND.findall(remedy):
        yield _fill_in(shlex.split(text), about)


def _fill_in(template: list[str], about: About) -> RowCommand:
    row = {name: value for name, value in (("TAG", about.tag), ("ID", about.id)) if value is not None}
    is_odd = any("\0" in value for value in row.values())  # no argument holds a NUL
    words = {**about.words, **{name: json.dumps(value)[1:-1] if is_odd else value for name, value in row.items()}}
    rows = [word for word in template if word in _OF_ROWS]
    before, after = template, list[str]()
    if rows:
        begin = template.index(rows[0])
        before, after = template[:begin], template[begin + len(rows) :] + ["--escaped"] * is_odd
    named = [words.get(word, word) or word for word in rows]
    where = about.where if template[1] != "key" else ()  # the `key` commands use no tables
    options = [*(word for word in (words.get(word, word) for word in after) if word), *where]
    # After `--`, a tag or an id that begins with a hyphen is not taken for an option.
    rest = [*options, "--", *named] if any(word.startswith("-") for word in named) else [*named, *options]
    unknown = [name for word in template for name in _PLACES.findall(word) if word not in words or name == "TEXT"]
    return RowCommand((*before, *rest), tuple(dict.fromkeys(unknown)))


_GENERATED: Final = (
    "`auth-jwt secret add TAG --generate --out FILE` adds a new one, and `auth-jwt secret close TAG ID` ends this one"
)
_GIVEN: Final = (
    "`auth-jwt secret add TAG --secret-file FILE` stores a new one, and `auth-jwt secret close TAG ID` ends this one"
)
_MENDED: Final = (
    "Get the key from its issuer: `auth-jwt key mend FILE` writes it as PEM, `auth-jwt secret add TAG --secret-file"
    " PEM` stores that, and `auth-jwt secret close TAG ID` ends this one."
)
_RENAMED: Final = "`auth-jwt profile rename TAG NEW-TAG`"

LIVE_RULES: Final[Mapping[str, LiveRule]] = {
    "empty-secret": LiveRule(f"{_GENERATED}.", "The secret is empty or NULL, and verifies nothing."),
    "short-secret": LiveRule(f"{_GENERATED}. Or accept the risk with MIN_HMAC_KEY_BYTES."),
    "unread-key-material": LiveRule(
        _MENDED, "The secret is key material in a form that the service does not read, and verifies nothing."
    ),
    "in-doubt": LiveRule(
        "If it is an HMAC secret, say so with `auth-jwt secret set-alg TAG ID --hmac`. If not,"
        " `auth-jwt secret add TAG --secret-file FILE` stores the key as PEM, and `auth-jwt secret close TAG ID` ends"
        " this one."
    ),
    "degenerate-key": LiveRule(f"Ask the issuer where this key comes from: {_GIVEN}."),
    "published-key": LiveRule(f"{_GIVEN}."),
    "blank-key": LiveRule(f"{_GENERATED}."),
    "weak-words": LiveRule(f"{_GENERATED}, once the issuer signs with the new one."),
    "private-key": LiveRule(
        "Ask the issuer for a new key pair: `auth-jwt secret add TAG --secret-file FILE` stores its public key,"
        " `auth-jwt secret close TAG ID` ends this one, and `auth-jwt secret rm TAG ID` removes it from the table.",
    ),
    "shared-secret": LiveRule(f"{_GENERATED}, once the issuer signs with the new one."),
    "issuers-domain": LiveRule(
        "`auth-jwt profile set TAG --domain NAME` gives the profile another one, `auth-jwt profile set TAG --no-domain`"
        " none; `auth-jwt profile rm TAG` removes the profile."
    ),
    "window-in-milliseconds": LiveRule(
        "`auth-jwt secret set TAG ID --mend` divides it by 1000. If that time has passed, the secret ends."
    ),
    "folded-tags": LiveRule(
        f"{_RENAMED} gives it the spelling of the issuer's tokens.",
        "Another spelling of the tag has the rows that this one lacks. To MySQL, both were one tag.",
    ),
    "blank-around-tag": LiveRule(
        f"If the issuer's tokens lack the blank, {_RENAMED} removes it. `auth-jwt profile rm TAG` removes the profile."
    ),
    "tag-too-long": LiveRule(f"{_RENAMED} gives it a shorter one; `auth-jwt profile rm TAG` removes the profile."),
    "nul-in-tag": LiveRule(f"{_RENAMED} gives it another one; `auth-jwt profile rm TAG` removes the profile."),
    "no-username": LiveRule(
        "`auth-jwt profile set TAG --username NAME` sets it; `auth-jwt profile rm TAG` removes the profile.",
        "The profile has no username, or one that is not text, and every login is denied.",
    ),
    "unusable-key": LiveRule(f"{_GIVEN}."),
    "unreadable-key": LiveRule(_MENDED),
    "alg-disagrees": LiveRule(
        "`auth-jwt secret set-alg TAG ID --alg LIST` corrects the row's `alg`. If the key or the JWK is wrong,"
        f" {_GIVEN}."
    ),
    "alg-required": LiveRule(
        "`auth-jwt secret set-alg TAG ID` writes it, and `auth-jwt secret set-alg --all` writes it in all rows."
    ),
    "too-many-secrets": LiveRule(
        "`auth-jwt secret list TAG` shows them, and `auth-jwt secret close TAG ID` ends one; or raise"
        " MAX_SECRETS_PER_TAG."
    ),
    "reference": LiveRule(f"{_GIVEN}."),
    "bound-not-a-number": LiveRule(
        "`auth-jwt secret set TAG ID --mend` turns digits into numbers, `auth-jwt secret set TAG ID --start TIME --end"
        " TIME` sets both, and `auth-jwt secret close TAG ID` ends it for good."
    ),
    "alg-or-kid-unusable": LiveRule(
        "`auth-jwt secret set-alg TAG ID --alg LIST` corrects `alg`; `auth-jwt secret set TAG ID --kid KID` corrects"
        " `kid`, and `auth-jwt secret set TAG ID --no-kid` removes it. Or name another column in ALG_COLUMN or"
        " KID_COLUMN."
    ),
    "disabled-profile": LiveRule(
        "If the user is to log in, `auth-jwt profile enable TAG`; if not, `auth-jwt profile disable TAG` writes `true`."
        " Or name another column in DISABLED_COLUMN.",
        "The column for disabled profiles holds a value that looks like a no, or like none, and disables the profile.",
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
        " `auth-jwt profile set TAG --remove-attribute COLUMN` removes it."
    ),
    "not-text": LiveRule(
        f'{_GIVEN}. Store bytes as a JWK, `{{"kty":"oct","k":"..."}}`.',
        "The secret is a number or bytes, not text, and verifies nothing.",
    ),
    "no-alg": LiveRule(
        "`auth-jwt secret set-alg TAG ID` writes it, and `auth-jwt secret set-alg --all` writes it in all rows."
    ),
    "short-for-some-algorithms": LiveRule(
        "If the issuer uses none of the others, `auth-jwt secret set-alg TAG ID --alg LIST` says so. If it does,"
        f" {_GENERATED}."
    ),
    "never-opens": LiveRule(
        "`auth-jwt secret set TAG ID --start TIME --end TIME` corrects it, `auth-jwt secret rm TAG ID` removes it."
    ),
    "secret-without-profile": LiveRule(
        "`auth-jwt profile add TAG --username NAME` adds it, `auth-jwt profile rm TAG` removes its secrets."
    ),
    "profile-without-secret": LiveRule(
        "`auth-jwt secret add TAG --generate --out FILE` adds one, `auth-jwt profile disable TAG` says that none is"
        " wanted, `auth-jwt profile rm TAG` removes the profile.",
        "No secret of this profile is open or will open, so nobody can log in with it.",
    ),
    "username-not-registrable": LiveRule(
        "Behind Kamailio, `auth-jwt profile set TAG --username NAME` gives the profile another one.",
    ),
    "credential-missing": LiveRule(
        "`auth-jwt profile set TAG --attribute COLUMN=TEXT` fills it in, if the proxy's script relies on it."
    ),
}
"""The wording of each rule that rows of our own tables can break, by the rule's id."""
