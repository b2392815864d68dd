"""Rotation: each step does what is missing and no more, whoever was there before, and no issuer is ever locked out."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import BadSetting, Fault, NotRotated, Reason, UnknownEvent, Unreachable
from auth_jwt.provisioning import rotation
from auth_jwt.provisioning.audit import WriteOutcome
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.rotation import KEPT_SECONDS, SETTLE_SECONDS, SigningSecret
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS
from auth_jwt.runtime.settings import RotationSettings
from tests.factories import HMAC_KEY, NOW, TAG, a_token, public_pem
from tests.fakes import LambdaContext
from tests.rotations import ARN, RULES, STEPS, MemoryVersions, row_of, steps, the_app
from tests.service import Service, a_service

app = the_app()
OTHER_KEY = "another HMAC secret of sixty-four bytes, for these tests and no else"


@dataclass
class Scene:
    """A profile with a secret in Secrets Manager, of which version `one` is current and `two` is to be."""

    service: Service = field(default_factory=a_service)
    versions: MemoryVersions = field(default_factory=MemoryVersions)
    rules: RotationSettings = RULES

    def __post_init__(self) -> None:
        self.service.has()
        self.versions.has("one", CURRENT, secret=HMAC_KEY)
        self.versions.begin("two")

    def do(self, *names: str, version: str = "two") -> list[Any]:
        return list(steps(self.service.provisioning, self.versions, version, *names, rules=self.rules))

    def refusal(self, name: str, *, version: str = "two") -> str:
        with pytest.raises(NotRotated) as caught:
            self.do(name, version=version)
        return str(caught.value)

    def value(self, version: str) -> str:
        return str(self.versions.members(version)["secret"])

    def verdict(self, version: str) -> Reason | None:
        """Why the service would refuse a token of that version's issuer."""
        return self.service.verdict(a_token(key=self.value(version), jti="a"))

    def end(self, secret_id: str) -> object:
        return self.service.secret(secret_id)["end_ts"]

    @property
    def rows(self) -> dict[str, dict[str, object]]:
        return {str(key.id): row for key, row in self.service.tables.rows.items() if key.table is Table.SECRETS}


@pytest.fixture(name="scene")
def _scene() -> Scene:
    return Scene()


def test_four_steps_replace_a_secret(scene: Scene) -> None:
    """The issuer's next tokens verify, and so do those of the old secret until the overlap ends."""
    scene.service.has_secret("1", secret=HMAC_KEY)

    scene.do()

    now = int(scene.service.clock.now)
    assert scene.versions.stages == {"one": {PREVIOUS}, "two": {CURRENT}}
    assert scene.value("two") != HMAC_KEY
    assert scene.verdict("one") is scene.verdict("two") is None
    assert scene.end("1") == now + RULES.overlap
    assert scene.end(row_of("two")) == NOW + RULES.lifetime
    scene.service.clock.pass_by(RULES.overlap)
    assert scene.verdict("one") is Reason.BAD_SIGNATURE
    assert scene.verdict("two") is None


@pytest.mark.parametrize("last", range(1, 5))
def test_all_of_it_again_from_any_step_on_changes_nothing_more(last: int) -> None:
    """Secrets Manager begins anew whenever a step fails; with a clock that stands still, all is as if none had."""
    once, again = Scene(), Scene()
    for scene in (once, again):
        scene.service.has_secret("1", secret=HMAC_KEY)
        scene.service.clock.now = NOW - 10
    once.do(*STEPS[:last])
    values = dict(once.versions.values)
    again.versions.values["two"] = once.versions.values["two"]  # chance apart

    for _ in range(3):
        again.do(*STEPS[:last])
    once.do(*STEPS[:last])

    assert once.versions.values == values
    assert again.rows == once.rows
    assert again.versions.stages == once.versions.stages


# -- create -----------------------------------------------------------------------------------------------------------


def test_create_makes_up_a_value_and_keeps_what_it_does_not_know(scene: Scene) -> None:
    scene.versions.has("one", CURRENT, secret=HMAC_KEY, issuer={"url": "https://example.org"}, n=1)

    scene.do("createSecret")

    made = scene.versions.members("two")
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}", made["secret"])  # 64 bytes
    assert {**made, "secret": HMAC_KEY} == scene.versions.members("one")
    assert scene.versions.stages["two"] == {PENDING}
    assert scene.rows == {}


