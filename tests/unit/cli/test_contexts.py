"""Named contexts: what the file may say, what counts more, and how a command changes the file."""

from pathlib import Path

import pytest

from auth_jwt.errors import Invalid
from auth_jwt_cli.connection import Connection, Origin, Where
from auth_jwt_cli.contexts import Context, Contexts, usual_path
from auth_jwt_cli.output import Output

TEXT = """\
# mine
default = "staging"

[staging]
env_file = "stage.env"

[production]  # careful
function = "auth-jwt-authorize"
region = "eu-central-1"
profile = "prod"
stack = "auth-jwt"
audit_log = "~/audit/production.log"
set = { CACHE_TTL_SECONDS = 30, ENFORCE_TIME_CLAIMS = true, PROFILES_TABLE = "users" }
protected = true
"""


def a_file(folder: Path, text: str = TEXT) -> Path:
    path = folder / "contexts.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_context_says_all_of_it(tmp_path: Path) -> None:
    contexts = Contexts(a_file(tmp_path))

    assert contexts.names == ("staging", "production")
    assert contexts.default == "staging"
    assert contexts.get("staging").env_file == tmp_path / "stage.env"
    assert contexts.get("production") == Context(
        name="production",
        function="auth-jwt-authorize",
        given=("CACHE_TTL_SECONDS=30", "ENFORCE_TIME_CLAIMS=true", "PROFILES_TABLE=users"),
        region="eu-central-1",
        profile="prod",
        stack="auth-jwt",
        audit_log=Path.home() / "audit" / "production.log",
        protected=True,
    )


