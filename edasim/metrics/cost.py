"""Cost: what the team's own price book makes of a run, as if every month were like its window. Nothing without `prices`."""

from collections.abc import Mapping

from edasim.journal import Journal
from edasim.metrics.delivery import in_window
from edasim.metrics.load import load
from edasim.metrics.storage import storage
from edasim.metrics.values import Value
from edasim.units import YEAR_S

MONTH_S = YEAR_S / 12
GB = 1e9

Amounts = Mapping[str, float]  # by component


def cost(journal: Journal) -> list[Value]:
    """cost_per_month of storage, requests, compute and transfer, as far as they have a price, and in total.

    * storage: bytes at the end of the window x the price of their component; one copy of everything, but the log once for each replica
    * requests: asked of the source, by kind, and attempts to publish a message; a second of the window x a month x their price
    * compute: servers of the source (in all regions) and of each read model, instances of consumers that something is sent to, the broker
    * transfer: `wire_bytes_per_s` x a month x the price
    """
    prices = journal.facts.get("prices")
    if prices is None:
        return []
    loads = load(journal)
    transfer = None if prices["transfer_per_gb"] is None else {"": prices["transfer_per_gb"]}
    parts = {
        "storage": storage_cost(journal, stored_bytes(journal)),
        "requests": _priced(prices["requests_per_million"], _requests_per_s(journal, loads), MONTH_S / 1e6),
        "compute": _priced(prices["server_per_month"], journal.facts["machines"]),
        "transfer": _priced(transfer, _by_component(loads, "wire_bytes_per_s"), MONTH_S / GB),
    }
    found = {part: amount for part, amount in parts.items() if amount is not None}
    values = [Value("cost_per_month", amount, currency(journal), component=part) for part, amount in found.items()]
    return [*values, Value("cost_per_month", sum(found.values()), currency(journal))] if found else []


def currency(journal: Journal) -> str:
    """The unit of costs in a journal that has prices, such as EUR/month."""
    return f"{journal.facts['prices']['currency']}/month"


def storage_cost(journal: Journal, stored: Amounts) -> float | None:
    """What it costs a month to keep so many bytes *stored*, by component; None where storage has no price.

    The log costs once for each replica; of all else one copy is paid for.
    """
    prices, copies = journal.facts.get("prices"), {"log": journal.facts.get("replicas", 1)}
    kept = {component: size * copies.get(component, 1) for component, size in stored.items()}
    return None if prices is None else _priced(prices["storage_per_gb_month"], kept, 1 / GB)


def stored_bytes(journal: Journal) -> Amounts:
    """Bytes at the end of the window, one copy of everything."""
    found = _by_component([value for value in storage(journal) if not value.consumer], "storage_bytes")
    return {component: size for component, size in found.items() if component}


def _requests_per_s(journal: Journal, loads: list[Value]) -> Amounts:
    """Requests to the source by kind, and messages published (every attempt)."""
    start, end = journal.facts["window"]
    sent = int(journal.changes["publish_attempts"][in_window(journal)].sum())
    return {**_by_component(loads, "source_requests_per_s"), "message": sent / ((end - start) / 1e9)}


def _by_component(values: list[Value], metric: str) -> Amounts:
    return {value.component: value.value for value in values if value.metric == metric}


def _priced(prices: Amounts | None, amounts: Amounts, scale: float = 1.0) -> float | None:
    """All *amounts* at their prices, what has none for nothing; None where nothing has a price."""
    return None if prices is None else sum(prices.get(component, 0.0) * amount for component, amount in amounts.items()) * scale