def test_create_leaves_a_value_that_is_there(scene: Scene) -> None:
    scene.do("createSecret")
    first = scene.versions.values["two"]

    scene.do("createSecret")

    assert scene.versions.values["two"] == first
    assert scene.versions.calls.count("put_pending") == 1


def test_create_gives_way_to_another_attempt_that_was_faster(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    other = json.dumps({"tag": TAG, "secret": OTHER_KEY})
    generate = type(scene.service.provisioning.secrets).generate

    def meanwhile(*given: Any, **named: Any) -> str:
        scene.versions.values["two"] = other
        return generate(*given, **named)

    monkeypatch.setattr(type(scene.service.provisioning.secrets), "generate", meanwhile)
    scene.do()

    assert scene.versions.values["two"] == other
    assert scene.verdict("two") is None


def test_an_issuer_that_is_told_a_kid_is_told_another_each_time(scene: Scene) -> None:
    """So that its tokens name the one secret to try."""
    scene.versions.has("one", CURRENT, secret=HMAC_KEY, kid="first")

    scene.do()

    assert scene.versions.members("two")["kid"] == row_of("two")
    assert scene.service.secret(row_of("two"))["kid"] == row_of("two")


def test_without_a_kid_no_row_gets_one(scene: Scene) -> None:
    """Or the tokens of an issuer with a fixed one would be passed over."""
    scene.do()

    assert "kid" not in scene.versions.members("two")
    assert "kid" not in scene.service.secret(row_of("two"))


def test_the_algorithms_of_an_issuer_bind_its_secret(scene: Scene) -> None:
    scene.versions.has("one", CURRENT, secret=HMAC_KEY, alg="HS512, HS384")

    scene.do()

    assert scene.service.secret(row_of("two"))["alg"] == "HS512,HS384"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("not JSON " + HMAC_KEY, "not a JSON object", id="no JSON"),
        pytest.param(json.dumps([HMAC_KEY]), "not a JSON object", id="a list"),
        pytest.param(json.dumps({"tag": HMAC_KEY}), f"differs from ROTATED_TAG='{TAG}'", id="another tag"),
        pytest.param(json.dumps({"tag": "", "secret": HMAC_KEY}), "differs from", id="an empty tag"),
        pytest.param(json.dumps({"tag": TAG.upper(), "secret": HMAC_KEY}), "differs from", id="a tag in capitals"),
        pytest.param(
            json.dumps({"tag": 1, "secret": HMAC_KEY}),
            '"tag" of the secret in Secrets Manager is no',
            id="a tag that is a number",
        ),
        pytest.param(
            json.dumps({"tag": None, "secret": HMAC_KEY}),
            '"tag" of the secret in Secrets Manager is no',
            id="a tag that is null",
        ),
        pytest.param(json.dumps({"tag": TAG, "secret": [HMAC_KEY]}), '"secret"', id="a secret that is no text"),
        pytest.param(json.dumps({"tag": TAG, "alg": ["HS256"]}), '"alg"', id="algorithms in a list"),
        pytest.param(
            json.dumps({"tag": TAG, "alg": "RS256"}), "names no HMAC", id="an algorithm that no text signs by"
        ),
        pytest.param(json.dumps({"tag": TAG, "alg": "none"}), "none", id="no algorithm"),
        pytest.param(json.dumps({"tag": TAG, "kid": 7}), '"kid"', id="a kid that is a number"),
    ],
)
def test_create_says_what_is_wrong_with_the_secret_and_never_its_value(scene: Scene, text: str, complaint: str) -> None:
    scene.versions.values["one"] = text

    refusal = scene.refusal("createSecret")

    assert complaint in refusal
    assert HMAC_KEY not in refusal
    assert "two" not in scene.versions.values


@pytest.mark.parametrize("members", [{"secret": HMAC_KEY}, {}], ids=["as CloudFormation makes it", "nothing at all"])
def test_the_tag_is_a_setting_and_put_into_a_value_that_names_none(scene: Scene, members: dict[str, str]) -> None:
    """The first one has no tag in its text, so that no change of the stack makes another."""
    scene.versions.values["one"] = json.dumps(members)

    scene.do()

    assert scene.versions.members("two")["tag"] == TAG
    assert scene.verdict("two") is None


def test_create_says_so_where_the_current_version_has_no_text(scene: Scene) -> None:
    del scene.versions.values["one"]

    assert "not a JSON object" in scene.refusal("createSecret")


def test_create_needs_a_current_version(scene: Scene) -> None:
    scene.versions.stages.pop("one")

    assert CURRENT in scene.refusal("createSecret")


