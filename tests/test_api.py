"""The names that plugins may import. Whoever adds one adds it here too, and says so in CHANGELOG.md."""

import runpy

import pytest

import snnc
from snnc import api
from tests.conftest import ROOT

GOLDEN = {
    "Graph": """
        NUMPY Activation AnyArray Array Causal DataError FileError Graph GraphError Namespace NeuronModel
        Neurons Node Op Origin RandomStream Shape ShapeError Signal SnncError State Stateful Synapse
        SynapseModel TensorType UsageError census evaluate evaluate_nodes hookimpl neurons op ops rewrite
        simulate
    """,
    "Passes": """
        Check Choice Context Finding MergeLinear Pass PassError PerLayer Stage Subject WriteScales layer_keys
    """,
    "Frontend": """
        Builder Frontend FrontendError ImportOptions Importer Layer MadeFor Role Slot importer layer_error
    """,
    "Backend": """
        Backend CoreUse Defaults Exporter LastReadOut LowPassReadOut Lowering LoweringContext LoweringError Lowerings
        MeanReadOut MissingExtraError Network Program ReadOut Recording StoredInput Tolerance UnsupportedOpError as_run
        initial_state is_temporal linear_maps lowering movement_matrix op_matrix presentation validated_inputs
    """,
    "First-party": """
        MARK WRITTEN_BY AnyNeurons ChosenModels External Kinds SafeHdf5 Stepper convolve decode decoder_of
        finish_each for_batch fuse_linear graph_from_text graph_text in_processes interpolation_matrix limits
        matmul matvec npz_bytes numbered_tail one_thread op_from_text op_text present progress_bar read_npz
        read_out_of read_out_tail read_values refitted require_none samples_for schedule stepwise with_batch
        with_ideal_rates
    """,
}


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "generate_api.py"))


def test_the_names_of_each_tier_are_the_golden_ones(script):
    assert {tier: list(names) for tier, (_, names) in script["tiers"]().items()} == {
        tier: names.split() for tier, names in GOLDEN.items()
    }


def test_every_name_is_there_once_and_has_a_sentence(script):
    names = [name for tier in GOLDEN.values() for name in tier.split()]
    assert sorted(names) == sorted(set(names)) == sorted(api.__all__)
    assert [name for name in names if not script["summary"](name)] == []


def test_the_pages_are_what_the_script_writes(script):
    pages = script["pages"]()
    assert len(pages) == 5
    assert [path for path, text in pages.items() if path.read_text() != text] == [], "run python docs/generate_api.py"


def test_everything_of_snnc_itself_can_be_found_by_looking():
    names = ["Compiled", "Graph", "SnncError", "__version__", "compile", "import_model", "keras", "load", "nir"]
    assert snnc.__all__ == names
    assert set(names) <= set(dir(snnc))
