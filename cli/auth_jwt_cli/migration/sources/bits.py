"""What columns of bits hold: `BIT(1)` is a boolean, in MySQL and in PostgreSQL, from whatever source it comes.

Wider ones are numbers in MySQL. PostgreSQL's are texts of digits, which its numbers are not made of.
"""


def bits_of_octets(octets: bytes, width: int) -> bool | int:
    r"""Return what `BIT(width)` of MySQL holds, which servers and dumps write as bytes: `\0`, `0x00`.

    Args:
        octets: the bytes, those of the higher bits first.
        width: how many bits the column has.
    """
    number = int.from_bytes(octets, "big")
    return bool(number) if width == 1 else number


def bits_of_digits(digits: str, width: int) -> bool | str:
    """Return what `bit(width)` of PostgreSQL holds, which everything there writes as digits: `0`, `0101`.

    Args:
        digits: each `0` or `1`.
        width: how many bits the column has.
    """
    return digits == "1" if width == 1 else digits
