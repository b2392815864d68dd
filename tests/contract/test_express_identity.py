"""In whose name the express lane asks: the environment's credentials, or the container endpoint's, renewed in time."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.credentials
import botocore.utils
import pytest

from auth_jwt.aws import identity
from auth_jwt.aws.connections import Connections
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.aws.express import ExpressClient, express_client
from auth_jwt.aws.identity import ContainerIdentity, EnvironmentIdentity
from auth_jwt.aws.signature import AwsCredentials
from auth_jwt.errors import Fault
from auth_jwt.models import Columns
from auth_jwt.ports import Deadline
from tests.contract.clients import REGION
from tests.contract.credentials_endpoint import Answer, Endpoint, some_credentials
from tests.contract.servers import a_dynamodb, rows

MINUTE = 60


def name_of(credentials: AwsCredentials) -> str:
    """Which credentials these are; all parts are of the same."""
    names = {part.split()[0] for part in (credentials.access_key, credentials.secret_key, credentials.token or "")}
    (name,) = names
    return name


def fault_of(who: identity.AwsIdentity) -> str:
    with pytest.raises(Fault) as caught:
        who()
    assert type(caught.value) is Fault
    return str(caught.value)


class TestEnvironment:
    """Credentials that stand in the environment."""

    @pytest.mark.parametrize(
        ("tokens", "token"),
        [
            ({}, None),
            ({"AWS_SESSION_TOKEN": ""}, None),
            ({"AWS_SESSION_TOKEN": "new"}, "new"),
            ({"AWS_SECURITY_TOKEN": "old"}, "old"),
            ({"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "new"}, "old"),
        ],
    )
    def test_they_are_botocores(self, tokens: dict[str, str], token: str | None) -> None:
        env = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", **tokens}

        ours, botocores = EnvironmentIdentity(env)(), botocore.credentials.EnvProvider(env).load()

        assert botocores is not None
        assert (ours.access_key, ours.secret_key, ours.token or None) == ("key", "secret", token)
        assert (botocores.access_key, botocores.secret_key, botocores.token) == ("key", "secret", token)

    def test_they_are_read_when_they_are_needed(self) -> None:
        """Not when the client is made: that may be before a snapshot."""
        env = {"AWS_ACCESS_KEY_ID": "before", "AWS_SECRET_ACCESS_KEY": "before"}
        who = identity.identity_of(env)
        env["AWS_ACCESS_KEY_ID"] = "after"

        assert who is not None
        assert who().access_key == "after"

    @pytest.mark.parametrize("odd", ["a\r\nX: y", "smörgås", "a\x00", "a\n"])
    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
    def test_what_no_header_can_hold_is_a_fault_that_does_not_show_it(self, name: str, odd: str) -> None:
        env = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", name: odd}

        assert odd not in fault_of(EnvironmentIdentity(env))


class TestContainer:
    """Credentials that an endpoint gives: the way of SnapStart."""

    def test_they_are_fetched_at_the_first_request_and_not_before(self, endpoint: Endpoint) -> None:
        """And stand in its signature."""
        endpoint.answers = [some_credentials(expires=time.time() + 3600)]
        with a_dynamodb(rows) as dynamodb:
            client = express_client(endpoint.env, region=None, endpoint=dynamodb, timeout_seconds=5)
            assert endpoint.asked == []

            client.get_item(TableName="t")
            client.get_item(TableName="t")

        ((path, headers),) = endpoint.asked
        assert path == "/credentials?x=1"
        assert headers["Authorization"] == "let me in"
        assert (headers["Accept"], headers["Accept-Encoding"]) == ("application/json", "identity")
        assert headers["Connection"] == "close", "nothing follows for an hour"
        assert headers["Host"] == f"127.0.0.1:{endpoint.port}"

    @pytest.mark.parametrize(
        ("left", "fetched"),
        [
            pytest.param(15 * MINUTE, 1, id="fifteen minutes are enough"),
            pytest.param(15 * MINUTE - 1, 2, id="less are not"),
        ],
    )
    def test_they_are_renewed_before_they_expire(self, endpoint: Endpoint, left: int, fetched: int) -> None:
        endpoint.answers = [
            some_credentials("first", expires=endpoint.clock.now + 3600),
            some_credentials("second", expires=endpoint.clock.now + 7200),
        ]
        who = endpoint.identity()
        assert name_of(who()) == "first"
        endpoint.clock.pass_by(3600 - left)

        assert name_of(who()) == ("first" if fetched == 1 else "second")
        assert len(endpoint.asked) == fetched

    def test_our_times_are_botocores(self) -> None:
        refreshable = botocore.credentials.RefreshableCredentials
        fetcher = botocore.utils.ContainerMetadataFetcher

        assert refreshable._advisory_refresh_timeout == identity.RENEW_SECONDS  # type: ignore[attr-defined]
        assert refreshable._mandatory_refresh_timeout == identity.RENEW_OR_FAIL_SECONDS  # type: ignore[attr-defined]
        assert (fetcher.TIMEOUT_SECONDS, fetcher.RETRY_ATTEMPTS, fetcher.SLEEP_TIME) == (
            identity._TIMEOUT_SECONDS,
            identity._ATTEMPTS,
            identity._PAUSE_SECONDS,
        )
        server, _ = identity._endpoint({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/"})
        assert (server._wait, server._whole) == (fetcher.TIMEOUT_SECONDS, 2 * fetcher.TIMEOUT_SECONDS), (
            "to connect, too"
        )
        assert set(fetcher._ALLOWED_HOSTS) == identity._HOSTS  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("left", "goes_on"),
        [
            pytest.param(14 * MINUTE, True, id="there is time"),
            pytest.param(10 * MINUTE, True, id="ten minutes are just enough"),
            pytest.param(10 * MINUTE - 1, False, id="less are not"),
            pytest.param(-1, False, id="they are expired"),
        ],
    )
    def test_while_they_are_good_a_renewal_may_fail(self, endpoint: Endpoint, left: int, goes_on: bool) -> None:
        endpoint.answers = [some_credentials(expires=endpoint.clock.now + 3600), (500, b"no")]
        who = endpoint.identity()
        who()
        endpoint.clock.pass_by(3600 - left)

        if goes_on:
            assert name_of(who()) == "first"
        else:
            assert fault_of(who) == "the container's credentials cannot be fetched (status 500)"
        assert len(endpoint.asked) == 1 + 3

    def test_an_endpoint_that_comes_back_is_enough(self, endpoint: Endpoint) -> None:
        """Three attempts, whatever fails."""
        good = some_credentials(expires=endpoint.clock.now + 3600)
        endpoint.answers = [(503, b""), (200, b"hello"), good]

        assert name_of(endpoint.identity()()) == "first"

    def test_between_two_attempts_there_is_a_pause(self, endpoint: Endpoint) -> None:
        endpoint.answers = [(503, b"")]
        begun = time.monotonic()

        fault_of(ContainerIdentity(endpoint.env, pause_seconds=0.1))

        assert 0.2 <= time.monotonic() - begun < 2

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param((200, b"[]"), id="no object"),
            pytest.param((200, b"[" * 100_000), id="too deep"),
            *(
                pytest.param(some_credentials(expires=2e9, **{member: None}), id=f"no {member}")
                for member in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
            ),
            pytest.param(some_credentials(expires=2e9, Expiration="soon"), id="no time"),
            pytest.param(some_credentials(expires=2e9, Expiration=7), id="a number for a time"),
            pytest.param(some_credentials(expires=2e9, SecretAccessKey=7), id="a number for a key"),
            pytest.param(some_credentials(expires=2e9, Token="a\r\nX: y"), id="a token that no header can hold"),
            pytest.param(some_credentials(expires=1), id="expired"),
        ],
    )
    def test_what_are_no_credentials_is_a_fault_that_does_not_show_them(
        self, endpoint: Endpoint, answer: Answer
    ) -> None:
        endpoint.answers = [answer]

        message = fault_of(endpoint.identity())

        assert "first" not in message
        assert "container's credentials" in message or "AWS credentials" in message

    def test_a_time_without_a_zone_is_utc(
        self, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        request.addfinalizer(time.tzset)  # when the variable is what it was
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        endpoint.answers = [some_credentials(expires=2e9, Expiration="2027-01-15T08:00:00")]
        endpoint.clock.now = datetime(2027, 1, 15, 7, 45, tzinfo=UTC).timestamp()
        who = endpoint.identity()
        who()
        who()
        assert len(endpoint.asked) == 1
        endpoint.clock.pass_by(1)
        who()

        assert len(endpoint.asked) == 2

    def test_one_thread_renews_and_the_others_go_on(self, endpoint: Endpoint) -> None:
        endpoint.answers = [
            some_credentials("first", expires=endpoint.clock.now + 3600),
            some_credentials("second", expires=endpoint.clock.now + 7200),
        ]
        who = endpoint.identity()
        who()
        endpoint.clock.pass_by(3600 - 12 * MINUTE)
        endpoint.delay = 0.3

        with ThreadPoolExecutor(8) as threads:
            names = sorted(map(name_of, threads.map(lambda _: who(), range(8))))

        assert names == ["first"] * 7 + ["second"]
        assert len(endpoint.asked) == 2

    def test_without_good_ones_all_wait_for_the_one_that_fetches(self, endpoint: Endpoint) -> None:
        endpoint.answers = [some_credentials(expires=endpoint.clock.now + 3600)]
        endpoint.delay = 0.2
        who = endpoint.identity()

        with ThreadPoolExecutor(8) as threads:
            assert {name_of(given) for given in threads.map(lambda _: who(), range(8))} == {"first"}

        assert len(endpoint.asked) == 1

    def test_the_token_file_is_read_anew_each_time(self, endpoint: Endpoint, tmp_path: Path) -> None:
        """And comes before the token in the environment."""
        file = tmp_path / "token"
        endpoint.answers = [some_credentials(expires=endpoint.clock.now)]
        who = endpoint.identity(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file))
        for token in ("one", "two"):
            file.write_text(token)
            who()

        assert [headers["Authorization"] for _, headers in endpoint.asked] == ["one", "two"]

    @pytest.mark.parametrize("content", [b"one\n", b"one\r\nX: y", b"\xff", None], ids=repr)
    def test_a_token_file_that_holds_no_token_is_a_fault(
        self, endpoint: Endpoint, tmp_path: Path, content: bytes | None
    ) -> None:
        file = tmp_path / "token"
        if content is not None:
            file.write_bytes(content)

        message = fault_of(endpoint.identity(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file)))

        assert "token" in message.lower()
        assert "one" not in message
        assert endpoint.asked == []

    def test_a_refused_connection_is_a_fault_in_the_end(self) -> None:
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}

        message = fault_of(ContainerIdentity(env, pause_seconds=0))

        assert message == "the container's credentials cannot be fetched (ConnectionRefusedError)"

    def test_a_store_without_credentials_says_of_which_table(self, endpoint: Endpoint) -> None:
        endpoint.answers = [(403, b"no")]
        connections = Connections("http://127.0.0.1:1", wait_seconds=1, answer_seconds=1)
        client = ExpressClient(endpoint.identity(), REGION, connections)
        store = DynamoDbStore(lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns())

        with pytest.raises(Fault, match=r"GetItem on table 'profiles'.*status 403") as caught:
            store.read("alice", consistent=False, deadline=Deadline(10))

        assert type(caught.value) is Fault

    def test_an_endpoint_that_hangs_is_over_by_the_deadline(self, endpoint: Endpoint) -> None:
        endpoint.answers, endpoint.delay = [(500, b"")], 30
        connections = Connections("http://127.0.0.1:1", wait_seconds=1, answer_seconds=1)
        client = ExpressClient(endpoint.identity(), REGION, connections)
        store = DynamoDbStore(lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns())
        begun = time.monotonic()

        with pytest.raises(Fault):
            store.read("alice", consistent=False, deadline=Deadline(0.2))

        assert time.monotonic() - begun < 1.9  # and not by the two seconds of each attempt


URLS = [
    ("http://127.0.0.1/x", True),
    ("http://127.8.9.10:80/x", True),
    ("http://[::1]:80/x", True),
    ("http://localhost/x", True),
    ("http://169.254.170.2/x", True),
    ("http://169.254.170.23/x", True),
    ("http://[fd00:ec2::23]/x", True),
    ("https://anywhere.example/x", True),
    ("http://169.254.169.254/x", False),
    ("http://169.254.170.24/x", False),
    ("http://localhost.example/x", False),
    ("http://127.0.0.1.example/x", False),
    ("http://127.0.0.1@other.example/x", False),
    ("http://0.0.0.0/x", False),
    ("http://[::]/x", False),
]


class TestHosts:
    """Who may be asked for credentials: what botocore asks, asked by nobody here."""

    @pytest.mark.parametrize(("url", "allowed"), URLS)
    def test_a_host_is_allowed_that_botocore_allows(self, url: str, allowed: bool) -> None:
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        validate: Any = botocore.utils.ContainerMetadataFetcher()._validate_allowed_url  # type: ignore[attr-defined]
        if allowed:
            validate(url)
            _, target = identity._endpoint(env)
            assert target == "/x"
        else:
            with pytest.raises(ValueError, match="Unsupported host"):
                validate(url)
            assert "nor of an accepted host" in fault_of(ContainerIdentity(env))

    @pytest.mark.parametrize(
        "url",
        [
            *("", "localhost", "ftp://localhost/", "http://", "http://localhost:x/", "http://[::1/"),
            *("http://localhost/a b", "http://localhost/\r\n"),
        ],
    )
    def test_what_is_no_url_is_a_fault(self, url: str) -> None:
        assert "nor of an accepted host" in fault_of(ContainerIdentity({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}))

    @pytest.mark.parametrize(
        ("relative", "host"),
        [("/v2/credentials/x", "169.254.170.2"), ("/", "169.254.170.2"), (":8080/x", "169.254.170.2:8080")],
    )
    def test_a_relative_uri_is_asked_of_the_one_host(self, relative: str, host: str) -> None:
        """Also when there is a full one."""
        env = {
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": relative,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/full",
        }

        server, target = identity._endpoint(env)

        assert (server.host, target) == (host, relative[relative.index("/") :])

    @pytest.mark.parametrize("relative", ["@other.example/", ".other.example/", "0/", ""])
    def test_a_relative_uri_leads_nowhere_else(self, relative: str) -> None:
        env = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": relative}

        if relative:
            assert "nor of an accepted host" in fault_of(ContainerIdentity(env))
        else:
            assert identity._endpoint(env)[0].host == "169.254.170.2"
