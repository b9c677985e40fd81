import contextlib

from snnc_loihi.import_nengo_loihi import load

from snnc.api import MissingExtraError

with contextlib.suppress(MissingExtraError):  # without TensorFlow, which would take seconds to import
    load()
