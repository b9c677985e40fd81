"""How Nengo builds the op where no pass has made it spike: on the host."""

from snnc_nengo.site import Placed, Site

from snnc.api import lowering
from snnc_example.ops import Distance


@lowering("nengo", Distance)
def distance(op: Distance, site: Site) -> Placed:
    """Build a node that computes it in numpy."""
    return site.host(op)
