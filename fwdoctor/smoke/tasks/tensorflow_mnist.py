"""Train MNIST in TensorFlow and write down every stage: tensorflow_mnist.py PLAN-FILE.

Run by the examined interpreter: Python 3.6 syntax, standard library, TensorFlow 2 and
the NumPy and Keras that come with it.
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
from stages import forbid_core_dump, loaded_cudnn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class Task(Training):
    """The stages in TensorFlow."""

    def __init__(self, journal):
        # type: (Journal) -> None
        Training.__init__(self, journal)
        self.name = "GPU:0" if self.is_gpu else "CPU:0"  # TensorFlow's name of it
        self.capability = (0, 0)  # of the GPU

    def import_framework(self):
        # type: () -> str
        """TensorFlow and its Keras load, with all their libraries."""
        global tf, np
        import tensorflow as tf
        import numpy as np

        self.journal.facts["version"] = tf.__version__
        if int(tf.__version__.partition(".")[0]) < 2:
            raise Failure("unsupported", "TensorFlow 1 is too old for this test")
        tf.keras.layers.Dense  # Keras is loaded on first use
        return "tensorflow " + tf.__version__

    def see_device(self):
        # type: () -> str
        """The asked device is there; only it is made visible, and it may grow."""
        config = tf.config
        if not self.is_gpu:
            config.set_visible_devices([], "GPU")
            return "CPU"
        gpus = config.list_physical_devices("GPU")
        index = int(self.device.partition(":")[2])
        if index >= len(gpus):
            raise Failure(
                "no-gpu",
                "{} was asked for, TensorFlow sees {} GPU(s)".format(
                    self.device, len(gpus)
                ),
            )
        config.set_visible_devices([gpus[index]], "GPU")
        config.experimental.set_memory_growth(gpus[index], True)
        config.experimental.enable_tensor_float_32_execution(False)
        details = config.experimental.get_device_details(gpus[index])
        self.journal.facts["device_name"] = details.get("device_name")
        self.journal.facts["device_count"] = len(gpus)
        self.capability = tuple(details.get("compute_capability") or (0, 0))
        return "{}, compute capability {}.{}".format(
            details.get("device_name"), *self.capability
        )

    def allocate(self):
        # type: () -> str
        """Memory on the device, written and read back; then the images themselves."""
        with tf.device(self.name):
            probe = tf.range(1000, dtype=tf.float32) + tf.zeros(1000)
        notes.check_devices({"a tensor": probe.device}, self.full_name())
        if float(tf.reduce_sum(probe)) != 499500.0:
            raise Failure("wrong-numbers", "0 + 1 + ... + 999 is not 499500")
        for part in ("train", "test"):
            # float32 and int64: TensorFlow keeps small integers out of a GPU's memory.
            images = self.array(part + "_images", "u1").astype("float32") / 255.0
            images = images.reshape(-1, 28, 28, 1)
            labels = self.array(part + "_labels", "u1").astype("int64")
            with tf.device(self.name):
                self.data[part] = tf.identity(tf.constant(images))
                self.data[part + "_labels"] = tf.identity(tf.constant(labels))
        return "{} training images".format(len(self.data["train"]))

    def full_name(self):
        # type: () -> str
        """The device as a tensor names it."""
        return "/job:localhost/replica:0/task:0/device:" + self.name

    def matmul(self):
        # type: () -> str
        """Products on the device against float64 on the CPU, for each number type."""
        draw = np.random.RandomState(1)
        size = MATMUL_SIZE
        a, b = (draw.uniform(-1, 1, (size, size)) for _ in "ab")
        said = []
        for name, tolerance in (
            ("float64", size * 2.0**-53),
            ("float32", size * 2.0**-24),
            ("float16", 2.0**-8),
            ("bfloat16", 2.0**-6),
        ):
            error = self.matmul_error(a, b, name)
            said.append(notes.check_error(name, error, tolerance))
        return "; ".join(said)

    def matmul_error(self, a, b, name):
        # type: (Any, Any, str) -> float
        """Largest error relative to the largest entry."""
        a, b = (tf.cast(tf.constant(x), name) for x in (a, b))
        exact = to_float64(a) @ to_float64(b)
        with tf.device(self.name):
            found = to_float64(tf.matmul(tf.identity(a), tf.identity(b)))
        return float(np.abs(found - exact).max() / np.abs(exact).max())

    def convolve(self):
        # type: () -> str
        """A convolution against a sum of shifted products in float64 by NumPy."""
        draw = np.random.RandomState(2)
        x = draw.uniform(-1, 1, (4, 28, 28, 3)).astype("float32")
        w = draw.uniform(-1, 1, (3, 3, 3, 8)).astype("float32")
        with tf.device(self.name):
            found = tf.nn.conv2d(tf.identity(x), tf.identity(w), 1, "VALID").numpy()
        exact = np.zeros((4, 26, 26, 8))
        for i in range(3):
            for j in range(3):
                patch = x[:, i : i + 26, j : j + 26].astype("float64")
                exact += patch @ w[i, j].astype("float64")
        error = float(np.abs(found - exact).max() / np.abs(exact).max())
        return notes.check_error(self.cudnn_name(), error, 27 * 2.0**-24)

    def cudnn_name(self):
        # type: () -> str
        """The library that convolved, with the version it gives for itself."""
        if not self.is_gpu:
            return "convolution on the CPU, without cuDNN,"
        self.journal.facts["cudnn"] = loaded_cudnn()
        return "convolution through cuDNN {}".format(self.journal.facts["cudnn"])

    def steps(self, preset, model, limit, **options):
        # type: (Dict[str, Any], Any, Any, Any) -> List[float]
        """Every step's loss, before its update."""
        with tf.device(self.name):
            step = self.make_step(preset, model, **options)
            order = self.array("order " + preset["name"], "<i4").astype("int64")
            order = tf.constant(order)
            count, size = self.plan["train_count"], preset["batch"]
            losses = []  # type: List[float]
            for epoch in range(preset["epochs"]):
                row = order[epoch * count : (epoch + 1) * count]
                kept = []
                for begin in range(0, count, size):
                    if limit is not None and len(losses) + len(kept) >= limit:
                        break
                    kept.append(step(row[begin : begin + size]))
                if kept:
                    losses.extend(float(x) for x in tf.stack(kept).numpy())
                    self.journal.progress(epoch + 1, preset["epochs"], losses[-1])
        return losses

    def make_step(self, preset, model, **options):
        # type: (Dict[str, Any], Any, Any) -> Any
        """The compiled function for one update; gives the loss before it."""
        optimizer = make_optimizer(preset)
        images, labels = self.data["train"], self.data["train_labels"]
        weights = model.trainable_variables
        if hasattr(optimizer, "build"):
            optimizer.build(weights)

        def step(places):
            # type: (Any) -> Any
            x = tf.gather(images, places)
            y = tf.gather(labels, places)
            with tf.GradientTape() as tape:
                outputs = tf.cast(model(x, training=True), tf.float32)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
                )
            gradients = tape.gradient(loss, weights)
            optimizer.apply_gradients(zip(gradients, weights))
            return loss

        signature = [tf.TensorSpec([None], tf.int64)]
        return tf.function(step, input_signature=signature, **options)

    def test(self, preset):
        # type: (Dict[str, Any]) -> str
        """Right answers on images it has not seen."""
        correct, count = 0, self.plan["test_count"]
        with tf.device(self.name):
            for begin in range(0, count, 1000):
                x = self.data["test"][begin : begin + 1000]
                guess = tf.argmax(self.model(x, training=False), 1)
                truth = self.data["test_labels"][begin : begin + 1000]
                correct += int(tf.reduce_sum(tf.cast(guess == truth, tf.int32)))
        self.journal.facts["accuracy " + preset["name"]] = correct / float(count)
        return notes.check_accuracy(correct, count, preset["mark"])

    def place(self):
        # type: () -> str
        """Parameters and outputs lie on the asked device."""
        found = {}
        for number, variable in enumerate(self.model.trainable_variables):
            value = getattr(variable, "value", variable)
            value = value() if callable(value) else value
            name = getattr(variable, "path", variable.name) or str(number)
            found[name] = value.device
        with tf.device(self.name):
            found["output"] = self.model(self.data["test"][:8], training=False).device
        notes.check_devices(found, self.full_name())
        return notes.check_devices(dict.fromkeys(found, self.device), self.device)

    def mix(self, preset):
        # type: (Dict[str, Any]) -> str
        """A few steps in half precision follow the full-precision curve."""
        if self.journal.has_failed():
            raise Skip("plain training failed")
        mixed = getattr(tf.keras, "mixed_precision", None)
        if not hasattr(mixed, "set_global_policy"):
            raise Skip("this TensorFlow has no tf.keras.mixed_precision policy")
        half = "float16" if self.is_gpu and self.capability < (8, 0) else "bfloat16"
        mixed.set_global_policy("mixed_" + half)
        try:
            model = self.build(preset)
            losses = self.steps(preset, model, MIXED_STEPS)
        finally:
            mixed.set_global_policy("float32")
        full = self.journal.curves[preset["name"]][: len(losses)]
        off = max(abs(a - b) for a, b in zip(losses, full))
        return notes.check_error("losses in " + half, off / full[0], 0.1)

    def compile(self, preset):
        # type: (Dict[str, Any]) -> str
        """tf.function with XLA trains as it does without."""
        if self.journal.has_failed():
            raise Skip("plain training failed")
        if not self.plan["is_deep"]:
            raise Skip("asked for by --deep only")
        losses = self.steps(preset, self.build(preset), MIXED_STEPS, jit_compile=True)
        full = self.journal.curves[preset["name"]][: len(losses)]
        off = max(abs(a - b) for a, b in zip(losses, full)) / full[0]
        return notes.check_error("training through XLA", off, 1e-2)

    def release(self):
        # type: () -> str
        """Nothing of ours stays in the GPU's memory."""
        if not self.is_gpu:
            raise Skip("no GPU was used")
        ask = getattr(tf.config.experimental, "get_memory_info", None)
        if ask is None:
            raise Skip("this TensorFlow does not say what it holds")
        peak = ask(self.name)["peak"]
        self.model = None
        self.data.clear()
        tf.keras.backend.clear_session()
        gc.collect()
        left = ask(self.name)["current"]
        text = "{:.0f} MiB at most, {:.0f} MiB after".format(
            peak / 2.0**20, left / 2.0**20
        )
        if left > LEFT_BYTES:
            raise Failure("not-released", text)
        return text

    def array(self, name, kind):
        # type: (str, str) -> Any
        """A part of the data as a flat array."""
        return np.frombuffer(bytes(self.journal.blob(name)), dtype=kind)

    def build(self, preset):
        # type: (Dict[str, Any]) -> Any
        """The model on the device, with the weights of the plan."""
        with tf.device(self.name):
            model = make_model(preset)
            model.set_weights(self.weights(preset))
        return model

    def weights(self, preset):
        # type: (Dict[str, Any]) -> List[Any]
        """The plan's weights in Keras' order of axes."""
        values = self.array("weights " + preset["name"], "<f4")
        found, begin, filters = [], 0, 0
        for shape in preset["shapes"]:
            end = begin + int(np.prod(shape))
            part = values[begin:end].reshape(shape)
            if len(shape) == 4:
                filters = shape[0]
                part = part.transpose(2, 3, 1, 0)
            elif len(shape) == 2 and filters:
                # Rows come channel by channel; Keras flattens place by place.
                side = int((shape[1] // filters) ** 0.5)
                part = part.reshape(shape[0], filters, side, side)
                part = part.transpose(2, 3, 1, 0).reshape(shape[1], shape[0])
                filters = 0
            elif len(shape) == 2:
                part = part.T
            found.append(part)
            begin = end
        return found


def make_model(preset):
    # type: (Dict[str, Any]) -> Any
    """The preset's layers as a Sequential."""
    layers = tf.keras.layers
    parts = []  # type: List[Any]
    is_flat = False
    for layer in preset["layers"]:
        activation = layer[-1] or None
        if layer[0] == "pool":
            parts.append(layers.MaxPooling2D(layer[1]))
        elif layer[0] == "conv":
            parts.append(
                layers.Conv2D(
                    layer[1], layer[2], padding=layer[3], activation=activation
                )
            )
        else:
            if not is_flat:
                parts.append(layers.Flatten())
                is_flat = True
            parts.append(layers.Dense(layer[1], activation=activation))
    model = tf.keras.Sequential(parts)
    model.build((None, 28, 28, 1))
    return model


def make_optimizer(preset):
    # type: (Dict[str, Any]) -> Any
    """The preset's optimizer with Keras' constants."""
    rate = preset["learning_rate"]
    if preset["optimizer"] == "rmsprop":
        return tf.keras.optimizers.RMSprop(rate, rho=0.9, epsilon=1e-14)
    return tf.keras.optimizers.Adam(rate, epsilon=1e-7)


def to_float64(tensor):
    # type: (Any) -> Any
    """The tensor as a NumPy array of float64."""
    with tf.device("CPU:0"):
        return tf.cast(tf.identity(tensor), tf.float64).numpy()


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
