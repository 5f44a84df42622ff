"""fwdoctor: the GPU install doctor for PyTorch and TensorFlow."""

__version__ = "0.1.0"
