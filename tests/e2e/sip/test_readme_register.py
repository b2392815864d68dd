"""The REGISTER that Kamailio's page shows to see it work, sent as the page says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.issuing import Desk, User
from tests.e2e.sip.stand import demand_programs
from tests.page_commands import FRONTENDS, blocks_of

ALICE = User("alice-web", "alice")


def test_the_page_shows_how_to_see_it_work(kamailio: Kamailio, desk: Desk, tmp_path: Path) -> None:
    demand_programs("nc")
    (block,) = (each for each in blocks_of(FRONTENDS / "kamailio" / "README.md") if "REGISTER" in each)
    token = desk.token(ALICE)
    path = f"{os.environ['PATH']}:/usr/sbin"
    control = f"exec {shutil.which('kamcmd', path=path)} -s unix:{kamailio.folder / 'kamailio_ctl'}"
    for name, line in (("auth-jwt", f"echo {token}"), ("kamcmd", f'{control} "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n", "utf-8")
        (tmp_path / name).chmod(0o755)

    shown = subprocess.run(
        ["sh"],
        input=block.replace("127.0.0.1 5062", f"127.0.0.1 {kamailio.udp}"),
        env={"PATH": f"{tmp_path}:{path}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert shown.startswith("SIP/2.0 200 ")
    assert re.search(r"AoR: alice@sip\.example\.com\b", shown)
