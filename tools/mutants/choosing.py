"""Which files are mutated, which of their mutants are tried, and which tests are asked."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.mutants.operators import Mutant

_PACKAGE: Final = "layers/auth_jwt/auth_jwt"
_FOLDERS: Final = (_PACKAGE, "functions")
_DECISION: Final = (
    *("tests/unit/test_authorizer.py", "tests/unit/test_many_secrets.py", "tests/unit/test_shared_rules.py"),
    *("tests/unit/test_models.py", "tests/unit/test_errors.py", "tests/unit/test_credentials.py"),
    *("tests/security/test_decision.py", "tests/conformance/test_opensips.py"),
)
_ANSWERS: Final = ("tests/integration/test_authorize.py", "tests/integration/test_requests.py")
_ADMIN: Final = (
    *("tests/integration/test_admin_api.py", "tests/integration/test_admin_requests.py"),
    *("tests/integration/test_admin_issuers.py", "tests/integration/test_admin_events.py"),
)
_ALL: Final = "tests/integration/test_all_functions.py"
_WARMERS: Final = "tests/integration/test_warmers.py"
_IDS: Final = "tests/integration/test_gateway_ids.py"

CONCERNED: Final[Mapping[str, Sequence[str]]] = {
    f"{_PACKAGE}/": _DECISION,
    f"{_PACKAGE}/__init__.py": ("tests/unit/jose/test_asymmetric.py",),
    f"{_PACKAGE}/authorizer.py": ("tests/unit/issuers/test_authorizer.py",),
    f"{_PACKAGE}/aws/": ("tests/unit/aws", "tests/contract", *_ANSWERS),
    f"{_PACKAGE}/credentials.py": ("tests/integration/test_authorize.py",),
    f"{_PACKAGE}/fetching/": (
        *("tests/unit/fetching", "tests/security/test_fetching.py", "tests/unit/docs/test_issuers_page.py"),
    ),
    f"{_PACKAGE}/fetching/errors.py": ("tests/unit/docs/test_issuers_page.py",),
    f"{_PACKAGE}/fetching/lookup.py": ("tests/integration/test_admin_issuers.py",),
    f"{_PACKAGE}/http/": ("tests/unit/http", *_ANSWERS),
    f"{_PACKAGE}/issuers/": (
        *("tests/unit/issuers", "tests/unit/provisioning/test_issuers.py"),
        *("tests/property/test_issuers_decision.py", "tests/unit/docs/test_issuers_page.py"),
    ),
    f"{_PACKAGE}/issuers/models.py": ("tests/unit/runtime/test_settings.py",),
    f"{_PACKAGE}/issuers/status.py": ("tests/unit/refreshing", "tests/unit/docs/test_issuers_page.py"),
    f"{_PACKAGE}/jose/": (
        *("tests/unit/jose", "tests/property/test_gate.py", "tests/property/test_signature.py"),
        *("tests/unit/issuers", "tests/property/test_issuers_decision.py"),
    ),
    f"{_PACKAGE}/memory/": (
        *("tests/unit/memory", "tests/property/test_memory_interleavings.py"),
        "tests/unit/issuers/test_authorizer.py",
    ),
    f"{_PACKAGE}/models.py": (
        *("tests/unit/memory/test_rows.py", "tests/unit/provisioning", "tests/unit/jose/test_alg_column.py"),
    ),
    f"{_PACKAGE}/ports.py": ("tests/unit/test_ports.py",),
    f"{_PACKAGE}/provisioning/": (
        *("tests/unit/provisioning", "tests/unit/functions", "tests/contract/test_provisioning_store.py", *_ADMIN),
        *("tests/property/test_provisioning.py", "tests/integration/test_rotation.py"),
        *("tests/integration/test_ending_secrets.py", "tests/integration/test_cli_odd_rows.py"),
    ),
    f"{_PACKAGE}/provisioning/advice.py": ("tests/unit/docs/test_advice.py",),
    f"{_PACKAGE}/refreshing/": (
        *("tests/unit/refreshing", "tests/integration/test_refresh_keys.py", "tests/contract/test_issuers_store.py"),
        "tests/unit/docs/test_issuers_page.py",
    ),
    f"{_PACKAGE}/refreshing/models.py": ("tests/unit/docs/test_issuers_page.py",),
    f"{_PACKAGE}/releasing/": (
        *("tests/integration/test_release_check.py", "tests/unit/cli/test_canary_lines.py"),
        "tests/template/test_timeouts.py",
    ),
    f"{_PACKAGE}/rules.py": (
        *(
            "tests/unit/test_rules.py",
            "tests/unit/jose/test_signatures_and_claims.py",
            "tests/unit/issuers",
            "tests/unit/memory/test_revocations.py",
        ),
        *("tests/unit/provisioning/test_explanation.py", "tests/unit/provisioning/test_windows.py"),
    ),
    f"{_PACKAGE}/runtime/": (
        *("tests/unit/runtime", "tests/unit/docs/test_docs.py", "tests/integration/test_request_settings.py"),
        *_ANSWERS,
    ),
    f"{_PACKAGE}/runtime/observability.py": ("tests/unit/docs/test_docs.py",),
    f"{_PACKAGE}/runtime/settings.py": ("tests/unit/docs/test_docs.py",),
    f"{_PACKAGE}/runtime/warmers.py": ("tests/integration/test_warmers.py",),
    f"{_PACKAGE}/runtime/wiring.py": ("tests/unit/aws/test_express.py", "tests/integration/test_issuers.py"),
    f"{_PACKAGE}/strict_json.py": (
        "tests/property/test_strict_json.py",
        "tests/unit/jose/test_tokens.py",
        "tests/unit/http",
    ),
    f"{_PACKAGE}/wording.py": ("tests/unit/provisioning/test_explanation.py", "tests/unit/cli/test_times.py"),
    "functions/authorize/": (
        *("tests/unit/http", "tests/integration/test_secrecy.py", "tests/integration/test_events.py", *_ANSWERS),
        *("tests/integration/test_client_certificates.py", "tests/integration/test_issuers.py"),
        *("tests/integration/test_request_settings.py", _WARMERS, _IDS, _ALL),
    ),
    "functions/ending_secrets/": ("tests/integration/test_ending_secrets.py", _ALL),
    "functions/gateway_authorizer/": (
        *("tests/unit/functions/test_gateway_authorizer.py", "tests/integration/test_gateway_authorizer.py"),
        *("tests/integration/test_issuers.py", _WARMERS, _IDS, _ALL),
    ),
    "functions/provisioning/": (
        *("tests/property/test_bodies.py", "tests/integration/test_admin_document.py"),
        *("tests/integration/test_admin_page.py", _ALL, _IDS, *_ADMIN),
    ),
    "functions/refresh_keys/": ("tests/integration/test_refresh_keys.py", _ALL),
    "functions/release_check/": ("tests/integration/test_release_check.py",),
    "functions/rotate_secrets/": ("tests/unit/functions/test_rotate_secrets.py", "tests/integration/test_rotation.py"),
}
"""Tests that concern what is in a folder, or a file: those of the folders around it as well.

