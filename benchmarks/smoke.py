"""Seconds from `fwdoctor smoke` to its verdict, beside the framework's own time.

    python benchmarks/smoke.py PREFIX torch [ROUNDS]

PREFIX is an environment with the framework. The bare program imports it and trains the
same two models (dense, cnn) on the same images on the CPU, as a person would write it:
no proof, no comparing. Goal: `fwdoctor smoke` under twice its time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

from fwdoctor.smoke.dataset import BUNDLED

READ = f"""
import gzip, time
begun = time.perf_counter()
FOLDER = {BUNDLED!r}
def read(name, header):
    with gzip.open(FOLDER + "/" + name + ".gz") as stream:
        return bytearray(stream.read()[header:])
images = read("train-images-idx3-ubyte", 16)
labels = read("train-labels-idx1-ubyte", 8)
"""
BARE = {
    "torch": READ
    + """
import torch
from torch import nn
print(time.perf_counter() - begun)
x = torch.frombuffer(images, dtype=torch.uint8).reshape(-1, 1, 28, 28) / 255
y = torch.frombuffer(labels, dtype=torch.uint8).long()
dense = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
cnn = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10))
rmsprop, adam = torch.optim.RMSprop, torch.optim.Adam
for model, batch, make in ((dense, 128, rmsprop), (cnn, 32, adam)):
    optimizer = make(model.parameters(), lr=1e-3)
    for epoch in range(5):
        order = torch.randperm(len(x))
        for begin in range(0, len(x), batch):
            places = order[begin : begin + batch]
            loss = nn.functional.cross_entropy(model(x[places]), y[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
""",
    "tensorflow": READ
    + """
import numpy as np
import tensorflow as tf
layers = tf.keras.layers
print(time.perf_counter() - begun)
x = np.frombuffer(images, "u1").reshape(-1, 28, 28, 1).astype("float32") / 255
y = np.frombuffer(labels, "u1").astype("int64")
dense = [layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(10)]
cnn = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
       layers.Flatten(), layers.Dense(10)]
for parts, batch, optimizer in ((dense, 128, "rmsprop"), (cnn, 32, "adam")):
    model = tf.keras.Sequential(parts)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(x, y, batch_size=batch, epochs=5, verbose=0)
""",
}


def main() -> None:
    """Run both by turns and print the medians."""
    prefix, framework = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, value in (*bare(prefix, framework), *smoke(prefix, framework)):
            figures.setdefault(name, []).append(value)
    print(f"{framework} on the CPU, {os.cpu_count()} cores, median of {rounds}")
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"  {name:<28}{value:6.2f} s")
    ratio = medians["fwdoctor smoke, to verdict"] / medians["bare program"]
    print(f"  {'ratio':<28}{ratio:6.2f}")


def bare(prefix: str, framework: str) -> list[tuple[str, float]]:
    """The program as a person would write it."""
    begun = time.perf_counter()
    text = subprocess.check_output(
        [f"{prefix}/bin/python", "-c", BARE[framework]],
        text=True,
        stderr=subprocess.DEVNULL,
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},  # as fwdoctor sets it
    )
    seconds = time.perf_counter() - begun
    return [("bare program, import", float(text)), ("bare program", seconds)]


def smoke(prefix: str, framework: str) -> list[tuple[str, float]]:
    """The command, and what its stages took."""
    words = ["smoke", framework, "--python", prefix, "--device", "cpu", "-q"]
    begun = time.perf_counter()
    text = subprocess.check_output(
        [sys.executable, "-m", "fwdoctor", *words, "--format", "json"], text=True
    )
    seconds = time.perf_counter() - begun
    stages = json.loads(text)["snapshot"]["smoke"]
    spent = dict.fromkeys(("import", "train"), 0.0)
    for stage in stages:
        if stage["stage"] in spent:
            spent[stage["stage"]] += stage["seconds"]
    return [
        ("fwdoctor smoke, import", spent["import"]),
        ("fwdoctor smoke, training", spent["train"]),
        ("fwdoctor smoke, to verdict", seconds),
    ]


if __name__ == "__main__":
    main()
