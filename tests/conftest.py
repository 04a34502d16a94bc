"""Which tests run where: slow ones when asked for, browser ones where there is a browser."""

import os
import shutil
from collections.abc import Iterable, Iterator

import hypothesis
import pytest

# The same examples in every run, and no deadline: a busy machine isn't a counterexample.
hypothesis.settings.register_profile("edasim", deadline=None, derandomize=True)
hypothesis.settings.load_profile("edasim")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"no browser on PATH ({', '.join(BROWSERS)})"


def find_browser() -> str | None:
    """The path of the first browser found, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    if os.environ.get("EDASIM_SLOW") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with EDASIM_SLOW=1"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and not find_browser():
        refuse = pytest.fail if os.environ.get("EDASIM_REQUIRE_BROWSER") == "1" else pytest.skip
        refuse(NO_BROWSER)


@pytest.fixture(scope="session", autouse=True)
def results_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of results of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDASIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Where the browser stands, for playwright's executable_path; for tests marked `browser`."""
    path = find_browser()
    assert path, NO_BROWSER
    return path
