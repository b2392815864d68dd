"""What docs/issuers.md lists is what there is: reasons of a failed fetch, outcomes, attributes of rows."""

import re
from pathlib import Path

from auth_jwt.fetching.client import FETCH_SECONDS, MAX_BODY_BYTES
from auth_jwt.fetching.documents import MAX_KEYS
from auth_jwt.fetching.errors import FailureKind
from auth_jwt.issuers.models import CONFIGURATION, KEYS, KEYS_URL
from auth_jwt.issuers.status import STATUS_ATTRIBUTES
from auth_jwt.refreshing.models import RefreshOutcome

PAGE = (Path(__file__).parents[3] / "docs" / "issuers.md").read_text("utf-8")


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def test_every_reason_of_a_failed_fetch_is_explained_in_order() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("When a fetch fails"), re.MULTILINE) == list(FailureKind)


def test_the_limits_of_a_document_are_those_of_the_code() -> None:
    kibibytes, seconds = f"{MAX_BODY_BYTES / 1024:g} KiB", f"{FETCH_SECONDS:g} seconds"

    assert f"a document may take {seconds} and {kibibytes}" in PAGE
    assert f"| `timeout` | the answer was not complete after {seconds} |" in PAGE
    assert f"| `too_large` | the document has more than {kibibytes} |" in PAGE
    assert f"| `too_many_keys` | more than {MAX_KEYS} keys |" in PAGE


def test_every_outcome_of_a_refresh_is_named() -> None:
    assert set(RefreshOutcome) <= set(re.findall(r"`(\w+)`", section("When a fetch fails")))


def test_every_attribute_of_the_rows_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(issuer_\w+)`", section("Rows")))

    assert named == {CONFIGURATION, KEYS, KEYS_URL, *STATUS_ATTRIBUTES}
