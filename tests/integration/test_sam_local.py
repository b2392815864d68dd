"""`make sam-local-invoke` and `make sam-local-api`, with programs in Docker's and SAM's place that note their words.

The engine itself is not here; what SAM makes of these words was tried by hand (docs/local.md).
"""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from tests.moto_server import a_moto_server
from tests.prepared_command import executable
from tools.events.stage import OUTCOMES, ROOT, SAMPLES, path_of
from tools.serve import sam_local
from tools.serve.sam_local import main

SAMPLE_PARAMETERS = "LoadCredentials=$avp(caller_name)=display_name;account_id;video_allowed"
Told = Callable[[], list[list[str]]]


@pytest.fixture(name="moto")
def _moto() -> Iterator[int]:
    """The port of a moto server, as a container would publish it."""
    with a_moto_server() as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture(name="machine", autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.fixture(name="told")
def _told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: int) -> Told:
    """Put stand-ins for docker and sam in place; what they were told, in order."""
    notes = tmp_path / "notes"
    for name in ("docker", "sam"):
        program = tmp_path / name
        program.write_text(
            executable(
                "import shlex, sys\n"
                f"open({str(notes)!r}, 'a').write(shlex.join([{name!r}, *sys.argv[1:]]) + '\\n')\n"
                f"if sys.argv[1] == 'port': print('127.0.0.1:{moto}')\n"
                f"if sys.argv[0].endswith('sam'): sys.exit(7)\n"
            )
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(sam_local, "SAM", tmp_path / "sam")
    return lambda: [shlex.split(line) for line in notes.read_text().splitlines()]


def test_dynamodb_stands_beside_the_function_and_goes_with_it(told: Told, moto: int) -> None:
    code = main(["invoke"], {})

    version, network, run, port, sam, remove, remove_network = told()
    name = network[-1]
    assert version[:2] == ["docker", "version"]
    assert network == ["docker", "network", "create", name]
    assert run == shlex.split(
        f"docker run --detach --rm --name {name} --network {name} --publish 127.0.0.1::5000 {sam_local.IMAGE}"
    )
    assert port == ["docker", "port", name, "5000"]
    assert sam[:3] == ["sam", "local", "invoke"]
    assert sam[sam.index("--docker-network") + 1] == name
    assert sam[sam.index("--parameter-overrides") + 1 :] == [
        "Architecture=x86_64",
        f"DbUrl=dynamodb+http://{name}:5000/eu-central-1?insecure=true",
        SAMPLE_PARAMETERS,
    ]
    assert (remove, remove_network) == (["docker", "rm", "--force", name], ["docker", "network", "rm", name])
    assert code == 7, "SAM's own"


def test_it_has_the_sample_rows(told: Told, moto: int) -> None:
    main(["invoke"], {})

    client = boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{moto}",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    assert client.get_item(TableName="jwt_profiles", Key={"tag": {"S": "alice-web"}})["Item"]["sip_username"] == {
        "S": "alice"
    }


def test_tables_of_ones_own_need_no_container(told: Told) -> None:
    main(["api", "--port", "3001"], {"DB_URL": "dynamodb+http://db:8000/eu-west-1", "DOCKER_NETWORK": "mine"})

    _, sam = told()
    assert sam == shlex.split(
        "sam local start-api --host 127.0.0.1 --port 3001"
        f" --template-file {shlex.quote(str(ROOT))}/build/x86_64/artifact/template.yaml --docker-network mine"
        " --parameter-overrides Architecture=x86_64 DbUrl=dynamodb+http://db:8000/eu-west-1"
    )


@pytest.mark.parametrize("folder", OUTCOMES)
def test_an_event_goes_to_the_function_of_its_folder(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = min((SAMPLES / folder).glob("*.json"))

    main(["--dry-run", "invoke", str(event)], {"DB_URL": "dynamodb://"})

    words = shlex.split(capsys.readouterr().out)
    assert words[1:6] == ["local", "invoke", path_of(folder), "--event", str(event)]


def test_an_event_that_does_not_exist_is_named(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invoke", "no.json"], {}) == 2
    assert "there is no no.json" in capsys.readouterr().err


def test_an_image_is_there_for_two_kinds_of_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    main(["--dry-run", "api"], {"DB_URL": "dynamodb://"})
    assert "Architecture=arm64" in capsys.readouterr().out

    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert main(["--dry-run", "api"], {"DB_URL": "dynamodb://"}) == 2
    assert "riscv64" in capsys.readouterr().err


def test_a_missing_docker_is_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")

    assert main(["check"], {}) == 2
    assert "not installed" in (said := capsys.readouterr().err)
    assert "make serve" in said


def test_an_engine_that_does_not_run_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect.' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert main(["check"], {}) == 2
    assert "does not answer (Cannot connect.)" in capsys.readouterr().err
