"""The order of a smoke task's stages, the same in both frameworks.

Run by the examined interpreter: standard library only, Python 3.6 syntax.
"""

import time

import journal as notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from journal import Journal

MATMUL_SIZE = 256
MIXED_STEPS = 20
# What may stay allocated: workspaces of the CUDA libraries.
LEFT_BYTES = 64 * 2**20


class Training:
    """One device, trained on; a framework's class has a method for each stage.

    A stage returns what it saw; `journal.Failure` and `journal.Skip` end it otherwise.
    """

    def __init__(self, journal):
        # type: (Journal) -> None
        self.journal = journal
        self.plan = journal.plan
        self.device = self.plan["device"]
        self.is_gpu = self.device.startswith("cuda")
        self.data = {}  # type: Dict[str, Any]
        self.model = None  # type: Any

    def run(self):
        # type: () -> None
        """Until the first stage that ends in an exception."""
        run = self.journal.run
        if not (
            run("import", self.import_framework) and run("device", self.see_device)
        ):
            return
        if self.journal.has_failed() or not run("allocate", self.allocate):
            return
        if self.plan["max_steps"] is None:
            if not (run("matmul", self.matmul) and run("convolution", self.convolve)):
                return
        if all(self.run_preset(preset) for preset in self.plan["presets"]):
            if self.plan["max_steps"] is None:
                self.run_extras()
            self.journal.finish()

    def run_preset(self, preset):
        # type: (Dict[str, Any]) -> bool
        """Train one model and look at it."""
        run, name = self.journal.run, preset["name"]
        if not run("train", lambda: self.train(preset), name):
            return False
        if self.plan["max_steps"] is not None:
            return True
        return run("accuracy", lambda: self.test(preset), name) and run(
            "placement", self.place, name
        )

    def run_extras(self):
        # type: () -> None
        """What goes beyond plain training; none of it stops the others."""
        preset = self.plan["presets"][0]
        self.journal.run("mixed-precision", lambda: self.mix(preset), preset["name"])
        self.journal.run("compile", lambda: self.compile(preset), preset["name"])
        self.journal.run("memory-released", self.release)

    def train(self, preset):
        # type: (Dict[str, Any]) -> str
        """Train with the given weights and batches; loss finite and falling."""
        self.model = self.build(preset)
        begun = time.time()
        losses = self.steps(preset, self.model, self.plan["max_steps"])
        self.journal.curves[preset["name"]] = [notes.plain(x) for x in losses]
        must_fall = self.plan["max_steps"] is None and preset["mark"] is not None
        said = notes.check_curve(losses, must_fall)
        return "{}, {:.1f} s".format(said, time.time() - begun)

    # -- what each framework does in its own way ----------------------------------

    def import_framework(self):
        # type: () -> str
        """The framework loads, with all its libraries."""
        raise NotImplementedError

    def see_device(self):
        # type: () -> str
        """The asked device is there."""
        raise NotImplementedError

    def allocate(self):
        # type: () -> str
        """Memory on the device, written and read back; then the images themselves."""
        raise NotImplementedError

    def matmul(self):
        # type: () -> str
        """Products on the device against float64 on the CPU, for each number type."""
        raise NotImplementedError

    def convolve(self):
        # type: () -> str
        """A convolution against a sum of shifted products in float64 on the CPU."""
        raise NotImplementedError

    def build(self, preset):
        # type: (Dict[str, Any]) -> Any
        """The model on the device, with the weights of the plan."""
        raise NotImplementedError

    def steps(self, preset, model, limit):
        # type: (Dict[str, Any], Any, Optional[int]) -> List[float]
        """Every step's loss, before its update."""
        raise NotImplementedError

    def test(self, preset):
        # type: (Dict[str, Any]) -> str
        """Right answers on images it has not seen."""
        raise NotImplementedError

    def place(self):
        # type: () -> str
        """Parameters, gradients and outputs lie on the asked device."""
        raise NotImplementedError

    def mix(self, preset):
        # type: (Dict[str, Any]) -> str
        """A few steps in half precision follow the full-precision curve."""
        raise NotImplementedError

    def compile(self, preset):
        # type: (Dict[str, Any]) -> str
        """The framework's compiler gives the same outputs as running op by op."""
        raise NotImplementedError

    def release(self):
        # type: () -> str
        """Nothing of ours stays in the GPU's memory."""
        raise NotImplementedError
