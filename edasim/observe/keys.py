"""Keys are hashed on the way in: whose data it was can be counted and not be read, from the document or from memory."""

import secrets
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SECRET = secrets.token_bytes(32)  # of this process alone and kept nowhere: nobody can try out likely keys and compare
NO_KEY = -1


def hashed(keys: pd.Series) -> NDArray[np.int64]:
    """A number of 63 bits for each of *keys*, the same for the same key within one process; `NO_KEY` where there is none.

    >>> one, two, again, none = hashed(pd.Series(["ann", "bob", "ann", None])).tolist()
    >>> one == again, one == two, none == NO_KEY
    (True, False, True)
    """
    codes, names = pd.factorize(keys)
    numbers = np.array([*(_number(name) for name in names), NO_KEY], dtype=np.int64)
    return numbers[codes]


def _number(key: object) -> int:
    return int.from_bytes(blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=8, key=_SECRET).digest(), "big") >> 1
