"""Each alarm sounds on lines that the real handlers wrote, or on metrics of AWS; none sounds in a normal hour."""

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tools.dashboard.alarms import Alarm, State
from tools.dashboard.hour import DAY, HOUR, MINUTE, NORMAL, Hour, bad_hour, normal_hour
from tools.dashboard.metrics import Metric
from tools.dashboard.patterns import event_matches, matches
from tools.dashboard.recorded import Recorded
from tools.dashboard.stack import Monitoring, monitoring
from tools.events.stage import ROOT
from tools.template.stack import of_type, sources

Trouble = Callable[[Hour, Monitoring], None]
BEGIN, END = 20, 40
EVENTS = json.loads((Path(__file__).parent / "rotation_events.json").read_text("utf-8"))["events"]


def every_minute(do: Callable[[Hour, int], None]) -> Trouble:
    """Trouble that comes again in each minute from `BEGIN` to `END`."""

    def trouble(hour: Hour, _made: Monitoring) -> None:
        for minute in range(BEGIN, END):
            do(hour, hour.at(minute, 30))

    return trouble


def calls(service: str, kind: str, *, duration_ms: float | None = None) -> Trouble:
    return every_minute(lambda hour, second: hour.call(service, kind, second, duration_ms=duration_ms))


def once(service: str, kind: str) -> Trouble:
    return lambda hour, _made: hour.call(service, kind, hour.at(BEGIN))


def fails(service: str) -> Trouble:
    """By AWS's count alone: the function is killed, or runs out of time, and writes nothing."""
    return every_minute(lambda hour, second: hour.invoked(service, second, duration_ms=10_000, failed=True))


def throttles(service: str) -> Trouble:
    return every_minute(lambda hour, second: hour.lambda_count(service, "Throttles", second))


def many(kind: str, share: int = 400) -> Trouble:
    """So many of a thousand requests are of that kind, beside what is normal."""
    return lambda hour, _made: hour.traffic(BEGIN, END, {**NORMAL, kind: share}, a_minute=60)


def slow(hour: Hour, second: int) -> None:
    for _ in range(3):
        hour.request(second, "authorized", waited_ms=3000)


def event_arrives(hour: Hour, made: Monitoring) -> None:
    """Secrets Manager's event, by way of the rule and its log group."""
    (rule,) = made.of_type("AWS::Events::Rule").values()
    assert event_matches(rule["EventPattern"], EVENTS["failed"])
    hour.metrics.add_line(json.dumps(EVENTS["failed"]), hour.at(BEGIN))


