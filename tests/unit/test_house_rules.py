"""The import line: the decision knows no AWS, no environment and no logging, and imports point inward only."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.factories import HMAC_KEY, a_token

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "auth_jwt" / "auth_jwt"
FUNCTIONS = ROOT / "functions"

INWARD_TO_OUTWARD = (
    *("errors", "wording", "strict_json", "jose", "jose.tokens", "jose.decoded", "jose.degenerate", "jose.asymmetric"),
    *("jose.published", "jose.structures", "jose.lookalikes", "jose.keys", "jose.signatures"),
    *("credentials", "models", "ports", "http", "http.wire", "http.jambonz"),
    *("rules", "memory", "memory.outage", "memory.reading", "memory.memory"),
    *("memory.rows", "memory.revocations", "memory.second_look"),
    *(
        "issuers",
        "issuers.models",
        "issuers.status",
        "issuers.ports",
        "issuers.rules",
        "issuers.memory",
        "issuers.authorizer",
    ),
    "authorizer",
    # -- the line: above it no AWS, no environment, no logging --
    *(
        "aws",
        "aws.signature",
        "aws.connections",
        "aws.identity",
        "aws.whole_answers",
        "aws.failures",
        "aws.sdk_guard",
        "aws.sdk",
    ),
    *("aws.client", "aws.reads", "aws.merging", "aws.dynamodb", "aws.issuers", "aws.express"),
    *(
        "runtime",
        "runtime.settings",
        "runtime.observability",
        "runtime.shell",
        "runtime.snapshot",
        "runtime.warmers",
        "runtime.wiring",
    ),
    # -- what asks issuers: nothing above imports it, so no login fetches anything --
    *("fetching", "fetching.errors", "fetching.addresses", "fetching.client", "fetching.documents", "fetching.lookup"),
    # -- what operators do: nothing above imports it, so no login waits for it --
    *("provisioning.changes", "provisioning.audit", "provisioning.rehearsal", "provisioning.statements"),
    *("provisioning.advice", "provisioning.pasted", "provisioning.readings"),
    "provisioning.tombstones",
    *("provisioning.inspection", "provisioning.registry", "provisioning.windows", "provisioning.renaming"),
    "provisioning.deleting",
    *("provisioning.secrets", "provisioning.profiles", "provisioning.tokens", "provisioning.revocations"),
    *("provisioning.issuers", "provisioning.explanation", "provisioning.issuer_explanation"),
    *("provisioning.secret_search", "provisioning.finding"),
    *("provisioning", "provisioning.versions", "provisioning.endings", "provisioning.rendering"),
    # -- its line --
    *("provisioning.tables", "provisioning.secrets_manager", "provisioning.wiring", "provisioning.rotation"),
    # -- what fetches the keys of issuers and writes them --
    *("refreshing", "refreshing.models", "refreshing.ports", "refreshing.store", "refreshing.refresher"),
    "refreshing.wiring",
    # -- what decides whether a release may serve users --
    *("releasing", "releasing.canary", "releasing.check"),
    # -- its line --
    "releasing.deployments",
)
"""Every module of the package; each may import those before it, at most."""

CORE = INWARD_TO_OUTWARD[: INWARD_TO_OUTWARD.index("authorizer") + 1]
OPERATIONS = INWARD_TO_OUTWARD[
    INWARD_TO_OUTWARD.index("provisioning.changes") : INWARD_TO_OUTWARD.index("provisioning.tables")
]

ONLY_IN = {
    "boto3": {"aws.sdk", "provisioning.tables"},
    "botocore": {"aws", "provisioning.tables", "provisioning.secrets_manager", "releasing.deployments"},
    "mypy_boto3_dynamodb": {
        *("aws.sdk_guard", "aws.client", "provisioning.tables", "provisioning.wiring", "refreshing.wiring")
    },
    "mypy_boto3_secretsmanager": {"provisioning.secrets_manager"},
    "aws_lambda_powertools": set(),
    "logging": {"aws.sdk", "fetching.client"},
    "cryptography": {"jose.asymmetric"},
    "jwt": {"jose.asymmetric", "provisioning.tokens"},
    "hmac": {"jose.signatures", "aws.signature", "jose.keys"},
    "os": {"runtime.observability"},  # where random bytes come from
    "random": {"runtime.snapshot"},
    "snapshot_restore_py": {"runtime.snapshot"},
    "subprocess": set(),
    "socket": {"aws.connections", "fetching"},
    "select": {"aws.connections"},
    "ssl": {"aws.connections", "fetching.client", "runtime.snapshot"},
    "urllib.request": set(),
    "urllib3": {"fetching.client"},
    "http.client": {"aws.connections", "fetching.client"},
    "threading": {"memory", "aws", "fetching.addresses", "provisioning.rehearsal"},
    "concurrent.futures": set(),
}
"""What only these modules of the package, or rooms of it, may import, at the top or inside a function."""


def name_of(path: Path) -> str:
    """The name of a module within the package, empty of the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def path_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


