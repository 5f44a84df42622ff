"""A smoke task's journal: stages passed, failed or skipped, kept in a file.

Run by the examined interpreter: standard library only, Python 3.6 syntax. The file is
written anew when a stage begins and ends, so a crash or a hang names its stage.
"""

import ctypes
import json
import math
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "probes", "inside")
# A sound run ends far below: the loss of the first steps is about ln 10 = 2.3.
FALLEN = 0.8


class Skip(Exception):
    """The stage does not apply here; the text says why."""


class Failure(Exception):
    """The stage ran and found something wrong of a named kind."""

    def __init__(self, kind, text):
        # type: (str, str) -> None
        Exception.__init__(self, text)
        self.kind = kind


class Journal:
    """What was done so far; `facts` and `curves` are filled in by the task."""

    def __init__(self, plan_path):
        # type: (str) -> None
        die_with_parent()
        self.folder = os.path.dirname(os.path.abspath(plan_path))
        with open(plan_path) as stream:
            self.plan = json.load(stream)
        self.facts = {}  # type: Dict[str, object]
        self.curves = {}  # type: Dict[str, List[float]]
        self.results = []  # type: List[Dict[str, object]]
        self.stage = {"name": "start", "preset": None}  # type: Dict[str, object]
        self.is_finished = False
        self.write()

    def write(self):
        # type: () -> None
        """Put everything known into the result file, in one move."""
        path = os.path.join(self.folder, "result.json")
        record = {
            "pid": os.getpid(),
            "stage": self.stage,
            "results": self.results,
            "facts": self.facts,
            "curves": self.curves,
            "is_finished": self.is_finished,
        }
        with open(path + ".new", "w") as stream:
            json.dump(record, stream)
        os.replace(path + ".new", path)

    def blob(self, name):
        # type: (str) -> bytearray
        """One named part of data.bin."""
        begin, length = self.plan["blobs"][name]
        with open(os.path.join(self.folder, "data.bin"), "rb") as stream:
            stream.seek(begin)
            return bytearray(stream.read(length))

    def run(self, name, function, preset=None):
        # type: (str, Callable[[], Optional[str]], Optional[str]) -> bool
        """Run one stage; False when it failed by an exception it did not expect."""
        self.stage = {"name": name, "preset": preset}
        self.write()
        result = {"stage": name, "preset": preset, "status": "passed", "kind": None}
        begun = time.time()
        goes_on = True
        try:
            result["detail"] = function() or ""
        except Skip as reason:
            result.update(status="skipped", detail=str(reason))
        except Failure as failure:
            result.update(status="failed", kind=failure.kind, detail=str(failure))
        except BaseException as error:  # whatever a framework can raise
            result.update(status="failed", kind=kind_of(error), detail=text_of(error))
            goes_on = False
        result["seconds"] = round(time.time() - begun, 3)
        self.results.append(result)
        self.write()
        return goes_on

    def has_failed(self):
        # type: () -> bool
        """Whether any stage failed so far."""
        return any(result["status"] == "failed" for result in self.results)

    def progress(self, epoch, epochs, loss):
        # type: (int, int, float) -> None
        """Tell the parent how far a training is."""
        self.stage = dict(self.stage, epoch=epoch, epochs=epochs, loss=plain(loss))
        self.write()

    def finish(self):
        # type: () -> None
        """Everything asked for was done, well or not."""
        self.is_finished = True
        self.stage = {"name": "done", "preset": None}
        self.write()


def die_with_parent():
    # type: () -> None
    """Nobody reads the journal of a child whose parent was killed (Linux)."""
    pr_set_pdeathsig = 1
    try:
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    except (OSError, TypeError, AttributeError):
        pass  # another system: its deadline ends the child


def kind_of(error):
    # type: (BaseException) -> str
    """out-of-memory, missing (the framework), or error."""
    text = (type(error).__name__ + " " + str(error)).lower()
    if "out of memory" in text or "outofmemory" in text or "resourceexhausted" in text:
        return "out-of-memory"
    if isinstance(error, MemoryError):
        return "out-of-memory"
    name = getattr(error, "name", None)
    if isinstance(error, ImportError) and name in ("torch", "tensorflow"):
        return "missing"
    return "error"


def text_of(error):
    # type: (BaseException) -> str
    """Type and first line."""
    lines = str(error).strip().splitlines()
    return type(error).__name__ + (": " + lines[0][:500] if lines else "")


def plain(number):
    # type: (float) -> Any
    """The number, or its name where JSON has none."""
    return number if math.isfinite(number) else str(number)


def clean_path():
    # type: () -> None
    """Our folders were on the path only for our own modules."""
    ours = (HERE, INSIDE)
    sys.path[:] = [
        entry for entry in sys.path if os.path.abspath(entry or ".") not in ours
    ]


def check_curve(losses, must_fall):
    # type: (List[float], bool) -> str
    """The loss must be finite at every step, and fall where there was time for it."""
    for step, loss in enumerate(losses):
        if not math.isfinite(loss):
            raise Failure(
                "did-not-learn",
                "the loss is {} at step {} of {}".format(loss, step + 1, len(losses)),
            )
    width = max(1, len(losses) // 10)
    first = sum(losses[:width]) / width
    last = sum(losses[-width:]) / width
    text = "loss {:.3f} to {:.3f} in {} steps".format(first, last, len(losses))
    if must_fall and not last < FALLEN * losses[0]:
        raise Failure("did-not-learn", "the loss does not fall: " + text)
    return text


def check_accuracy(correct, count, mark):
    # type: (int, int, Optional[float]) -> str
    """The share of right answers on the test images must reach the mark."""
    share = correct / float(count)
    text = "{:.1f} % of {} test images".format(100 * share, count)
    if mark is None:
        raise Skip(text + "; with so few training images none can be expected")
    if share < mark:
        raise Failure(
            "did-not-learn", "{}, at least {:.0f} % expected".format(text, 100 * mark)
        )
    return text


def check_error(what, error, tolerance):
    # type: (str, float, float) -> str
    """A relative error against its tolerance; NaN fails."""
    text = "{} off by {:.1e}, {:.0e} allowed".format(what, error, tolerance)
    if not error <= tolerance:
        raise Failure("wrong-numbers", text)
    return text


def check_devices(found, wanted):
    # type: (Dict[str, str], str) -> str
    """Every named tensor must lie on the wanted device."""
    astray = sorted(name for name, device in found.items() if device != wanted)
    if astray:
        first = astray[0]
        raise Failure(
            "not-on-device",
            "{} of {} tensors are not on {}: {} is on {}".format(
                len(astray), len(found), wanted, first, found[first]
            ),
        )
    return "{} parameters and outputs on {}".format(len(found), wanted)