def check_finds(hour: Hour, _made: Monitoring) -> None:
    hour.daily_check(BEGIN, "secrets end")
    hour.daily_check(BEGIN + DAY // MINUTE, "nothing ends")


LATER = 10 * HOUR
TROUBLES: Mapping[str, Trouble] = {
    "FaultAlarm": every_minute(lambda hour, second: hour.request(second, "fault")),
    "GatewayAuthorizerFaultAlarm": calls("gateway_authorizer", "fault"),
    "ProvisioningFaultAlarm": calls("provisioning", "fault"),
    "DiedAlarm": calls("authorize", "fault, direct"),
    "ProvisioningDiedAlarm": fails("provisioning"),
    "ServerErrorsAlarm": every_minute(lambda hour, second: hour.answer(second, 502)),
    "ClientErrorsAlarm": many("token_expired", 1500),
    "DeniedAlarm": many("username_mismatch", 800),
    "BadSignatureAlarm": many("bad_signature"),
    "NoActiveSecretAlarm": many("no_active_secret"),
    "TokenExpiredAlarm": many("token_expired"),
    "UnknownTagAlarm": many("unknown_tag"),
    "UnknownKeyAlarm": many("unknown_key"),
    "UnusableSecretAlarm": every_minute(lambda hour, second: hour.request(second, "unusable secret")),
    "GatewayAuthorizerUnusableSecretAlarm": calls("gateway_authorizer", "unusable secret"),
    "LatencyAlarm": every_minute(slow),
    "NearTimeoutAlarm": calls("authorize", "authorized", duration_ms=9000),
    "GatewayAuthorizerNearTimeoutAlarm": calls("gateway_authorizer", "allowed", duration_ms=9000),
    "ThrottledAlarm": throttles("authorize"),
    "GatewayAuthorizerThrottledAlarm": throttles("gateway_authorizer"),
    "GatewayThrottledAlarm": every_minute(lambda hour, second: hour.answer(second, 429)),
    "StaleRowsAlarm": every_minute(lambda hour, second: hour.request(second, "stale")),
    "GatewayAuthorizerStaleRowsAlarm": calls("gateway_authorizer", "stale"),
    "RefreshFailedAlarm": calls("refresh_keys", "failing"),
    "StaleKeysSoonAlarm": calls("refresh_keys", "stale soon"),
    "JwksUriChangedAlarm": once("refresh_keys", "moved"),
    "KeysReplacedAlarm": once("refresh_keys", "replaced"),
    "PrivateKeyPublishedAlarm": once("refresh_keys", "private key"),
    "IssuersLeftAlarm": calls("refresh_keys", "left"),
    "RefreshBrokenAlarm": calls("refresh_keys", "fault"),
    "RotationAlarm": once("rotate_secrets", "fault"),
    "RotationFailedAlarm": event_arrives,
    "RotationOverdueAlarm": check_finds,
    "SecretEndsSoonAlarm": check_finds,
    "SecretEndsThisWeekAlarm": check_finds,
    "SecretEndedAlarm": check_finds,
    "EndingSecretsFailedAlarm": once("ending_secrets", "fault"),
}
"""What makes each alarm sound. Those of what stopped have tests of their own, below."""

NEWS = ("SecretEndsSoonAlarm", "SecretEndedAlarm")
"""Those that tell what is new, so that they are silent again before the next check, and say no OK."""

STOPPED = ("RefreshStoppedAlarm", "EndingSecretsStoppedAlarm")


def first_alarm(alarm: Alarm, hour: Hour, first: int, last: int) -> int | None:
    """The minute of the hour, from *first* to *last*, in which an alarm first sounds."""
    states = alarm.states(hour.metrics, hour.at(first), hour.at(last))
    return first + states.index(State.ALARM) if State.ALARM in states else None


def test_every_alarm_has_a_trouble(made: Monitoring) -> None:
    assert made.alarms.keys() == TROUBLES.keys() | set(STOPPED)


@pytest.mark.parametrize("name", TROUBLES)
def test_it_sounds_in_trouble_and_returns_to_ok(name: str, made: Monitoring, hour: Hour) -> None:
    """Within a quarter of an hour; it is over ten hours later, or three days for those that look back a day."""
    alarm = made.alarms[name]
    hour.traffic(0, BEGIN, a_minute=30)
    hour.background(0, BEGIN)
    hour.traffic(END, 60, a_minute=30)
    TROUBLES[name](hour, made)

    sounds_at = first_alarm(alarm, hour, 0, 60)

    assert sounds_at is not None
    assert BEGIN < sounds_at <= BEGIN + 15
    assert (
        alarm.state(hour.metrics, hour.at(60) + (3 * DAY if alarm.period * alarm.periods >= DAY else LATER)) is State.OK
    )


def test_none_sounds_in_a_normal_hour(recorded: Recorded, made: Monitoring) -> None:
    hour = normal_hour(recorded, made)

    sounding = {name: first_alarm(alarm, hour, 5, 60) for name, alarm in made.alarms.items()}

    assert {name for name, minute in sounding.items() if minute is not None} == set()


def test_a_quiet_hour_sounds_no_alarm_either(made: Monitoring, hour: Hour) -> None:
    """At night: a request every ten minutes, one of them denied, and a cold start each time."""
    hour.days_before("nothing ends")
    hour.background(0, 60)
    for minute in range(0, 60, 10):
        hour.request(hour.at(minute), "token_expired" if minute == 30 else "authorized, cold", waited_ms=450)

    assert [name for name, alarm in made.alarms.items() if first_alarm(alarm, hour, 16, 60) is not None] == []


def test_the_bad_hour_sounds_what_it_is_about(recorded: Recorded, made: Monitoring) -> None:
    """An outage sounds as stale rows first, then as faults; a key on one side only as bad signatures."""
    hour = bad_hour(recorded, made)

    sounds = {name: first_alarm(alarm, hour, 5, 60) for name, alarm in made.alarms.items()}

    in_turn = sorted(
        (name for name, minute in sounds.items() if minute is not None and minute > 5),
        key=lambda name: sounds[name] or 0,
    )
    assert in_turn[:1] == ["StaleRowsAlarm"]
    assert set(in_turn[1:4]) == {"FaultAlarm", "ServerErrorsAlarm", "GatewayThrottledAlarm"}
    assert set(in_turn[4:]) == {"BadSignatureAlarm", "DeniedAlarm"}
    assert {name for name, minute in sounds.items() if minute == 5} == {
        *("SecretEndsThisWeekAlarm", "SecretEndsSoonAlarm", "SecretEndedAlarm", "RotationOverdueAlarm")
    }


HTTP = {"RestApiName": "", "HttpApiId": "a1b2c3d4e5"}, "AWS/ApiGateway", {"ApiId": "a1b2c3d4e5"}
URL = {"RestApiName": "", "HttpApiId": ""}, "AWS/Lambda", {"FunctionName": "auth-jwt-authorize"}


@pytest.mark.parametrize(
    ("entry", "name", "metrics"),
    [
        (HTTP, "ServerErrorsAlarm", {"Count": 1, "5xx": 1}),
        (HTTP, "ClientErrorsAlarm", {"Count": 1, "4xx": 1}),
        (HTTP, "LatencyAlarm", {"Latency": 2500}),
        (URL, "ServerErrorsAlarm", {"UrlRequestCount": 1, "Url5xxCount": 1}),
        (URL, "ClientErrorsAlarm", {"UrlRequestCount": 1, "Url4xxCount": 1}),
        (URL, "LatencyAlarm", {"Duration": 2500}),
    ],
)
def test_the_alarms_of_the_entry_watch_whichever_entry_there_is(
    entry: tuple[dict[str, str], str, dict[str, str]], name: str, metrics: dict[str, float], hour: Hour
) -> None:
    parameters, namespace, dimensions = entry
    alarm = monitoring(**parameters).alarms[name]
    for minute in range(BEGIN, END):
        for metric, value in metrics.items():
            hour.metrics.put(Metric.of(namespace, metric, dimensions), hour.at(minute), *([value] * 30))

    assert first_alarm(alarm, hour, 0, BEGIN) is None
    assert first_alarm(alarm, hour, BEGIN, END) is not None


# -- what stopped -----------------------------------------------------------------------------------------------------


def test_a_function_that_stopped_fetching_is_told_of_within_half_an_hour(made: Monitoring, hour: Hour) -> None:
    alarm = made.alarms["RefreshStoppedAlarm"]
    for minute in (*range(BEGIN), *range(70, 90)):
        hour.call("refresh_keys", "fetched", hour.at(minute))

    sounds_at = first_alarm(alarm, hour, 10, 69)

    assert sounds_at is not None
    assert BEGIN + 15 <= sounds_at <= BEGIN + 30
    assert alarm.state(hour.metrics, hour.at(89)) is State.OK


def test_a_daily_check_that_stopped_is_told_of_in_its_second_day(made: Monitoring, hour: Hour) -> None:
    alarm = made.alarms["EndingSecretsStoppedAlarm"]
    for day in range(3):
        hour.daily_check(day * DAY // MINUTE + day * 15, "nothing ends")  # each a quarter of an hour later
    last = hour.at(2 * DAY // MINUTE + 30)

    assert set(alarm.states(hour.metrics, hour.at(60), last + DAY, step=HOUR)) == {State.OK}
    later = alarm.states(hour.metrics, last + DAY, last + 2 * DAY, step=HOUR)
    assert 4 <= later.index(State.ALARM) <= 10


@pytest.mark.parametrize(
    ("name", "seconds"), [("RefreshStoppedAlarm", 20 * MINUTE), ("EndingSecretsStoppedAlarm", DAY)]
)
def test_a_new_stack_sounds_no_alarm_of_what_stopped(name: str, seconds: int, made: Monitoring, hour: Hour) -> None:
    """Nor does it hide for ever that a schedule never began."""
    alarm = made.alarms[name]
    ages = range(MINUTE, seconds, 10 * MINUTE)

    assert {alarm.state(hour.metrics, hour.start + age, created=hour.start) for age in ages} == {
        State.INSUFFICIENT_DATA
    }
    assert alarm.state(hour.metrics, hour.start + 2 * DAY, created=hour.start) is State.ALARM


# -- what is no trouble -----------------------------------------------------------------------------------------------


def test_deferred_logins_are_no_server_errors(made: Monitoring, hour: Hour) -> None:
    """A tenth of all logins, for twenty minutes after an issuer's rotation: 503 to its users, and normal."""
    hour.traffic(0, 60)
    hour.traffic(BEGIN, END, {"deferred": 1}, a_minute=6)

    assert first_alarm(made.alarms["ServerErrorsAlarm"], hour, 5, 60) is None
    assert first_alarm(made.alarms["FaultAlarm"], hour, 5, 60) is None


def test_a_frontend_that_never_challenges_by_itself_is_no_client_error(made: Monitoring, hour: Hour) -> None:
    """Every login then has two requests, of which the first is answered 401."""
    hour.traffic(0, 60, {"authorized": 50, "challenged": 50})

    assert first_alarm(made.alarms["ClientErrorsAlarm"], hour, 5, 60) is None


def test_one_failed_login_an_hour_wakes_nobody_and_two_in_ten_minutes_do(made: Monitoring, hour: Hour) -> None:
    """Where nobody else logs in."""
    for minute in (5, 35, 41):
        hour.request(hour.at(minute), "fault")

    assert first_alarm(made.alarms["FaultAlarm"], hour, 1, 40) is None
    assert first_alarm(made.alarms["FaultAlarm"], hour, 40, 60) == 42


def put_requests(hour: Hour, minute: int, **counts: float) -> None:
    """Count so many requests of a minute as the functions and Lambda count them, by the metric's name."""
    for name, value in counts.items():
        for service in ("authorize", "gateway_authorizer"):
            if name in ("Throttles", "Invocations"):
                hour.lambda_count(service, name, hour.at(minute), value)
            else:
                hour.metrics.put(Metric.of("AuthJwt/auth-jwt", name, {"service": service}), hour.at(minute), value)


SHARES = {"FaultAlarm": "Fault", "StaleRowsAlarm": "StaleRows", "ThrottledAlarm": "Throttles"}
OF_SHARES = [(f"{who}{name}", metric) for who in ("", "GatewayAuthorizer") for name, metric in SHARES.items()]


@pytest.mark.parametrize(("name", "metric"), OF_SHARES)
@pytest.mark.parametrize(
    ("logins", "troubled", "every", "sounds"),
    [
        pytest.param(1000, 1, 5, False, id="two in ten minutes of ten thousand"),
        pytest.param(1000, 8, 1, False, id="less than one of a hundred, all the time"),
        pytest.param(1000, 30, 1, True, id="three of a hundred"),
        pytest.param(60, 2, 1, False, id="two in a minute of sixty"),
        pytest.param(60, 4, 1, True, id="four in a minute of sixty"),
        pytest.param(5, 1, 1, True, id="one in five"),
        pytest.param(1, 1, 5, True, id="a small installation: a login in five minutes, and each fails"),
    ],
)
def test_a_share_of_the_requests_wakes_somebody_and_single_ones_do_not(
    name: str, metric: str, logins: int, troubled: int, every: int, sounds: bool, made: Monitoring, hour: Hour
) -> None:
    """Stale rows are among the authorized logins; the others are not."""
    quiet = 0 if logins == troubled else logins
    for minute in range(60):
        now = troubled if minute >= BEGIN and minute % every == 0 else 0
        if now:
            put_requests(hour, minute, **{metric: now})
        passed = max(quiet, now) if metric == "StaleRows" else quiet - now
        if passed > 0:
            put_requests(hour, minute, Authorized=passed, Denied=1, Invocations=passed)

    sounds_at = first_alarm(made.alarms[name], hour, 0, 60)

    assert (sounds_at is not None) is sounds
    assert sounds_at is None or BEGIN < sounds_at <= BEGIN + 10


@pytest.mark.parametrize(("name", "metric"), [each for each in OF_SHARES if each[1] in ("Fault", "StaleRows")])
def test_refused_tokens_hide_no_outage(name: str, metric: str, made: Monitoring, hour: Hour) -> None:
    """Anybody may send as many as the throttle lets pass, and each is denied without a read of the tables."""
    for minute in range(BEGIN, END):
        put_requests(hour, minute, **{metric: 10}, Denied=5000)

    assert first_alarm(made.alarms[name], hour, BEGIN, END) is not None


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("FaultAlarm", {"Fault": 5}),
        ("GatewayAuthorizerFaultAlarm", {"Fault": 5}),
        ("ThrottledAlarm", {"Throttles": 5}),
        ("StaleRowsAlarm", {"StaleRows": 5, "Authorized": 5}),
        ("DeniedAlarm", {"Denied": 90}),
    ],
)
def test_a_new_stack_is_watched_though_most_of_its_metrics_have_never_been_counted(
    name: str, counts: dict[str, float], made: Monitoring, hour: Hour
) -> None:
    """Such as a first release whose every request fails, which has never authorized anybody."""
    for minute in range(BEGIN, END):
        put_requests(hour, minute, **counts)

    assert first_alarm(made.alarms[name], hour, BEGIN, END) is not None


def test_answers_are_watched_where_nothing_was_ever_deferred_nor_challenged(made: Monitoring, hour: Hour) -> None:
    for minute in range(BEGIN, END):
        for second in range(60):
            hour.answer(hour.at(minute, second), 502 if second % 2 else 403)

    assert first_alarm(made.alarms["ServerErrorsAlarm"], hour, BEGIN, END) is not None
    assert first_alarm(made.alarms["ClientErrorsAlarm"], hour, BEGIN, END) is None, "half of them"
    for minute in range(BEGIN, END):
        hour.answer(hour.at(minute, 59), 403)
    assert first_alarm(made.alarms["ClientErrorsAlarm"], hour, BEGIN, END) is not None


OF_TOKENS = ("DeniedAlarm", "BadSignatureAlarm", "NoActiveSecretAlarm", "TokenExpiredAlarm", "UnknownTagAlarm")


@pytest.mark.parametrize(
    "kind", ["bad_signature", "no_active_secret", "token_expired", "unknown_tag", "unknown_key", "username_mismatch"]
)
def test_one_phone_that_tries_again_every_ten_seconds_wakes_nobody(kind: str, made: Monitoring, hour: Hour) -> None:
    """At night, beside a login a minute: nearly all tokens are refused, and all are of one client."""
    for second in range(0, HOUR, 10):
        hour.request(hour.start + second, kind)
    hour.traffic(0, 60, {"authorized": 1}, a_minute=1)

    for name in (*OF_TOKENS, "UnknownKeyAlarm", "ClientErrorsAlarm"):
        assert first_alarm(made.alarms[name], hour, 5, 60) is None, name


def test_a_slow_scanner_rings_nothing_and_a_fast_one_wakes_nobody(made: Monitoring, hour: Hour) -> None:
    for minute in range(60):
        for second in range(0, 60, 3 if minute < 30 else 1):
            hour.answer(hour.at(minute, second), 403)

    assert first_alarm(made.alarms["ClientErrorsAlarm"], hour, 5, 30) is None
    sounding = {name for name, alarm in made.alarms.items() if first_alarm(alarm, hour, 30, 60) is not None}
    assert {name for name in sounding if made.alarms[name].description.startswith("[page]")} == {"RefreshStoppedAlarm"}
    assert "ClientErrorsAlarm" in sounding


# -- the daily check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEWS)
def test_a_new_tag_rings_on_each_day_and_the_same_tag_does_not(name: str, made: Monitoring, hour: Hour) -> None:
    """An alarm acts when its state changes, so it must be over before the next check."""
    alarm = made.alarms[name]
    kinds = ["secrets end", "secrets end", "nothing new ends", "secrets end"]
    for day, kind in enumerate(kinds):
        hour.daily_check(day * DAY // MINUTE + BEGIN + 3 * day, kind)

    states = alarm.states(hour.metrics, hour.start, hour.start + len(kinds) * DAY, step=30 * MINUTE)
    rings = [
        index * 30 * MINUTE // DAY
        for index, (before, state) in enumerate(pairwise(states), 1)
        if (before, state) == (State.OK, State.ALARM)
    ]

    assert rings == [0, 1, 3]


def test_a_tag_of_the_last_week_stays_until_it_is_mended(made: Monitoring, hour: Hour) -> None:
    alarm = made.alarms["SecretEndsThisWeekAlarm"]
    for day in range(4):
        hour.daily_check(day * DAY // MINUTE + 15 * day, "nothing new ends" if day < 3 else "nothing ends")

    states = alarm.states(hour.metrics, hour.at(60), hour.start + 3 * DAY, step=HOUR)

    assert set(states) == {State.ALARM}
    assert alarm.state(hour.metrics, hour.start + 4 * DAY + 18 * HOUR) is State.OK


# -- the gateway's own refusals ---------------------------------------------------------------------------------------


def access_lines(status: str) -> dict[str, str]:
    """Lines of the access log by route, as API Gateway writes them by the formats of both APIs' templates."""
    rest = next(iter(of_type(sources(), "AWS::Serverless::Api").values()))["Properties"]["AccessLogSetting"]
    http = sources(ROOT / "stacks" / "http_entry.yaml")["Resources"]["HttpStage"]["Properties"]["AccessLogSettings"]
    lines = {}
    for setting, routes in (
        (rest, {"resourcePath": ("/authorize", "/health")}),
        (http, {"routeKey": ("POST /authorize", "GET /health", "HEAD /health")}),
    ):
        ((variable, values),) = routes.items()
        form = setting["Fn::If"][1]["Format"]
        assert f"$context.{variable}" in form
        for value in values:
            line = form.replace(f"$context.{variable}", value).replace("$context.status", status)
            lines[value] = re.sub(r"\$context\.[\w.]+", "-", line)
    return lines


def test_a_429_of_a_login_counts_and_one_of_health_does_not_whatever_the_api(made: Monitoring, hour: Hour) -> None:
    """Anybody may ask /health, six times a second: its throttle refuses him, and that is no login."""
    ((pattern,),) = [[each.pattern for each in made.filters if each.name == "GatewayThrottled"]]

    throttled = access_lines("429")
    counted = {route for route, line in throttled.items() if matches(pattern, line)}

    assert counted == {"/authorize", "POST /authorize"}
    assert not any(matches(pattern, line) for line in access_lines("200").values())
    for minute in range(BEGIN, END):
        hour.metrics.add_line(throttled["GET /health"], hour.at(minute))
    assert first_alarm(made.alarms["GatewayThrottledAlarm"], hour, BEGIN, 60) is None


def test_the_routes_with_a_throttle_of_their_own_are_those_that_do_not_count() -> None:
    stage = sources(ROOT / "stacks" / "http_entry.yaml")["Resources"]["HttpStage"]["Properties"]

    assert set(stage["RouteSettings"]) == access_lines("429").keys() - {"/authorize", "/health", "POST /authorize"}


def test_an_event_of_another_secret_or_of_success_does_not_count(made: Monitoring, hour: Hour) -> None:
    (rule,) = made.of_type("AWS::Events::Rule").values()
    failed = EVENTS["failed"]
    succeeded: dict[str, Any] = {**failed, "detail": {**failed["detail"], "eventName": "RotationSucceeded"}}
    other = json.dumps(failed).replace("RotatedSecret-a1b2c3", "SomebodyElses-d4e5f6")

    hour.metrics.add_line(other, hour.at(BEGIN))

    assert not event_matches(rule["EventPattern"], succeeded)
    assert event_matches(rule["EventPattern"], json.loads(other))
    assert first_alarm(made.alarms["RotationFailedAlarm"], hour, BEGIN, 60) is None


# -- their form -------------------------------------------------------------------------------------------------------


def test_each_tells_when_it_sounds_and_when_it_is_over_and_has_a_runbook(made: Monitoring) -> None:
    for name, properties in made.of_type("AWS::CloudWatch::Alarm").items():
        topic = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
        assert properties["AlarmActions"] == topic
        assert properties.get("OKActions", []) == ([] if name in NEWS else topic)
        assert properties["AlarmDescription"].startswith(("[page] ", "[ticket] "))
        assert properties["AlarmDescription"].endswith(f"Runbook - docs/operations.md#alarms, {name}")
        assert properties["DatapointsToAlarm"] <= properties["EvaluationPeriods"]


def test_each_stays_within_what_cloudwatch_judges(made: Monitoring) -> None:
    """At most 7 days, a day for periods below an hour: PutMetricAlarm, `Period`. And at most ten metrics."""
    for alarm in made.alarms.values():
        assert alarm.period * alarm.periods <= (7 * DAY if alarm.period >= HOUR else DAY)
        assert len(alarm.queries) <= 10


@pytest.mark.parametrize(
    ("absent", "gone"),
    [
        ({"GatewayAuthorizerFunctionName": ""}, "GatewayAuthorizer"),
        ({"ProvisioningFunctionName": ""}, "Provisioning"),
        ({"AccessLogGroupName": ""}, "GatewayThrottled"),
        ({"RotatedSecretArn": ""}, "Rotation"),
        ({"EndingSecretsFunctionName": ""}, "EndingSecrets"),
        ({"RefreshKeysFunctionName": ""}, "Refresh"),
    ],
)
def test_what_the_stack_does_not_have_is_not_watched(absent: dict[str, str], gone: str, made: Monitoring) -> None:
    left = monitoring(**absent).alarms.keys()

    assert [name for name in made.alarms if name.startswith(gone)]
    assert not [name for name in left if name.startswith(gone)]
    assert "FaultAlarm" in left


def test_without_a_topic_there_are_no_alarms_and_no_names_of_them() -> None:
    without = monitoring(AlarmTopicArn="")

    assert without.alarms == {}
    assert without.outputs.keys() == {"DashboardName"}


def test_the_alarm_that_a_deployment_is_rolled_back_on_is_an_output(made: Monitoring) -> None:
    named = {name: output["Value"] for name, output in made.outputs.items() if name.endswith("AlarmName")}

    assert named == {"LatencyAlarmName": "<LatencyAlarm>"}
