"""The nvidia-smi program: for machines where NVML itself could not be asked.

CSV first, then XML, the table last: it is the only one that every driver has, and the
one whose words change. What it printed counts for more than its exit status.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from fwdoctor.intake.nvidia_smi import (
    EXIT_MEANINGS,
    QUERY_FIELDS,
    SmiFacts,
    find_error,
    parse_csv,
    parse_table,
    parse_xml,
)
from fwdoctor.model.snapshot import Gpu, NvidiaSmi
from fwdoctor.probes.native import NATIVE_TIMEOUT_S, path_below
from fwdoctor.probes.runner import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwdoctor.probes.source import Source
    from fwdoctor.process import Child, ChildResult

PROGRAM = "nvidia-smi.exe" if os.name == "nt" else "nvidia-smi"
WSL_PROGRAM = "/usr/lib/wsl/lib/nvidia-smi"
MAX_REFUSED_FIELDS = 4
ERROR_LIMIT = 300
# «Field "compute_cap" is not a valid field to query.»
_REFUSED = re.compile(r'Field "([\w.]{1,60})" is not a valid field')


class NvidiaSmiProbe:
    """Facts: NvidiaSmi, and the GPUs it described."""

    name = "nvidia-smi"

    def __init__(self, *, timeout_s: float = NATIVE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def start(self, source: Source) -> Callable[[], tuple[NvidiaSmi, tuple[Gpu, ...]]]:
        """Start the CSV query; the returned function waits and asks on."""
        program = find_program(source)
        if program is None:
            raise ProbeError("absent", "there is no nvidia-smi on PATH")
        asker = _Asker(source, program, self._timeout_s)
        child = asker.start_csv(QUERY_FIELDS)

        def finish() -> tuple[NvidiaSmi, tuple[Gpu, ...]]:
            result, facts = asker.finish_csv(child)
            answer = NvidiaSmi(
                path=path_below(source, program),
                exit_code=result.returncode,
                error=_error_of(result, facts),
                driver_version=facts.driver_version,
            )
            if find_error(f"{result.stdout}\n{result.stderr}") is not None:
                return answer, facts.gpus or parse_table(result.stdout).gpus or ()
            more = asker.ask_more()
            answer = replace(
                answer,
                error=None if more.driver_version else answer.error,
                driver_version=answer.driver_version or more.driver_version,
                cuda_driver_version=more.cuda_driver_version,
            )
            return answer, merge_gpus(facts.gpus or (), more.gpus or ())

        return finish


def find_program(source: Source) -> str | None:
    """The nvidia-smi to run; on WSL also where PATH does not lead."""
    for folder in source.env.get("PATH", "").split(os.pathsep):
        candidate = os.path.join(folder, PROGRAM)
        if os.path.isabs(folder) and os.access(candidate, os.X_OK):
            return candidate
    return source.real_path(WSL_PROGRAM) if source.exists(WSL_PROGRAM) else None


class _Asker:
    def __init__(self, source: Source, program: str, timeout_s: float) -> None:
        self._source = source
        self._program = program
        self._timeout_s = timeout_s

    def _start(self, *arguments: str) -> Child:
        argv = [self._program, *arguments]
        child = self._source.start(argv, timeout_s=self._timeout_s)
        if child is None:
            raise ProbeError("not-run", "nvidia-smi is only run on a live machine")
        return child

    def start_csv(self, names: Sequence[str]) -> Child:
        query = ",".join(names)
        return self._start(f"--query-gpu={query}", "--format=csv,noheader,nounits")

    def finish_csv(self, child: Child) -> tuple[ChildResult, SmiFacts]:
        """The answer of the CSV query, asked again without fields it refuses."""
        names = list(QUERY_FIELDS)
        result = child.finish()
        for _ in range(MAX_REFUSED_FIELDS):
            refused = _REFUSED.search(result.stdout)
            if not refused or refused[1] not in names:
                break
            names.remove(refused[1])
            result = self.start_csv(names).finish()
        _raise_if_cut_short(result)
        return result, parse_csv(result.stdout, names)

    def ask_more(self) -> SmiFacts:
        """The CUDA version, which the CSV lacks, and what else the XML knows."""
        result = self._start("-q", "-x").finish()
        facts = parse_xml(result.stdout)
        if facts.cuda_driver_version is not None or result.status != "exited":
            return facts
        table = parse_table(self._start().finish().stdout)
        return replace(
            facts,
            driver_version=facts.driver_version or table.driver_version,
            cuda_driver_version=table.cuda_driver_version,
            gpus=facts.gpus or table.gpus,
        )


def _raise_if_cut_short(result: ChildResult) -> None:
    if result.status == "timeout":
        raise ProbeError("timeout", f"nvidia-smi: {result.reason}")
    if result.status == "denied":
        raise ProbeError("denied", result.reason)
    if result.status != "exited":
        raise ProbeError("error", f"nvidia-smi: {result.reason}")


def _error_of(result: ChildResult, facts: SmiFacts) -> str | None:
    """Its own words on what is wrong; None when it described what was asked."""
    text = f"{result.stdout}\n{result.stderr}"
    known = find_error(text)
    if known is not None or facts.driver_version or facts.gpus:
        return known
    words = next((line.strip() for line in text.splitlines() if line.strip()), "")
    meaning = EXIT_MEANINGS.get(result.returncode or 0, "")
    reasons = [f"exit status {result.returncode}", meaning, words[:ERROR_LIMIT]]
    return ": ".join(reason for reason in reasons if reason)


def merge_gpus(first: Sequence[Gpu], second: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The GPUs of `first`, with what only `second` knows of the same ones."""
    if not first:
        return tuple(second)
    by_index = {gpu.index: gpu for gpu in second}
    return tuple(_complete(gpu, by_index.get(gpu.index)) for gpu in first)


def _complete(gpu: Gpu, other: Gpu | None) -> Gpu:
    if other is None:
        return gpu
    names = [field.name for field in fields(Gpu) if getattr(gpu, field.name) is None]
    return replace(gpu, **{name: getattr(other, name) for name in names})
