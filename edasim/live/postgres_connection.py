"""PostgreSQL as all that is measured on it needs it: connections, and the schema that holds everything of a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from edasim.errors import InputError
from edasim.live.protocol import Down, Target, without_password
from edasim.scenario import Scenario

PATIENCE_S = 5  # until a server that does not answer counts as down
Connection = psycopg.Connection[tuple[object, ...]]


@contextmanager
def down_if_lost() -> Iterator[None]:
    """A lost connection is `Down`. Whatever else a server refuses is an error of ours."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Down(str(error).strip()) from None


def connect(target: Target, scenario: Scenario) -> Connection:
    """A connection in autocommit, whose names are those of the run's schema. Raises Down, or InputError for what is no such address.

    With a `broker.fsync_interval` it does not wait for the sync of what it commits.
    """
    try:
        psycopg.conninfo.conninfo_to_dict(target.url)
    except psycopg.ProgrammingError:
        said = "must be like postgresql://user:password@host:5432/database"
        raise InputError(f"--url {without_password(target.url)} is not allowed: {said}") from None
    with down_if_lost():
        connection = psycopg.connect(target.url, autocommit=True, connect_timeout=PATIENCE_S)
        wait = "on" if scenario.broker.fsync_interval == 0 else "off"
        connection.execute(sql.SQL("SET synchronous_commit = {}").format(sql.Literal(wait)))
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema_of(target))))
        return connection


def schema_of(target: Target) -> str:
    """The schema of a run."""
    return target.name("tables")


class Schema:
    """Everything of a run: a schema of its own, with its tables."""

    def __init__(self, target: Target, scenario: Scenario, tables: Sequence[str]) -> None:
        self.target, self.scenario = target, scenario
        self._tables = tables
        self._made = False

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection for a moment. Raises Down."""
        with connect(self.target, self.scenario) as connection, down_if_lost():
            yield connection

    def make(self) -> None:
        """As `Names.make`: all at once, or nothing."""
        name = schema_of(self.target)
        try:
            with self.connected() as connection, connection.transaction():
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
                for statement in self._tables:
                    connection.execute(statement)
        except psycopg.errors.DuplicateSchema:
            raise InputError(f"schema {name} is there already in this database: nothing was changed") from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise InputError(f"the database does not let us make schema {name}: {str(error).strip()}") from None
        self._made = True

    def remove(self) -> None:
        """As `Names.remove`."""
        if not self._made:
            return
        with self.connected() as connection:
            connection.execute("SET client_min_messages = warning")  # it would list all that it drops
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema_of(self.target))))
        self._made = False

    def stored_bytes(self) -> int | None:
        """On disk: tables with their indexes, and what deleted rows still take."""
        with self.connected() as connection:
            (row,) = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n"
                " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'",
                [schema_of(self.target)],
            ).fetchall()
        return int(str(row[0]))


def channel_of(target: Target, name: str) -> str:
    """The notification channel of a table of the run: PostgreSQL allows 63 bytes."""
    return target.name(name)[-63:]
