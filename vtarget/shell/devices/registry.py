"""From a model's name in a chip's YAML to the class that models it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from vtarget.base.errors import InputError
from vtarget.shell.devices.device import Device, Ports


def make_device(model: str, ports: Ports) -> Device:
    """The device of model ``module`` or ``module.variant``; each module lists its variants in ``MODELS``.

    InputError for a model that doesn't exist.
    """
    return find_model(model, ports.name)(ports)


def find_model(model: str, device: str) -> Callable[[Ports], Device]:
    """What makes devices of a model. InputError, naming the device that wants it, if there is no such model."""
    module, _, variant = model.partition(".")
    where = f"{__package__}.{module}"
    if not module.isidentifier() or find_spec(where) is None:
        raise InputError(f"device {device}: there is no model '{model}'")
    models: dict[str, Callable[[Ports], Device]] = getattr(import_module(where), "MODELS", {})
    if variant not in models:
        known = ", ".join(f"{module}.{name}" if name else module for name in models)
        raise InputError(f"device {device}: there is no model '{model}'", hint=f"there is {known}" if known else None)
    return models[variant]
