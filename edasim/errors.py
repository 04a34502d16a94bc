"""The one exception for bad input: its text is the one line that a user reads."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input; the message says what, where and what is allowed. The command line turns it into exit code 2."""


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """What to say after an unknown *word*: the close match if there is one, and everything that is allowed.

    >>> suggestion("polison", ["poisson", "trace"])
    'did you mean poisson? allowed: poisson, trace'
    """
    names = [str(name) for name in allowed]
    close = get_close_matches(str(word), names, n=1)
    return (f"did you mean {close[0]}? " if close else "") + "allowed: " + ", ".join(names)
