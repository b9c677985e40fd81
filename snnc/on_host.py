"""What a host computes beside a network, and the refusal of networks in which anything does not spike."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.analysis.census import census
from snnc.backend import Backend
from snnc.errors import LoweringError
from snnc.ir.graph import Graph
from snnc.ops.read_out_activation import stepwise
from snnc.registry import Registry


def on_host(graph: Graph, backend: Backend, registry: Registry) -> list[str]:
    """Return what runs on the host for want of a lowering, of the backend or of one that it uses: ``name (kind)``."""
    tables = [registry.lowerings_for(name) for name in (backend.name, *backend.uses) if name in registry.backends]
    usual = any(registry.backend(name).core_on_host for name in registry.chain(backend.name))
    core = {cls for kind, cls in registry.ops.items() if registry.providers[f"op:{kind}"].startswith("builtin ")}
    return [
        f"{node.name} ({node.op.kind})"
        for node in stepwise(graph)
        if node.op.arity != 0
        and all(table.on_host(node.op) for table in tables)
        and not (usual and type(node.op) in core)
    ]


def require_spiking(graph: Graph, hosted: Sequence[str]) -> None:
    """Raise LoweringError naming what does not spike, what reads values, and what is ``hosted`` (``on_host``)."""
    found = census(graph)
    still = [*found.host, *found.rate]
    if still:
        raise LoweringError(
            f"strict: {len(still)} nonlinearities do not spike: {', '.join(still)}; change the model, name a pass such "
            "as drop-final-softmax or choose spiking neurons, or do without strict"
        )
    if found.valued:
        raise LoweringError(
            f"strict: the weights of {', '.join(found.valued)} read values, not spikes; choose sigma-delta neurons at "
            "level 1 or above, which put neurons in front of them, or do without strict"
        )
    if hosted:
        raise LoweringError(
            f"strict: the backend has no lowering for {', '.join(hosted)}; add one with the hook "
            "snnc_register_lowerings, or do without strict"
        )
