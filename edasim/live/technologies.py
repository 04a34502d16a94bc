"""The technologies that a scenario can be measured on: each a module of this package with its `TECHNOLOGY`, imported when it is needed."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from edasim.errors import InputError, suggestion
from edasim.live.protocol import Technology
from edasim.scenario import Scenario

TECHNOLOGIES: Mapping[str, str] = MappingProxyType(
    {
        "rabbitmq": "edasim.live.rabbitmq",
        "redis-streams": "edasim.live.redis_streams",
        "redis-pubsub": "edasim.live.redis_pubsub",
        "kafka": "edasim.live.kafka",
        "postgres": "edasim.live.postgres",
    }
)
CLIENTS = ("pika", "redis", "psycopg", "confluent_kafka")


def technology_of(scenario: Scenario, on: str | None) -> str:
    """The name of the technology that is meant: *on*, or else the scenario's own `broker.preset`.

    Raises InputError where there is none, or another one.
    """
    name = on or scenario.broker.preset
    if name is None:
        raise InputError(f"the scenario names no broker.preset: say --on one of {', '.join(TECHNOLOGIES)}")
    if name not in TECHNOLOGIES:
        where = f"--on {name}" if on else f"broker.preset: {name}"
        raise InputError(f"{where} can't be measured: {suggestion(name, TECHNOLOGIES)}")
    return name


def technology(name: str) -> Technology:
    """The technology of that name. Raises InputError where its client library is not installed."""
    try:
        return cast(Technology, import_module(TECHNOLOGIES[name]).TECHNOLOGY)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in CLIENTS:
            raise
        raise InputError(f"--on {name} needs the Python package {error.name}: install edasim[brokers]") from None
