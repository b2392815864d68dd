"""What README.md and docs/ say of names, defaults, files and commands is so."""

import argparse
import json
import re
from pathlib import Path

import pytest

from auth_jwt.errors import Fault, Flaw, Reason
from auth_jwt.models import Report
from auth_jwt.runtime import observability
from auth_jwt.runtime.observability import METRICS_NAMESPACE, Outcome
from auth_jwt.runtime.settings import (
    DEFAULTS,
    ENDING_DEFAULTS,
    FRONTEND_DEFAULTS,
    GATEWAY_AUTHORIZER_DEFAULTS,
    LOG_DEFAULTS,
    REFRESH_DEFAULTS,
    RELEASE_CHECK_DEFAULTS,
    ROTATION_DEFAULTS,
)
from tools.events.stage import template
from tools.release import __main__ as release

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
AUTHORIZER = ROOT / "docs" / "api-gateway-authorizer.md"
ENTRIES = ROOT / "docs" / "entries.md"
ROTATION = ROOT / "docs" / "rotation.md"
FRONTENDS = ROOT / "frontends"
PAGES = [
    README,
    *sorted((ROOT / "docs").rglob("*.md")),
    FRONTENDS / "README.md",
    *sorted(FRONTENDS.glob("*/README.md")),
]
PORCH = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
MODULE_PARAMETERS = (
    *("db_url", "profiles_table", "secrets_table", "tag_column", "username_column", "secret_tag_column"),
    *("secret_column", "start_ts_column", "end_ts_column", "tag_claim", "load_credentials"),
)
WRITTEN_ON_ALL_LINES = {"level", "message", "timestamp", "service", "xray_trace_id", "outcome", "reason", "_aws"}
WRITTEN_BY_THE_HANDLERS = {
    *("status", "duration_ms", "request_id", "gateway_request_id", "gateway_extended_request_id"),
    *("path", "form", "dropped"),
}
WRITTEN_BY_ROTATION = {"step", "managed_secret"}
WRITTEN_BY_THE_CHECK_OF_A_RELEASE = {"deployment"}
WRITTEN_BY_THE_ADMIN_API = {"operation", "actor", "failure"}
WRITTEN_BY_THE_DAILY_CHECK = {
    *("secrets_read", "ends_soon", "ended", "not_looked_up"),
    *("ends", "opens_again", "rotated", "mend", "new"),
}
WRITTEN_ON_SOME_LINES = {"causes", "variable", "meant"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def table(page: Path, first_title: str, *, under: str = "") -> list[list[str]]:
    """Return the rows of the one table of *page* whose first column is so called, below the heading *under*."""
    text = text_of(page)
    if under:
        text = re.split(rf"^#+ {re.escape(under)}$", text, flags=re.MULTILINE)[1]
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(f"| {first_title} |"))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def words(rows: list[list[str]]) -> list[str]:
    """Return the first cells of *rows*, each a word in backticks."""
    return [cell.removeprefix("`").removesuffix("`") for cell, *_ in rows]


def words_in(page: Path) -> list[str]:
    """Return everything in backticks, with them."""
    return re.findall(r"`[^`\n]+`", text_of(page))


def code_of(page: Path) -> str:
    """Return what *page* shows as code, in blocks and in lines."""
    text = text_of(page)
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def anchors_of(page: Path) -> set[str]:
    """Return the anchors GitHub gives the headings of *page*."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_has_at_most_200_lines() -> None:
    assert len(text_of(README).splitlines()) <= 200


def test_the_readme_lists_every_setting_with_its_default_in_order() -> None:
    rows = table(README, "variable")

    shown = [(name.strip("`"), "" if default == "empty" else default.strip("`")) for name, default, *_ in rows]

    assert shown == list(DEFAULTS.items())


def test_the_page_of_the_authorizer_lists_its_own_settings_with_their_defaults_in_order() -> None:
    shown = {name.strip("`"): default.strip("`") for name, default, _ in table(AUTHORIZER, "variable")}

    assert list(shown.items()) == list(GATEWAY_AUTHORIZER_DEFAULTS.items())


def test_the_page_of_entries_lists_its_own_setting_with_its_default() -> None:
    shown = {name.strip("`"): default.strip("`") for name, default, _ in table(ENTRIES, "variable")}

    assert shown == dict(FRONTEND_DEFAULTS)


def test_operations_lists_the_settings_of_the_log_with_their_defaults_in_order() -> None:
    """The code's, and those that the template has in their place."""
    rows = table(OPERATIONS, "setting")
    parameters = template()["Parameters"]

    assert [(name.strip("`"), default.strip("`")) for name, default, *_ in rows] == list(LOG_DEFAULTS.items())
    for name, _, of_the_stack, _ in rows:
        parameter = "".join(part.capitalize() for part in name.strip("`").split("_"))
        assert of_the_stack.strip("`") == parameters[parameter]["Default"]


