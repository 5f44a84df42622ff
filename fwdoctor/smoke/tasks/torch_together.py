"""Train MNIST in several processes of PyTorch: torch_together.py PLAN-FILE.

One process a device, started with the variables torchrun sets; NCCL between GPUs, gloo
between CPU processes. Run by the examined interpreter: Python 3.6 syntax.
"""

import datetime
import os
import sys

# Windows' embeddable Python leaves a script's own folder out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import journal as notes
from journal import Failure, Journal

sys.path.append(notes.INSIDE)
import torch_mnist
from stages import forbid_core_dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

WAIT = datetime.timedelta(seconds=60)


class Together(torch_mnist.Task):
    """The stages of one process of several."""

    def run(self):
        # type: () -> None
        """Until the first stage that fails."""
        for name, stage in (
            ("import", self.import_torch),
            ("device", self.see_device),
            ("allocate", self.allocate),
            ("all-reduce", self.all_reduce),
        ):
            if not self.journal.run(name, stage) or self.journal.has_failed():
                return
        preset = self.plan["presets"][0]
        if self.journal.run("together", lambda: self.train(preset), preset["name"]):
            self.journal.finish()
        self.dist.destroy_process_group()

    def import_torch(self):
        # type: () -> str
        """PyTorch loads, here and in the module whose stages are used."""
        global torch
        said = self.import_framework()
        torch = torch_mnist.torch
        import torch.distributed as dist

        self.dist = dist
        return said

    def all_reduce(self):
        # type: () -> str
        """A sum over all processes is exact, and so is a copy between two GPUs."""
        world, rank = self.plan["world"], self.plan["rank"]
        backend = "nccl" if self.is_gpu else "gloo"
        self.dist.init_process_group(
            backend,
            init_method="file://" + self.plan["rendezvous"],
            rank=rank,
            world_size=world,
            timeout=WAIT,
        )
        plain = torch.arange(1000, dtype=torch.float32, device=self.device)
        total = plain * (rank + 1)
        self.dist.all_reduce(total)
        if not torch.equal(total, plain * (world * (world + 1) // 2)):
            raise Failure("wrong-numbers", "a sum over {} is off".format(world))
        return "sums over {} processes by {} are exact{}".format(
            world, backend, self.between_gpus(plain)
        )

    def between_gpus(self, plain):
        # type: (Any) -> str
        """Whether this GPU reaches the next one directly, and copies right."""
        if not self.is_gpu:
            return ""
        here = self.plan["rank"]
        other = (here + 1) % self.plan["world"]
        copy = plain.to("cuda:{}".format(other)).to("cpu")
        if not torch.equal(copy, plain.cpu()):
            text = "a copy from GPU {} to GPU {} is damaged".format(here, other)
            raise Failure("wrong-numbers", text)
        reaches = torch.cuda.can_device_access_peer(here, other)
        return ", peer-to-peer " + ("on" if reaches else "not possible")

    def build(self, preset):
        # type: (Dict[str, Any]) -> Any
        """The model, its gradients averaged over the processes."""
        model = torch_mnist.Task.build(self, preset)
        ids = [torch.device(self.device).index] if self.is_gpu else None
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=ids)

    def step(self, model, optimizer, x, places, autocast, scaler):
        # type: (Any, Any, Any, Any, Any, Any) -> Any
        """One update from this process' share of the batch; the whole batch's loss."""
        world, rank, count = self.plan["world"], self.plan["rank"], len(places)
        share = slice(rank * count // world, (rank + 1) * count // world)
        y = self.data["train_labels"][places[share]]
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[share]), y, reduction="sum")
        # Gradients are averaged over processes, whose shares may differ by one image.
        (loss * (world / float(count))).backward()
        optimizer.step()
        total = loss.detach()
        self.dist.all_reduce(total)
        return total / count


def main():
    # type: () -> int
    """Go through the stages; the journal tells how far."""
    forbid_core_dump()
    journal = Journal(sys.argv[1])
    notes.clean_path()
    Together(journal).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