MODULES = sorted(name for path in PACKAGE.rglob("*.py") if (name := name_of(path)))
HANDLERS = sorted(path.relative_to(FUNCTIONS).as_posix() for path in FUNCTIONS.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports_of(path: Path) -> set[str]:
    """Everything that a file imports anywhere: modules, and names from them as `module.name`."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return found


def own_imports_of(path: Path) -> set[str]:
    """The modules of the package that a file imports."""
    names = [name.removeprefix("auth_jwt.") for name in imports_of(path) if name.startswith("auth_jwt.")]
    within = [[module for module in MODULES if f"{name}.".startswith(f"{module}.")] for name in names]
    return {max(modules, key=len) for modules in within if modules}


def is_imported(library: str, by: Path) -> bool:
    return any(name == library or name.startswith(f"{library}.") for name in imports_of(by))


def reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"}
        for node in ast.walk(tree_of(path))
    ) or any(name.startswith("os.") and name not in ("os.path", "os.urandom") for name in imports_of(path))


def test_every_module_has_its_place() -> None:
    assert sorted(INWARD_TO_OUTWARD) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_inward_only(module: str) -> None:
    inner = INWARD_TO_OUTWARD[: INWARD_TO_OUTWARD.index(module)]

    assert own_imports_of(path_of(module)) <= set(inner)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_to_one_room(library: str) -> None:
    importers = {module for module in MODULES if is_imported(library, path_of(module))}

    assert {module for module in importers if not {module, module.partition(".")[0]} & ONLY_IN[library]} == set()


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_nothing_but_itself_and_the_standard_library(module: str) -> None:
    """Only `asymmetric` needs more: what does the cryptography."""
    outside = {
        top
        for name in imports_of(path_of(module))
        if (top := name.split(".")[0]) not in sys.stdlib_module_names | {"auth_jwt"}
    }

    assert outside <= ({"cryptography", "jwt"} if module == "jose.asymmetric" else set())


@pytest.mark.parametrize("module", OPERATIONS)
def test_what_operators_do_knows_no_aws(module: str) -> None:
    """The tables are a port, for whoever keeps them."""
    assert own_imports_of(path_of(module)) <= {*CORE, *OPERATIONS}
    outside = {
        top for name in imports_of(path_of(module)) if (top := name.split(".")[0]) not in sys.stdlib_module_names
    }
    assert outside <= {"auth_jwt", "jwt"}


def test_rotation_knows_its_settings_and_no_aws() -> None:
    """The tables and Secrets Manager are ports, for whoever keeps them."""
    assert own_imports_of(path_of("provisioning.rotation")) <= {*CORE, *OPERATIONS, "runtime.settings"}


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_no_module_of_the_package_reads_the_environment(module: str) -> None:
    assert not reads_environment(path_of(module))


def test_of_the_functions_only_a_handler_reads_the_environment() -> None:
    readers = {name for name in HANDLERS if reads_environment(FUNCTIONS / name)}

    assert "authorize/app.py" in readers
    assert {Path(name).name for name in readers} == {"app.py"}


@pytest.mark.parametrize("name", HANDLERS)
def test_no_function_imports_another(name: str) -> None:
    others = {path.name for path in FUNCTIONS.iterdir() if path.is_dir() and path.name != Path(name).parts[0]}
    imported = imports_of(FUNCTIONS / name)

    assert not {origin for origin in imported if origin.split(".")[0] in others | {"functions"}}


@pytest.mark.parametrize("name", HANDLERS)
def test_no_function_talks_to_aws_by_itself(name: str) -> None:
    assert not any(is_imported(library, FUNCTIONS / name) for library in ("boto3", "botocore", "cryptography", "jwt"))


def test_only_one_module_reads_the_sdks_errors() -> None:
    """So the same fault reads the same in every function and every command. The recipes in frontends/ stand alone."""
    shipped = [path for room in ("layers", "functions", "cli", "tools/serve") for path in (ROOT / room).rglob("*.py")]
    readers = {path for path in shipped if is_imported("botocore.exceptions", path)}

    assert readers == {path_of("aws.failures")}


@pytest.mark.parametrize("module", ["aws.failures", "aws.express", "runtime.wiring"])
def test_what_logins_load_does_not_load_the_sdk(module: str) -> None:
    """Loading it takes more of a cold start than everything else together."""
    program = f"import sys, auth_jwt.{module}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )

    assert "auth_jwt.aws.failures" in run.stdout.split()
    assert not {"boto3", "botocore"} & set(run.stdout.split())


@pytest.mark.parametrize(("issuers", "loads_them"), [("", False), ("https://login.example.com/", True)])
def test_only_a_service_with_issuers_loads_what_judges_their_tokens(issuers: str, loads_them: bool) -> None:
    program = f"""
import sys
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.wiring import service_of

service_of({{"AWS_REGION": "eu-west-1", "ISSUERS": {issuers!r}}}, Journal("authorize", {{}}))
print(*sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )

    assert any(name.startswith("auth_jwt.issuers") for name in run.stdout.split()) is loads_them
    assert "auth_jwt.aws.dynamodb" in run.stdout.split()


FETCHING = [module for module in INWARD_TO_OUTWARD if f"{module}.".startswith("fetching.")]


def test_what_asks_issuers_knows_the_decisions_nouns_and_no_aws() -> None:
    """So a fetch runs where there is no AWS, and reads no setting."""
    for module in FETCHING:
        assert own_imports_of(path_of(module)) <= {*CORE, *FETCHING}, module


@pytest.mark.parametrize("name", ["authorize", "gateway_authorizer"])
def test_no_login_loads_what_fetches(name: str) -> None:
    """No login fetches anything: docs/decisions/0030-issuers-are-read-as-rows.md."""
    program = "import sys, app, auth_jwt.issuers.authorizer, auth_jwt.aws.issuers; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FUNCTIONS / name,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "auth_jwt.issuers.authorizer" in run.stdout.split()
    assert not {"urllib3", *(f"auth_jwt.{module}" for module in FETCHING)} & set(run.stdout.split())


NOT_FROZEN = {
    "Report": "it is filled in as a request goes on",
    "Deadline": "it begins to run when it is first asked",
    "_Entry": "a memory notes beside the rows when to try again",
    "UnverifiedHeader": "its rendering is kept with it",
    "UnverifiedJws": "one is made for every request, and a frozen one takes four times as long",
    "Authorized": "likewise",
}

NOT_SLOTTED = {
    "Secret": "its keys are parsed once and kept in the instance",
    "KeySet": "likewise",
    "VerificationKey": "an HMAC key is taken in once and kept in the instance",
    "Settings": "its defaults are read from the class",
}


def dataclasses_of(path: Path) -> dict[str, set[str]]:
    """The options that each dataclass of a file sets to True."""
    return {
        node.name: {
            keyword.arg
            for keyword in decorator.keywords
            if keyword.arg and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        }
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "dataclass"
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_noun_is_frozen_and_slotted(module: str) -> None:
    for name, options in dataclasses_of(path_of(module)).items():
        assert ("frozen" in options) is (name not in NOT_FROZEN), name
        assert ("slots" in options) is (name not in NOT_SLOTTED), name


def test_nobody_prints() -> None:
    """What is written is a log line, and those have one author."""
    printing = [
        path.name
        for path in [*PACKAGE.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert printing == []


def test_an_hmac_token_does_not_load_cryptography() -> None:
    """It costs more than everything else at a cold start, so only a public key brings it in."""
    program = f"import sys, auth_jwt; auth_jwt.verify_jws({a_token()!r}, {HMAC_KEY!r}); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )

    assert "auth_jwt.jose.keys" in run.stdout.split()
    assert not {"cryptography", "jwt", "boto3", "botocore"} & set(run.stdout.split())


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "model").glob("*.py")), ids=lambda path: path.stem)
def test_the_second_decision_knows_nothing_of_the_first(path: Path) -> None:
    """The model is written from the contract. What it took from the package would agree with it, right or wrong."""
    outside = {name for name in imports_of(path) if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name for name in outside if not name.startswith(("tests.model.", "cryptography"))} == set()


def test_these_rules_see_imports_inside_functions(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def f():\n    from os import environ\n    import boto3.session\n    from auth_jwt import rules\n")

    assert is_imported("boto3", file)
    assert reads_environment(file)
    assert own_imports_of(file) == {"rules"}
