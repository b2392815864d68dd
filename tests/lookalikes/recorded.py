"""HMAC secrets of rows that were recorded with the real OpenSIPS module, and verify there and here without `alg`."""

import json
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden" / "opensips.json"


def recorded_secrets() -> list[str]:
    """Give each secret once. PEM and JSON in the table are public keys and JWKs, which are read as such before."""
    cases = json.loads(GOLDEN.read_text("utf-8"))["cases"]
    stored = {
        row["secret"]
        for case in cases
        if case["ours"].get("code") == 1
        for row in [*case.get("secrets", []), {"secret": case.get("key")}]
        if isinstance(row.get("secret"), str) and "alg" not in row
    }
    return sorted(text for text in stored if text and "-----BEGIN" not in text and not text.startswith("{"))
