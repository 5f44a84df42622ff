"""Train MNIST in PyTorch and write down every stage: torch_mnist.py PLAN-FILE.

Run by the examined interpreter: Python 3.6 syntax, standard library and torch; no NumPy.
"""

import gc
import os
import sys

# Windows' embeddable Python leaves a script's own folder out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import journal as notes
from journal import Failure, Journal, Skip
from training import LEFT_BYTES, MATMUL_SIZE, MIXED_STEPS, Training

sys.path.append(notes.INSIDE)
from stages import cudnn_text, forbid_core_dump, loaded_cudnn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class Task(Training):
    """The stages in PyTorch."""

    def import_framework(self):
        # type: () -> str
        """PyTorch loads, with all its libraries."""
        global torch
        import torch

        self.journal.facts["version"] = torch.__version__
        self.journal.facts["cuda"] = torch.version.cuda
        return "torch " + torch.__version__

    def see_device(self):
        # type: () -> str
        """The asked device is there."""
        if not self.is_gpu:
            return "CPU, {} threads".format(torch.get_num_threads())
        if not torch.cuda.is_available():
            raise Failure("no-gpu", "torch.cuda.is_available() is False" + why_not())
        count, index = torch.cuda.device_count(), int(self.device.partition(":")[2])
        if index >= count:
            raise Failure(
                "no-gpu",
                "{} was asked for, torch sees {} GPU(s)".format(self.device, count),
            )
        torch.cuda.set_device(index)
        name = torch.cuda.get_device_name(index)
        self.journal.facts["device_name"] = name
        self.journal.facts["device_count"] = count
        major, minor = torch.cuda.get_device_capability(index)
        return "{}, compute capability {}.{}".format(name, major, minor)

    def allocate(self):
        # type: () -> str
        """Memory on the device, written and read back; then the images themselves."""
        forbid_tf32()
        probe = torch.arange(1000, dtype=torch.float32, device=self.device)
        if str(probe.device) != self.device:
            text = "a tensor asked for on {} is on {}".format(self.device, probe.device)
            raise Failure("not-on-device", text)
        if float(probe.sum()) != 499500.0:
            raise Failure("wrong-numbers", "0 + 1 + ... + 999 is not 499500")
        for part in ("train", "test"):
            images = self.tensor(part + "_images", torch.uint8)
            self.data[part] = images.reshape(-1, 1, 28, 28).to(self.device)
            labels = self.tensor(part + "_labels", torch.uint8)
            self.data[part + "_labels"] = labels.long().to(self.device)
        return "{} training images{}".format(len(self.data["train"]), self.free_text())

    def free_text(self):
        # type: () -> str
        """How much of the GPU's memory is free, where torch can say."""
        if not self.is_gpu or not hasattr(torch.cuda, "mem_get_info"):
            return ""
        free, total = torch.cuda.mem_get_info()
        return ", {:.1f} of {:.1f} GiB free".format(free / 2.0**30, total / 2.0**30)

    def matmul(self):
        # type: () -> str
        """Products on the device against float64 on the CPU, for each number type."""
        torch.manual_seed(1)
        size = MATMUL_SIZE
        a, b = (torch.rand(size, size, dtype=torch.float64) * 2 - 1 for _ in "ab")
        said = []
        for name, tolerance in (
            ("float64", size * 2.0**-53),
            ("float32", size * 2.0**-24),
            ("float16", 2.0**-8),
            ("bfloat16", 2.0**-6),
        ):
            kind = getattr(torch, name, None)
            error = None if kind is None else self.matmul_error(a.to(kind), b.to(kind))
            if error is not None:
                said.append(notes.check_error(name, error, tolerance))
        return "; ".join(said)

    def matmul_error(self, a, b):
        # type: (Any, Any) -> Any
        """Largest error relative to the largest entry; None: no such kernel here."""
        exact = a.double() @ b.double()
        try:
            found = a.to(self.device) @ b.to(self.device)
        except RuntimeError as error:
            if "not implemented for" in str(error):
                return None
            raise
        return float((found.cpu().double() - exact).abs().max() / exact.abs().max())

    def convolve(self):
        # type: () -> str
        """A convolution against a sum of shifted products in float64 on the CPU."""
        torch.manual_seed(2)
        x = torch.rand(4, 3, 28, 28) * 2 - 1
        w = torch.rand(8, 3, 3, 3) * 2 - 1
        library = self.cudnn_name()
        conv = torch.nn.Conv2d(3, 8, 3, bias=False).to(self.device)
        with torch.no_grad():
            conv.weight.copy_(w.to(self.device))
            found = conv(x.to(self.device)).cpu().double()
        exact = torch.zeros(4, 8, 26, 26, dtype=torch.float64)
        for i in range(3):
            for j in range(3):
                patch = x.double()[:, :, i : i + 26, j : j + 26]
                exact += torch.einsum("nchw,oc->nohw", patch, w.double()[:, :, i, j])
        error = float((found - exact).abs().max() / exact.abs().max())
        return notes.check_error(library, error, 27 * 2.0**-24)

    def cudnn_name(self):
        # type: () -> str
        """The library that convolves, with the version it gives for itself."""
        if not self.is_gpu:
            return "convolution on the CPU, without cuDNN,"
        if not torch.backends.cudnn.is_available():
            raise Failure("error", "cuDNN is not available to torch")
        version = cudnn_text(torch.backends.cudnn.version())
        self.journal.facts["cudnn"] = loaded_cudnn() or version
        return "convolution through cuDNN {}".format(self.journal.facts["cudnn"])

    def steps(self, preset, model, limit, autocast=None, scaler=None):
        # type: (Dict[str, Any], Any, Any, Any, Any) -> List[float]
        """Every step's loss, before its update."""
        optimizer = make_optimizer(preset, model)
        order = (
            self.tensor("order " + preset["name"], torch.int32).long().to(self.device)
        )
        count, size = self.plan["train_count"], preset["batch"]
        losses = []  # type: List[float]
        for epoch in range(preset["epochs"]):
            row = order[epoch * count : (epoch + 1) * count]
            kept = []
            for begin in range(0, count, size):
                if limit is not None and len(losses) + len(kept) >= limit:
                    break
                places = row[begin : begin + size]
                x = self.numbers(self.data["train"][places])
                kept.append(
                    self.step(model, optimizer, x, places, autocast, scaler).detach()
                )
            if kept:
                losses.extend(torch.stack(kept).tolist())
                self.journal.progress(epoch + 1, preset["epochs"], losses[-1])
        return losses

    def step(self, model, optimizer, x, places, autocast, scaler):
        # type: (Any, Any, Any, Any, Any, Any) -> Any
        """One update; the loss before it."""
        y = self.data["train_labels"][places]
        optimizer.zero_grad()
        if autocast is None:
            loss = torch.nn.functional.cross_entropy(model(x), y)
        else:
            with autocast():
                loss = torch.nn.functional.cross_entropy(model(x), y)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return loss

    def test(self, preset):
        # type: (Dict[str, Any]) -> str
        """Right answers on images it has not seen."""
        correct, count = 0, self.plan["test_count"]
        with torch.no_grad():
            for begin in range(0, count, 1000):
                x = self.numbers(self.data["test"][begin : begin + 1000])
                guess = self.model(x).argmax(1)
                truth = self.data["test_labels"][begin : begin + 1000]
                correct += int((guess == truth).sum())
        self.journal.facts["accuracy " + preset["name"]] = correct / float(count)
        return notes.check_accuracy(correct, count, preset["mark"])

    def place(self):
        # type: () -> str
        """Parameters, gradients and outputs lie on the asked device."""
        found = {}
        for name, parameter in self.model.named_parameters():
            found[name] = str(parameter.device)
        with torch.no_grad():
            x = self.numbers(self.data["test"][:8])
            found["output"] = str(self.model(x).device)
        return notes.check_devices(found, self.device)

    def mix(self, preset):
        # type: (Dict[str, Any]) -> str
        """A few steps in half precision follow the full-precision curve."""
        if self.journal.has_failed():
            raise Skip("plain training failed")
        kind = self.device.partition(":")[0]
        if not hasattr(torch, "autocast"):
            raise Skip("this torch has no torch.autocast")
        half, scaler = torch.bfloat16, None
        if self.is_gpu and not torch.cuda.is_bf16_supported():
            half, scaler = torch.float16, torch.cuda.amp.GradScaler()
        losses = self.steps(
            preset,
            self.build(preset),
            MIXED_STEPS,
            lambda: torch.autocast(kind, dtype=half),
            scaler,
        )
        full = self.journal.curves[preset["name"]][: len(losses)]
        off = max(abs(a - b) for a, b in zip(losses, full))
        name = str(half).partition(".")[2]
        return notes.check_error("losses in " + name, off / full[0], 0.1)

    def compile(self, preset):
        # type: (Dict[str, Any]) -> str
        """torch.compile gives the same outputs as running op by op."""
        if self.journal.has_failed():
            raise Skip("plain training failed")
        if not self.plan["is_deep"]:
            raise Skip("asked for by --deep only")
        if not hasattr(torch, "compile"):
            raise Skip("this torch has no torch.compile")
        model = self.build(preset)
        with torch.no_grad():
            x = self.numbers(self.data["test"][:64])
            plain = model(x)
            compiled = torch.compile(model)(x)
        error = float((compiled - plain).abs().max() / plain.abs().max())
        return notes.check_error("torch.compile", error, 1e-4)

    def release(self):
        # type: () -> str
        """Nothing of ours stays in the GPU's memory."""
        if not self.is_gpu:
            raise Skip("no GPU was used")
        peak = torch.cuda.max_memory_allocated()
        self.model = None
        self.data.clear()
        gc.collect()
        torch.cuda.empty_cache()
        left = torch.cuda.memory_allocated()
        text = "{:.0f} MiB at most, {:.0f} MiB after".format(
            peak / 2.0**20, left / 2.0**20
        )
        if left > LEFT_BYTES:
            raise Failure("not-released", text)
        return text

    def tensor(self, name, kind):
        # type: (str, Any) -> Any
        """A part of the data as a flat tensor on the CPU."""
        data = self.journal.blob(name)
        if hasattr(torch, "frombuffer"):
            return torch.frombuffer(data, dtype=kind)
        code = {torch.uint8: "B", torch.int32: "i", torch.float32: "f"}[kind]
        return torch.tensor(memoryview(data).cast(code).tolist(), dtype=kind)

    def numbers(self, images):
        # type: (Any) -> Any
        """Pixels from 0 to 1, on the device the images are on."""
        return images.float().div_(255.0)

    def build(self, preset):
        # type: (Dict[str, Any]) -> Any
        """The model on the device, with the weights of the plan."""
        model = make_model(preset)
        values = self.tensor("weights " + preset["name"], torch.float32)
        begin = 0
        with torch.no_grad():
            for parameter in model.parameters():
                end = begin + parameter.numel()
                parameter.copy_(values[begin:end].reshape(parameter.shape))
                begin = end
        return model.to(self.device)


