"""Targets: what operators read back: exports, and values that were sealed for them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import cache

from auth_jwt.errors import Invalid
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.transfer.export_files import ExportFile
from auth_jwt_cli.transfer.sealing import Opener, Sealer
from tests.factories import private_pem, public_pem
from tests.fuzz.target import Target, a_file


def check_export(octets: bytes) -> None:
    """An export is rows, with values that were sealed for us, or invalid."""
    path = a_file("export.jsonl", octets)
    with suppress(Invalid):
        export = ExportFile(path)
        for table in (Table.PROFILES, Table.SECRETS):
            for each in export.rows(table):
                assert each.row.key.table is table
    with suppress(Invalid):
        opened = ExportFile(path, _opener("p256"))
        for _ in opened.rows(Table.SECRETS):
            pass


@cache
def _opener(name: str) -> Opener:
    return Opener(private_pem(name).encode())


def check_sealed(octets: bytes) -> None:
    """A sealed value opens to what was sealed; one that was changed, or sealed for another, is invalid."""
    sealed = octets.decode("utf-8", "surrogateescape")
    for name in ("rsa_2048", "p256", "x25519"):
        with suppress(Invalid):
            _opener(name).open(sealed)
    for make in (Opener, Sealer):
        with suppress(Invalid):
            make(octets)


def _export_seeds() -> Iterator[bytes]:
    columns = asdict(Columns())
    sealed = Sealer(public_pem("p256").encode()).seal(json.dumps({"tag": "t1", "id": "1", "value": "secret"}).encode())
    for values in ("none", "encrypted"):
        lines = [
            {"auth_jwt_export": 1, "at": 1, "target": {}, "columns": columns, "values": values},
            {"profile": {"tag": "t1", "sip_username": "alice", "n": {"N": "1"}}},
            {"secret": {"corresponding_tag": "t1", "id": "1", "start_ts": 1}, "sealed": sealed, "fingerprints": ["a"]},
            {"end": {"profiles": 1, "secrets": 1}},
        ]
        yield "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def _sealed_seeds() -> Iterator[bytes]:
    for name in ("rsa_2048", "p256", "x25519"):
        yield Sealer(public_pem(name).encode()).seal(b"a value").encode()
        yield private_pem(name).encode()
        yield public_pem(name).encode()


TARGETS = (
    Target(
        "export",
        check_export,
        _export_seeds,
        ("profile", "secret", "sealed", "end", '{"N":"1"}', '{"B":""}', "columns", "null", "{}", "[]"),
    ),
    Target(
        "sealed",
        check_sealed,
        _sealed_seeds,
        (".", "eyJhbGciOiJFQ0RILUVTIiwi", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
    ),
)
