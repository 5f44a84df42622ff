"""Which NVIDIA libraries `import torch` opens by itself, from torch/__init__.py.

It opens libtorch_global_deps first; then, or when that fails, libraries of NVIDIA's
wheels by their path. What and when differs by release, so it is read from the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwdoctor.probes.source import Source

# ("cublas", "libcublas.so.*[0-9]") in a list, or 'cublas': 'libcublas…' in a dict
_PAIR = re.compile(r"""['"](\w+)['"]\s*[:,]\s*['"](lib[\w.*\[\]-]+)['"]""")
_FUNCTION = re.compile(r"^def (\w+)\(.*?(?=^\S)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preload:
    """Folder and file pattern pairs, in torch's order."""

    always: tuple[tuple[str, str], ...] = ()  # after libtorch_global_deps has loaded
    on_failure: tuple[tuple[str, str], ...] = ()  # when it has not
    stops_at_missing: bool = True  # one that is absent ends the «always» list
    looks_in_cuda_folder: bool = False  # nvidia/cu13/lib besides nvidia/cublas/lib


def parse_preload(text: str) -> Preload:
    """What a torch/__init__.py preloads; nothing when it has no such code."""
    bodies = {match[1]: match[0] for match in _FUNCTION.finditer(text + "\nend\n")}
    everything = tuple(_PAIR.findall(bodies.get("_preload_cuda_deps", "")))
    load = bodies.get("_load_global_deps", "")
    # Between the first try to open the library and the handler for its failure.
    begin = load.find("ctypes.CDLL(")
    after = load[begin : load.find("except OSError", begin)] if begin >= 0 else ""
    always = tuple(_PAIR.findall(after))
    if "_preload_cuda_deps(" in after:
        always = everything
    return Preload(
        always=always,
        on_failure=everything,
        stops_at_missing="required=False" not in after,
        looks_in_cuda_folder='f"cu{' in text or "f'cu{" in text,
    )


def find_preloaded(
    source: Source,
    site_packages: Sequence[str],
    pair: tuple[str, str],
    cuda_folder: str | None,
) -> str | None:
    """The file torch would open for a pair: the first match along sys.path."""
    folder, pattern = pair
    for site in site_packages:
        for candidate in _folders_of(site, folder, cuda_folder):
            for name in source.list_dir(candidate):
                if fnmatchcase(name, pattern):
                    return f"{candidate}/{name}"
    return None


def _folders_of(site: str, folder: str, cuda_folder: str | None) -> Iterator[str]:
    yield f"{site}/nvidia/{folder}/lib"
    if cuda_folder:
        yield f"{site}/nvidia/{cuda_folder}/lib"
    yield f"{site}/{folder}/lib"
