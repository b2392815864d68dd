"""The commands that `lint` writes for machines name their row, whatever its tag and id are."""

import json
from typing import Any

import typer.main
from hypothesis import given
from hypothesis import strategies as st

from auth_jwt_cli.main import app
from auth_jwt_cli.migration.live_rules import About, commands_in

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.sampled_from(
    ["-", "--", "--yes", "-h", "TAG", "ID", "FILE", "\0", '"', "\\", "a b", "$(x)"]
)
CLOSE: Any = typer.main.get_command(app).commands["secret"].commands["close"]  # type: ignore[attr-defined]


@given(tag=TEXTS, secret_id=TEXTS)
def test_a_command_is_read_as_the_row_it_is_about(tag: str, secret_id: str) -> None:
    (found,) = commands_in("`auth-jwt secret close TAG ID --at now`", About(tag, secret_id, where=("--region", "r")))
    assert all("\0" not in word for word in found.argv)

    read = CLOSE.make_context("close", list(found.argv[3:])).params
    named = [read["tag"], read["secret_id"]]

    assert ([json.loads(f'"{name}"') for name in named] if read["escaped"] else named) == [tag, secret_id]
    assert read["region"] == "r"
    assert not read["yes"]
