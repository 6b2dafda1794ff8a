"""What differs in training: nets on their own, then steps, and what these report when evaluated."""
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from cases import Draws, case, encode, is_wanted, put, same, silent, variant
from convolutions import conv
from networks import by_channel, norm, projection_params, residual_params
from optimizers import steps

T, V = "training", "training_varied"


def batch_norm(x, gain, offset, mean, variance, eps=1e-5):
    z = (x - by_channel(mean, x)) / jnp.sqrt(by_channel(variance, x) + eps)
    return z * by_channel(gain, x) + by_channel(offset, x)


def torch_batch_norm(x, gain, offset, mean, variance, eps=1e-5):
    return F.batch_norm(x, mean, variance, gain, offset, eps=eps)


def statistics(x):
    axes = (0, *range(2, x.ndim))
    return jnp.mean(x, axes), jnp.var(x, axes)


def left_running(x, mean, variance, momentum=0.1):
    m, _ = statistics(x)
    n = x.size // x.shape[1]
    unbiased = jnp.var(x, (0, *range(2, x.ndim))) * n / max(n - 1, 1)
    return (1 - momentum) * mean + momentum * m, (1 - momentum) * variance + momentum * unbiased


def running(path, n):
    return {f"{path}.running_mean": np.arange(n) / 4 - 0.25, f"{path}.running_variance": 0.5 + np.arange(n) / 8}


def batch_case(name, shape, body=None, **how):
    n = shape[1]
    put_case, words = (case, ()) if body is None else (variant, (body,))
    put_case(T if body is None else V, name, *words, lambda *v: batch_norm(*v, **how), lambda *v: torch_batch_norm(*v, **how),
             x=shape, params=norm("batch_norm1", n), state=running("batch_norm1", n))


batch_case("try_batch_norm", (3, 4, 2, 3))
batch_case("try_batch_norm_flat", (5, 4))
batch_case("batch_norm_of_one", (1, 1), "batch_norm(x, momentum = 0.5)")
batch_case("batch_norm_of_sequences", (2, 3, 5), "batch_norm(x, eps = 0.25)", eps=0.25)
factor = lambda n: (lambda x: x * n / max(n - 1, 1),) * 2  # noqa: E731
case(T, "try_unbiasing", *factor(15), x=(3, 2, 5))
variant(V, "unbiasing_of_one", "x * unbiasing(x)", *factor(1), x=(1, 3, 1))
variant(V, "unbiasing_of_a_sequence", "x * unbiasing(x)", *factor(7), x=(1, 2, 7))
same_as_given = lambda x: x  # noqa: E731
for drops, shape, more in [("dropout", (3, 5), [(1,), (2, 1, 3, 5)]), ("channel_dropout", (3, 2, 3), [(1, 1), (2, 3, 2, 1)])]:
    dropped = torch.dropout if drops == "dropout" else torch.feature_dropout
    out_of_training = lambda x: dropped(x, 0.5, False)  # noqa: E731
    case(T, f"try_{drops}", same_as_given, out_of_training, x=shape)
    for number, given in enumerate(more, 2):
        variant(V, f"{drops}_{number}", f"{drops}(x, rate = 0.25)", same_as_given, out_of_training, x=given)


def residual(x, K1, g1, o1, K2, g2, o2, m1, v1, m2, v2):
    z = jax.nn.relu(batch_norm(conv(2, pad=1)(x, K1), g1, o1, m1, v1))
    return jax.nn.relu(x + batch_norm(conv(2, pad=1)(z, K2), g2, o2, m2, v2))


def torch_residual(x, K1, g1, o1, K2, g2, o2, m1, v1, m2, v2):
    z = F.relu(torch_batch_norm(F.conv2d(x, K1, padding=1), g1, o1, m1, v1))
    return F.relu(x + torch_batch_norm(F.conv2d(z, K2, padding=1), g2, o2, m2, v2))


case(T, "try_residual_block", residual, torch_residual, x=(3, 2, 4, 3), params=residual_params(2),
     state={**running("block.norm1", 2), **running("block.norm2", 2)})


def projection(x, K1, g1, o1, K2, g2, o2, K3, b3, m1, v1, m2, v2):
    z = jax.nn.relu(batch_norm(conv(2, stride=2, pad=1)(x, K1), g1, o1, m1, v1))
    return jax.nn.relu(batch_norm(conv(2, pad=1)(z, K2), g2, o2, m2, v2) + conv(2, stride=2)(x, K3, b3))


