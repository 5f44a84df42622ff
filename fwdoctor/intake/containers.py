"""Docker and its kin: run lines, Dockerfiles, compose files, and their own messages.

docker run --gpus all -it --rm tensorflow/tensorflow:latest-gpu bash
FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04
runtime: nvidia        capabilities: [gpu]        image: pytorch/pytorch:2.1.0
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.intake.facts import Collector
from fwdoctor.model.snapshot import Command
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "container command"
_MOST = 40
_RUN = re.compile(
    r"(?<![\w./-])(?P<tool>nvidia-docker2?|docker(?:[ -]compose)?|podman|nerdctl"
    r"|singularity"
    r"|apptainer)[ \t]{1,4}(?:container[ \t]{1,4})?(?P<action>run|create|exec|build"
    r"|pull|up"
    r"|shell|load)(?=[ \t\n`'\"]|$)(?P<rest>(?:[^\n`\\]|\\\n){0,1500})"
)
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"\\]+")
_FROM = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--platform=\S{1,40}[ \t]+)?(?P<image>[\w./:@${}-]{2,160})"
    r"(?:[ \t]+AS[ \t]+\S{1,60})?[ \t]*$"
    r"|\bDockerfile: FROM (?P<inline>[\w./:@-]{2,160}[\w])",
    re.MULTILINE | re.IGNORECASE,
)
_COMPOSE_IMAGE = re.compile(
    r"^[ \t]{2,20}image:[ \t]*['\"]?(?P<image>[\w./:@${}-]{2,160})", re.MULTILINE
)
_COMPOSE_GPU = re.compile(
    r"^[ \t]{2,30}(?:runtime:[ \t]*['\"]?(nvidia)"
    r"|-?[ \t]*capabilities:[ \t]*\[[^\]\n]{0,40}(gpu)"
    r"|gpus:[ \t]*['\"]?(all|\d))",
    re.MULTILINE,
)
_IMAGE = re.compile(
    r"[a-z0-9][\w./-]{1,140}(?::[\w.-]{1,120})?(?:@sha256:\w{6,64})?|[A-Z]{4,12}"
)
# Options of run that take no value; all other ones take the next word.
_FLAGS = frozenset(
    {
        *(
            "-i",
            "-t",
            "-it",
            "-ti",
            "-d",
            "-itd",
            "-dit",
            "-td",
            "--rm",
            "--privileged",
        ),
        *("--init", "--interactive", "--tty", "--detach", "--nv", "--nvccli", "-P"),
        *(
            "--read-only",
            "--no-healthcheck",
            "--oom-kill-disable",
            "--writable",
            "--rocm",
        ),
        *("-idt", "-tid", "-tdi", "--publish-all", "--quiet", "-q", "--cleanenv"),
    }
)
_PROMPT = re.compile(
    r"^(?:[\w.-]{1,32}@[0-9a-f]{12}:[^\n]{0,80}|\(container\) ?)[#$]", re.MULTILINE
)
# A pod is called by its deployment, its replica set and its own five letters; the host
# of a container by the beginning of its id.
_HOST = r"(?:running on this host \(|information for host: |hostname: )"
_POD = re.compile(rf"{_HOST}[\w.-]{{1,60}}-[0-9a-f]{{8,10}}-[a-z0-9]{{5}}\b")
_CONTAINER_HOST = re.compile(rf"{_HOST}[0-9a-f]{{12}}\b")
_KUBERNETES = ("nvidia.com/gpu:", "kubectl ", "k8s-device-plugin")
_TOOLKIT = ("nvidia-container-cli", "nvidia-container-runtime", "OCI runtime")
Kind = Literal["docker", "podman", "singularity"]
_KINDS: dict[str, Kind] = {
    "podman": "podman",
    "singularity": "singularity",
    "apptainer": "singularity",
}


def parse(text: str) -> Facts | None:
    """The containers that a text starts or builds."""
    found = Collector(SOURCE, text)
    for match in list(_RUN.finditer(text))[:_MOST]:
        command = _run(match, text.count("\n", 0, match.start()) + 1)
        found.commands.append(command)
        if command.action in ("run", "create", "exec", "up", "shell"):
            found.add("container", _KINDS.get(command.tool, "docker"), match.start())
    if "FROM " in text or "from " in text:
        for match in list(_FROM.finditer(text))[:_MOST]:
            image = match["image"] or match["inline"]
            if any(mark in image for mark in ":/") or "RUN " in text:
                found.commands.append(_image("dockerfile", "from", match, text))
                found.add("container", "docker", match.start())
    _read_compose(found, text)
    _read_signs(found, text)
    return found.facts()


def _read_signs(found: Collector, text: str) -> None:
    """Words and prompts that stand in containers and clusters only."""
    prompt = _PROMPT.search(text)
    if prompt:  # a container's host name is the beginning of its id
        found.add("container", "docker", prompt.start())
    pod = _POD.search(text)
    if pod:
        found.add("container", "kubernetes", pod.start())
    host = _CONTAINER_HOST.search(text)
    if host:
        found.add("container", "docker", host.start())
    for sign in _KUBERNETES:
        if sign in text:
            found.add("container", "kubernetes", text.find(sign))
    for sign in _TOOLKIT:
        if sign in text:
            found.add("container", "docker", text.find(sign))


def _image(tool: str, action: str, match: re.Match[str], text: str) -> Command:
    return Command(
        tool=tool,
        action=action,
        text=match[0].strip(),
        image=match["image"] or match["inline"],
        line=text.count("\n", 0, match.start()) + 1,
    )


def _run(match: re.Match[str], line: int) -> Command:
    tool = match["tool"]
    gpus = "nvidia-docker" if tool.startswith("nvidia-docker") else None
    image = None
    expects = ""
    for word in _WORD.findall(match["rest"])[:80]:
        plain = word.strip("'\"")
        option, equals, value = plain.partition("=")
        if expects:
            gpus = _asked(expects, plain) or gpus
            expects = ""
        elif plain.startswith("-"):
            if equals:
                gpus = _asked(option, value) or gpus
            elif option in ("--nv", "--nvccli"):
                gpus = option
            elif option not in _FLAGS:
                expects = option
        elif image is None and _IMAGE.fullmatch(plain):
            image = plain
        else:
            break
    if match["action"] in ("build", "up"):
        image = None
    return Command(
        tool="docker" if "docker" in tool and "compose" not in tool else tool,
        action=match["action"],
        text=redact(" ".join(match[0].split()), home=None, user=None),
        image=image,
        gpus=gpus,
        line=line,
    )


def _asked(option: str, value: str) -> str | None:
    """The words by which an option asks for GPUs."""
    asks = (
        option == "--gpus"
        or (option == "--runtime" and value == "nvidia")
        or (option == "--device" and "nvidia" in value)
    )
    return f"{option} {value}" if asks else None


def _read_compose(found: Collector, text: str) -> None:
    if "image:" not in text and "runtime:" not in text and "capabilities:" not in text:
        return
    asked = _COMPOSE_GPU.search(text)
    image = _COMPOSE_IMAGE.search(text)
    if asked or (image and "services:" in text):
        place = image or asked
        found.add("container", "docker", place.start() if place else 0)
        found.commands.append(
            Command(
                tool="docker-compose",
                action="run",
                image=image["image"] if image else None,
                gpus=" ".join(asked[0].split()) if asked else None,
            )
        )
