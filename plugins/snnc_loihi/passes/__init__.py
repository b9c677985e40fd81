"""Passes that fit a spiking graph to the chip, one file each."""

from snnc.api import Pass
from snnc_loihi.passes.calibrate import Calibrate
from snnc_loihi.passes.cap import Cap
from snnc_loihi.passes.carry_signs import CarrySigns
from snnc_loihi.passes.choose_steps import ChooseSteps
from snnc_loihi.passes.encode import Encode
from snnc_loihi.passes.low_pass import LowPass
from snnc_loihi.passes.max_pool import MaxPooling
from snnc_loihi.passes.merge_linear import MergeLinear
from snnc_loihi.passes.place import Place
from snnc_loihi.passes.read_out import ReadOut
from snnc_loihi.passes.set_rates import SetRates
from snnc_loihi.passes.write_scales import WriteScales

PASSES: tuple[type[Pass], ...] = (
    MaxPooling,
    Cap,
    SetRates,
    LowPass,
    Place,
    CarrySigns,
    ChooseSteps,
    Encode,
    Calibrate,
    WriteScales,
    MergeLinear,
    ReadOut,
)
