"""Real MariaDB and PostgreSQL servers, each with a folder of its own, on loopback, ended with the tests."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

USER: Final = "opensips"
PASSWORD: Final = 'opensips\'rw \\ "é"'
DATABASE: Final = "opensips"
_START_SECONDS: Final = 60
_END_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A database server.

    Attributes:
        kind: the scheme of its URL.
        port: where it listens on 127.0.0.1.
        programs: the folder of its clients, and a file that has the password of its user.
        folder: of files that the server may write.
    """

    kind: str
    port: int
    programs: Path
    folder: Path
    password_file: Path = field(repr=False)

    @property
    def url(self) -> str:
        """Its URL, without the password."""
        return f"{self.kind}://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def execute(self, *statements: str, rows: Mapping[str, Sequence[Sequence[object]]] | None = None) -> list[Any]:
        """Run *statements*, then insert *rows* by their table; what the last statement gave."""
        with closing(self._connection()) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            given = list(cursor.fetchall()) if cursor.description else []
            for table, values in (rows or {}).items():
                marks = ", ".join(["%s"] * len(values[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
            connection.commit()
        return given

    def run(self, program: str, *arguments: str) -> bytes:
        """Run one of its clients; what that wrote."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            env={**os.environ, "MYSQL_PWD": PASSWORD, "PGPASSWORD": PASSWORD},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _connection(self) -> Any:
        if self.kind == "mysql":
            import pymysql  # type: ignore[import-untyped]

            secret = PASSWORD.encode()
            return pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=secret, database=DATABASE)
        import psycopg

        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=DATABASE)


@contextmanager
def mariadb() -> Iterator[Server]:
    """A MariaDB server with an empty database."""
    install, server, client = _programs("mariadb-install-db", "mariadbd", "mariadb-dump")
    with _folder(None) as folder:
        data, port, user = folder / "data", _free_port(), pwd.getpwuid(os.geteuid()).pw_name
        _finish(
            *(install, "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        setup = folder / "setup.sql"
        escaped = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        setup.write_text(
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{escaped}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n",
            encoding="utf-8",
        )
        arguments = [
            *(server, "--no-defaults", f"--datadir={data}", f"--user={user}", f"--port={port}"),
            *("--bind-address=127.0.0.1", "--skip-name-resolve", f"--socket={folder / 'socket'}"),
            *(f"--pid-file={folder / 'pid'}", f"--init-file={setup}", "--secure-file-priv="),
            *("--default-time-zone=+05:00", "--character-set-server=utf8mb4"),
        ]
        made = Server("mysql", port, Path(client).parent, folder, _password_file(folder))
        with _running(arguments, folder / "log", made):
            yield made


@contextmanager
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server with an empty database; it refuses to run as root, so another user runs it then."""
    initdb, server, client = _programs("initdb", "postgres", "psql")
    with _folder("postgres" if os.geteuid() == 0 else None) as folder:
        data, port, owner = folder / "data", _free_port(), folder.owner() if os.geteuid() == 0 else None
        password_file = _password_file(folder, owner)
        _finish(
            *(initdb, "-D", str(data), "-U", USER, "-E", "UTF8", "--locale=C", f"--pwfile={password_file}"),
            "--auth=scram-sha-256",
            user=owner,
        )
        arguments = [
            *(server, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"),
            *("-c", "unix_socket_directories=", "-c", "timezone=Asia/Karachi"),
        ]
        made = Server("postgres", port, Path(client).parent, folder, password_file)
        with _running(arguments, folder / "log", made, user=owner):
            yield made


def _programs(*names: str) -> list[str]:
    """Find programs; where they are not installed, there is nothing to test, unless this is CI."""
    folders = [
        *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True),
        *os.environ.get("PATH", "").split(os.pathsep),
        *("/usr/sbin", "/usr/local/sbin"),
    ]
    found = [shutil.which(name, path=os.pathsep.join(folders)) for name in names]
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return [str(path) for path in found]


@contextmanager
def _folder(owner: str | None) -> Iterator[Path]:
    """A folder that *owner* can get to, which pytest's own folders do not let anyone else."""
    if owner is not None:
        try:
            pwd.getpwnam(owner)
        except KeyError:
            owner = "nobody"
    with tempfile.TemporaryDirectory(prefix="auth-jwt-") as name:
        if owner is not None:
            shutil.chown(name, owner)
        yield Path(name)


def _password_file(folder: Path, owner: str | None = None) -> Path:
    path = folder / "password"
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    if owner is not None:
        shutil.chown(path, owner)
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _finish(*command: str, user: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **_as(user))
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _running(command: Sequence[str], log: Path, server: Server, *, user: str | None = None) -> Iterator[None]:
    """Run a server until it answers, and end it afterwards."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd="/", **_as(user))
    try:
        _wait_until_it_answers(process, server, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", server: Server, log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS
    maintenance = "postgres" if server.kind == "postgres" else None
    while time.monotonic() < ends and process.poll() is None:
        try:
            if maintenance is not None:
                _create_database(server, maintenance)
            server.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - of two drivers; it does not answer yet
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server does not answer: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _create_database(server: Server, maintenance: str) -> None:
    import psycopg

    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, dbname=maintenance, autocommit=True
    ) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