@pytest.mark.parametrize(
    ("lifetime", "is_enough"),
    [
        pytest.param(30 * 86400 + RULES.overlap + 1, True, id="just enough"),
        pytest.param(30 * 86400 + RULES.overlap, False, id="just too little"),
    ],
)
def test_a_secret_has_to_outlive_the_next_rotation_and_its_overlap(
    scene: Scene, lifetime: int, is_enough: bool
) -> None:
    scene.rules = replace(RULES, lifetime=lifetime)
    if is_enough:
        scene.do("createSecret")
    else:
        with pytest.raises(BadSetting, match=rf"SECRET_LIFETIME_SECONDS={lifetime} .* every 30 days"):
            scene.do("createSecret")

    assert ("two" in scene.versions.values) is is_enough


def test_of_an_interval_that_only_a_schedule_tells_nothing_is_asked(scene: Scene) -> None:
    scene.rules, scene.versions.rotation_days = replace(RULES, overlap=1, lifetime=2), None

    scene.do("createSecret")

    assert "two" in scene.versions.values


# -- set --------------------------------------------------------------------------------------------------------------


def test_set_opens_the_new_secret_beside_the_old_ones(scene: Scene) -> None:
    scene.service.has_secret("1", secret=OTHER_KEY)
    scene.do("createSecret", "setSecret")

    assert scene.service.secret(row_of("two")) == {
        "secret": scene.value("two"),
        "start_ts": Decimal(NOW),
        "end_ts": Decimal(NOW + RULES.lifetime),
        "alg": "HS256,HS384,HS512",
    }
    assert scene.end("1") == NOW + 10**6
    assert scene.verdict("two") is None


def test_set_again_later_leaves_the_row_as_it_is(scene: Scene) -> None:
    scene.do("createSecret", "setSecret")
    before = dict(scene.rows)
    scene.service.clock.pass_by(500)

    scene.do("setSecret")

    assert scene.rows == before
    assert scene.service.actions.count("secret.add") == 1


def test_set_needs_a_profile(scene: Scene) -> None:
    scene.do("createSecret")
    del scene.service.tables.rows[Key(Table.PROFILES, TAG)]

    assert "no profile" in scene.refusal("setSecret")
    assert scene.rows == {}


def test_set_needs_a_value(scene: Scene) -> None:
    scene.versions.has("two", PENDING)

    assert '"secret"' in scene.refusal("setSecret")


def test_set_needs_to_know_that_the_issuer_will_know_its_tag(scene: Scene) -> None:
    scene.versions.values["two"] = json.dumps({"secret": OTHER_KEY})

    assert 'no "tag"' in scene.refusal("setSecret")
    assert scene.rows == {}


def test_set_takes_no_row_of_another_value_for_its_own(scene: Scene) -> None:
    scene.do("createSecret")
    scene.service.has_secret(row_of("two"), secret=OTHER_KEY)

    refusal = scene.refusal("setSecret")

    assert "another value" in refusal
    assert OTHER_KEY not in refusal


# -- test -------------------------------------------------------------------------------------------------------------


def test_test_tells_what_the_service_decided(scene: Scene) -> None:
    *_, trial = scene.do("createSecret", "setSecret", "testSecret")

    assert (trial.refused_because, trial.report.secret_id, trial.report.tag) == (None, row_of("two"), TAG)


def test_test_signs_with_what_the_issuer_will_have(scene: Scene) -> None:
    """A row with another value verifies its own tokens, and is no proof."""
    scene.do("createSecret", "setSecret")
    scene.service.has_secret(row_of("two"), secret=OTHER_KEY)

    assert "does not verify its own token: bad_signature" in scene.refusal("testSecret")


def test_test_is_of_the_row_of_this_version_and_no_other(scene: Scene) -> None:
    """Another row with the same value may end at any time."""
    scene.do("createSecret", "setSecret")
    scene.service.has_secret("0", secret=scene.value("two"))

    assert "does not verify" in scene.refusal("testSecret")


def test_a_profile_that_nobody_may_use_has_its_secret_rotated_all_the_same(scene: Scene) -> None:
    """Once it is enabled again, its issuer is right up to date."""
    scene.service.has(disabled=True)

    _, _, trial, _ = scene.do()

    assert trial.refused_because is Reason.DISABLED_PROFILE
    assert scene.versions.stages["two"] == {CURRENT}