def torch_projection(x, K1, g1, o1, K2, g2, o2, K3, b3, m1, v1, m2, v2):
    z = F.relu(torch_batch_norm(F.conv2d(x, K1, stride=2, padding=1), g1, o1, m1, v1))
    return F.relu(torch_batch_norm(F.conv2d(z, K2, padding=1), g2, o2, m2, v2) + F.conv2d(x, K3, b3, 2))


case(T, "try_residual_projection", projection, torch_projection, x=(3, 2, 4, 5), params=projection_params(2, 4),
     state={**running("block.norm1", 4), **running("block.norm2", 4)})


def dense_block(x, g, o, K, m, v):
    return jnp.concatenate([x, conv(2, pad=1)(jax.nn.relu(batch_norm(x, g, o, m, v)), K)], 1)


def torch_dense_block(x, g, o, K, m, v):
    return torch.cat([x, F.conv2d(F.relu(torch_batch_norm(x, g, o, m, v)), K, padding=1)], 1)


case(T, "try_dense_block", dense_block, torch_dense_block, x=(3, 2, 4, 3),
     params={**norm("block.norm", 2), "block.conv.K": (3, 2, 3, 3)}, state=running("block.norm", 2))


def torch_trained(values, kept, rate, twice):
    """The path of torch.nn.BatchNorm: gain, offset and running statistics after each update."""
    x, t, gain, offset = (torch.tensor(v) for v in values)
    layer = (torch.nn.BatchNorm2d if x.ndim == 4 else torch.nn.BatchNorm1d)(x.shape[1])
    with torch.no_grad():
        for p, v in zip([layer.weight, layer.bias, layer.running_mean, layer.running_var], [gain, offset, *kept], strict=True):
            p.copy_(torch.as_tensor(v))
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate)
    for _ in range(steps):
        layer.eval()
        before = ((layer(x) - (layer(t) if twice else t)) ** 2).mean().item()
        layer.train()
        loss = ((layer(x) - (layer(t) if twice else t)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield before, loss.item(), *(p.detach().numpy().copy() for p in (layer.weight, layer.bias, layer.running_mean, layer.running_var))


def trained_norm(name, path, shape, twice=False, x=None, peer=torch_trained):
    """Descent of a net that is one batch norm, called once or on two batches in a row. Without a `peer`, it refuses."""
    if not is_wanted(T):
        return
    draw = Draws(name).floats
    start = [draw(*shape) if x is None else x, draw(*shape), draw(shape[1]), draw(shape[1])]
    x, t, gain, offset = (jnp.asarray(v) for v in start)
    kept = [jnp.asarray(v) for v in running(path, shape[1]).values()]
    values = {f"{name}.x": x, f"{name}.t": t, f"{path}.gain": gain, f"{path}.offset": offset,
              **running(path, shape[1])}

    def loss_of(gain, offset, norm):
        y = norm(x, gain, offset)
        return jnp.mean((y - (norm(t, gain, offset) if twice else t)) ** 2)

    if not callable(peer):
        silent[name] = peer
    path_taken, losses, evaluated = [], [], []
    for other in peer(start, running(path, shape[1]).values(), 0.1, twice) if callable(peer) else [None] * steps:
        evaluated.append(float(loss_of(gain, offset, lambda x, g, o: batch_norm(x, g, o, *kept))))
        loss, (dg, do) = jax.value_and_grad(loss_of, (0, 1))(
            gain, offset, lambda x, g, o: batch_norm(x, g, o, *statistics(x)))
        gain, offset = gain - 0.1 * dg, offset - 0.1 * do
        for batch in (x, t) if twice else (x,):
            kept = left_running(batch, *kept)
        losses.append(float(loss))
        assert other is None or all(same(a, b) for a, b in zip(other, (evaluated[-1], losses[-1], gain, offset, *kept), strict=True)), name
        path_taken.append({k: encode(v) for k, v in (
            (f"{path}.gain", gain), (f"{path}.offset", offset),
            (f"{path}.running_mean", kept[0]), (f"{path}.running_variance", kept[1]))})
    put(T, name, {"values": {k: encode(v) for k, v in values.items()}, "path": path_taken, "losses": losses,
                  "evaluated": evaluated})


trained_norm("try_batch_norm_trained", "normed.batch_norm1", (3, 4, 2, 3))
trained_norm("try_batch_norm_twice", "normed_flat.batch_norm1", (5, 4), twice=True)
trained_norm("try_batch_norm_of_constants", "normed_constants.batch_norm1", (5, 4), x=np.tile([2, 0, -1.5, 0.25], (5, 1)))
trained_norm("try_batch_norm_of_one", "normed_one.batch_norm1", (1, 4), peer="it refuses batches of one value a channel")
for drops in ("always_dropout", "always_channel_dropout"):  # what they draw is not for others to say
    put(T, f"try_{drops}", {})
