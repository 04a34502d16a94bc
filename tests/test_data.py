"""The shipped data are what data/README.md and data/oracles/README.md say they are."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from closed_forms import CLOSED_FORMS, closed_form

DATA = Path(__file__).parents[1] / "data"
SECONDS_PER_UNIT = {"time_ms": 0.001, "time_s": 1.0}


def readme_table(first_header: str) -> pd.DataFrame:
    """The table of data/README.md whose first column has this header, indexed by that column."""
    lines = iter((DATA / "README.md").read_text(encoding="utf-8").splitlines())
    rows: list[list[str]] = []
    for line in lines:
        if rows and not line.startswith("|"):
            break
        if rows or line.startswith(f"| {first_header} |"):
            rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    header, _rule, *body = rows
    return pd.DataFrame(body, columns=header).set_index(first_header)


FILES, FACTS = readme_table("file"), readme_table("fact")


def trace(name: str) -> pd.DataFrame:
    """One shipped trace."""
    return pd.read_csv(DATA / "traces" / f"{name}.csv.gz")


def stamps(rows: pd.DataFrame) -> pd.Series:
    """The stamps of a trace, in seconds."""
    return rows.iloc[:, 0] * SECONDS_PER_UNIT[rows.columns[0]]


def index_of_dispersion(rows: pd.DataFrame, window_s: int) -> float:
    """Variance over mean of the rows in each complete window."""
    ticks = round(window_s / SECONDS_PER_UNIT[rows.columns[0]])
    windows = rows.iloc[:, 0].to_numpy() // ticks
    counts = np.bincount(windows)[: windows[-1]]
    return float(counts.var() / counts.mean())


FACT: dict[str, Callable[[pd.DataFrame], float]] = {
    "rows": len,
    "first stamp, s": lambda rows: stamps(rows).iloc[0],
    "last stamp, s": lambda rows: stamps(rows).iloc[-1],
    "rows per second": lambda rows: len(rows) / stamps(rows).iloc[-1],
    "rows with the stamp of the row before": lambda rows: (rows.iloc[:, 0].diff() == 0).sum(),
    "longest gap, s": lambda rows: stamps(rows).diff().max(),
    "index of dispersion at 1 s": lambda rows: index_of_dispersion(rows, 1),
    "index of dispersion at 10 s": lambda rows: index_of_dispersion(rows, 10),
    "index of dispersion at 60 s": lambda rows: index_of_dispersion(rows, 60),
    "index of dispersion at 3600 s": lambda rows: index_of_dispersion(rows, 3600),
    "bytes, mean": lambda rows: rows["bytes"].mean(),
    "bytes, p99": lambda rows: rows["bytes"].quantile(0.99),
    "bytes, max": lambda rows: rows["bytes"].max(),
    "distinct customers": lambda rows: rows["customer"].nunique(),
    "orders per customer, median": lambda rows: rows["customer"].value_counts().median(),
    "orders per customer, p99": lambda rows: rows["customer"].value_counts().quantile(0.99),
    "orders per customer, max": lambda rows: rows["customer"].value_counts().max(),
}


def test_the_readme_lists_exactly_the_shipped_traces() -> None:
    shipped = {f"traces/{path.name}" for path in (DATA / "traces").glob("*.csv.gz")}
    assert shipped == set(FILES.index) == {f"traces/{name}.csv.gz" for name in FACTS.columns}


@pytest.mark.parametrize("file", FILES.index)
def test_the_checksums_in_the_readme_are_those_of_the_files(file: str) -> None:
    packed = (DATA / file).read_bytes()
    assert hashlib.sha256(packed).hexdigest() == FILES.loc[file, "sha256 of the file"]
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == FILES.loc[file, "sha256 unpacked"]


@pytest.mark.parametrize("file", FILES.index)
def test_the_columns_are_those_of_the_readme_and_hold_whole_numbers_only(file: str) -> None:
    rows = pd.read_csv(DATA / file)
    assert list(rows.columns) == FILES.loc[file, "columns"].split(", ")
    assert (rows.dtypes == np.int64).all()
    assert (rows >= 0).all(axis=None)


STATED = FACTS.stack()  # a dash: doesn't apply to this trace, or means nothing there


@pytest.mark.parametrize(("fact", "name"), STATED[STATED != "-"].index)
def test_every_fact_in_the_readme_holds(fact: str, name: str) -> None:
    stated = FACTS.loc[fact, name]
    decimals = len(stated.partition(".")[2])
    assert f"{FACT[fact](trace(name)):,.{decimals}f}" == stated


def test_every_fact_we_can_compute_is_stated() -> None:
    assert list(FACTS.index) == list(FACT)


@pytest.mark.parametrize("name", FACTS.columns)
def test_no_trace_goes_back_in_time(name: str) -> None:
    assert stamps(trace(name)).is_monotonic_increasing


@pytest.mark.parametrize("name", ["azure_llm_conv", "azure_llm_code"])
def test_a_request_takes_four_bytes_a_token(name: str) -> None:
    rows = trace(name)
    assert (rows["bytes"] == 4 * (rows["context"] + rows["generated"])).all()


def test_an_order_takes_a_header_and_forty_bytes_for_each_of_its_lines() -> None:
    line_bytes = trace("online_retail_orders")["bytes"] - 100
    assert (line_bytes % 40 == 0).all()
    assert (line_bytes >= 40).all()


def test_every_order_names_a_customer_and_customers_are_numbered_without_gaps() -> None:
    customers = trace("online_retail_orders")["customer"]
    assert set(customers) == set(range(customers.nunique()))


def test_order_stamps_are_whole_minutes() -> None:
    assert (trace("online_retail_orders")["time_s"] % 60 == 0).all()


def derive(folder: Path) -> None:
    """Run the derivation on a handful of rows, out of order and one without a customer."""
    folder.mkdir()
    requests = folder / "requests.csv"
    requests.write_text("t_ms,context,generated\n7,20,5\n0,10,1\n7,1,1\n")
    orders = folder / "orders.csv"
    orders.write_text("order,t_s,customer,lines,units,cancelled\n0,0,0,2,9,0\n1,60,-1,3,9,0\n2,120,1,1,-9,1\n")
    script = str(DATA / "traces" / "derive.py")
    sources = ["--conv", str(requests), "--code", str(requests), "--orders", str(orders)]
    subprocess.run([sys.executable, script, *sources, "--out", str(folder)], check=True, capture_output=True)


def test_deriving_sorts_drops_nameless_orders_keeps_cancelled_ones_and_counts_bytes(tmp_path: Path) -> None:
    derive(tmp_path / "out")
    requests = gzip.decompress((tmp_path / "out" / "azure_llm_conv.csv.gz").read_bytes()).decode()
    orders = gzip.decompress((tmp_path / "out" / "online_retail_orders.csv.gz").read_bytes()).decode()
    assert requests == "time_ms,context,generated,bytes\n0,10,1,44\n7,20,5,100\n7,1,1,8\n"
    assert orders == "time_s,customer,bytes\n0,0,180\n120,1,140\n"


@pytest.mark.parametrize("name", FACTS.columns)
def test_writing_a_shipped_trace_again_gives_its_very_rows(name: str, tmp_path: Path) -> None:
    write_csv_gz = runpy.run_path(str(DATA / "traces" / "derive.py"))["write_csv_gz"]
    once, twice = tmp_path / "once.csv.gz", tmp_path / "twice.csv.gz"
    write_csv_gz(trace(name), once)
    write_csv_gz(trace(name), twice)
    assert once.read_bytes() == twice.read_bytes()
    shipped = (DATA / "traces" / f"{name}.csv.gz").read_bytes()
    assert gzip.decompress(once.read_bytes()) == gzip.decompress(shipped)


ORACLES = pd.read_csv(DATA / "oracles" / "oracles.csv", index_col="id")
MM1 = ORACLES[ORACLES["model"] == "M/M/1 FCFS"]


def mm1(quantity: str, arrivals: float, service: float, t: float = math.nan, q: float = math.nan) -> float:
    """A quantity of the M/M/1 queue by its closed form (data/oracles/README.md)."""
    rho, slack = arrivals / service, service - arrivals
    variance = rho * (2 + 5 * rho - 4 * rho**2 + rho**3) / (service**2 * (1 - rho) ** 4)
    return {
        "mean sojourn W": 1 / slack,
        "mean wait Wq": rho / slack,
        "P(sojourn>t)=exp(-(mu-lambda)t)": math.exp(-slack * t),
        "sojourn quantile": -math.log(1 - q) / slack,
        "std dev of sojourn (=mean)": 1 / slack,
        "asymptotic variance n*Var(mean Wq over n customers)": variance,
    }[quantity]


@pytest.mark.parametrize("row", MM1.index)
def test_an_mm1_oracle_is_its_closed_form(row: str) -> None:
    given = json.loads(MM1.loc[row, "parameters"])
    expected = mm1(MM1.loc[row, "quantity"], given.pop("lambda"), given.pop("mu"), **given)
    assert MM1.loc[row, "value"] == pytest.approx(expected, rel=1e-12)


def test_mm1_oracles_cover_six_quantities_at_a_moderate_and_a_high_load() -> None:
    assert len(MM1) == 12
    assert set(MM1.groupby("quantity")["parameters"].nunique()) == {2}


DERIVED = ORACLES[ORACLES.index.str.split("-").str[0].isin({family for family, _, _ in CLOSED_FORMS})]


@pytest.mark.parametrize("row", DERIVED.index)
def test_an_oracle_on_freshness_or_event_stores_is_its_closed_form(row: str) -> None:
    model, quantity, given = DERIVED.loc[row, ["model", "quantity", "parameters"]]
    assert DERIVED.loc[row, "value"] == pytest.approx(closed_form(row, model, quantity, json.loads(given)), rel=1e-7)


def test_every_closed_form_has_an_oracle() -> None:
    families = DERIVED.index.str.split("-").str[0]
    assert set(zip(families, DERIVED["model"], DERIVED["quantity"], strict=True)) == set(CLOSED_FORMS)


def test_every_oracle_has_its_own_id_and_a_tolerance() -> None:
    assert ORACLES.index.is_unique
    assert ORACLES["tolerance"].notna().all()


STAMPS = readme_table("stamps")


def test_the_readme_lists_exactly_the_recorded_stamps_and_all_tables_of_measurements() -> None:
    folder = DATA / "measurements"
    assert set(STAMPS.index) == {f"measurements/traces/{path.name}" for path in (folder / "traces").glob("*.csv.gz")}
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in folder.glob("*.csv") if f"{path.name}`" not in text] == []


@pytest.mark.parametrize("file", STAMPS.index)
def test_recorded_stamps_are_those_of_the_readme(file: str) -> None:
    raw = gzip.decompress((DATA / file).read_bytes())
    rows = pd.read_csv(DATA / file)
    assert hashlib.sha256(raw).hexdigest() == STAMPS.loc[file, "sha256 unpacked"]
    assert list(rows.columns) == STAMPS.loc[file, "columns"].split(", ")
    assert f"{len(rows):,}" == STAMPS.loc[file, "messages"]
    assert rows["t_pub"].is_monotonic_increasing


def test_measurements_are_small() -> None:
    sizes = {path: path.stat().st_size for path in (DATA / "measurements").rglob("*") if path.is_file()}
    runs = sum(size for path, size in sizes.items() if "runs" in path.parts)
    assert sum(sizes.values()) - runs < 1_000_000
    assert runs < 6_000_000


def test_the_shipped_presets_come_out_of_the_measurements_again() -> None:
    made = runpy.run_path(str(DATA / "observed" / "make.py"))["documents"]()
    assert {path.stem for path in (DATA / "observed").glob("*.yaml")} == set(made)
    for name, found in made.items():
        assert (DATA / "observed" / f"{name}.yaml").read_text(encoding="utf-8") == found.as_yaml()
        assert all(re.search("2026-11-(23|30)", observed.source) for observed in found.inputs), "the machine, and when"
