"""Finds HMAC secrets that an attacker tries first. They are long enough for the rules, and still easy to guess."""

import re
from itertools import pairwise
from typing import Final

_LONGEST_PIECE: Final = 10
_FEWEST_PIECES: Final = 3
_TELLING_LETTERS: Final = 4

_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
    a an and any app apikey api at auth be bit bits byte bytes change changeit changeme char character characters chars
    code config default demo dev development do dummy example fake foo bar baz for generate generated got hello here
    hmac hs i in insert is it jwt key keys least length letmein local login long longer make master me min minimum more
    must my need needs never new no not of on one only or our pass passphrase passwd password passwort placeholder
    please prod production private put pw pwd qwerty random real replace root safe sample secret secrets secure server
    session set sha shared should sign signature signing sip some something staging strong string super sure temp test
    testing tests text than that the this to todo token tokens top topsecret unsafe use used user value very want
    webtoken welcome with world you your admin administrator asterisk kamailio opensips freeswitch
        """,
    )
)
_LONGEST_WORD: Final = max(map(len, _WORDS))
_LEET: Final = str.maketrans("013457@$!", "oieastasi")


def why_guessable(key: bytes) -> str | None:
    """Return why an HMAC *key* is easy to guess, in words that reveal nothing of it. None if no pattern is found."""
    if len(set(key)) == 1:
        return "one character, repeated"
    breaks = sum(abs(one - other) > 1 for one, other in pairwise(key))
    if 4 * breaks < len(key):
        return "characters in the order of the alphabet, or repeated"
    if any(_repeats(key, length) for length in range(2, _LONGEST_PIECE + 1)):
        return "a short piece, repeated"
    try:
        text = key.decode("utf-8").lower()
    except UnicodeDecodeError:
        return None
    if _is_words(text) or _is_words(text.translate(_LEET)):
        return "nothing but words like `changeme`, `secret` and `password`"
    return None


def _repeats(key: bytes, length: int) -> bool:
    return len(key) >= _FEWEST_PIECES * length and key[length:] == key[:-length]


def _is_words(text: str) -> bool:
    """Tell whether the letters of *text* form known words only, at least one of them of four letters or more."""
    letters = "".join(character if character.isalpha() else " " for character in text).split()
    told = [_split_into_words(run) for run in letters]
    return (
        bool(told) and None not in told and any(longest is not None and longest >= _TELLING_LETTERS for longest in told)
    )


def _split_into_words(run: str) -> int | None:
    """Return the length of the longest word when *run* splits into known words, None when it does not."""
    longest: list[int | None] = [0]
    for end in range(1, len(run) + 1):
        readings = [
            max(before, end - start)
            for start in range(max(0, end - _LONGEST_WORD), end)
            if (before := longest[start]) is not None and run[start:end] in _WORDS
        ]
        longest.append(max(readings, default=None))
    return longest[-1]
