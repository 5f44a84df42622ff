"""The commands that make a planned environment, in its manager's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.model.plan import Pin, PlanEnvironment

OVERRIDE = "CONDA_OVERRIDE_CUDA"


def install_commands(planned: PlanEnvironment) -> tuple[str, ...]:
    """Commands that make the environment and install its pins, in order."""
    makers = {"pip": _pip, "uv": _uv, "conda": _conda, "pixi": _pixi}
    return makers[planned.manager](planned)


def override_cuda(planned: PlanEnvironment) -> str | None:
    """The CUDA to tell conda where no GPU is: what the planned driver speaks."""
    return planned.virtual_packages.get("__cuda")


def _pip(planned: PlanEnvironment) -> tuple[str, ...]:
    folder = _folder(planned)
    if planned.platform.startswith("windows"):
        pip = rf"{folder}\Scripts\pip install {_wheels(planned)}"
        return (f"py -{planned.python} -m venv {folder}", pip)
    make = f"python{planned.python} -m venv {folder}"
    return (make, f"{folder}/bin/pip install {_wheels(planned)}")


def _uv(planned: PlanEnvironment) -> tuple[str, ...]:
    folder = _folder(planned)
    strategy = " --index-strategy unsafe-best-match" if _has_index(planned) else ""
    install = f"uv pip install --python {folder} {_wheels(planned)}{strategy}"
    return (f"uv venv --python {planned.python} {folder}", install)


def _conda(planned: PlanEnvironment) -> tuple[str, ...]:
    channels = " ".join(f"-c {channel}" for channel in planned.channels)
    specs = " ".join(_quoted(pin.match_spec) for pin in planned.pins)
    create = f"conda create -n {planned.name} --override-channels {channels}"
    return (f"{create} python={planned.python} {specs}",)


def _pixi(planned: PlanEnvironment) -> tuple[str, ...]:
    specs = " ".join(_quoted(pixi_spec(pin)) for pin in planned.pins)
    channels = " ".join(f"-c {channel}" for channel in planned.channels)
    return (f"pixi init {channels}", f"pixi add python={planned.python} {specs}")


def pixi_spec(pin: Pin) -> str:
    """The pin as `pixi add` takes it; its parser is stricter than conda's."""
    if pin.build:
        return f"{pin.name}[version='{pin.version}',build='{pin.build}']"
    return pin.match_spec


def _wheels(planned: PlanEnvironment) -> str:
    requirements = " ".join(_quoted(pin.requirement) for pin in planned.pins)
    urls = " ".join(index_option(url) for url in planned.channels)
    return f"{requirements} {urls}".rstrip()


def index_option(url: str) -> str:
    """The option for a source of wheels: an index, or a page of links."""
    name = "--find-links" if url.endswith(".html") else "--extra-index-url"
    return f"{name} {url}"


def _has_index(planned: PlanEnvironment) -> bool:
    return any(not url.endswith(".html") for url in planned.channels)


def _folder(planned: PlanEnvironment) -> str:
    return ".venv" if len(planned.frameworks) > 1 else f".venv-{planned.name}"


def _quoted(text: str) -> str:
    is_plain = all(c.isalnum() or c in "=+.-_" for c in text)
    return text if is_plain else f'"{text}"'
