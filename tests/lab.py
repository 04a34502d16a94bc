"""A JupyterLab of the tests' own in a real browser: one server and one browser for all notebooks of a session."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
# What the page of a notebook needs to be tested: all cells in it, also those that are out of sight.
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"}, "apputils-extension/notification": {"fetchNews": "false"}}
QUIET = ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]


class Lab:
    """A running JupyterLab at *url*, which serves *folder*, and a *browser*."""

    def __init__(self, url: str, token: str, folder: Path, browser: Any) -> None:
        self.url, self.token, self.folder, self.browser = url, token, folder, browser

    @contextmanager
    def opened(self, notebook: Path) -> Iterator[tuple[Any, list[str]]]:
        """The page of a *quick* copy of *notebook*, its kernel waiting, and what the page complains of; afterwards the kernel is gone."""
        copy = self.folder / "notebooks" / notebook.name
        copy.write_text(notebook.read_text(encoding="utf-8").replace("quick: bool = False", "quick: bool = True"), encoding="utf-8")
        page, complaints = self.browser.new_page(viewport={"width": 1400, "height": 1000}), list[str]()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{self.url}lab/workspaces/{copy.stem}/tree/notebooks/{copy.name}?token={self.token}")
        try:
            page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
            yield page, complaints
        finally:
            page.close()
            for session in self._asked("GET", "api/sessions"):
                self._asked("DELETE", f"api/sessions/{session['id']}")

    def run_all(self, page: Any, notebook: Path) -> Any:
        """Run all cells and save: the notebook with its outputs."""
        late = "new Promise((_, refuse) => setTimeout(() => refuse('not all cells have run'), 300000))"
        page.evaluate(f"Promise.race([jupyterapp.commands.execute('notebook:run-all-cells'), {late}])")
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.folder / "notebooks" / notebook.name, as_version=4)

    def _asked(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", method=method, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")


@contextmanager
def jupyterlab(folder: Path, browser_path: str) -> Iterator[Lab]:
    """A JupyterLab of its own that serves copies of notebooks in *folder*, and the browser at *browser_path*."""
    from playwright.sync_api import sync_playwright

    (folder / "notebooks").mkdir()
    (folder / "data").symlink_to(ROOT / "data")
    with _server(folder) as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield Lab(url, token, folder, browser)
        browser.close()


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, str]]:
    """The address and the token of a server whose kernel is this interpreter."""
    kernel = folder / ".jupyter-data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "Python 3 (ipykernel)", "language": "python"}))
    for name, said in SETTINGS.items():
        file = folder / ".jupyter-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(said))
    places = {"PATH": "data", "DATA_DIR": "data", "RUNTIME_DIR": "runtime", "CONFIG_DIR": "config"}
    environment = os.environ | {f"JUPYTER_{name}": str(folder / f".jupyter-{place}") for name, place in places.items()}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / ".jupyter-settings"), "IPYTHONDIR": str(folder / ".ipython")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / ".jupyter-workspaces")}
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    options += ["--LabApp.expose_app_in_browser=True", *QUIET]
    with (folder / ".jupyter-log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    try:
        yield _address(folder / ".jupyter-runtime", folder / ".jupyter-log")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _address(runtime: Path, log: Path) -> tuple[str, str]:
    end = time.monotonic() + 60
    while not (found := list(runtime.glob("jpserver-*.json"))):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)
    server = json.loads(found[0].read_text())
    return server["url"], server["token"]