def test_the_page_of_rotation_lists_its_own_settings_with_their_defaults_in_order() -> None:
    rows = table(ROTATION, "variable")

    shown = [(name.strip("`"), "" if default == "none" else default.strip("`")) for name, default, _ in rows]

    assert shown == list(ROTATION_DEFAULTS.items())


def test_the_page_of_operations_lists_the_settings_of_the_daily_check_with_their_defaults_in_order() -> None:
    rows = table(OPERATIONS, "variable")

    shown = [(name.strip("`"), "" if default == "none" else default.strip("`")) for name, default, _ in rows]

    assert shown == list(ENDING_DEFAULTS.items())


def test_operations_lists_the_settings_of_the_check_of_a_release() -> None:
    rows = table(OPERATIONS, "variable of the check")
    shown = [(name.strip("`"), "" if default in ("none", "empty") else default) for name, default, _ in rows]

    assert shown == list(RELEASE_CHECK_DEFAULTS.items())


def test_operations_lists_the_exit_codes_of_a_release() -> None:
    """And every option, by its name."""
    codes = {int(code): meaning for code, meaning in table(OPERATIONS, "exit code")}
    options = set(re.findall(r"`(--[a-z-]+)", " ".join(option for option, _ in table(OPERATIONS, "option in `ARGS`"))))
    known = {name for name in _options_of_release() if name not in ("--help", "--no-execute-changeset")}

    assert codes == release.EXIT_CODES
    assert options == known


def _options_of_release() -> set[str]:
    parser = release._parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name for action in commands.choices["deploy"]._actions for name in action.option_strings if name != "-h"}


def test_the_page_of_rotation_names_its_steps_in_order() -> None:
    rotation = text_of(ROOT / "layers" / "auth_jwt" / "auth_jwt" / "provisioning" / "rotation.py")

    assert words(table(ROTATION, "step")) == re.findall(r'^    [A-Z]+ = "(\w+Secret)"$', rotation, re.MULTILINE)


def test_it_names_what_an_integration_sees() -> None:
    outcomes = json.loads(text_of(ROOT / "events" / "outcomes-gateway-authorizer.json"))
    credentials = {"caller_name", "account_id", "video_allowed"}
    context = outcomes["events"]["rest-token-allowed"]["answer"]["context"].keys()

    shown = {name for name in words(table(AUTHORIZER, "name")) if not name.startswith("each ")}

    assert shown == context - credentials


def test_it_states_the_limits_of_the_code() -> None:
    handler = text_of(ROOT / "functions" / "gateway_authorizer" / "app.py")
    limits = re.findall(r"^MAX_\w*BYTES: Final = ([\d_]+)", handler, re.MULTILINE)

    assert len(limits) == 2
    assert all(f"{int(limit):,}" in text_of(AUTHORIZER) for limit in limits)


def test_the_readme_names_the_modules_parameter_beside_its_variable() -> None:
    shown = {name.strip("`"): parameter for name, _, parameter, _ in table(README, "variable")}

    assert shown == {name: f"`{name.lower()}`" if name.lower() in MODULE_PARAMETERS else "—" for name in DEFAULTS}


def test_the_readme_counts_the_recorded_cases() -> None:
    golden = ROOT / "tests" / "conformance" / "golden"
    cases = sum(len(json.loads(text_of(file))["cases"]) for file in golden.glob("*.json"))

    assert f"{cases} recorded cases" in " ".join(text_of(README).split())


def test_every_setting_named_anywhere_is_one() -> None:
    """Whatever is spelt like a variable is one of ours, of Powertools or of AWS, or a name in an example."""
    examples = {
        "NOW",
        "SECRET",
        "TOKEN",
        "URL",
        "KEY",
        "EOF",
        "KEY_ID",
        "NO_COLOR",
        "PKG_MEMORY",
        "SHM_MEMORY",
        "S_MEMORY",
        "CAPABILITY_AUTO_EXPAND",  # of CloudFormation
        "REVIEW_IN_PROGRESS",
    }
    commands = (ROOT / "cli" / "auth_jwt_cli").rglob("*.py")
    commands_own = {name for path in commands for name in re.findall(r'"(AUTH_JWT_[A-Z_]+)"', text_of(path))}
    kamailio = {
        name
        for path in (FRONTENDS / "kamailio").glob("*.cfg")
        for pair in re.findall(r"""(?m)^#*!(?:define |substdef "!)(\w+)|\$env\((\w+)\)""", text_of(path))
        for name in pair
    }
    spelt = {name for page in PAGES for name in re.findall(r"`([A-Z][A-Z_]+)(?:=[^`]*)?`", text_of(page))}

    of_functions = {
        *FRONTEND_DEFAULTS,
        *GATEWAY_AUTHORIZER_DEFAULTS,
        *LOG_DEFAULTS,
        *ROTATION_DEFAULTS,
        *REFRESH_DEFAULTS,
        *ENDING_DEFAULTS,
        *RELEASE_CHECK_DEFAULTS,
    }
    ours = {*DEFAULTS, *of_functions, *commands_own, *kamailio}
    unknown = {name for name in spelt - ours - examples if "_" in name and not name.startswith(("POWERTOOLS_", "AWS_"))}

    assert not unknown


