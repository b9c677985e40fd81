"""Which classes of a module are ops."""

from types import ModuleType
from typing import Any

from snnc import ops
from snnc.ir.op import Op, concrete


def test_concrete_takes_classes_with_a_kind_and_no_alias_or_base():
    module = ModuleType("mine")
    module.__all__ = ["Relu", "Op", "State", "kinds", "Path"]
    module.Relu, module.Op, module.State, module.kinds, module.Path = ops.Relu, Op, dict[str, Any], ["relu"], int
    assert concrete(Op, module) == (ops.Relu,)
