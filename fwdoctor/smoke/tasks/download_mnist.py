"""Download MNIST with the framework's own loader: download_mnist.py FOLDER.

Run by the examined interpreter, only when `--download` was given. torchvision puts the
files below FOLDER, Keras beside its other data sets; an exception is the answer.
"""

import sys


def main():
    # type: () -> int
    """The first loader that is installed."""
    try:
        from torchvision.datasets import MNIST
    except ImportError:
        from tensorflow import keras

        keras.datasets.mnist.load_data()
    else:
        MNIST(sys.argv[1], download=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
