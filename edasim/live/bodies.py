"""What a message's body is: the number of its change, and as many more bytes as the scenario says that it has."""


def body_of(change: int, size: int) -> bytes:
    """The body of a message of *size* bytes, or of as many as the number takes.

    >>> body_of(7, 10)
    b'7 ........'
    """
    return f"{change} ".encode().ljust(size, b".")


def change_of(body: bytes) -> int:
    """The number of the change that a body begins with.

    >>> change_of(body_of(12345, 3))
    12345
    """
    return int(body.split(b" ", 1)[0])
