"""Networks by hand, in the form that the lowering makes: an encoder on the host, neurons on the chip, a read-out."""

import functools

import nengo
import numpy as np

IGNORED = (
    "ignore:invalid value encountered in cast:RuntimeWarning",  # nengo-loihi fills integers with NaN before use
    "ignore:.*has not been tested with your `nengo` version:UserWarning",
)


class Handmade:
    """A network under construction; ``encoder`` is the ensemble on the host."""

    def __init__(self, shape, seed=0):
        import nengo_loihi

        self.loihi = nengo_loihi
        self.rng = np.random.default_rng(seed)
        self.network = nengo.Network(seed=seed)
        nengo_loihi.add_params(self.network)
        self.network.config[nengo.Connection].synapse = None
        size = int(np.prod(shape))
        with self.network:
            self.input = nengo.Node(np.zeros(size), label="input")
            self.encoder = self._ensemble(size, zero_start(), 0, "encoder")
            nengo.Connection(self.input, self.encoder.neurons)
        self.network.config[self.encoder].on_chip = False
        self.shape = {self.encoder: shape}
        self.probes = {}
        self.reads = {}

    def _ensemble(self, size, neurons, bias, label):
        return nengo.Ensemble(size, 1, neuron_type=neurons, gain=np.ones(size), bias=np.full(size, bias), label=label)

    def layer(self, label, transforms, synapse=None, neurons=None, bias=20.0, block=None):
        """Add an ensemble on the chip; ``transforms`` are (source, transform) pairs."""
        shape = next((t.output_shape.shape for _, t in transforms if hasattr(t, "output_shape")), None)
        shape = shape or (transforms[0][1].shape[0],)
        with self.network:
            ens = self._ensemble(int(np.prod(shape)), neurons or loihi_relu(), bias, label)
            for source, transform in transforms:
                nengo.Connection(source.neurons, ens.neurons, transform=transform, synapse=synapse)
            self.probes[ens] = nengo.Probe(ens.neurons)
        if block is not None:
            self.network.config[ens].block_shape = self.loihi.BlockShape(block, shape)
        self.shape[ens] = shape
        return ens

    def conv(self, source, filters, kernel=3, strides=1, padding="same", gain=0.15):
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        channels = self.shape[source][-1]
        weights = self.rng.normal(gain / 4, gain, (*size, channels, filters))
        return nengo.Convolution(
            filters, self.shape[source], kernel_size=size, strides=(strides, strides), padding=padding, init=weights
        )

    def dense(self, source, size, gain=0.1):
        return nengo.Dense((size, source.n_neurons), init=self.rng.normal(gain / 3, gain, (size, source.n_neurons)))

    def sparse(self, source, size, density=0.1, gain=0.2):
        import scipy.sparse

        dense = self.rng.normal(gain / 3, gain, (size, source.n_neurons))
        dense *= self.rng.uniform(size=dense.shape) < density
        return nengo.Sparse(dense.shape, init=scipy.sparse.csr_matrix(dense))

    def read_out(self, source, size=3, label="output"):
        with self.network:
            node = nengo.Node(size_in=size, label=label)
            weights = self.rng.normal(size=(size, source.n_neurons))
            nengo.Connection(source.neurons, node, transform=weights)
            self.probes[node] = nengo.Probe(node)
        self.reads[node] = source, weights
        return node


def zero_start():
    return nengo.SpikingRectifiedLinear(initial_state={"voltage": nengo.dists.Choice([0])})


def loihi_relu(**options):
    from nengo_loihi.neurons import LoihiSpikingRectifiedLinear

    return LoihiSpikingRectifiedLinear(initial_state={"voltage": nengo.dists.Choice([0])}, **options)


def loihi_lif(**options):
    from nengo_loihi.neurons import LoihiLIF

    return LoihiLIF(initial_state={"voltage": nengo.dists.Choice([0])}, **options)


def signed(floor=1.0):
    """Return neurons whose membrane may fall to ``-floor`` thresholds."""
    return _signed_class()(initial_state={"voltage": nengo.dists.Choice([0])}, floor=floor)


@functools.cache
def _signed_class():
    from nengo_loihi.builder.builder import Builder
    from nengo_loihi.neurons import LoihiSpikingRectifiedLinear

    class Signed(LoihiSpikingRectifiedLinear):
        def __init__(self, floor=1.0, **options):
            super().__init__(**options)
            self.floor = floor

    @Builder.register(Signed)
    def build_signed(model, neurons, _, block):
        block.compartment.configure_relu(vth=1 / model.dt, dt=model.dt)
        block.compartment.vmin = -neurons.floor / model.dt

    return Signed


def encode(rates, steps, dt=0.001):
    """Return ``(batch, steps, neurons)``: where neurons of ``zero_start`` fire for constant rates in Hz."""
    voltage, fired = np.zeros(rates.shape), np.zeros((len(rates), steps, rates.shape[1]), dtype=bool)
    for t in range(steps):
        zero_start().step(dt, rates, spikes := np.empty(rates.shape), voltage=voltage)
        fired[:, t] = spikes > 0
    return fired


def trains_of(replica, spikes):
    """Return ``(batch, steps, neurons)`` by ensemble of the chip: where it fires, if these spikes go to it."""
    batch, steps = next(iter(spikes.values())).shape[:2]
    chip = replica.start(batch)
    trains = {core.ensemble: np.zeros((batch, steps, core.ensemble.n_neurons), dtype=bool) for core in chip.cores}
    for t in range(steps):
        chip.step({ensemble: train[:, t] for ensemble, train in spikes.items()})
        for core in chip.cores:
            trains[core.ensemble][:, t] = core.fired.T != 0
    return trains


def built(made):
    import nengo_loihi

    return nengo_loihi.Simulator(made.network, target="sim", progress_bar=False)
