"""Files as teams have them: each form is recognised by what is in it, tells its inputs, and leaves no key behind."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edasim import InputError, Scenario, make_workload, simulate
from edasim.luck import Luck
from edasim.observe import Observations, columns, in_words, observe
from edasim.observe.columns import TIME, column_of, compared_name
from edasim.observe.prometheus import Series
from edasim.observe.stamps import seconds_of
from edasim.ranges import quantity

RATE = 20.0
START = 1_760_000_000.0  # 9 October 2025
SECRET = "ann.smith+{}@example.org"


@pytest.fixture(scope="module")
def changes() -> pd.DataFrame:
    """100 s of changes at 20 a second, of 200 entities, 3 kB each on average."""
    scenario = Scenario(
        warmup=0,
        duration=100,
        workload={
            "arrivals": {"rate": RATE},
            "entities": {"count": 200, "skew": 0.8},
            "state_bytes": {"dist": "lognormal", "mean": 3000, "cv": 0.5},
            "reads": {"rate": 0},
        },
    )
    made = make_workload(scenario, Luck(1, 0))
    keys = [SECRET.format(number) for number in made.entities]
    return pd.DataFrame({"time": START + np.round(made.times / 1e9, 3), "key": keys, "bytes": made.state_bytes})


def lines(path: Path, documents: Iterator[Any], indent: int | None = None) -> None:
    path.write_text("".join(json.dumps(document, indent=indent) + "\n" for document in documents), encoding="utf-8")


def as_csv(changes: pd.DataFrame, path: Path) -> None:
    changes.to_csv(path, index=False)


def as_gzipped_csv(changes: pd.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(changes.to_csv(index=False).encode()))


def as_semicolons_in_iso(changes: pd.DataFrame, path: Path) -> None:
    stamps = pd.to_datetime(changes["time"], unit="s", utc=True).dt.strftime("%Y-%m-%d %H:%M:%S.%f+00")  # as PostgreSQL writes them
    table = pd.DataFrame(
        {"id": range(len(changes)), "createdAt": stamps, "Aggregate ID": changes["key"], "payload_bytes": changes["bytes"]}
    )
    path.write_bytes(b"\xef\xbb\xbf" + table.to_csv(index=False, sep=";", lineterminator="\r\n").encode())


def as_powershell(changes: pd.DataFrame, path: Path) -> None:
    path.write_text(changes.to_csv(index=False), encoding="utf-16")


def as_parquet(changes: pd.DataFrame, path: Path) -> None:
    table = changes.assign(occurred_at=pd.to_datetime(changes["time"], unit="s", utc=True), payload="secret").drop(columns="time")
    table.to_parquet(path)


def as_json_lines(changes: pd.DataFrame, path: Path) -> None:
    lines(path, ({"time_ms": round(row.time * 1e3), "key": row.key, "bytes": row.bytes} for row in changes.itertuples()))


def as_json_list(changes: pd.DataFrame, path: Path) -> None:
    path.write_text(changes.to_json(orient="records", indent=1), encoding="utf-8")


def as_cloudevents(changes: pd.DataFrame, path: Path) -> None:
    stamps = pd.to_datetime(changes["time"], unit="s", utc=True).map(lambda stamp: stamp.isoformat())
    rows = zip(stamps, changes["key"], changes["bytes"], strict=True)
    lines(
        path,
        ({"specversion": "1.0", "id": "1", "type": "t", "source": "/shop", "subject": k, "time": t, "data": "s" * b} for t, k, b in rows),
    )


def as_debezium(changes: pd.DataFrame, path: Path) -> None:
    def change(row: Any) -> dict[str, Any]:
        after = {"id": row.key, "secret": "s" * (row.bytes - len(row.key) - 21)}
        return {
            "schema": {},
            "payload": {"before": None, "after": after, "op": "c", "source": {"ts_ms": round(row.time * 1e3)}, "ts_ms": 1},
        }

    snapshot = {"payload": {"before": None, "after": {"id": "x"}, "op": "r", "source": {"ts_ms": 1}}}
    lines(path, iter([snapshot, *map(change, changes[changes["bytes"] > 100].itertuples())]))


def as_kcat(changes: pd.DataFrame, path: Path) -> None:
    rows = changes.itertuples()
    lines(
        path, ({"topic": "t", "partition": 0, "offset": 1, "ts": round(r.time * 1e3), "key": r.key, "payload": "s" * r.bytes} for r in rows)
    )


def as_rpk(changes: pd.DataFrame, path: Path) -> None:
    rows = changes.itertuples()
    lines(path, ({"topic": "t", "key": r.key, "value": "s" * r.bytes, "timestamp": round(r.time * 1e3)} for r in rows), indent=2)


def as_rpk_without_values(changes: pd.DataFrame, path: Path) -> None:
    rows = changes.itertuples()
    lines(path, ({"topic": "t", "key": r.key, "value_size": r.bytes, "timestamp": round(r.time * 1e3)} for r in rows), indent=2)


def as_kcat_of_debezium(changes: pd.DataFrame, path: Path) -> None:
    def message(row: Any) -> dict[str, Any]:
        inner = {"before": None, "after": {"v": "s" * (row.bytes - 8)}, "op": "u", "source": {"ts_ms": round(row.time * 1e3)}}
        return {"topic": "t", "ts": 1, "key": row.key, "payload": json.dumps(inner)}

    lines(path, iter([*map(message, changes.itertuples()), {"topic": "t", "ts": 1, "key": "x", "payload": None}]))


Writer = Callable[[pd.DataFrame, Path], None]
WRITERS: list[Writer] = [
    as_csv,
    as_gzipped_csv,
    as_semicolons_in_iso,
    as_powershell,
    as_parquet,
    as_json_lines,
    as_json_list,
    as_cloudevents,
    as_debezium,
    as_kcat,
    as_rpk,
    as_rpk_without_values,
    as_kcat_of_debezium,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_changes_are_read_in_each_form_and_no_key_or_payload_comes_out(write: Writer, changes: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "as they came"  # whatever the name
    write(changes, file)
    found = observe([file])
    rate, count, skew, size = (
        found.at(path) for path in ("workload.arrivals.rate", "workload.entities.count", "workload.entities.skew", "workload.state_bytes")
    )
    assert rate
    assert count
    assert skew
    assert size
    assert rate.low <= RATE <= rate.high
    assert count.low <= 200 <= count.high
    assert skew.low <= 0.8 <= skew.high
    assert quantity("", size.value["mean"])[0] == pytest.approx(changes["bytes"].mean(), rel=0.01)
    assert size.value["cv"] == pytest.approx(0.5, abs=0.06)
    assert found.at("workload.arrivals") is None
    said = found.as_yaml() + in_words(found)
    assert "example.org" not in said
    assert "secret" not in said
    assert "ssss" not in said
    assert str(tmp_path) not in said


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters='\r\n",;|\t\0'), min_size=6, max_size=12).map(lambda t: f"K{t.strip()}K"),
        min_size=2,
        max_size=12,
    )
)
def test_no_key_comes_out_whatever_it_is(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    file = tmp_path_factory.mktemp("keys") / "changes.csv"
    repeated = keys * 60
    table = pd.DataFrame({"time": np.arange(len(repeated)) / 7, "key": repeated, "bytes": 5})
    table.to_csv(file, index=False)
    said = observe([file])
    assert not any(key in said.as_yaml() + in_words(said) for key in keys)


def test_a_column_says_which_size_it_is(tmp_path: Path) -> None:
    file = tmp_path / "changes.csv"
    file.write_text("time,delta_bytes,state_bytes\n1,10,100\n2,30,\n3,20,300\n", encoding="utf-8")
    found = observe([file])
    sizes = {path: found.at(f"workload.{path}") for path in ("delta_bytes", "state_bytes")}
    assert {path: observed and observed.value["mean"] for path, observed in sizes.items()} == {"delta_bytes": "20B", "state_bytes": "200B"}
    assert {path: observed and observed.seen for path, observed in sizes.items()} == {"delta_bytes": 3, "state_bytes": 2}


def test_changes_of_one_key_have_the_spread_that_was_seen_and_no_interval(tmp_path: Path) -> None:
    file = tmp_path / "changes.csv"
    sizes = [100, 200, 900] * 166
    pd.DataFrame({"time": range(len(sizes)), "key": "ann", "bytes": sizes}).to_csv(file, index=False)
    size = observe([file]).at("workload.state_bytes")
    assert size
    assert size.value == {"dist": "lognormal", "mean": "400B", "cv": pytest.approx(np.std(sizes, ddof=1) / 400, rel=1e-3)}
    assert (size.low, size.high) == (None, None)


def test_what_is_left_empty_beyond_the_last_column_is_no_column(tmp_path: Path) -> None:
    file = tmp_path / "changes.csv"
    file.write_text('\ntime,key,bytes,\n1,"a,b",10,\n2,ann,30,,\n3,bob\n', encoding="utf-8")
    found = observe([file])
    assert found.files[0].rows == 3
    assert found.at("workload.state_bytes").seen == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_a_time_is_told_by_its_size(unit: str) -> None:
    scale = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[unit]
    times, how = seconds_of(pd.Series([1_760_000_000 * scale, 1_760_000_001 * scale]))
    assert times.tolist() == pytest.approx([1.76e9, 1.76e9 + 1], abs=1e-6)
    assert "since 1970" in how


@pytest.mark.parametrize("name", ["createdAt", "Created At", "created-at", "CREATED_AT", "created_at_ms"])
def test_a_column_is_known_by_its_usual_names(name: str) -> None:
    assert column_of(["id", name], TIME, units=True) == name
    assert compared_name(name).startswith("created_at")


ACCESS = '203.0.113.{} - ann [09/Oct/2025:10:{:02d}:{:02d} +0200] "{} /orders/secret HTTP/1.1" {} {} "-" "curl/8"'


def access_log(path: Path) -> None:
    """Four minutes of three reads and one write a second; one write in four is refused."""
    rows = []
    for second in range(240):
        minute, rest = divmod(second, 60)
        rows += [ACCESS.format(second % 250, minute, rest, method, 200, 500) for method in ("GET", "GET", "HEAD")]
        rows.append(ACCESS.format(second % 250, minute, rest, "POST", 409 if second % 4 == 0 else 201, 10))
    path.write_text("\n".join(rows), encoding="utf-8")


def test_an_access_log_tells_reads_and_hints_at_changes_and_sizes(tmp_path: Path) -> None:
    access_log(tmp_path / "log")
    found = observe([tmp_path / "log"])
    reads, writes, size = (found.at(path) for path in ("workload.reads.rate", "workload.arrivals.rate", "workload.state_bytes"))
    assert reads
    assert writes
    assert size
    assert reads.low <= 3 <= reads.high
    assert writes.low <= 0.75 <= writes.high
    assert size.value == "500B"
    assert "hint" in size.source
    assert "secret" not in found.as_yaml()
    assert "203.0" not in found.as_yaml()


def test_recorded_changes_count_more_than_the_hints_of_an_access_log(changes: pd.DataFrame, tmp_path: Path) -> None:
    access_log(tmp_path / "log")
    as_csv(changes.head(150), tmp_path / "changes.csv")
    found = observe([tmp_path / "log", tmp_path / "changes.csv"])
    rate, reads = found.at("workload.arrivals.rate"), found.at("workload.reads.rate")
    assert rate
    assert reads
    assert rate.source.startswith("changes.csv")
    assert reads.source.startswith("log")


def test_of_two_files_that_tell_the_same_the_one_that_saw_more_counts_and_it_is_said(changes: pd.DataFrame, tmp_path: Path) -> None:
    as_csv(changes.head(300), tmp_path / "less.csv")
    as_json_lines(changes, tmp_path / "more.jsonl")
    found = observe([tmp_path / "less.csv", tmp_path / "more.jsonl"])
    assert all(observed.source.startswith("more.jsonl") for observed in found.inputs)
    assert any("less.csv" in note and "do not" in note for note in found.notes)


INCIDENTS = """start,end,component
2025-02-01T10:00:00Z,2025-02-01T10:20:00Z,kafka
2025-05-01 10:00,2025-05-01 10:10,Broker
1754042400,1754043000,billing
"""


def test_incidents_tell_how_often_and_how_long_by_component(tmp_path: Path) -> None:
    (tmp_path / "incidents.csv").write_text(INCIDENTS, encoding="utf-8")
    with pytest.raises(InputError, match="row 3 has no start"):  # two ways to write a time in one column
        observe([tmp_path / "incidents.csv"], "2025-01-01/2025-12-31")
    text = INCIDENTS.replace("1754042400,1754043000", "2025-08-01T10:00:00Z,2025-08-01T10:10:00Z")
    (tmp_path / "incidents.csv").write_text(text, encoding="utf-8")
    found = observe([tmp_path / "incidents.csv"], "2025-01-01/2025-12-31")
    broker, billing = found.incidents
    assert (broker.component, broker.seen, broker.down) == ("broker", 2, {"dist": "exponential", "mean": "15min"})
    assert broker.per_year == pytest.approx(2 * 365.25 / 365, rel=1e-3)
    assert (broker.low, broker.high) == (pytest.approx(0.2424, rel=1e-3), pytest.approx(7.23, rel=1e-3))
    assert "longest took 20 min" in broker.source
    assert (billing.component, billing.down["mean"], billing.down_low, billing.down_high) == ("billing", "10min", "2.711min", "6.583h")


def test_one_incident_alone_tells_no_frequency_without_a_watched_time(tmp_path: Path) -> None:
    (tmp_path / "incidents.csv").write_text("\n".join(INCIDENTS.splitlines()[:2]), encoding="utf-8")
    found = observe([tmp_path / "incidents.csv"])
    assert not found.incidents
    assert any("--watched" in text and "broker" in text for text in found.not_found)


def series(name: str, values: list[float], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [[START + 15 * n, str(value)] for n, value in enumerate(values)]}


def prometheus(path: Path, *found: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": list(found)}}, indent=1), encoding="utf-8")
    return path


def test_prometheus_counters_are_followed_over_a_restart(tmp_path: Path) -> None:
    counter = [0, 30, 60, 30, 60.0]  # began again from 0 after the third
    found = observe([prometheus(tmp_path / "answer", series("outbox_published_total", counter), series("outbox_failed_total", counter))])
    rate = found.at("workload.arrivals.rate")
    assert rate
    assert rate.value == 2.0
    assert any("outbox_failed_total" in text for text in found.not_found)


def test_prometheus_samples_may_come_in_any_order(tmp_path: Path) -> None:
    counter = series("outbox_published_total", [0, 30, 60, 90, 150])
    turned = {**counter, "values": counter["values"][::-1]}
    first, second = (observe([prometheus(tmp_path / "answer", rows)]).inputs for rows in (counter, turned))
    assert first
    assert first == second


def test_prometheus_histograms_become_handling_times_by_consumer(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = [0.02 * rng.lognormal(-np.log1p(0.25) / 2, np.sqrt(np.log1p(0.25)), 400) for _ in range(40)]
    bounds = [0.005, 0.01, 0.02, 0.03, 0.05, np.inf]
    rows = []
    for bound in bounds:
        counts = np.concatenate([[0], np.cumsum([(part <= bound).sum() for part in values])])
        rows.append(
            series("handling_seconds_bucket", list(map(float, counts)), group="billing", le="+Inf" if np.isinf(bound) else str(bound))
        )
    sums, counts = np.cumsum([0.0, *(part.sum() for part in values)]), np.arange(41) * 400.0
    with_sum = observe(
        [
            prometheus(
                tmp_path / "a",
                *rows,
                series("handling_seconds_sum", list(sums), group="billing"),
                series("handling_seconds_count", list(counts), group="billing"),
            )
        ]
    )
    without = observe([prometheus(tmp_path / "b", *rows)])
    exact = float(np.mean(values))
    for found, off in ((with_sum, 1e-3), (without, 0.02)):
        time = found.at("consumers.billing.handle_time")
        assert time
        assert quantity("", time.value["mean"])[0] == pytest.approx(exact, rel=off)
        assert time.value["cv"] == pytest.approx(0.5, abs=0.02)
        assert quantity("", time.low)[0] <= 0.02 <= quantity("", time.high)[0]
        assert "median" in time.source


def test_prometheus_requests_tell_reads_and_lag_is_an_outcome(tmp_path: Path) -> None:
    reads = series("http_requests_total", [0, 150, 300, 450.0], method="GET")
    writes = series("http_requests_total", [0, 15, 30, 45.0], method="POST")
    lag = series("kafka_consumergroup_lag", [0, 400, 10, 0.0], consumergroup="billing")
    found = observe([prometheus(tmp_path / "answer", reads, writes, lag)])
    asked, written = found.at("workload.reads.rate"), found.at("workload.arrivals.rate")
    assert asked
    assert written
    assert (asked.value, written.value) == (10.0, 1.0)
    assert any("billing lagged" in note and "400 at most" in note and "backlog_max" in note for note in found.notes)


def test_a_simulated_journal_tells_the_inputs_of_its_scenario(tmp_path: Path) -> None:
    scenario = Scenario(
        warmup=0,
        duration=200,
        drain=30,
        workload={"arrivals": {"rate": 30}, "entities": {"count": 500, "skew": 0.9}, "reads": {"rate": 0}, "state_bytes": 2500},
        network={
            "latency": {"publish": {"dist": "lognormal", "mean": "4ms", "cv": 0.5}, "deliver": {"dist": "gamma", "mean": "2ms", "cv": 0.3}}
        },
        broker={"replicas": 1, "partitions": 100, "outages": {"windows": [[50, 54], [120, 130]]}},
        consumers=[{"name": "billing", "instances": 1, "handle_time": {"dist": "exponential", "mean": "9ms"}}],
    )
    simulate(scenario, "event_carried_state_transfer").write(tmp_path / "journal")
    found = observe([tmp_path / "journal"])
    truth = {"workload.arrivals.rate": 30, "workload.entities.count": 500, "workload.entities.skew": 0.9}
    truth |= {"network.latency.publish": 0.004, "network.latency.deliver": 0.002, "consumers.billing.handle_time": 0.009}
    for path, value in truth.items():
        observed = found.at(path)
        assert observed, path
        low, high = (quantity("", end)[0] for end in (observed.low, observed.high))
        assert low <= value <= high, (path, observed)
    assert found.at("workload.state_bytes").value == "2.5kB"  # type: ignore[union-attr]
    (broker,) = found.incidents
    assert (broker.component, broker.seen, broker.down["mean"]) == ("broker", 2, "7s")


def test_what_no_file_tells_is_said_with_the_file_that_would(changes: pd.DataFrame, tmp_path: Path) -> None:
    as_csv(changes[["time"]], tmp_path / "changes.csv")
    told = " ".join(observe([tmp_path / "changes.csv"]).not_found)
    for path in ("entities.count", "state_bytes", "reads.rate", "handle_time", "incidents"):
        assert path in told
    assert "arrivals.rate" not in told


def test_the_document_is_read_back_as_it_was(changes: pd.DataFrame, tmp_path: Path) -> None:
    as_csv(changes, tmp_path / "changes.csv")
    (tmp_path / "incidents.csv").write_text("\n".join(INCIDENTS.splitlines()[:3]), encoding="utf-8")
    found = observe([tmp_path / "changes.csv", tmp_path / "incidents.csv"], "2025-01-01/2025-12-31")
    (tmp_path / "observed.yaml").write_text(found.as_yaml(), encoding="utf-8")
    assert Observations.load(tmp_path / "observed.yaml") == found
    assert yaml.safe_load(found.as_yaml())["inputs"]


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n", "is empty"),
    "only a header": (b"time,key\n", "no rows"),
    "unknown": (b"<b>\x1b[31mhello</b>,1\n", r"in no known form: its first line is '<b>\?\[31mhello</b>,1'; known are CSV or parquet"),
    "no times": (b"time,key\nnever,secret\nnever,secret\n", "2 of 2 rows have no time"),
    "not a number": (b"time,key\nnan,secret\n", "no time"),
    "huge": (b"time,key\n1e400,secret\n", "no time"),
    "negative sizes": (b"time,key,bytes\n1,secret,-5\n", "column bytes must hold sizes"),
    "infinite sizes": (b"time,key,bytes\n1,secret,1e999\n", "column bytes must hold sizes"),
    "sizes beyond all": (b"time,key,bytes\n1,secret,5\n2,secret,1e29\n", "column bytes must hold sizes, numbers from 0 to 1e.18: row 2"),
    "an answer beyond all": (
        b'10.0.0.1 - - [01/Jan/2026:00:00:01 +0000] "GET /secret HTTP/1.1" 200 ' + b"9" * 29 + b"\n",
        "an answer of more than 1e.18 bytes",
    ),
    "an outage of centuries": (
        b"start,end,component\n1700-01-01,2100-01-02,kafka\n2101-03-01,2101-03-02,kafka\n",
        "at most a hundred years and a million terabytes are allowed",
    ),
    "a bucket of ages": (
        json.dumps(
            {
                "data": {
                    "resultType": "matrix",
                    "result": [
                        {
                            "metric": {"__name__": "handling_seconds_bucket", "le": bound, "consumer": "secret"},
                            "values": [[60 * i, str(count * i)] for i in range(9)],
                        }
                        for bound, count in (("0.1", 10), ("1e300", 50), ("+Inf", 60))
                    ],
                }
            }
        ).encode(),
        "at most a hundred years and a million terabytes are allowed",
    ),
    "other JSON": (b'{"secret": 1}\n', "JSON, but none that edasim knows"),
    "a list of numbers": (b"[1, 2]\n", "JSON, but none that edasim knows"),
    "cut JSON": (b'{"time": 1, "key": "secret\n', "JSON, but none"),
    "mostly other JSON": (b'{"time": 1}\n' + b'{"secret": 1}\n' * 5, "5 of 6 JSON documents are not of the form JSON"),
    "a number of 400 digits": (b'{"time": 1' + b"0" * 400 + b', "key": "secret"}\n', "no time"),
    "only tombstones": (b'{"topic": "t", "ts": 1, "key": "secret", "payload": null}\n', "is a change"),
    "a comma too many": (
        b"time,bytes,key\n1,5,secret\n2,5,ann,secret\n3,5,ann,b,c\n",
        "2 of 3 rows have more columns than its first line, row 2 first",
    ),
    "a bar too many": (b"start|end|component\n2025-01-02|2025-01-03|kafka|secret\n", "1 of 1 rows have more columns"),
    "broken gzip": (b"\x1f\x8b\x08\x00secret", "no whole gzip"),
    "broken parquet": (b"PAR1secret", "broken parquet"),
    "backwards": (b"start,end,component\n2025-01-02,2025-01-01,kafka\n", "row 1 ends before it starts"),
    "of nothing": (b"start,end\n2025-01-02,2025-01-03\n", "needs a column component"),
    "nameless": (b"start,end,component\n2025-01-02,2025-01-03,\n", "row 1 has no component"),
    "an instant": (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "query_range"),
    "no series": (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "no series has two values"),
    "a bound of words": (
        b'{"data":{"resultType":"matrix","result":[{"metric":{"__name__":"handling_bucket","le":"abc"},"values":[[1,"1"],[2,"2"]]}]}}',
        "a bucket of handling_bucket has the bound le=abc, which is no number",
    ),
    "a bound that is none": (
        b'{"data":{"resultType":"matrix","result":[{"metric":{"__name__":"handling_bucket","le":"NaN"},"values":[[1,"1"],[2,"2"]]}]}}',
        "le=NaN, which is no number",
    ),
    "a counter beyond all": (
        b'{"data":{"resultType":"matrix","result":[{"metric":{"__name__":"events_written_total"},"values":[[1,"1"],[2,"1e308"]]}]}}',
        "beyond 9.2e.18, which no counter reaches",
    ),
    "no numbers": (b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"secret"]]}]}}', "not as Prometheus writes it"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line_that_shows_no_key(name: str, tmp_path: Path) -> None:
    content, expected = BAD[name]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match=expected) as refused:
        observe([tmp_path / "file"])
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_what_is_not_there_or_is_another_folder_is_refused(tmp_path: Path) -> None:
    for path, expected in ((tmp_path / "nothing", "can't be read"), (tmp_path, "no journal")):
        with pytest.raises(InputError, match=expected):
            observe([path])
    with pytest.raises(InputError, match="at least one"):
        observe([])


@pytest.mark.parametrize("watched", ["2025", "2025-01-01", "2025-02-01/2025-01-01", "a/b", "2030-01-01/2030-12-31"])
def test_an_impossible_watched_time_is_refused(watched: str, tmp_path: Path) -> None:
    (tmp_path / "incidents.csv").write_text("start,end,component\n2025-01-02,2025-01-03,kafka\n", encoding="utf-8")
    with pytest.raises(InputError, match="--watched"):
        observe([tmp_path / "incidents.csv"], watched)


# docs/observe.md

DOCS = (Path(__file__).parents[1] / "docs" / "observe.md").read_text(encoding="utf-8")


def table_rows(docs: str, first: str) -> list[list[str]]:
    """The cells of the table that begins with this heading."""
    begin = docs.index(f"| {first} |")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in docs[begin:].split("\n\n")[0].splitlines()[2:]]


def test_the_page_names_every_column_that_is_known_and_no_other() -> None:
    said = {row[0]: row[1] for row in table_rows(DOCS, "what | names, the first that is there |")}
    assert said["time"].split(", ") == list(TIME)
    assert said["key"].split(", ") == list(columns.KEY)
    assert said["bytes"] == f"{', '.join(columns.PATHS)} say which; {', '.join(columns.BYTES)}"
    assert said["incidents"] == " · ".join(", ".join(names) for names in (columns.START, columns.END, columns.COMPONENT))


def test_the_page_says_what_names_of_metrics_mean_as_they_are_taken() -> None:
    meanings = {"changes": "changes", "requests": "requests", "handling times": "handling", "lag": "lag"}
    for names, meaning in table_rows(DOCS, "name of the metric | means"):
        expected = meanings[re.split("[:;]", meaning)[0]]
        for name in re.findall(r"`([a-z_]+)`", names):
            if not name.startswith("_"):
                assert Series({"__name__": name}, np.empty(0), np.empty(0)).meaning == expected, name
    for name in (
        "outbox_failed_total",
        "messages_consumed_total",
        "process_cpu_seconds_total",
        "feature_flag",
        "go_gc_duration_seconds_sum",
    ):
        assert Series({"__name__": name}, np.empty(0), np.empty(0)).meaning == "", name


def test_the_python_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "changes.csv").write_text("time,bytes\n1,10\n2,30\n", encoding="utf-8")
    exec(re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)[0], {"scenario": Scenario()})
    assert "workload.arrivals.rate 1.0" in capsys.readouterr().out
