"""Import TensorFlow and write down what it says: tensorflow_facts.py RESULT-FILE.

Run by the examined interpreter: Python 3.6 syntax, standard library and tensorflow.
"""

import os
import sys

# Windows' embeddable Python leaves a script's own folder out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stages import Stages, loaded_cudnn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_build(stages: Stages, tf: "Any") -> None:
    """What it was built with; releases before 2.3 do not say."""
    stages.facts["version"] = tf.__version__
    ask = getattr(tf.sysconfig, "get_build_info", None)
    info = dict(ask()) if ask is not None else {}
    stages.facts["cuda"] = info.get("cuda_version")
    stages.facts["cudnn_built"] = info.get("cudnn_version")
    stages.facts["architectures"] = list(info.get("cuda_compute_capabilities") or [])


def read_devices(stages: Stages, tf: "Any") -> None:
    """The GPUs it registers; listing them opens its CUDA libraries."""
    config = tf.config
    if not hasattr(config, "list_physical_devices"):
        config = config.experimental
    devices = config.list_physical_devices("GPU")
    stages.facts["gpu_available"] = bool(devices)
    stages.facts["device_count"] = len(devices)
    stages.facts["device_names"] = [name_of(tf, device) for device in devices]
    stages.facts["cudnn_loaded"] = loaded_cudnn()


def name_of(tf: "Any", device: "Any") -> str:
    """The product name of a GPU, or TensorFlow's name for it."""
    ask = getattr(tf.config.experimental, "get_device_details", None)
    details = ask(device) if ask is not None else {}
    return str(details.get("device_name") or device.name)


def main() -> int:
    """Go through the stages; an exception ends them and is written down."""
    stages = Stages(sys.argv[1])
    try:
        stages.begin("import")
        import tensorflow as tf

        stages.begin("build")
        read_build(stages, tf)
        stages.begin("devices")
        read_devices(stages, tf)
        stages.begin("done")
    except BaseException as error:  # noqa: BLE001 - whatever an import can raise
        stages.facts["is_broken"] = True
        stages.note_error(error)
        stages.begin(str(stages.facts["stage"]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
