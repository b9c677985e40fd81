"""What is nonlinear inside or at the end of a network is right in the end, however it spikes."""

import numpy as np
import pytest

import snnc

NAMES = ("final_tanh", "final_unitnorm", "hidden_layernorm", "hidden_relu", "hidden_selu", "r22_resnet_1024x1")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("code", "options"),
    # left free, the most spikes a step are as many as one step takes for the error that is aimed at
    [("graded", {}), ("counted", {"choose-thresholds": {"gamma": 2}})],
)
def test_models_of_bug_reports_come_close_without_samples_and_closer_with_more_steps(shared, name, code, options):
    path = shared / "models" / "reports" / f"{name}.keras"
    data = np.load(path.with_suffix(".io.npz"), allow_pickle=False)
    errors = []
    for steps in (2, 32):
        compiled = snnc.compile(path, level=2, code=code, options=options, steps=steps, strict=True, verify=False)
        given = compiled.predict(data["x0"])
        errors.append(float(np.sqrt(np.mean((given - data["y0"]) ** 2)) / np.std(data["y0"])))
    assert errors[1] < 0.1
    assert errors[1] < errors[0]
