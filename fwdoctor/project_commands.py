"""What changes a project that has a lock file, where pip's change would be undone.

The next `uv sync` or `poetry install` puts back what the lock file says, so a package
is changed in pyproject.toml. PyTorch's index is made explicit: without that uv and
Poetry would take its old copies of numpy and others, too.
https://docs.astral.sh/uv/guides/integration/pytorch/#using-a-pytorch-index
https://python-poetry.org/docs/repositories/#explicit-package-sources
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.model.snapshot import Environment, Project

# Not compiled here: most environments belong to no project.
_NAME = r"[\w.-]+"
_PIN = r"([\w.-]+)(?:\[[\w,-]*\])?==([^\s,;]+)"
_FROM_PYTORCH = ("torch", "torchvision", "torchaudio")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTool:
    """uv or Poetry in the folder of a project; all words are quoted for the shell."""

    project: Project
    environment: Environment
    folder: str

    def leaves_alone(
        self, requirements: Sequence[str], index_url: str | None, *, force: bool
    ) -> bool:
        """Whether pip may: the installed versions again, or from a page of links."""
        if index_url is not None and index_url.endswith(".html"):
            return True
        label = f"+{_last_part(index_url)}" if index_url else ""
        return force and all(self._is_installed(r, label) for r in requirements)

    def _is_installed(self, requirement: str, label: str) -> bool:
        pin = re.fullmatch(_PIN, requirement)
        if pin is None:
            return False
        wanted = pin[2] if "+" in pin[2] else f"{pin[2]}{label}"
        return presence.find_package(self.environment, pin[1]) == wanted

    def add(self, specs: Sequence[str], index_url: str | None) -> str:
        """One line that puts these requirements into the project."""
        if self.project.manager == "poetry":
            return self._poetry_add(specs, index_url)
        names = [found[0] for spec in specs if (found := re.search(_NAME, spec))]
        if index_url is None:
            names = [name for name in names if name in _FROM_PYTORCH]
        command = " ".join(["uv add", *self._where("--project"), *specs])
        is_by_hand = index_url is not None and self._is_powershell
        if names and (self.project.has_sources or is_by_hand):
            whence = index_url or "PyPI"
            first = f"# first let {self._file} take {', '.join(names)} from {whence}"
            return f"{command}  {first}"
        if index_url is None:
            return command
        return f"{self._uv_sources(names, index_url)} && {command}"

    def remove(self, names: Sequence[str]) -> str:
        """One line that takes these packages out of the project."""
        if self.project.manager == "poetry":
            return " ".join([self._poetry, "remove", *names])
        return " ".join(["uv remove", *self._where("--project"), *names])

    def _uv_sources(self, names: Sequence[str], url: str) -> str:
        """Appends tables to the file: no option of uv makes an index explicit."""
        index = f"pytorch-{_last_part(url)}"
        lines = ["", "[[tool.uv.index]]", f'name = "{index}"', f'url = "{url}"']
        lines.append("explicit = true")
        for name in names:
            lines.extend(["", f"[tool.uv.sources.{name}]", f'index = "{index}"'])
        text = r"\n".join([*lines, ""])
        return f"printf '{text}' >> {self._file}"

    def _poetry_add(self, specs: Sequence[str], url: str | None) -> str:
        if url is None:
            return " ".join([self._poetry, "add", *specs])
        name = f"pytorch-{_last_part(url)}"
        source = f"{self._poetry} source add --priority explicit {name} {url}"
        then = ";" if self._is_powershell else " &&"
        return " ".join([f"{source}{then}", self._poetry, "add --source", name, *specs])

    @property
    def _is_powershell(self) -> bool:
        """On Windows, where there is no printf, and an old shell knows no &&."""
        return (self.environment.python or "").endswith(".exe")

    @property
    def _poetry(self) -> str:
        return " ".join(["poetry", *self._where("--directory")])

    @property
    def _file(self) -> str:
        is_here = self.folder == "."
        return "pyproject.toml" if is_here else f"{self.folder}/pyproject.toml"

    def _where(self, option: str) -> list[str]:
        return [] if self.folder == "." else [option, self.folder]


def _last_part(url: str) -> str:
    """What PyTorch calls the build an index is for: cu126."""
    return url.rstrip("/").rpartition("/")[2]
