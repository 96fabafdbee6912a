"""For tests of your own: radiographs that show nobody, simulated endpoints with faults, chat models from a script."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wetread.testing.faults import Fault, FaultPlan
    from wetread.testing.phantom import Finding, Phantom, chest_phantom
    from wetread.testing.scripted import ScriptedModel, calls
    from wetread.testing.simulated import Latency, SimulatedEndpoints
    from wetread.testing.simulated_wire import asgi_app

__all__ = [
    "Fault",
    "FaultPlan",
    "Finding",
    "Latency",
    "Phantom",
    "ScriptedModel",
    "SimulatedEndpoints",
    "asgi_app",
    "calls",
    "chest_phantom",
]

_FROM = {
    "Fault": "faults",
    "FaultPlan": "faults",
    "Finding": "phantom",
    "Latency": "simulated",
    "Phantom": "phantom",
    "ScriptedModel": "scripted",
    "SimulatedEndpoints": "simulated",
    "asgi_app": "simulated_wire",
    "calls": "scripted",
    "chest_phantom": "phantom",
}


def __getattr__(name: str) -> Any:
    # on demand: who wants a scripted model need not wait for the phantom's numpy
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
