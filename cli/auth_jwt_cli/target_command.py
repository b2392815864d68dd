"""`auth-jwt target`: says what the next command would act on, and why."""

from typing import Any, NamedTuple

from auth_jwt.errors import Fault
from auth_jwt_cli.connection import Connection, Origin
from auth_jwt_cli.options import reads_tables
from auth_jwt_cli.output import render_cell
from auth_jwt_cli.sources import only_settings
from auth_jwt_cli.text_tables import Cell, TextTable

_OF_THE_TARGET = (
    ("PROFILES_TABLE", "profiles table"),
    ("SECRETS_TABLE", "secrets table"),
    ("REVOCATIONS_TABLE", "revocations table"),
)


@reads_tables
def target(connection: Connection) -> None:
    """Show what a command would act on, where each part comes from, and who you are. Nothing is written.

    An option counts more than the context, and the context more than the environment. AWS is asked who you are, for two
    seconds at most; the tables are not asked. What is missing, a region say, is the error after what is known.

    Example: auth-jwt target --context production
    """
    problem: Fault | None = None
    try:
        connection.client  # noqa: B018 - the SDK rejects its configuration here
    except Fault as fault:
        problem = fault
    rows = [*_chosen(connection), *_tables(connection, is_complete=problem is None), *_caller(connection)]
    document = {row.name.replace(" ", "_"): row.as_json() for row in rows}
    titles = [Cell(title, "bold") for title in ("WHAT", "VALUE", "FROM")]
    shown = [[Cell(render_cell(cell)) for cell in (row.name, row.text, row.origin)] for row in rows]
    connection.output.show(document, TextTable([titles, *shown], prose=frozenset({1})))
    if problem is not None:
        raise problem


class _Row(NamedTuple):
    """A part of the target.

    Attributes:
        name: what it is.
        value: its value; None if it has none, or none is known.
        origin: where the value comes from.
        because: why there is no value.
    """

    name: str
    value: Any
    origin: str | None = None
    because: str | None = None

    @property
    def text(self) -> Any:  # noqa: ANN401 - what `render_cell` takes
        """The value for people, or why there is none."""
        return self.value if self.because is None else f"unknown: {self.because}"

    def as_json(self) -> dict[str, Any]:
        """Return the members of the part."""
        document = {"value": self.value, "from": self.origin}
        return document if self.because is None else {**document, "because": self.because}


def _chosen(connection: Connection) -> list[_Row]:
    """Return what options, context and environment choose."""
    where, context = connection.where, connection.context
    named = None if where.context is None else connection.origin_of("context", Origin.DEFAULT)
    rows = [_Row("context", where.context, named)]
    if context is not None:
        rows.append(_Row("protected", context.protected, Origin.CONTEXT))
        rows.append(_Row("file of contexts", str(connection.contexts.path)))
    for name, value in (("function", where.function), ("env file", where.env_file), ("stack", where.stack)):
        if value is not None:
            rows.append(_Row(name, str(value), connection.origin_of(name.replace(" ", "_"), Origin.OPTION)))
    return rows


def _tables(connection: Connection, *, is_complete: bool) -> list[_Row]:
    """Return where the tables are, and what they are called."""
    where, settings = connection.where, connection.settings
    told = only_settings(connection.source.variables)
    given = dict(pair.split("=", 1) for pair in where.given)
    in_context = {pair.partition("=")[0] for pair in (connection.context.given if connection.context else ())}
    by_option = given.keys() - in_context | {pair.partition("=")[0] for pair in connection.asked.given}

    def origin_of(setting: str) -> str:
        if setting in by_option:
            return Origin.OPTION
        if setting in in_context:
            return Origin.CONTEXT
        if not told.get(setting):
            return Origin.DEFAULT
        if where.function is not None:
            return Origin.FUNCTION
        return Origin.FILE if where.env_file is not None else f"{setting}, {Origin.ENVIRONMENT}"

    origin_of_url = origin_of("DB_URL")
    origin_of_url = origin_of_url if origin_of_url.startswith("DB_URL") else f"DB_URL, {origin_of_url}"
    if settings.database.region is not None:
        of_region: str = origin_of_url
    elif connection.region is None:
        of_region = connection.variable_of_sdk("AWS_DEFAULT_REGION")
    else:
        of_region = where.origins.get("region", where.origins.get("function", Origin.OPTION))
    if is_complete:
        of_sdk = connection.variable_of_sdk("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
        of_endpoint = origin_of_url if settings.database.endpoint is not None else of_sdk
        rows = [
            _Row("region", connection.client.meta.region_name, of_region),
            _Row("endpoint", connection.endpoint or "AWS", of_endpoint if connection.endpoint else Origin.DEFAULT),
        ]
    else:
        rows = [_Row("region", connection.region, of_region if connection.region else None)]
    values = (settings.profiles_table, settings.secrets_table, settings.revocations_table)
    rows += [
        _Row(title, value, origin_of(setting)) for (setting, title), value in zip(_OF_THE_TARGET, values, strict=True)
    ]
    rows += [
        _Row(f"setting {setting}", given[setting], origin_of(setting))
        for setting in sorted(given)
        if setting not in dict(_OF_THE_TARGET) and setting != "DB_URL"
    ]
    return rows


def _caller(connection: Connection) -> list[_Row]:
    """Return who asks, and where the lines of audit go."""
    because = connection.unknown_because
    arn, account = connection.identity or (None, None)
    of_identity = "STS" if because is None else None
    return [
        _Row("account", account, of_identity, because),
        _Row("you are", arn, of_identity, because),
        _profile(connection),
        _Row("audit file", str(connection.audit_path), connection.origin_of("audit_log", Origin.DEFAULT)),
    ]


def _profile(connection: Connection) -> _Row:
    """Return the profile whose credentials count: none, if the environment has credentials of its own."""
    if connection.where.profile is not None:
        return _Row("profile", connection.where.profile, connection.origin_of("profile", Origin.OPTION))
    if connection.caller.has_keys:
        return _Row("profile", None, f"AWS_ACCESS_KEY_ID, {Origin.ENVIRONMENT}")
    of_profile = connection.variable_of_sdk("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    return _Row("profile", connection.sdk_profile or "default", of_profile)
