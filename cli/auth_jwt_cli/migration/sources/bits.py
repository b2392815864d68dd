"""The values of bit columns: `BIT(1)` is a boolean in MySQL and in PostgreSQL, from every kind of source.

Wider columns are numbers in MySQL and texts of digits in PostgreSQL.
"""


def bits_of_octets(octets: bytes, width: int) -> bool | int:
    r"""Return the value of MySQL's `BIT(width)`, which servers and dumps write as bytes: `\0`, `0x00`.

    Args:
        octets: the bytes, the highest first.
        width: how many bits the column has.
    """
    number = int.from_bytes(octets, "big")
    return bool(number) if width == 1 else number


def bits_of_digits(digits: str, width: int) -> bool | str:
    """Return the value of PostgreSQL's `bit(width)`, which servers and dumps write as digits: `0`, `0101`.

    Args:
        digits: each `0` or `1`.
        width: how many bits the column has.
    """
    return digits == "1" if width == 1 else digits