def make_model(preset):
    # type: (Dict[str, Any]) -> Any
    """The preset's layers as a Sequential."""
    nn = torch.nn
    shapes = [shape for shape in preset["shapes"] if len(shape) > 1]
    parts = []  # type: List[Any]
    is_flat = False
    for layer in preset["layers"]:
        if layer[0] == "pool":
            parts.append(nn.MaxPool2d(layer[1]))
            continue
        shape = shapes.pop(0)
        if layer[0] == "conv":
            padding = shape[2] // 2 if layer[3] == "same" else 0
            parts.append(nn.Conv2d(shape[1], shape[0], shape[2], padding=padding))
        else:
            if not is_flat:
                parts.append(nn.Flatten())
                is_flat = True
            parts.append(nn.Linear(shape[1], shape[0]))
        if layer[-1] == "relu":
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)


def make_optimizer(preset, model):
    # type: (Dict[str, Any], Any) -> Any
    """The preset's optimizer with Keras' constants, so that both frameworks agree."""
    rate = preset["learning_rate"]
    if preset["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(model.parameters(), lr=rate, alpha=0.9, eps=1e-7)
    return torch.optim.Adam(model.parameters(), lr=rate, eps=1e-7)


def forbid_tf32():
    # type: () -> None
    """TF32 keeps 10 bits of a number; comparing needs all 23."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def why_not():
    # type: () -> str
    """What torch says when CUDA is started regardless."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return ": " + notes.text_of(error).partition(": ")[2]
    return ""


def main():
    # type: () -> int
    """Go through the stages; the journal tells how far."""
    forbid_core_dump()
    journal = Journal(sys.argv[1])
    notes.clean_path()
    Task(journal).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
