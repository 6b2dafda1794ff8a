"""Recurrent networks and CTC."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch.nn.functional as F
from cases import case, variant

T, V = "recurrent", "recurrent_varied"


def along(step, start, a, reverse=False):
    """The results of step(carry, a[t]) -> (carry, h) over the last axis but one."""
    _, h = jax.lax.scan(step, start, jnp.moveaxis(a, -2, 0), reverse=reverse)
    return jax.tree.map(lambda v: jnp.moveaxis(v, 0, -2), h)


def rnn_cells(a, U, reverse=False):
    def step(h, at):
        h = jnp.tanh(at + h @ U)
        return h, h
    return along(step, jnp.zeros(a.shape[:-2] + a.shape[-1:]), a, reverse)


def lstm_cells(a, U, reverse=False):
    H = U.shape[0]

    def step(carry, at):
        h, c = carry
        i, f, g, o = jnp.split(at + h @ U, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), (h, c)
    zero = jnp.zeros(a.shape[:-2] + (H,))
    return along(step, (zero, zero), a, reverse)


def gru_cells(a, U, v, reverse=False):
    H = U.shape[0]

    def step(h, at):
        r, z, n = jnp.split(at, 3, -1)
        ru, zu, nu = jnp.split(h @ U + v, 3, -1)
        z = jax.nn.sigmoid(z + zu)
        h = (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + ru) * nu) + z * h
        return h, h
    return along(step, jnp.zeros(a.shape[:-2] + (H,)), a, reverse)


def torch_cells(cell, gates):
    """The states of a cell of PyTorch, which has its weights transposed, step by step. With `a` the product of the input
    is done already; `v` is the offset of the product of the state."""
    def peer(a, U, v=None, reverse=False):
        H = U.shape[0]
        h = a.new_zeros(*a.shape[:-2], H)
        state = (h, h) if cell is torch.lstm_cell else h
        times = range(a.shape[-2])
        states = [None] * a.shape[-2]
        flat = lambda z: z.reshape(-1, z.shape[-1])  # noqa: E731
        state = tuple(map(flat, state)) if isinstance(state, tuple) else flat(state)
        for t in reversed(times) if reverse else times:
            state = cell(flat(a[..., t, :]), state, torch.eye(gates * H), U.T, None if v is None else 0 * v, v)
            states[t] = state
        def joined(parts):
            return torch.stack(parts, -2).reshape(*a.shape[:-1], H)
        if isinstance(state, tuple):
            return joined([s[0] for s in states]), joined([s[1] for s in states])
        return joined(states)
    return peer


torch_rnn_cells = torch_cells(torch.rnn_tanh_cell, 1)
torch_lstm_cells = torch_cells(torch.lstm_cell, 4)
torch_gru_cells = torch_cells(torch.gru_cell, 3)
rnn = lambda x, W, U, b, reverse=False: rnn_cells(x @ W + b, U, reverse)  # noqa: E731
lstm = lambda x, W, U, b, reverse=False: lstm_cells(x @ W + b, U, reverse)[0]  # noqa: E731
gru = lambda x, W, U, b, v, reverse=False: gru_cells(x @ W + b, U, v, reverse)  # noqa: E731


def torch_layer(whole, offset=False):
    """A layer of PyTorch over sequences, run backwards by reversing them."""
    def peer(x, W, U, b, *v, reverse=False):
        single = x.ndim == 2
        x = x[None] if single else x
        H = U.shape[0]
        weights = [W.T, U.T, b, *(v if offset else [torch.zeros_like(b)])]
        zero = x.new_zeros(1, x.shape[0], H)
        start = (zero, zero) if whole is torch.lstm else zero
        h = whole(x.flip(1) if reverse else x, start, weights, True, 1, 0.0, False, False, True)[0]
        h = h.flip(1) if reverse else h
        return h[0] if single else h
    return peer


torch_rnn, torch_lstm, torch_gru = torch_layer(torch.rnn_tanh), torch_layer(torch.lstm), torch_layer(torch.gru, True)


def recurrent_params(path, I, H, gates, offset=False):
    params = {f"{path}.W": (I, gates * H), f"{path}.U": (H, gates * H), f"{path}.b": (gates * H,)}
    return {**params, f"{path}.v": (gates * H,)} if offset else params


def both_ways(layer, cat, count):
    return lambda x, *w: cat([layer(x, *w[:count]), layer(x, *w[count:], reverse=True)], -1)


for kind, layer, peer, gates in [("rnn", rnn, torch_rnn, 1), ("lstm", lstm, torch_lstm, 4), ("gru", gru, torch_gru, 3)]:
    params = functools.partial(recurrent_params, gates=gates, offset=kind == "gru")
    count = len(params("", 1, 1))
    backwards = [functools.partial(f, reverse=True) for f in (layer, peer)]
    two = both_ways(layer, jnp.concatenate, count), both_ways(peer, torch.cat, count)
    case(T, f"try_{kind}", layer, peer, "h", x=(3, 4, 5), params=params(f"{kind}1", 5, 3))
    case(T, f"try_{kind}_reverse", *backwards, "h", x=(3, 4, 5), params=params(f"{kind}1", 5, 3))
    case(T, f"try_bi{kind}", *two, "h", x=(3, 3, 2), params={**params("both.forward", 2, 2), **params("both.backward", 2, 2)})
    variant(V, f"{kind}_of_one", f"x |> {kind}(1)", layer, peer, "h", x=(1, 1), params=params(f"{kind}1", 1, 1))
    variant(V, f"{kind}_long", f"x |> {kind}(2, reverse = true)", *backwards, "h", x=(2, 7, 1), params=params(f"{kind}1", 1, 2))
    for name, shape, H in [("of_one", (1, 1), 1), ("of_one_sequence", (5, 3), 2)]:
        variant(V, f"bi{kind}_{name}", f"x |> both: bi{kind}({H})", *two, "h", x=shape,
                params={**params("both.forward", shape[1], H), **params("both.backward", shape[1], H)})
case(T, "try_rnn_of_one_step", rnn, torch_rnn, "h", x=(3, 1, 2), params=recurrent_params("rnn1", 2, 3, 1))
case(T, "try_rnn_of_a_sequence", rnn, torch_rnn, "h", x=(4, 2), params=recurrent_params("rnn1", 2, 3, 1))
case(T, "try_lstm_stacked", lambda x, *w: lstm(lstm(x, *w[:3]), *w[3:])[:, -1],
     lambda x, *w: torch_lstm(torch_lstm(x, *w[:3]), *w[3:])[:, -1], "h", x=(3, 3, 2),
     params={**recurrent_params("one", 2, 3, 4), **recurrent_params("two", 3, 4, 4)})
for suffix, back in [("", False), ("_reversed", True)]:
    both = lambda f, g: (functools.partial(f, reverse=back), functools.partial(g, reverse=back))  # noqa: E731
    ways = {"rnn": (both(rnn_cells, torch_rnn_cells), "h"), "lstm": (both(lstm_cells, torch_lstm_cells), ["h", "c"]),
            "gru": (both(gru_cells, torch_gru_cells), "h")}
    case(T, "try_rnn_cells" + suffix, *ways["rnn"][0], "h", a=(3, 4, 3), U=(3, 3))
    case(T, "try_lstm_cells" + suffix, *ways["lstm"][0], ["h", "c"], a=(3, 4, 8), U=(2, 8))
    case(T, "try_gru_cells" + suffix, *ways["gru"][0], "h", a=(3, 4, 6), U=(2, 6), v=(6,))
    for name, shape, H in [("of_one", (1,), 1), ("of_many_dims", (2, 1, 5), 2)]:
        for kind, gates in [("rnn", 1), ("lstm", 4), ("gru", 3)]:
            (reference, peer), out = ways[kind]
            given = {"a": (*shape, gates * H), "U": (H, gates * H), **({"v": (gates * H,)} if kind == "gru" else {})}
            call = f"{kind}_cells{suffix}({', '.join(given)})"
            variant(V, f"{kind}_cells{suffix}_{name}", f"h, c = {call}" if kind == "lstm" else call, reference, peer, out, **given)
last = lambda x: x[..., -1, :]  # noqa: E731
case(T, "try_last_step", last, last, x=(3, 4, 3))
variant(V, "last_step_of_one", "last_step(x)", last, last, x=(1, 1))
variant(V, "last_step_of_many_dims", "last_step(x)", last, last, x=(2, 1, 5, 2))


def step_at(x, n):
    n = np.clip(n, 1, x.shape[1])
    return x[np.arange(x.shape[0]), n - 1]


case(T, "try_step_at", step_at, lambda x, n: step_at(x, n.numpy()), x=(3, 4, 3), length=np.array([4, 1, 3]))
for name, shape, given in [("of_one", (1, 1, 2), [1]), ("outside", (3, 2, 1), [0, 3, 2])]:
    variant(V, f"step_at_{name}", "step_at(x, length)", step_at, lambda x, n: step_at(x, n.numpy()), x=shape,
            length=np.array(given))
log_sum = lambda *v: jax.nn.logsumexp(jnp.stack(v), 0)  # noqa: E731
torch_log_sum = lambda *v: torch.logsumexp(torch.stack(v), 0)  # noqa: E731
case(T, "try_log_sum_exp3", log_sum, torch_log_sum, a=(3,), b=(3,), c=(3,))
for name, shape in [("of_one", (1,)), ("of_many_dims", (2, 1, 3))]:
    variant(V, f"log_sum_exp3_{name}", "log_sum_exp3(a, b, c)", log_sum, torch_log_sum, a=shape, b=shape, c=shape)


def ctc_each(logits, labels, frames, letters):
    return optax.ctc_loss(logits, np.arange(logits.shape[1]) >= frames[:, None], labels,
                          np.arange(labels.shape[1]) >= letters[:, None], blank_id=0)


def torch_ctc_each(logits, labels, frames, letters):
    return F.ctc_loss(F.log_softmax(logits, -1).transpose(0, 1), labels, frames, letters, reduction="none")


def ctcs(mean):
    each = (lambda f: lambda *v: f(*v).mean()) if mean else lambda f: f
    return each(ctc_each), each(torch_ctc_each)


def written(**given):
    return {k: np.array(v) for k, v in given.items()}


# Repeated letters need a blank between them; no letters, and as many as fit. PyTorch has no second derivatives.
case(T, "try_ctc", *ctcs(True), "loss", logits=(3, 6, 4), peer_second=False,
     **written(labels=[[1, 1, 2], [3, 2, 3], [2, 1, 1]], frames=[6, 5, 4], letters=[3, 3, 2]))
case(T, "try_ctc_each", *ctcs(False), "loss", logits=(3, 5, 3), peer_second=False,
     **written(labels=[[2, 2], [1, 2], [1, 1]], frames=[3, 2, 5], letters=[2, 1, 0]))
for name, shape, given in [
        ("of_one", (1, 1, 2), written(labels=[[1]], frames=[1], letters=[1])),
        ("of_nothing_said", (2, 3, 2), written(labels=[[1], [1]], frames=[3, 1], letters=[0, 0])),
        ("that_just_fits", (1, 5, 4), written(labels=[[3, 3, 1]], frames=[4], letters=[3]))]:
    for op, mean in [("ctc", True), ("ctc_each", False)]:
        variant(V, f"{op}_{name}", f"{op}(logits, labels, frames, letters)", *ctcs(mean), "loss", logits=shape,
                peer_second=False, **given)
