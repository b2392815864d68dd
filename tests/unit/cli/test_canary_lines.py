"""`auth-jwt doctor`: when the last secret of the canary ends."""

import pytest

from auth_jwt_cli.doctor.lookups import secret_lines
from tests.factories import NOW
from tests.unit.cli.test_diagnosis import DAY, a_record


@pytest.mark.parametrize(
    ("tag", "command"),
    [
        ("canary", "`auth-jwt secret rotate canary --generate --out FILE`"),
        ("a;touch /tmp/pwned", "`auth-jwt secret rotate 'a;touch /tmp/pwned' --generate --out FILE`"),
    ],
)
def test_a_canary_that_ends_soon_is_rotated_by_a_command_that_names_its_tag_as_a_shell_takes_it(
    tag: str, command: str
) -> None:
    (line,) = secret_lines(tag, [a_record(end=NOW + DAY)], NOW)

    assert (line.about, line.remedy) == (f"canary {tag}", command)
