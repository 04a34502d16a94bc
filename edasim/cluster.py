"""Beyond one machine: the same runs on the workers of a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import effective_n_jobs, parallel_config

from edasim.errors import InputError

PATIENCE_S = 5


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Whatever runs in parallel inside, runs on the workers of the Dask scheduler at *address*, such as ``tcp://10.0.0.1:8786``.

    The workers need this package in the same version. What they finish is kept in the folder of the cache if they share it, and by this
    process otherwise. Raises InputError where the extra `cluster` is not installed, where nobody answers, and where there is no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError("a cluster needs the extra: pip install 'edasim[cluster]'") from None
    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"cluster {address}: no scheduler answers there ({' '.join(str(error).split())[:100]})") from None
    try:
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=PATIENCE_S):
            try:
                effective_n_jobs(-1)
            except TimeoutError:
                raise InputError(f"cluster {address}: the scheduler has no worker") from None
            yield
    finally:
        client.close()  # type: ignore[no-untyped-call]