def test_claims_that_only_the_issuer_knows_are_not_needed() -> None:
    scene = Scene(a_service(required_claims=("department",), issuers=("https://issuer",), max_token_age_seconds=60))

    _, _, trial, _ = scene.do()

    assert trial.refused_because is Reason.MISSING_CLAIM


def test_a_public_key_put_there_by_hand_does_not_become_current(scene: Scene) -> None:
    """Nobody could sign with it."""
    scene.versions.has("two", PENDING, secret=public_pem())
    scene.do("setSecret")

    assert "cannot sign" in scene.refusal("testSecret")


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
@pytest.mark.parametrize(
    ("seconds", "is_enough"),
    [
        pytest.param(RULES.overlap + 1, True, id="just enough"),
        pytest.param(RULES.overlap, False, id="just too little"),
    ],
)
def test_a_secret_that_ends_within_the_overlap_does_not_become_current(
    scene: Scene, step: str, seconds: int, is_enough: bool
) -> None:
    """Somebody else's rotation has closed it meanwhile: its issuer would be locked out."""
    scene.do("createSecret", "setSecret")
    scene.service.provisioning.secrets.close(TAG, row_of("two"), at=NOW + seconds)

    if is_enough:
        scene.do(step)
    else:
        assert "ends within the overlap" in scene.refusal(step)
        assert scene.versions.stages["one"] == {CURRENT}


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
def test_a_secret_that_is_closed_does_not_become_current(scene: Scene, step: str) -> None:
    scene.do("createSecret", "setSecret")
    scene.service.provisioning.secrets.close(TAG, row_of("two"))

    assert "is closed" in scene.refusal(step)


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
def test_a_secret_without_a_row_does_not_become_current(scene: Scene, step: str) -> None:
    scene.do("createSecret")

    assert "there is no secret" in scene.refusal(step)
    assert scene.versions.stages["one"] == {CURRENT}


def test_why_a_row_is_unusable_is_told(scene: Scene) -> None:
    scene.do("createSecret", "setSecret")
    scene.service.has_secret(row_of("two"), secret=scene.value("two"), alg="ES256")

    assert "is unusable: the row's `alg` names no HMAC" in scene.refusal("testSecret")


# -- finish -----------------------------------------------------------------------------------------------------------


def test_finish_ends_what_earlier_rotations_made_and_leaves_other_operators_rows_alone(scene: Scene) -> None:
    scene.service.has_secret("7", secret=OTHER_KEY)
    scene.service.has_secret("sm-ZyXwVu-of-another-secret-of-this-tag", secret=f"{OTHER_KEY}!")
    scene.do()
    scene.versions.begin("three")
    scene.do(version="three")

    now = int(scene.service.clock.now)
    assert scene.end(row_of("two")) == now + RULES.overlap
    assert scene.end("7") == scene.end("sm-ZyXwVu-of-another-secret-of-this-tag") == NOW + 10**6
    assert scene.verdict("two") is scene.verdict("three") is None


@pytest.mark.parametrize("end", [None, "never", "4102444800", "NaN", True, {"B": b"1"}])
def test_rows_that_have_no_end_are_not_open_and_a_rotation_does_not_open_them(scene: Scene, end: object) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY, end_ts=end)
    scene.service.has_secret(row_of("zero"), secret=HMAC_KEY, end_ts=end)

    scene.do()

    assert scene.end("1") == scene.end(row_of("zero")) == end
    assert scene.verdict("one") is Reason.BAD_SIGNATURE
    assert scene.verdict("two") is None


@pytest.mark.parametrize("end", [NOW * 1000, 2**63, 10**30, Decimal("1E+125"), Decimal(NOW) + Decimal("1e6") + 1])
def test_rows_whose_end_never_comes_end_with_the_next_rotation(scene: Scene, end: object) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY, end_ts=end)

    scene.do()

    assert scene.end("1") == int(scene.service.clock.now) + RULES.overlap


def test_finish_never_lets_a_row_end_later(scene: Scene) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY, end_ts=NOW + 100)

    scene.do()

    assert scene.end("1") == NOW + 100


def test_a_row_of_a_rotation_that_was_cancelled_ends_with_the_next(scene: Scene) -> None:
    scene.do("createSecret", "setSecret")
    scene.versions.stages["two"].clear()
    scene.versions.begin("three")

    scene.do(version="three")

    assert scene.end(row_of("two")) == int(scene.service.clock.now) + RULES.overlap
    assert scene.verdict("three") is None


