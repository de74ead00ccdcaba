"""The page of the guide: ONNX Runtime in a browser predicts as the model does."""

import os
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from tests.interop.guide import block, garments
from tests.reporting.conftest import browser_type_launch_args  # noqa: F401 - a fixture

from handloom import to_onnx

pytest.importorskip("onnx")
pytest.importorskip("pytest_playwright")

RUNTIME = Path(os.environ.get("HANDLOOM_NPM", "build/npm")) / "node_modules/onnxruntime-web/dist"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not RUNTIME.is_dir(), reason="onnxruntime-web is not installed: make test-browser does it"
    ),
]

PAGE = """<!doctype html><title>garments</title><script type="module">
import { classify } from "./classify.mjs";
window.classify = async (levels) => [...await classify(new Uint8Array(levels))];
document.title = "ready";
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that logs nothing."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "dist").symlink_to(RUNTIME.resolve())
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "classify.mjs").write_text(block("javascript", "onnx"))
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


def test_the_page_predicts_as_the_model(browser: Any, address: str, tmp_path: Path) -> None:
    model, data = garments()
    to_onnx(model, tmp_path / "model.onnx")
    images = data.test.inputs
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("document.title === 'ready'")
    probabilities = page.evaluate("(levels) => classify(levels)", images.ravel().tolist())
    page.close()
    assert not errors
    expected = model.predict(images)
    assert np.reshape(probabilities, expected.shape) == pytest.approx(expected, abs=1e-5)
