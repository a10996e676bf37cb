"""Code of guests as tests write it down, and the bytes that many of them print."""


def code(listing: str) -> bytes:
    """A listing has the bytes of an instruction in hex, then ';' and what they mean."""
    return bytes.fromhex("".join(line.partition(";")[0] for line in listing.splitlines()))


STREAM_PERIOD = 251  # a prime: no gap of a round number of bytes goes unnoticed


def stream_bytes(start: int, size: int) -> bytes:
    """What the streams have from byte start on: each byte is its offset modulo the period."""
    period = bytes(range(STREAM_PERIOD))
    skip = start % STREAM_PERIOD
    return (period * ((skip + size) // STREAM_PERIOD + 1))[skip : skip + size]


# By multiplication.bin and its relatives.
TABLES = "".join(f"{a} x {b} = {a * b}\n" for a in range(2, 10) for b in range(1, 10)).encode()