def test_an_interrupted_finish_is_taken_up_where_it_ended(scene: Scene) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY)
    scene.do("createSecret", "setSecret", "testSecret")
    scene.versions.make_current(ARN, "two", instead_of="one")
    assert scene.end("1") == NOW + 10**6

    scene.do("finishSecret")

    assert scene.end("1") == NOW + RULES.overlap
    assert scene.versions.stages == {"one": {PREVIOUS}, "two": {CURRENT}}


def test_a_row_of_a_version_that_has_only_a_stage_of_somebodys_own_ends(scene: Scene) -> None:
    scene.versions.stages["zero"] = {"MINE"}
    scene.service.has_secret(row_of("zero"), secret=OTHER_KEY)

    scene.do()

    assert scene.end(row_of("zero")) == int(scene.service.clock.now) + RULES.overlap


def test_a_finish_needs_no_version_before_it(scene: Scene) -> None:
    """Somebody removed the stage of the old one since."""
    scene.do()
    del scene.versions.stages["one"]

    scene.do("finishSecret")

    assert scene.versions.stages == {"two": {CURRENT}}


def test_a_late_finish_leaves_the_next_rotation_alone(scene: Scene) -> None:
    """Its secret is about to become current, so it must not end."""
    scene.do()
    scene.versions.begin("three")
    scene.do("createSecret", "setSecret", version="three")

    scene.do("finishSecret", version="two")

    assert scene.end(row_of("three")) == int(scene.service.clock.now) + RULES.lifetime


def test_a_late_finish_leaves_alone_what_becomes_current_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next rotation ends between its look at the rows and its look at the stages."""
    scene.do()
    scene.versions.begin("three")
    scene.do("createSecret", "setSecret", version="three")
    find_by_value = type(scene.service.provisioning.secrets).find_by_value

    def meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        scene.do("testSecret", "finishSecret", version="three")
        return find_by_value(*given)

    monkeypatch.setattr(type(scene.service.provisioning.secrets), "find_by_value", meanwhile)
    scene.do("finishSecret", version="two")

    assert scene.versions.stages["three"] == {CURRENT}
    assert scene.end(row_of("three")) >= NOW + RULES.lifetime  # type: ignore[operator]


def test_a_description_of_a_moment_ago_keeps_no_old_secret_open(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets Manager does not promise to show at once what it was told."""
    scene.do()
    scene.versions.begin("three")
    scene.do("createSecret", "setSecret", "testSecret", version="three")
    before = scene.versions.describe(ARN)
    monkeypatch.setattr(scene.versions, "describe", lambda _: before)

    scene.do("finishSecret", version="three")

    assert scene.end(row_of("two")) == int(scene.service.clock.now) + RULES.overlap
    assert scene.end(row_of("three")) >= NOW + RULES.lifetime  # type: ignore[operator]


def test_what_the_old_version_holds_need_not_be_a_secret(scene: Scene) -> None:
    scene.do("createSecret", "setSecret")
    scene.versions.values["one"] = "whatever"

    scene.do("finishSecret")

    assert scene.versions.stages["two"] == {CURRENT}


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        pytest.param(0, 3, id="a new row"),
        pytest.param(2, 1, id="one of two seconds"),
        pytest.param(3, 0, id="one that has settled"),
    ],
)
def test_nobody_signs_with_a_secret_before_every_reader_can_see_its_row(scene: Scene, age: int, pause: int) -> None:
    scene.do("createSecret", "setSecret", "testSecret")
    scene.service.clock.pass_by(age)

    scene.do("finishSecret")

    assert scene.service.clock.now - NOW - age == pause


# -- whose secret it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_value_put_there_for_another_tag_gets_nobody_in(scene: Scene, step: str) -> None:
    """Or whoever may put values into this secret could become any user."""
    scene.service.has(tag="admin")
    scene.do(*STEPS[: STEPS.index(step)])
    scene.versions.values["two"] = json.dumps({"tag": "admin", "secret": OTHER_KEY})
    rows, stages = dict(scene.rows), dict(scene.versions.stages)

    refusal = scene.refusal(step)

    assert "differs from ROTATED_TAG" in refusal
    assert "admin" not in refusal
    assert (scene.rows, scene.versions.stages) == (rows, stages)
    assert scene.service.verdict(a_token(key=OTHER_KEY, tag="admin", jti="a")) is Reason.UNKNOWN_TAG


