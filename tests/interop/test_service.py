"""The service of the guide: started as it stands there, asked over HTTP."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest
from tests.interop.guide import block, garments

from handloom import Model

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
httpx: Any = pytest.importorskip("httpx")

SECONDS = 60


class Service:
    """A running service, its model and images for it."""

    def __init__(self, address: str, model: Model, images: npt.NDArray[Any]) -> None:
        self.model, self.images = model, images
        self.client = httpx.Client(base_url=address, timeout=SECONDS)

    def expected(self) -> list[dict[str, float]]:
        return [
            dict(zip(self.model.class_names, row, strict=True))
            for row in self.model.predict(self.images).tolist()
        ]

    def ask(self, body: object) -> Any:
        """Return the answer to JSON, or to a text that stands for JSON."""
        if isinstance(body, str):
            headers = {"content-type": "application/json"}
            return self.client.post("/predict", content=body, headers=headers)
        return self.client.post("/predict", json=body)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    model, data = garments()
    model.save(folder / "garments")
    (folder / "service.py").write_text(block("python", "FastAPI"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    started = Service(f"http://127.0.0.1:{port}", model, data.test.inputs)
    try:
        _wait_for(process, port, folder / "log")
        yield started
    finally:
        started.client.close()
        process.terminate()
        process.wait(SECONDS)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"the service did not start: {log.read_text()}")


def test_rows_are_predicted(service: Service) -> None:
    answer = service.ask(service.images.tolist())
    assert answer.status_code == 200
    for row, expected in zip(answer.json(), service.expected(), strict=True):
        assert row == pytest.approx(expected, abs=1e-6)


def test_bytes_are_rows(service: Service) -> None:
    answer = service.client.post("/predict/bytes", content=service.images.tobytes())
    assert answer.status_code == 200
    for row, expected in zip(answer.json(), service.expected(), strict=True):
        assert row == pytest.approx(expected, abs=1e-6)


def test_several_requests_at_once_do_not_disturb_each_other(service: Service) -> None:
    expected = service.expected()

    def ask(index: int) -> Any:
        return service.ask([service.images[index].tolist()]).json()[0]

    with ThreadPoolExecutor(8) as pool:
        for row, own in zip(pool.map(ask, range(len(expected))), expected, strict=True):
            assert row == pytest.approx(own, abs=1e-6)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([[[0] * 28] * 27], "(28, 28)"),
        ([[0, 1, 2]], "(28, 28)"),
        ([], "28"),
        ([[1, 2], [3]], "rows: "),
        ([["shoe"]], "shoe"),
        ([[[300] * 28] * 28], "from 0 to 255"),
        ([[[1.5] * 28] * 28], "from 0 to 255"),
        ("[" + str([[float("nan")] * 28] * 28).replace("nan", "NaN") + "]", "from 0 to 255"),
        ({"rows": 1}, "list"),
        ("[[", "JSON"),
    ],
)
def test_bad_rows_get_status_422_and_the_message(
    service: Service, body: object, message: str
) -> None:
    answer = service.ask(body)
    assert answer.status_code == 422
    assert message in str(answer.json()["detail"])


@pytest.mark.parametrize("count", [0, 785])
def test_a_wrong_number_of_bytes_is_refused(service: Service, count: int) -> None:
    answer = service.client.post("/predict/bytes", content=b"x" * count)
    assert answer.status_code == 422
    expected = f"expected 784 bytes for each row, got {count} in all"
    assert answer.json() == {"detail": expected}
