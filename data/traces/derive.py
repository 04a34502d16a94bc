"""Make the three shipped traces from their sources, byte for byte the same every time.

    python data/traces/derive.py --conv CONV.csv --code CODE.csv --orders ORDERS.csv --out data/traces

The sources are plain or gzipped CSV files, already reduced from what was published (data/README.md says how):
CONV and CODE hold ``t_ms,context,generated``, one row a request; ORDERS holds ``t_s,customer,lines`` (more
columns do no harm), one row an invoice, customer -1 where the shop recorded none.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

import pandas as pd

# Assumptions, not measurements: neither source says how many bytes anything took.
BYTES_PER_TOKEN = 4  # the usual rule of thumb for English text
HEADER_BYTES = 100  # of an order
BYTES_PER_LINE = 40  # of an order

NO_CUSTOMER = -1


def llm_requests(source: pd.DataFrame) -> pd.DataFrame:
    """The requests of one service, in order of time: ``time_ms``, tokens in and out, and ``bytes``."""
    requests = source.rename(columns={"t_ms": "time_ms"})
    requests["bytes"] = BYTES_PER_TOKEN * (requests["context"] + requests["generated"])
    columns = ["time_ms", "context", "generated", "bytes"]
    return requests[columns].sort_values("time_ms", kind="stable")


def retail_orders(source: pd.DataFrame) -> pd.DataFrame:
    """The invoices that name a customer, in order of time: ``time_s``, ``customer``, ``bytes``.

    Cancelled invoices stay, because a cancellation is a change too. Invoices without a customer go, because
    under one shared id they would be by far the hottest entity, and nobody's.
    """
    orders = source[source["customer"] != NO_CUSTOMER].rename(columns={"t_s": "time_s"})
    orders["bytes"] = HEADER_BYTES + BYTES_PER_LINE * orders["lines"]
    return orders[["time_s", "customer", "bytes"]].sort_values("time_s", kind="stable")


def write_csv_gz(rows: pd.DataFrame, path: Path) -> None:
    """Write gzipped CSV without file name or time stamp in its header, so equal rows give equal bytes."""
    text = rows.to_csv(index=False, lineterminator="\n").encode()
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text)


def sha256(content: bytes) -> str:
    """The checksum that data/README.md quotes."""
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Derive all three and say what became of every row."""
    parser = argparse.ArgumentParser(description="Make the three shipped traces from their sources.")
    for source in ("conv", "code", "orders"):
        parser.add_argument(f"--{source}", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    for source, derive, name in (
        (given.conv, llm_requests, "azure_llm_conv"),
        (given.code, llm_requests, "azure_llm_code"),
        (given.orders, retail_orders, "online_retail_orders"),
    ):
        before = pd.read_csv(source)
        after = derive(before)
        path = given.out / f"{name}.csv.gz"
        write_csv_gz(after, path)
        print(f"{path.name}: {len(before)} rows in, {len(before) - len(after)} dropped, {len(after)} kept")
        print(f"  sha256 {sha256(path.read_bytes())}, unpacked {sha256(gzip.decompress(path.read_bytes()))}")


if __name__ == "__main__":
    main()