def test_a_current_value_of_another_tag_is_not_rotated_to_one_of_that_tag(scene: Scene) -> None:
    scene.service.has(tag="admin")
    scene.versions.has("one", CURRENT, secret=OTHER_KEY)
    scene.versions.values["one"] = json.dumps({"tag": "admin", "secret": OTHER_KEY})

    scene.refusal("createSecret")

    assert scene.rows == {}


def test_with_another_tag_in_the_setting_the_rotation_stops_and_the_issuer_goes_on(scene: Scene) -> None:
    """Its rows stay as they are: the function may not even ask for them."""
    scene.do()
    scene.service.has(tag="new")
    scene.versions.begin("three")
    rows, scene.rules = dict(scene.rows), replace(RULES, tag="new")

    assert "ROTATED_TAG='new'" in scene.refusal("createSecret", version="three")
    assert scene.rows == rows
    assert scene.verdict("two") is None


def test_a_finish_that_was_interrupted_by_another_tag_says_so(scene: Scene) -> None:
    """Under the new tag there is nothing to end, so it would look done."""
    scene.service.has(tag="new")
    scene.do("createSecret", "setSecret", "testSecret")
    scene.versions.make_current(ARN, "two", instead_of="one")
    scene.rules = replace(RULES, tag="new")

    assert "ROTATED_TAG='new'" in scene.refusal("finishSecret")


def test_after_a_value_without_a_row_was_put_there_a_rotation_lets_the_issuer_in_again(scene: Scene) -> None:
    """And what verified before goes on for the overlap only."""
    scene.do()
    scene.versions.has("by hand", CURRENT, secret=OTHER_KEY)
    assert scene.verdict("by hand") is Reason.BAD_SIGNATURE
    scene.versions.begin("three")

    scene.do(version="three")

    assert scene.verdict("three") is scene.verdict("two") is None
    scene.service.clock.pass_by(RULES.overlap)
    assert scene.verdict("two") is Reason.BAD_SIGNATURE
    assert scene.verdict("three") is None


# -- rows that ended --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds_ago", "is_there"),
    [
        pytest.param(7 * 86400 - 1, True, id="just not a week ago"),
        pytest.param(7 * 86400, False, id="a week ago"),
    ],
)
def test_a_row_of_its_own_is_taken_away_a_week_after_its_end(scene: Scene, seconds_ago: int, is_there: bool) -> None:
    """With a line of audit, as for every write."""
    scene.do("createSecret", "setSecret", "testSecret")
    scene.service.clock.pass_by(SETTLE_SECONDS)
    scene.service.has_secret(row_of("zero"), secret=OTHER_KEY, end_ts=int(scene.service.clock.now) - seconds_ago)

    scene.do("finishSecret")

    assert (row_of("zero") in scene.rows) is is_there
    assert [entry.id for entry in scene.service.audit if entry.action == "secret.remove"] == (
        [] if is_there else [row_of("zero")]
    )


def test_the_row_of_a_version_that_is_in_use_stays_to_be_seen(scene: Scene) -> None:
    """Its issuer is refused, and the operator is to find out why."""
    scene.do()
    scene.service.has_secret(row_of("two"), secret=scene.value("two"), end_ts=NOW - 2 * KEPT_SECONDS)

    scene.do("finishSecret")

    assert row_of("two") in scene.rows


def test_rows_of_others_stay_however_long_ago_they_ended(scene: Scene) -> None:
    """And so does that of the value that was replaced, if others made it."""
    others = {"1": HMAC_KEY, "7": OTHER_KEY, "sm-ZyXwVu-of-another-secret": OTHER_KEY}
    for name, value in others.items():
        scene.service.has_secret(name, secret=value, end_ts=NOW - 10 * KEPT_SECONDS)

    scene.do()

    assert scene.rows.keys() == {*others, row_of("two")}


def test_a_row_that_somebody_else_takes_away_meanwhile_is_no_failure(scene: Scene) -> None:
    scene.do("createSecret", "setSecret", "testSecret")
    scene.service.has_secret(row_of("zero"), secret=OTHER_KEY, end_ts=NOW - 2 * KEPT_SECONDS)
    key = Key(Table.SECRETS, TAG, row_of("zero"))
    scene.service.tables.before_write = lambda: scene.service.tables.rows.__delitem__(key)

    scene.do("finishSecret")

    assert scene.versions.stages["two"] == {CURRENT}