def test_operations_names_every_reason_of_a_denial_in_order() -> None:
    assert words(table(OPERATIONS, "reason", under="Reasons of a denial")) == [reason.value for reason in Reason]


def test_operations_names_every_reason_why_a_secret_is_unusable_in_order() -> None:
    assert words(table(OPERATIONS, "flaw", under="Reasons why a secret is unusable")) == [flaw.value for flaw in Flaw]


def test_operations_names_every_outcome_and_its_metric() -> None:
    rows = table(OPERATIONS, "outcome")

    assert words(rows) == [outcome.value for outcome in Outcome]
    assert [row[1] for row in rows] == [f"`{outcome.value.title().replace('_', '')}`" for outcome in Outcome]


def test_operations_names_the_metrics_that_count_rows_and_the_namespace() -> None:
    counted = (observability.UNUSABLE_SECRET, observability.UNUSABLE_CREDENTIAL, observability.BOTO3_FALLBACK)
    for name in (*counted, METRICS_NAMESPACE):
        assert f"`{name}`" in text_of(OPERATIONS)


def test_operations_names_every_reason_of_a_fault_and_no_other() -> None:
    def kinds(root: type[Fault]) -> list[type[Fault]]:
        return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]

    reasons = {observability._fault_reason(error) for error in (ValueError(), *(kind() for kind in kinds(Fault)))}

    assert set(words(table(OPERATIONS, "reason", under="Reasons of a fault"))) == reasons


def test_operations_names_every_reason_of_a_rejection_and_no_other() -> None:
    handlers = "".join(map(text_of, (ROOT / "functions").glob("*/app.py")))

    reasons = set(re.findall(r'Outcome\.REJECTED, "(\w+)"', handlers))

    assert set(words(table(OPERATIONS, "reason", under="Reasons of a rejection"))) == reasons


def test_operations_names_every_field_of_a_log_line_and_no_other() -> None:
    full = Report(unusable_secrets={"1": "empty"}, unusable_credentials=("a",), call_id_altered=True)
    of_every_request = set(observability._fields(full, {}))

    assert set(words(table(OPERATIONS, "field"))) == (
        of_every_request
        | WRITTEN_ON_ALL_LINES
        | WRITTEN_BY_THE_HANDLERS
        | WRITTEN_BY_ROTATION
        | WRITTEN_BY_THE_CHECK_OF_A_RELEASE
        | WRITTEN_BY_THE_ADMIN_API
        | WRITTEN_BY_THE_DAILY_CHECK
        | WRITTEN_ON_SOME_LINES
    )


def test_the_example_lines_have_no_field_that_is_not_explained() -> None:
    metrics = {row[1].strip("`") for row in table(OPERATIONS, "outcome")}
    known = set(words(table(OPERATIONS, "field"))) | metrics
    shown = [json.loads(line) for line in text_of(OPERATIONS).splitlines() if line.startswith('{"')]
    lines = [line for line in shown if "service" in line]

    assert {line["outcome"] for line in lines} == {"authorized", "denied", "fault"}
    assert all(line.keys() <= known for line in lines)


def test_the_places_in_the_example_of_a_fault_exist() -> None:
    places = re.findall(r"(\w+\.py):\d+ (\w+)", text_of(OPERATIONS))

    assert places
    for file, function in places:
        modules = (ROOT / "layers" / "auth_jwt").rglob(file)
        assert any(re.search(rf"def {function}\b", text_of(module)) for module in modules), (file, function)


def test_the_events_shown_exist() -> None:
    shown = re.findall(r"^✓ .+ {2,}(\S+)$", text_of(README), re.MULTILINE)

    assert shown
    assert all((ROOT / "events" / "authorize" / f"{name}.json").is_file() for name in shown)


def test_every_event_function_and_module_of_the_events_readme_exists() -> None:
    page = ROOT / "events" / "README.md"
    programs = ROOT / "tools" / "events"

    files = re.findall(r"`(\w[\w-]*\.(?:py|json))`", text_of(page))

    assert {"generate.py", "samples.py", "outcomes.json"} <= set(files)
    assert all(((programs if name.endswith(".py") else page.parent) / name).is_file() for name in files)
    assert {f"`{path.parent.name}/*.json`" for path in page.parent.glob("*/*.json")} <= set(words_in(page))


@pytest.mark.parametrize("page", [*PAGES, *PORCH], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)\s]*)\)", text_of(page))

    for target in targets:
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), target
        assert goal.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors_of(goal), target


@pytest.mark.parametrize("page", [*PAGES, *PORCH], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_named_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))

    assert set(re.findall(r"(?:^|\s)make ([a-z0-9-]+)", code_of(page))) <= targets


def test_every_decision_is_listed() -> None:
    decisions = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))

    listed = re.findall(r"^\d+\. \[.+\]\(decisions/(.+)\)$", text_of(ROOT / "docs" / "architecture.md"), re.MULTILINE)

    assert listed == decisions
