"""Which tests run where: slow ones when asked for, browser ones where there is a browser, live ones where there are brokers."""

import importlib.util
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterable, Iterator

import hypothesis
import pytest
from both_engines import both_engines  # noqa: F401  # a fixture

from edasim import fast_path

# The same examples in every run, and no deadline: a busy machine isn't a counterexample.
hypothesis.settings.register_profile("edasim", deadline=None, derandomize=True)
hypothesis.settings.load_profile("edasim")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"no browser on PATH ({', '.join(BROWSERS)})"
CLIENTS = {"rabbitmq": "pika", "redis-streams": "redis", "redis-pubsub": "redis", "kafka": "confluent_kafka", "postgres": "psycopg"}
NO_BROKER = "no broker: "


def find_browser() -> str | None:
    """The path of the first browser found, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def without_broker(technology: str) -> str | None:
    """Why a live test can't run here, or None: its server's programs or its client library are missing."""
    from edasim.live.servers import missing

    if technology in CLIENTS and not importlib.util.find_spec(CLIENTS[technology]):
        return f"{CLIENTS[technology]} is not installed: edasim[brokers] brings it"
    return missing(technology)


def refuse_without(what: str, why: str) -> None:
    """Skip this test, or fail it where whatever is missing was required."""
    refuse = pytest.fail if os.environ.get(f"EDASIM_REQUIRE_{what}") == "1" else pytest.skip
    refuse(why)


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    if os.environ.get("EDASIM_SLOW") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with EDASIM_SLOW=1"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and not find_browser():
        refuse_without("BROWSER", NO_BROWSER)
    for marker in item.iter_markers("broker"):
        if why := without_broker(*marker.args):
            refuse_without("BROKERS", NO_BROKER + why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on the live tests that were skipped, and what they lack."""
    reasons = [report.longrepr[2].partition(NO_BROKER)[2] for report in terminalreporter.getreports("skipped")]
    counted = Counter(reason for reason in reasons if reason)
    if counted:
        said = "; ".join(f"{why} ({number})" for why, number in sorted(counted.items()))
        terminalreporter.write_line(f"live tests skipped: {counted.total()}, {said}")


@pytest.fixture(scope="session", autouse=True)
def results_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of results of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDASIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def engines(request: pytest.FixtureRequest) -> None:
    """Whatever is a rule is one for both engines, so each run of those tests is made by both."""
    if request.path.name.startswith("test_rules_"):
        request.getfixturevalue("both_engines")


@pytest.fixture(scope="session", autouse=True)
def machine_code() -> None:
    """The fast path is compiled before the first test, whose time it would count for."""
    fast_path.prepare()


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Where the browser stands, for playwright's executable_path; for tests marked `browser`."""
    path = find_browser()
    assert path, NO_BROWSER
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT interrupts, as in a terminal: a worker of pytest-xdist ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
