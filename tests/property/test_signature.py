"""The express lane signs as botocore does, byte for byte, whatever the request."""

from datetime import UTC, datetime
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from auth_jwt.aws.signature import AwsCredentials, sign_headers, signing_key
from tests.sampling import examples

REQUESTS = 500

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
credentials = st.builds(
    AwsCredentials,
    access_key=st.text(min_size=1, max_size=40) | st.from_regex(r"A(KIA|SIA)[A-Z0-9]{16}", fullmatch=True),
    secret_key=texts.filter(bool) | st.from_regex(r"[A-Za-z0-9/+]{40}", fullmatch=True),
    # Header lines are fields of a message to botocore: text that would end one cannot be sent by either.
    token=st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=400),
)
regions = st.from_regex(r"[a-z]{2}-[a-z]{1,12}-[0-9]{1,2}", fullmatch=True)
hosts = st.builds(
    "{}{}".format,
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?(\.[a-z][a-z0-9]{0,12}){0,3}", fullmatch=True) | st.just("[::1]"),
    st.just("") | st.integers(1, 65535).filter(lambda port: port not in (80, 443)).map(":{}".format),
)
times = st.integers(0, 2**35).map(lambda quarters: quarters / 4)  # UNIX seconds, exactly
targets = st.from_regex(r"[A-Za-z0-9_.]{1,60}", fullmatch=True)


def signed_by_botocore(
    host: str, headers: dict[str, str], body: bytes, who: AwsCredentials, region: str, now: float
) -> dict[str, str]:
    request = AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(now, UTC)):
        SigV4Auth(Credentials(who.access_key, who.secret_key, who.token), "dynamodb", region).add_auth(request)
    return dict(request.headers.items())


@settings(max_examples=examples(REQUESTS), deadline=None)
@given(host=hosts, target=targets, body=texts, who=credentials, region=regions, now=times)
def test_it_equals_botocores_signer(
    host: str, target: str, body: str, who: AwsCredentials, region: str, now: float
) -> None:
    """Date, token, signed headers and signature: all that the signer adds, over thousands of requests."""
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    body_sent = body.encode()

    ours = sign_headers(headers, body_sent, credentials=who, region=region, now=now)

    assert ours == signed_by_botocore(host, headers, body_sent, who, region, now)


@pytest.mark.parametrize(
    ("now", "date"),
    [
        pytest.param(1772323199.75, "20260228T235959Z", id="the last second of a day"),
        pytest.param(1772323200, "20260301T000000Z", id="the first of the next"),
    ],
)
def test_the_date_is_that_of_the_whole_second(now: float, date: str) -> None:
    who = AwsCredentials("a", "b")

    headers = sign_headers({"Host": "h"}, b"", credentials=who, region="eu-central-1", now=now)

    assert headers["X-Amz-Date"] == date
    assert f"Credential=a/{date[:8]}/eu-central-1/dynamodb/aws4_request" in headers["Authorization"]


def test_a_signing_key_is_the_one_that_aws_publishes_as_its_example() -> None:
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")

    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


@pytest.mark.parametrize("part", ["access_key", "secret_key", "token"])
def test_credentials_are_not_shown(part: str) -> None:
    shown = repr(AwsCredentials(**{"access_key": "a", "secret_key": "b", "token": "c", part: "do not show"}))

    assert "do not show" not in shown