def test_a_secret_that_rotates_every_day_leaves_no_heap_of_rows(scene: Scene) -> None:
    """All of a tag's rows are read whenever it is not remembered."""
    for day in range(30):
        scene.versions.begin(f"day {day}")
        scene.do(version=f"day {day}")
        scene.service.clock.pass_by(86400)

    assert len(scene.rows) == KEPT_SECONDS // 86400 + 2  # the current one, and the one that it replaced


# -- stages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_no_step_is_done_where_rotation_is_off(scene: Scene, step: str) -> None:
    scene.versions.is_rotated = False

    assert "not switched on" in scene.refusal(step)


@pytest.mark.parametrize("step", STEPS)
def test_no_step_is_done_for_a_version_that_is_unknown(scene: Scene, step: str) -> None:
    assert "no such version" in scene.refusal(step, version="three")


@pytest.mark.parametrize("step", STEPS)
def test_no_step_is_done_for_a_version_that_is_not_pending(scene: Scene, step: str) -> None:
    """It was replaced already; a retry that comes so late must not bring it back."""
    scene.do()
    scene.versions.begin("three")

    assert "not AWSPENDING" in scene.refusal(step, version="one")
    assert scene.versions.stages["two"] == {CURRENT}


@pytest.mark.parametrize("step", STEPS)
def test_of_a_version_that_is_current_nothing_is_left_to_do(scene: Scene, step: str) -> None:
    scene.do()
    rows, stages, audit = dict(scene.rows), dict(scene.versions.stages), list(scene.service.audit)

    scene.do(step)

    assert (scene.rows, scene.versions.stages, scene.service.audit) == (rows, stages, audit)


@pytest.mark.parametrize("step", STEPS)
def test_of_the_version_that_is_pending_and_current_nothing_is_left_to_do(scene: Scene, step: str) -> None:
    """Secrets Manager allows a rotation to end so, too."""
    scene.do()
    scene.versions.stages["two"].add(PENDING)
    rows = dict(scene.rows)

    scene.do(step)

    assert scene.rows == rows


# -- two operators ----------------------------------------------------------------------------------------------------


def test_an_operator_who_adds_a_row_meanwhile_does_not_stop_it(scene: Scene) -> None:
    scene.do("createSecret")
    scene.service.tables.before_write = lambda: scene.service.has_secret("9", secret=OTHER_KEY)

    scene.do("setSecret", "testSecret", "finishSecret")

    assert scene.verdict("two") is None
    assert scene.end("9") == NOW + 10**6


def test_an_operator_who_closes_an_old_row_meanwhile_has_the_last_word(scene: Scene) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY)
    scene.do("createSecret", "setSecret", "testSecret")
    scene.service.tables.before_write = lambda: scene.service.has_secret("1", secret=HMAC_KEY, end_ts=NOW + 1)

    scene.do("finishSecret")

    assert scene.end("1") == NOW + 1


# -- audit ------------------------------------------------------------------------------------------------------------


def test_every_write_leaves_a_line_that_says_who_and_never_a_value(scene: Scene) -> None:
    scene.service.has_secret("1", secret=HMAC_KEY)

    scene.do()

    lines = [json.loads(entry.as_line()) for entry in scene.service.audit]
    assert [(line["audit"], line["id"]) for line in lines] == [
        ("rotation.create", row_of("two")),
        ("secret.add", row_of("two")),
        ("rotation.finish", row_of("two")),
        ("secret.close", "1"),
    ]
    assert lines[2]["instead_of"] == "one"
    assert not [line for line in lines if scene.value("two") in json.dumps(line) or HMAC_KEY in json.dumps(line)]


