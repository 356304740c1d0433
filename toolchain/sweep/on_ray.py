"""The points of a sweep on Ray: processes of this machine, or of a cluster's machines."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from runtime_py.errors import PocketFaceError
from toolchain.bundling import build
from toolchain.errors import SetupError, ToolchainError
from toolchain.progress import Progress
from toolchain.sweep.points import Row, SweepOrder, measure_point
from toolchain.sweep.settings import Settings

_FAILURES = (ToolchainError, PocketFaceError, OSError)
"""What ends a point and not the sweep."""


def run_points(order: SweepOrder, numbers: Sequence[int], trainings: Sequence[int | None]) -> Iterator[tuple[int, list[Row] | str]]:
    """(number, outcome) of each point of `numbers`, as they are done: its rows, or why there are none. `trainings`: of every point, the
    point that trains its weights; None where none are trained.

    Error: SetupError where Ray is not installed, or none answers at the order's address.
    """
    ray = _ray(order)
    quiet, points = replace(order, progress=Progress(quiet=True)), order.points()
    try:
        train, measure = (ray.remote(num_cpus=1, max_retries=1)(task) for task in (_train, _measure))
        trained: dict[int | None, Any] = {
            first: train.remote(quiet, points[first]) for first in {trainings[number] for number in numbers} if first is not None
        }
        running = {measure.remote(quiet, points[number], trained.get(trainings[number])): number for number in numbers}
        while running:
            (reference,), _ = ray.wait(list(running), num_returns=1)
            number = running.pop(reference)
            yield number, _outcome(ray, reference)
    finally:
        ray.shutdown()


def _ray(order: SweepOrder) -> Any:
    """Ray, started on this machine or connected to the cluster."""
    # Ray would otherwise report its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise SetupError("a sweep runs on Ray, which is not installed: pip install 'pocketface[sweep]'") from None
    local: dict[str, Any] = {"num_cpus": order.jobs or os.cpu_count(), "include_dashboard": False}
    if order.address is not None:
        local = {}
        _check_reachable(order.address)
    try:
        ray.init(address=order.address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SetupError(f"Ray does not start at {order.address or 'this machine'} ({error})") from None
    return ray


def _check_reachable(address: str) -> None:
    """Error: SetupError where nothing answers at `HOST:PORT`. Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        advice = "give --address HOST:PORT of a head that `ray start --head` started"
        raise SetupError(f"no Ray cluster answers at {address} ({error}); {advice}") from None


def _outcome(ray: Any, reference: Any) -> list[Row] | str:
    try:
        found: list[Row] | str = ray.get(reference)
        return found
    except ray.exceptions.WorkerCrashedError:
        return "its process died (out of memory?); run the same command again to go on"
    except ray.exceptions.RayTaskError as error:
        return str(error).strip().rpartition("\n")[2]  # behind the worker's traceback: what was raised there
    except ray.exceptions.RayError as error:
        return f"Ray lost it ({str(error).strip().partition(chr(10))[0]}); run the same command again to go on"


def _train(order: SweepOrder, settings: Settings) -> str | None:
    """Trains a point's weights, which are kept for all points that share them; why it could not, if so."""
    try:
        build.train(order.build_order(settings))
    except _FAILURES as error:
        return str(error)
    return None


def _measure(order: SweepOrder, settings: Settings, not_trained: str | None) -> list[Row] | str:
    if not_trained is not None:
        return not_trained
    try:
        return measure_point(order, settings)
    except _FAILURES as error:
        return str(error)