def test_without_a_file_there_is_no_context(tmp_path: Path) -> None:
    contexts = Contexts(tmp_path / "none.toml")

    assert (contexts.names, contexts.default) == ((), None)
    with pytest.raises(Invalid, match="It has none: `auth-jwt context add` writes one"):
        contexts.get("production")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[production", "is not TOML: "),
        pytest.param("p = " + "[" * 20_000, "cannot be read", id="brackets within brackets"),
        pytest.param("p = " + "1" * 10_000, "cannot be read", id="a number of more digits than Python reads"),
        ("[p]\nregoin = 'x'", "has the unknown key 'regoin'. Did you mean 'region'. It may have: function"),
        ("[p]\nregion = 1", "the context 'p' in .*: region is not text"),
        ("[p]\nprotected = 'yes'", "protected is neither true nor false"),
        ("[p]\nset = ['A=b']", "set is not a table of settings"),
        ("[p]\nset = { A = 1.5 }", "set is not a table of settings"),
        ("[p]\nfunction = 'f'\nenv_file = 'x'", "two sources of settings"),
        ("p = 1", "'p' in .* is neither a context"),
        ("default = 'prodution'\n[production]\n", "the default in .* is no context. Did you mean 'production'?"),
    ],
)
def test_a_mistake_in_the_file_is_told_and_never_passed_over(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Contexts(a_file(tmp_path, text))


def test_an_unknown_name_is_not_repeated_since_it_may_be_anything(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        Contexts(a_file(tmp_path)).get("prodction")

    assert "Did you mean 'production'? It has: staging, production" in str(refused.value)
    assert "prodction" not in str(refused.value)


# -- what counts more -------------------------------------------------------------------------------------------------


def where(folder: Path, asked: Where, **variables: str) -> Where:
    return Connection(asked, Output(), {"AUTH_JWT_CONTEXTS": str(a_file(folder)), **variables}).where


def test_an_option_counts_more_than_a_context(tmp_path: Path) -> None:
    found = where(tmp_path, Where(context="production", region="eu-west-1", given=("PROFILES_TABLE=mine",)))

    assert (found.function, found.region, found.profile) == ("auth-jwt-authorize", "eu-west-1", "prod")
    assert found.given[-1] == "PROFILES_TABLE=mine"
    assert (found.origins["region"], found.origins["profile"]) == (Origin.OPTION, Origin.CONTEXT)


def test_a_context_that_is_named_counts_more_than_a_variable_that_was_left_behind(tmp_path: Path) -> None:
    left = {"AUTH_JWT_FUNCTION": "other", "AUTH_JWT_AUDIT_LOG": "/tmp/other"}
    found = where(tmp_path, Where(context="production"), **left)

    assert found.function == "auth-jwt-authorize"
    assert found.audit_log == Path.home() / "audit" / "production.log"


def test_the_source_of_an_option_replaces_that_of_the_context(tmp_path: Path) -> None:
    found = where(tmp_path, Where(context="production", env_file=Path("mine.env")))

    assert (found.function, found.env_file) == (None, Path("mine.env"))


def test_a_variable_names_the_context(tmp_path: Path) -> None:
    found = where(tmp_path, Where(), AUTH_JWT_CONTEXT="production")

    assert (found.context, found.origins["context"]) == ("production", Origin.ENVIRONMENT)


def test_the_default_counts_where_nothing_else_says_what_to_act_on(tmp_path: Path) -> None:
    found = where(tmp_path, Where())

    assert (found.context, found.origins["context"]) == ("staging", Origin.DEFAULT)


@pytest.mark.parametrize(
    ("asked", "variables"),
    [
        (Where(function="f"), {}),
        (Where(given=("PROFILES_TABLE=x",)), {}),
        (Where(context=""), {}),
        (Where(stack="auth-jwt"), {}),
        (Where(), {"AUTH_JWT_FUNCTION": "f"}),
        (Where(), {"AUTH_JWT_STACK": "auth-jwt"}),
        (Where(), {"DB_URL": "dynamodb+http://127.0.0.1:8000/eu-central-1"}),
        (Where(), {"AUTH_JWT_CONTEXT": ""}),
    ],
)
def test_else_it_does_not(tmp_path: Path, asked: Where, variables: dict[str, str]) -> None:
    """`make serve` prints variables that point the command line at it: they must not lead to production."""
    assert where(tmp_path, asked, **variables).context is None


def test_another_command_is_given_the_context_and_not_what_it_stands_for(tmp_path: Path) -> None:
    found = where(tmp_path, Where(context="production", region="eu-west-1", given=("SECRETS_TABLE=mine",)))

    assert found.options == ("--context", "production", "--set", "SECRETS_TABLE=mine", "--region", "eu-west-1")


# -- changes of the file ----------------------------------------------------------------------------------------------


def test_a_context_is_added_and_the_rest_stays_as_it_was_written(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    made = Context(name="lab", function='f"1', given=("PROFILES_TABLE=a b",), protected=True)

    Contexts(path).add(made)

    assert path.read_text("utf-8").startswith(TEXT.rstrip())
    assert Contexts(path).get("lab") == made


def test_the_first_context_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "contexts.toml"

    Contexts(path).add(Context(name="lab", region="eu-west-1"))

    assert path.read_text("utf-8") == '[lab]\nregion = "eu-west-1"\n'
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a b", "default", "a.b", "x" * 65, "ü"])
def test_a_name_is_one_word(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="a context's name is"):
        Contexts(tmp_path / "contexts.toml").add(Context(name=name))


def test_no_context_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is a context 'production' already"):
        Contexts(a_file(tmp_path)).add(Context(name="production"))


def test_another_default_is_chosen_and_none(tmp_path: Path) -> None:
    path = a_file(tmp_path)

    Contexts(path).use("production")
    assert Contexts(path).default == "production"
    assert "# mine" in path.read_text("utf-8")

    Contexts(path).use(None)
    assert Contexts(path).default is None
    assert Contexts(path).names == ("staging", "production")


def test_a_context_is_removed_and_the_others_stay(tmp_path: Path) -> None:
    path = a_file(tmp_path)

    Contexts(path).remove("production")

    assert Contexts(path).names == ("staging",)
    assert path.read_text("utf-8").startswith("# mine")


def test_a_context_whose_settings_are_a_table_of_their_own_is_removed_with_them(tmp_path: Path) -> None:
    path = a_file(tmp_path, '[a]\nregion = "x"\n[a.set]\nPROFILES_TABLE = "p"\n[b]\nregion = "y"\n')

    Contexts(path).remove("a")

    assert path.read_text("utf-8") == '[b]\nregion = "y"\n'


def test_the_default_is_not_removed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="'staging' is the default: choose another before"):
        Contexts(a_file(tmp_path)).remove("staging")


def test_a_file_that_cannot_be_changed_line_by_line_is_left_alone(tmp_path: Path) -> None:
    text = 'a = { region = "x" }\nb = { region = "y" }\n'
    path = a_file(tmp_path, text)

    with pytest.raises(Invalid, match="edit it by hand"):
        Contexts(path).remove("a")
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({"AUTH_JWT_CONTEXTS": "/x/y.toml"}, "/x/y.toml"),
        ({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}, "/c/auth-jwt/contexts.toml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "/h/.config/auth-jwt/contexts.toml"),
    ],
)
def test_the_file_is_where_the_environment_says(variables: dict[str, str], path: str) -> None:
    assert usual_path(variables) == Path(path)