A table, since to record what each of all tests runs takes as long as all tests; the interleavings of operators and of
rounds take a minute, and are not asked. Of those that are asked, it is recorded line by line which concern a mutant.
Those of a file itself concern each of its constants: to read a name runs no line of it.
"""


def files_in(root: Path) -> list[str]:
    """Return the files that are mutated, from *root*."""
    found = (path for folder in _FOLDERS for path in (root / folder).rglob("*.py"))
    return sorted(path.relative_to(root).as_posix() for path in found)


def files_named(names: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return those *files* that lie at one of the paths *names*: `jose`, `memory/rows.py`, `functions/authorize`.

    Raises:
        ValueError: there is no such file.
    """
    found = dict[str, None]()
    for name in names:
        of_name = [file for file in files if f"/{name.strip('/')}/" in f"/{file}/"]
        if not of_name:
            raise ValueError(f"{name}: no module of the package and of the functions is there")
        found |= dict.fromkeys(of_name)
    return sorted(found)


def concerned_by(files: Iterable[str]) -> list[str]:
    """Return the tests that concern *files*; none is in a folder that is named, too."""
    asked = {test for file in files for place, tests in CONCERNED.items() if file.startswith(place) for test in tests}
    return sorted(test for test in asked if not any(test.startswith(f"{folder}/") for folder in asked))


def changed_lines(diff: str) -> dict[str, set[int]]:
    """Return which lines of which files a *diff* without context has added or changed.

    Where lines were only taken out, those around the place count: what is left may be wrong now.
    """
    changed = dict[str, set[int]]()
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[4:].split("\t")[0].removeprefix("b/")
        elif hunk := re.match(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            changed.setdefault(path, set()).update(range(first, first + count) if count else (first, first + 1))
    return changed


def touched(mutants: Iterable[Mutant], lines: Mapping[str, set[int]], sources: Mapping[str, str]) -> list[Mutant]:
    """Return the *mutants* that change one of these *lines*."""
    found = list[Mutant]()
    for mutant in mutants:
        octets = sources[mutant.path].encode()[mutant.start : mutant.end]
        if not lines.get(mutant.path, set()).isdisjoint(range(mutant.line, mutant.line + octets.count(b"\n") + 1)):
            found.append(mutant)
    return found


def sample(mutants: Sequence[Mutant], size: int | None, seed: int) -> list[Mutant]:
    """Return *size* of the *mutants*, or all for None, in an order by chance: when time ends, none was favoured.

    The same seed gives the same mutants and the same order.
    """
    number = len(mutants) if size is None else min(size, len(mutants))
    return random.Random(seed).sample(mutants, number)  # noqa: S311 - nothing is kept secret by it
