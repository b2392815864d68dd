"""Look for keys and tokens in the files of this project and in its history, and name those that nobody vouched for.

The tests and samples hold keys on purpose. `known_secrets.json` lists each by its file and its fingerprint, so another
key in the same file is noticed. It says for each place why keys may lie there. What is found is never printed: only its
kind, its place and its fingerprint.
"""

import argparse
import hashlib
import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
KNOWN: Final = Path(__file__).with_name("known_secrets.json")

CLEAN: Final = 0
FOUND: Final = 1
EXIT_CODES: Final = {
    CLEAN: "nothing but known keys and tokens",
    FOUND: "a key or token that nobody vouched for, or a known one that is no longer there",
    2: "the command line is wrong",
}

KINDS: Final[Mapping[str, re.Pattern[bytes]]] = {
    kind: re.compile(pattern)
    for kind, pattern in {
        # RFC 7468 and what OpenSSH and OpenPGP write. In source code, lines end in escapes.
        "private-key": rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\\\s:,\"'-]{40,}",
        "jwk": rb"""["']?(?:\bd|\bk)["']?\s*[:=]\s*["'][A-Za-z0-9_-]{22,}["']""",
        "token": rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
        "aws-key-id": rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        "github": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})",
        "pypi": rb"\bpypi-AgE[A-Za-z0-9_-]{50,}",
        "npm": rb"\bnpm_[A-Za-z0-9]{36}\b",
        "slack": rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        "age": rb"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
        "google": rb"\bAIza[A-Za-z0-9_-]{35}\b",
        "stripe": rb"\b[rs]k_live_[A-Za-z0-9]{20,}",
        "in-url": rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}$]{1,64}:[^\s/:@\"'<>{}$]{12,}@",
        "assigned": rb"(?i)(?:secret|password|passwd|api[_-]?key|access[_-]?key|private[_-]?key|token|credential)"
        rb"""["']?\s*[:=]+\s*["']([A-Za-z0-9+/=_-]{24,})["']""",
    }.items()
}
"""What a key or a token looks like: forms that their makers document, and random text that is called a secret."""

RANDOM_BITS: Final = 3.0
"""Entropy of a character from which text that is called a secret counts as random.

Hex has up to 4, and prose may have more than 3, too: better a sentence to vouch for than a key unseen. Of 10,000 random
keys of 24 hex digits, which are the shortest that are looked at, 43 have less; of longer ones, hardly any.
"""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something like a key, without the key."""

    path: str
    kind: str
    fingerprint: str
    line: int


def findings_in(path: str, content: bytes) -> Iterator[Finding]:
    """Yield what *content*, the file at *path*, has of keys and tokens."""
    for kind, pattern in KINDS.items():
        for found in pattern.finditer(content):
            text = found.group(found.lastindex or 0)
            if kind != "assigned" or _bits(text) >= RANDOM_BITS:
                line = content.count(b"\n", 0, found.start()) + 1
                yield Finding(path, kind, hashlib.sha256(kind.encode() + b"\0" + text).hexdigest()[:32], line)


def _bits(text: bytes) -> float:
    """Return the entropy of a byte of *text*, by how often each occurs."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def files_of_the_tree(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file that git has or would take: what is committed and what is about to be."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(listed.split("\0")) - {""}):
        file = root / name
        if file.is_file() and not file.is_symlink():
            yield name, file.read_bytes()


def files_of_the_history(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each version of each file that a commit before HEAD has, once."""
    listed = _git(root, "rev-list", "--objects", "HEAD").splitlines()
    paths = {name: path for name, _, path in (line.partition(" ") for line in listed) if path}
    command = ["git", "-C", str(root), "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reading:
        if reading.stdin is None or reading.stdout is None:
            raise RuntimeError("both are pipes")
        for name, path in paths.items():
            reading.stdin.write(f"{name}\n".encode())
            reading.stdin.flush()
            _, kind, size = reading.stdout.readline().split()
            content = reading.stdout.read(int(size) + 1)
            if kind == b"blob":
                yield path, content
        reading.stdin.close()


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody vouched for."""

    places: Mapping[str, str]
    """The beginning of a path, and why keys may lie there."""
    files: Mapping[str, frozenset[str]]
    """Fingerprints of the keys of each file."""
    past: frozenset[str]
    """Fingerprints of what only the history has."""

    @property
    def fingerprints(self) -> frozenset[str]:
        """Return every known fingerprint, wherever it is."""
        return self.past.union(*self.files.values())


def known(file: Path = KNOWN) -> Known:
    """Read what is known."""
    told: Any = json.loads(file.read_text(encoding="utf-8"))
    return Known(
        told["places"], {path: frozenset(each) for path, each in told["files"].items()}, frozenset(told["past"])
    )


def unknown_in_the_tree(found: Sequence[Finding], vouched: Known) -> list[Finding]:
    """Return what is not known in its file."""
    return [one for one in found if one.fingerprint not in vouched.files.get(one.path, frozenset())]


def gone_from_the_tree(found: Sequence[Finding], vouched: Known) -> list[tuple[str, str]]:
    """Return known keys that are no longer in their files."""
    there = {(one.path, one.fingerprint) for one in found}
    return sorted((path, one) for path, each in vouched.files.items() for one in each if (path, one) not in there)


def accept(tree: Sequence[Finding], past: Sequence[Finding], vouched: Known, file: Path = KNOWN) -> None:
    """Write down all that was found as known."""
    files = {path: sorted({one.fingerprint for one in tree if one.path == path}) for path in {one.path for one in tree}}
    here = {one.fingerprint for one in tree}
    before = {one.fingerprint for one in past} | vouched.past
    told = {"places": dict(vouched.places), "files": files, "past": sorted(before - here)}
    told["files"] = dict(sorted(files.items()))
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Look for keys; return the exit code."""
    given = _parser().parse_args(arguments)
    vouched = known()
    tree = [one for path, content in files_of_the_tree(ROOT) for one in findings_in(path, content)]
    past: list[Finding] = []
    if not given.tree:
        print("Reading the history ...", file=sys.stderr, flush=True)
        past = [one for path, content in files_of_the_history(ROOT) for one in findings_in(path, content)]
        if _git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
            print("This clone is shallow: what came before was not read.", file=sys.stderr)
    if given.accept:
        accept(tree, past, vouched)
        vouched = known()
    unknown = unknown_in_the_tree(tree, vouched)
    old = [one for one in past if one.fingerprint not in vouched.fingerprints]
    gone = gone_from_the_tree(tree, vouched)
    for one in sorted({*unknown, *old}):
        print(f"{one.path}:{one.line}: {one.kind}, fingerprint {one.fingerprint}, is not known")
    for path, fingerprint in gone:
        print(f"{path}: {fingerprint} is known, and no longer there")
    print(f"{len(tree)} keys and tokens in files, {len(past)} in the history, {len({*unknown, *old})} unknown.")
    return FOUND if unknown or old or gone else CLEAN


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.supply.leaks",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    parser.add_argument("--tree", action="store_true", help="read the files as they are now, and not the history")
    parser.add_argument(
        "--accept", action="store_true", help="vouch for all that is found; look at the change before you commit it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
