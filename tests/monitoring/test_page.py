"""docs/monitoring.md and its pictures are of the template as it is."""

import re

import pytest

from tools.dashboard import __main__ as program
from tools.dashboard.body import widgets_of
from tools.dashboard.hour import normal_hour
from tools.dashboard.recorded import Recorded
from tools.dashboard.stack import Monitoring, monitoring
from tools.events.stage import ROOT

PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
DEFAULTS = dict.fromkeys(
    [
        *("ProvisioningFunctionName", "RefreshKeysFunctionName", "RotateSecretsFunctionName"),
        *("AccessLogGroupName", "RevocationsTable", "RotatedSecretArn"),
    ],
    "",
)


@pytest.mark.parametrize("name", program.HOURS)
def test_the_pictures_are_of_this_dashboard(name: str, made: Monitoring) -> None:
    """`make dashboard` draws them anew."""
    picture = (ROOT / "docs" / "monitoring" / f"{name}-hour.png").read_bytes()

    assert f"monitoring/{name}-hour.png" in PAGE
    assert b"Dashboard\0" + made.digest.encode() in picture, "run make dashboard"
    assert len(picture) < 200_000


def test_the_page_lists_the_rows_in_order(made: Monitoring) -> None:
    questions = [
        text.removeprefix("## ")
        for widget in widgets_of(made.dashboard)
        if widget.kind == "text" and (text := widget.properties["markdown"].splitlines()[0]).endswith("?")
    ]

    assert re.findall(r"^\| ([^|]+\?) \|", PAGE, re.MULTILINE) == questions


def test_the_page_counts_alarms_and_their_metrics(made: Monitoring) -> None:
    numbers = [
        (len(stack.alarms), sum(len(alarm.queries) for alarm in stack.alarms.values()))
        for stack in (monitoring(**DEFAULTS), made)
    ]
    (told,) = re.findall(r"(\d+) alarms with (\d+) metrics by default, (\d+) with (\d+) where", PAGE)

    assert tuple(map(int, told)) == (*numbers[0], *numbers[1])
    assert f"${numbers[0][1] / 10:.2f}, ${numbers[1][1] / 10:.2f}" in PAGE


def test_the_program_says_what_is_wrong_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--hour", "bad"], "--out and --hour belong together"),
        (["--hour", "bad", "--out", "bad.gif"], "--out bad.gif: the file must end in .png or .svg"),
        (["--hour", "worst", "--out", "x.png"], "invalid choice: 'worst'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            program.main(arguments)
        assert message in capsys.readouterr().err


COUNTED: dict[str, set[str]] = {
    "authorize": {
        *("Authorized", "Challenged", "Deferred", "StaleRows", "Rejected", "Rejected invalid_request"),
        *("Denied", "Denied bad_signature", "Denied malformed_token", "Denied token_expired", "Denied unknown_tag"),
        *("Denied username_mismatch", "Fault", "Fault unreachable"),
    },
    "gateway_authorizer": {"Authorized", "StaleRows", "Denied", "Denied token_expired"},
    "ending_secrets": {
        *("Done", "RotationOverdue", "SecretEnded", "SecretEndsSoon", "SecretEndsThisWeek"),
        *("SecretsEnded", "SecretsEnding"),
    },
    "refresh_keys": {"Done"},
    "rotate_secrets": {"Done"},
}
"""What is counted in the normal hour, by the function that counts it; with the reason where that is counted, too."""


def test_the_page_counts_the_metrics_of_a_normal_hour(recorded: Recorded, made: Monitoring) -> None:
    """CloudWatch bills each namespace, name and set of dimensions that had a point."""
    own = set()
    for metric in normal_hour(recorded, made).metrics.named():
        if metric.namespace.startswith("AuthJwt/"):
            told = dict(metric.dimensions)
            own.add((told["service"], " ".join((metric.name, *filter(None, [told.get("reason")])))))
    listed = {(service, name) for service, names in COUNTED.items() for name in names}
    ((metrics, dollars),) = re.findall(r"\| (\d+) in the normal hour[^|]*\| \$(\d+\.\d\d) ", PAGE)

    assert own == listed
    assert int(metrics) == len(listed)
    assert float(dollars) == pytest.approx(0.3 * len(listed))
