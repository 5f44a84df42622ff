"""Train MNIST on several devices by MirroredStrategy: tensorflow_together.py PLAN-FILE.

All GPUs, or two logical devices of the CPU. Run by the examined interpreter: Python 3.6
syntax, TensorFlow 2.
"""

import os
import sys

# Windows' embeddable Python leaves a script's own folder out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import journal as notes
from journal import Failure, Journal

sys.path.append(notes.INSIDE)
import tensorflow_mnist
from stages import forbid_core_dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


class Together(tensorflow_mnist.Task):
    """The stages of one process with several replicas."""

    def run(self):
        # type: () -> None
        """Until the first stage that fails."""
        for name, stage in (
            ("import", self.import_tensorflow),
            ("device", self.see_device),
            ("allocate", self.allocate),
            ("all-reduce", self.all_reduce),
        ):
            if not self.journal.run(name, stage) or self.journal.has_failed():
                return
        preset = self.plan["presets"][0]
        if self.journal.run("together", lambda: self.train(preset), preset["name"]):
            self.journal.finish()

    def import_tensorflow(self):
        # type: () -> str
        """TensorFlow loads, here and in the module whose stages are used."""
        global tf
        said = self.import_framework()
        tf = tensorflow_mnist.tf
        return said

    def see_device(self):
        # type: () -> str
        """As many devices as replicas."""
        config, world = tf.config, self.plan["world"]
        if self.is_gpu:
            gpus = config.list_physical_devices("GPU")
            if len(gpus) < world:
                raise Failure("no-gpu", "TensorFlow sees {} GPU(s)".format(len(gpus)))
            for gpu in gpus:
                config.experimental.set_memory_growth(gpu, True)
            config.experimental.enable_tensor_float_32_execution(False)
            kind = "GPU"
        else:
            config.set_visible_devices([], "GPU")
            logical = [config.LogicalDeviceConfiguration() for _ in range(world)]
            cpu = config.list_physical_devices("CPU")[0]
            config.set_logical_device_configuration(cpu, logical)
            kind = "CPU"
        names = ["{}:{}".format(kind, index) for index in range(world)]
        self.strategy = tf.distribute.MirroredStrategy(names)
        return "MirroredStrategy over " + ", ".join(names)

    def all_reduce(self):
        # type: () -> str
        """A sum over all replicas is exact."""
        world = self.plan["world"]

        def total():
            # type: () -> Any
            context = tf.distribute.get_replica_context()
            number = tf.cast(context.replica_id_in_sync_group + 1, tf.float32)
            return context.all_reduce("SUM", tf.range(1000, dtype=tf.float32) * number)

        sums = self.strategy.run(tf.function(total))
        exact = tf.range(1000, dtype=tf.float32) * (world * (world + 1) // 2)
        for found in self.strategy.experimental_local_results(sums):
            if not bool(tf.reduce_all(found == exact)):
                raise Failure("wrong-numbers", "a sum over {} is off".format(world))
        return "sums over {} replicas are exact".format(world)

    def build(self, preset):
        # type: (Dict[str, Any]) -> Any
        """The model, mirrored on every device."""
        with self.strategy.scope():
            model = tensorflow_mnist.make_model(preset)
            model.set_weights(self.weights(preset))
        return model

    def make_step(self, preset, model, **options):
        # type: (Dict[str, Any], Any, Any) -> Any
        """One update from each replica's share of the batch; the whole batch's loss."""
        strategy, world = self.strategy, self.plan["world"]
        with strategy.scope():
            optimizer = tensorflow_mnist.make_optimizer(preset)
            if hasattr(optimizer, "build"):
                optimizer.build(model.trainable_variables)
        images, labels = self.data["train"], self.data["train_labels"]

        def replica_step(places):
            # type: (Any) -> Any
            context = tf.distribute.get_replica_context()
            rank, count = context.replica_id_in_sync_group, tf.shape(places)[0]
            share = places[rank * count // world : (rank + 1) * count // world]
            x, y = tf.gather(images, share), tf.gather(labels, share)
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    y, model(x, training=True)
                )
                # Gradients are summed over replicas.
                part = tf.reduce_sum(losses) / tf.cast(count, tf.float32)
            weights = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(part, weights), weights))
            return part

        def step(places):
            # type: (Any) -> Any
            losses = strategy.run(replica_step, args=(places,))
            return strategy.reduce("SUM", losses, axis=None)

        return tf.function(step, input_signature=[tf.TensorSpec([None], tf.int64)])


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