def test_a_write_that_may_have_happened_is_told_as_that(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> bool:
        raise Unreachable("no answer")

    monkeypatch.setattr(scene.versions, "put_pending", lost)
    with pytest.raises(Unreachable):
        scene.do("createSecret")

    assert [(entry.action, entry.outcome) for entry in scene.service.audit] == [
        ("rotation.create", WriteOutcome.UNKNOWN)
    ]


def test_where_the_new_secret_cannot_become_current_the_old_one_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the one, then the other: an unclosed secret locks nobody out. And what was not done leaves no line."""
    scene.service.has_secret("1", secret=HMAC_KEY)

    def refused(*_: object, **__: object) -> None:
        raise Fault("secretsmanager:UpdateSecretVersionStage is refused: AccessDeniedException")

    monkeypatch.setattr(scene.versions, "make_current", refused)
    with pytest.raises(Fault, match="AccessDenied"):
        scene.do()

    assert scene.end("1") == NOW + 10**6
    assert scene.service.actions == ["rotation.create", "secret.add"]


# -- the handler ------------------------------------------------------------------------------------------------------

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(name="ask")
def _ask(scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask the handler; the line that it wrote."""
    actors: list[str] = []

    def provisioning(actor: str) -> Any:
        actors.append(actor)
        return scene.service.provisioning

    wired = app.RotationService(RULES, scene.versions, provisioning)
    monkeypatch.setattr(app, "service", lambda _: wired)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0)

    def ask(step: object = "createSecret", error: type[Fault] | None = None, **members: object) -> dict[str, Any]:
        event = {"Step": step, "SecretId": ARN, "ClientRequestToken": "two", "RotationToken": "x", **members}
        if error is None:
            assert app.lambda_handler(event, LambdaContext()) is None
        else:
            with pytest.raises(error) as caught:
                app.lambda_handler(event, LambdaContext())
            assert HMAC_KEY not in str(caught.value)
        assert set(actors) <= {f"secretsmanager:{ARN}"}
        lines = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "level" in line]
        return dict(lines[0])

    return ask


def test_four_calls_rotate_and_each_leaves_its_line(scene: Scene, ask: Ask) -> None:
    """That of the test says what the service decided."""
    lines = [ask(step) for step in STEPS]

    assert [line["step"] for line in lines] == list(STEPS)
    assert [line["outcome"] for line in lines] == ["done", "done", "authorized", "done"]
    assert {(line["tag"], line["managed_secret"], line["service"]) for line in lines} == {(TAG, ARN, "rotate_secrets")}
    assert lines[2]["secret_id"] == row_of("two")
    assert scene.verdict("two") is None


def test_a_test_of_a_disabled_profile_tells_so(scene: Scene, ask: Ask) -> None:
    scene.service.has(disabled=True)
    for step in STEPS[:2]:
        ask(step)

    assert ask("testSecret")["reason"] == "disabled_profile"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"Step": "dropSecret"}, id="an unknown step"),
        pytest.param({"Step": ["createSecret"]}, id="a step that is no text"),
        pytest.param({"Step": None}, id="no step"),
        pytest.param({"SecretId": ""}, id="no secret"),
        pytest.param({"SecretId": 7}, id="a secret that is no text"),
        pytest.param({"ClientRequestToken": None}, id="no version"),
        pytest.param({"ClientRequestToken": ""}, id="an empty version"),
        pytest.param({"ClientRequestToken": 7}, id="a version that is no text"),
    ],
)
def test_an_event_that_is_not_secrets_managers_is_a_fault(ask: Ask, event: dict[str, object]) -> None:
    line = ask(error=UnknownEvent, **event)

    assert (line["outcome"], line["reason"]) == ("fault", "unknown_event")


@pytest.mark.parametrize("event", [None, [], "createSecret", {}])
def test_what_is_no_event_at_all_is_a_fault(event: object) -> None:
    with pytest.raises(UnknownEvent, match="not a rotation event"):
        app.lambda_handler(event, LambdaContext())


def test_a_rotation_that_cannot_go_on_is_a_fault_with_its_reason(scene: Scene, ask: Ask) -> None:
    """It raises, so that Secrets Manager tries again and the alarm sounds."""
    scene.do("createSecret")
    del scene.service.tables.rows[Key(Table.PROFILES, TAG)]

    line = ask("setSecret", NotRotated)

    assert (line["outcome"], line["reason"], line["step"], line["tag"]) == ("fault", "not_rotated", "setSecret", TAG)
    assert "no profile" in line["causes"][0]["message"]


def test_an_error_of_others_is_not_shown(scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may quote what it was given."""

    def broken(*_: object) -> None:
        raise ValueError(f"cannot read {HMAC_KEY}")

    monkeypatch.setattr(scene.versions, "value_of", broken)

    line = ask("createSecret", Fault)

    assert line["reason"] == "unforeseen"
    assert HMAC_KEY not in json.dumps(line)


def test_no_value_is_in_a_representation(scene: Scene) -> None:
    secret = SigningSecret.from_text(scene.versions.values["one"], TAG)

    assert HMAC_KEY not in repr(secret) + repr(secret.renew(TAG, OTHER_KEY, "k")) + repr(secret.as_key())
    assert OTHER_KEY not in repr(secret.renew(TAG, OTHER_KEY, "k"))
