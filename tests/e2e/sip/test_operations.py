"""What operators do, seen from the phone: rotation, revocation, a new secret."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from auth_jwt.provisioning.secrets import NewSecret
from frontends.kamailio.local import HERE, Kamailio
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.stand import Phones, demand_programs, expires_of

OVERLAP_SECONDS = 2


def test_during_a_rotation_old_and_new_register_and_afterwards_the_new_alone(
    kamailio: Kamailio, phones: Phones, desk: Desk
) -> None:
    user = desk.user()
    old = desk.token(user)
    rotated = desk.provisioning.secrets.rotate(user.tag, NewSecret(), overlap_seconds=OVERLAP_SECONDS)
    new = desk.token(user)

    during = [phones.register(kamailio, user, token).status for token in (old, new)]
    closes = rotated.closing[0].end
    assert closes is not None
    while time.time() < closes:
        time.sleep(0.05)
    after = [phones.register(kamailio, user, token).status for token in (old, new)]

    assert during == [200, 200]
    assert after == [401, 200]


def test_a_registration_ends_with_the_overlap_at_the_latest(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    old = desk.token(user)
    desk.provisioning.secrets.rotate(user.tag, NewSecret(), overlap_seconds=60)

    answer = phones.register(kamailio, user, old, expires=3600)

    assert 40 < expires_of(answer) <= 60


def test_a_revoked_token_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    minted, other = desk.provisioning.tokens.mint(user.tag), desk.token(user)
    token = desk.noted(minted.token)
    before = phones.register(kamailio, user, token).status

    desk.provisioning.revocations.revoke(user.tag, minted.jti, exp=minted.expires_at)

    assert before == 200
    assert phones.register(kamailio, user, token).status == 401
    assert phones.register(kamailio, user, other).status == 200


def test_all_tokens_of_a_user_can_be_revoked(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user)

    desk.provisioning.revocations.revoke_all(user.tag)

    assert phones.register(kamailio, user, token).status == 401


def test_a_disabled_user_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user)

    desk.provisioning.profiles.disable(user.tag)

    assert phones.register(kamailio, user, token).status == 401


def test_settings_of_before_do_with_the_next_kamailio_cfg(tmp_path: Path) -> None:
    """What is new in settings.cfg has a value without it: operators keep theirs."""
    demand_programs()
    for name in ("kamailio.cfg", "hooks.cfg"):
        shutil.copy(HERE / name, tmp_path)
    settings = (HERE / "settings.cfg").read_text("utf-8")
    new = "#!define PING_SECONDS 30\n"
    assert new in settings
    (tmp_path / "settings.cfg").write_text(settings.replace(new, "").replace(" advertise sip.example.com:8443", ""))
    path = f"{os.environ['PATH']}:/usr/sbin"

    told = subprocess.run(
        ["kamailio", "-c", "-f", str(tmp_path / "kamailio.cfg")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": path},
    )

    assert told.returncode == 0, told.stderr
