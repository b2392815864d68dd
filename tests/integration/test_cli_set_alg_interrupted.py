"""`secret set-alg` ended before its time: it says what it wrote, and goes on there when it is run again."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3

from tests.command_line import command, environment_of, sample_tables
from tests.factories import HMAC_KEY
from tests.measured import unmeasured
from tools.events.stage import REGION


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "dynamodb", region_name=REGION, endpoint_url=f"http://{endpoint}",
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip


def put(client: Any, tag: str, secret_id: str, secret: str) -> None:
    bounds = {"start_ts": {"N": "1"}, "end_ts": {"N": "4102444800"}}
    texts = {"corresponding_tag": tag, "id": secret_id, "secret": secret}
    client.put_item(TableName="jwt_secrets", Item={**bounds, **{name: {"S": text} for name, text in texts.items()}})


def algs(client: Any, tag: str = "many") -> list[str | None]:
    """What the rows of a tag say."""
    pages = client.get_paginator("scan").paginate(TableName="jwt_secrets")
    items = [item for page in pages for item in page["Items"] if item["corresponding_tag"]["S"] == tag]
    return [item.get("alg", {}).get("S") for item in items]


def test_it_may_be_interrupted_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    with sample_tables() as endpoint:
        client = client_of(endpoint)
        for number in range(200):
            put(client, "many", f"{number:03}", f"{HMAC_KEY} {number}")
        environment = environment_of(endpoint, tmp_path)
        process = subprocess.Popen(
            [command(), "secret", "set-alg", "--all"], env=unmeasured(environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for(lambda: sum(alg is not None for alg in algs(client)) > 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

        assert process.returncode == 130, err
        assert "that is not all" in out
        assert "secret.set_alg of" in err
        again = subprocess.run(
            [command(), "secret", "set-alg", "many"], env=environment,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert again.returncode == 0, again.stderr
        assert set(algs(client)) == {"HS256,HS384,HS512"}


def wait_for(condition: Any) -> None:
    ends = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_result_that_nobody_reads_ends_it_saying_what_was_written(tmp_path: Path) -> None:
    with sample_tables() as endpoint:
        reader, writer = os.pipe()
        os.close(reader)
        client = client_of(endpoint)
        put(client, "t1", "1", HMAC_KEY)
        ended = subprocess.run(
            [command(), "secret", "set-alg", "t1"], env=environment_of(endpoint, tmp_path),
            stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
        os.close(writer)

        assert ended.returncode == 5
        assert "secret.set_alg of 't1', '1', is done" in ended.stderr
