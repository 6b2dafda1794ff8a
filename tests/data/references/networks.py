"""Norms, sequences and attention, blocks of convolutions normalised by groups."""
import math

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from cases import case, labels, variant
from convolutions import conv
from torch.nn.attention import SDPBackend, sdpa_kernel

T, V = "networks", "networks_varied"


def normalise(x, axes, eps=1e-5):
    m = jnp.mean(x, axes, keepdims=True)
    return (x - m) / jnp.sqrt(jnp.var(x, axes, keepdims=True) + eps)


def by_channel(a, x):
    return a.reshape((1, -1) + (1,) * (x.ndim - 2))


def layer_norm(x, gain, offset, eps=1e-5):
    return normalise(x, -1, eps) * gain + offset


def torch_layer_norm(x, gain, offset, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], gain, offset, eps)


def rms_norm(x, gain, eps=1e-5):
    return x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * gain


def torch_rms_norm(x, gain, eps=1e-5):
    return F.rms_norm(x, x.shape[-1:], gain, eps)


def group_norm(groups, eps=1e-5):
    def reference(x, gain, offset):
        z = normalise(x.reshape(x.shape[0], groups, -1), -1, eps).reshape(x.shape)
        return z * by_channel(gain, x) + by_channel(offset, x)
    return reference


def torch_group_norm(groups, eps=1e-5):
    return lambda x, gain, offset: F.group_norm(x, groups, gain, offset, eps)


def group_norms(groups, eps=1e-5):
    return group_norm(groups, eps), torch_group_norm(groups, eps)


def norm(path, n):
    return {f"{path}.gain": (n,), f"{path}.offset": (n,)}


case(T, "try_layer_norm", layer_norm, torch_layer_norm, x=(3, 3, 6), params=norm("layer_norm1", 6))
variant(V, "layer_norm_of_a_vector", "x |> layer_norm", layer_norm, torch_layer_norm, x=(17,), params=norm("layer_norm1", 17))
variant(V, "layer_norm_of_two", "x |> layer_norm(eps = 0.25)", lambda *v: layer_norm(*v, 0.25),
        lambda *v: torch_layer_norm(*v, 0.25), x=(2, 1, 3, 2), params=norm("layer_norm1", 2))
case(T, "try_rms_norm", rms_norm, torch_rms_norm, x=(3, 6), params={"rms_norm1.gain": (6,)})
variant(V, "rms_norm_of_a_vector", "x |> rms_norm", rms_norm, torch_rms_norm, x=(17,), params={"rms_norm1.gain": (17,)})
variant(V, "rms_norm_of_one", "x |> rms_norm(eps = 0.25)", lambda *v: rms_norm(*v, 0.25), lambda *v: torch_rms_norm(*v, 0.25),
        x=(2, 1, 3, 1), params={"rms_norm1.gain": (1,)})
case(T, "try_group_norm", *group_norms(2), x=(3, 4, 3, 2), params=norm("group_norm1", 4))
variant(V, "group_norm_of_all", "x |> group_norm(1)", *group_norms(1), x=(2, 3, 2, 1, 2), params=norm("group_norm1", 3))
variant(V, "group_norm_of_channels", "x |> group_norm(3, eps = 0.25)", *group_norms(3, 0.25), x=(1, 3, 5),
        params=norm("group_norm1", 3))
variant(V, "group_norm_without_places", "x |> group_norm(2)", *group_norms(2), x=(3, 6), params=norm("group_norm1", 6))
case(T, "try_instance_norm", *group_norms(2), x=(3, 2, 3, 4), params=norm("instance_norm1", 2))


def instance_norm(eps):
    return (lambda x, *w: group_norm(x.shape[1], eps)(x, *w),
            lambda x, gain, offset: F.instance_norm(x, weight=gain, bias=offset, eps=eps))


variant(V, "instance_norm_of_sequences", "x |> instance_norm", *instance_norm(1e-5), x=(2, 3, 5),
        params=norm("instance_norm1", 3))
variant(V, "instance_norm_of_volumes", "x |> instance_norm(eps = 0.25)", *instance_norm(0.25), x=(1, 1, 2, 1, 3),
        params=norm("instance_norm1", 1))

# ---- sequences ----

embed = lambda ids, E: E[ids]  # noqa: E731
case(T, "try_embedding", embed, F.embedding, ids=labels(3, 4, n=7), params={"embedding1.E": (7, 5)})
variant(V, "embedding_of_one", "ids |> embedding(1, 3)", embed, F.embedding, ids=labels(4, n=1), params={"embedding1.E": (1, 3)})
variant(V, "embedding_of_many_dims", "ids |> embedding(5, 1)", embed, F.embedding, ids=labels(2, 1, 3, n=5),
        params={"embedding1.E": (5, 1)})


def sinusoids(length, width):
    p = np.zeros((length, width))
    for t in range(length):
        for i in range(0, width, 2):
            p[t, i] = math.sin(t / 10000 ** (i / width))
            if i + 1 < width:
                p[t, i + 1] = math.cos(t / 10000 ** (i / width))
    return p


def torch_sinusoids(length, width):
    turns = torch.arange(length)[:, None] * torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
    return torch.stack([turns.sin(), turns.cos()], -1).reshape(length, -1)[:, :width]


def positions(length, width):
    return lambda x: x * sinusoids(length, width), lambda x: x * torch_sinusoids(length, width)


case(T, "try_sinusoidal_positions", *positions(5, 6), x=(5, 6))
variant(V, "sinusoidal_positions_of_one", "x * sinusoidal_positions(1, 2)", *positions(1, 2), x=(1, 2))
variant(V, "sinusoidal_positions_of_odd_width", "x * sinusoidal_positions(7, 3)", *positions(7, 3), x=(7, 3))
plus = lambda x, P: x + P  # noqa: E731
case(T, "try_learned_positions", plus, plus, x=(3, 4, 5), params={"learned_positions1.P": (4, 5)})
variant(V, "learned_positions_of_one", "x |> learned_positions", plus, plus, x=(1, 1), params={"learned_positions1.P": (1, 1)})
variant(V, "learned_positions_of_many_dims", "x |> learned_positions", plus, plus, x=(2, 1, 3, 5),
        params={"learned_positions1.P": (3, 5)})


def rotary(base=10000.0):
    """Pairs as complex numbers, turned by multiplication; and by a matrix."""
    def reference(x):
        t, d = x.shape[-2:]
        angles = np.outer(np.arange(t), base ** (-np.arange(d // 2) / (d // 2)))
        z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
        return jnp.stack([z.real, z.imag], -1).reshape(x.shape)

    def peer(x):
        t, d = x.shape[-2:]
        angles = torch.arange(t)[:, None] * base ** (-2 * torch.arange(d // 2) / d)
        turn = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], -1).reshape(t, d // 2, 2, 2)
        return (turn @ x.reshape(*x.shape[:-1], d // 2, 2, 1)).reshape(x.shape)
    return reference, peer


case(T, "try_rotary", *rotary(), x=(3, 4, 6))
variant(V, "rotary_of_a_pair", "rotary(x)", *rotary(), x=(5, 2))
variant(V, "rotary_of_many_dims", "rotary(x, base = 100.0)", *rotary(100.0), x=(2, 1, 3, 4))

# ---- attention ----


def attend(q, k, v, keep=True):
    score = jnp.where(keep, q @ jnp.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1]), -jnp.inf)
    return jax.nn.softmax(score) @ v


def torch_attend(q, k, v, keep=None, **more):
    if keep is not None:
        keep = torch.as_tensor(np.asarray(keep))
    with sdpa_kernel(SDPBackend.MATH):  # the one that can be differentiated twice
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keep, **more)


def some(t, s):
    return np.add.outer(np.arange(t), np.arange(s)) % 3 != 1


case(T, "try_attention", attend, torch_attend, q=(3, 2, 4, 3), k=(3, 2, 5, 3), v=(3, 2, 5, 2))
variant(V, "attention_of_one", "attention(q, k, v)", attend, torch_attend, q=(1, 1), k=(1, 1), v=(1, 1))
variant(V, "attention_of_vectors", "attention(q, k, v)", attend, torch_attend, q=(7, 2), k=(3, 2), v=(3, 5))
case(T, "try_masked_attention", lambda q, k, v: attend(q, k, v, some(4, 5)), lambda q, k, v: torch_attend(q, k, v, some(4, 5)),
     q=(4, 3), k=(5, 3), v=(5, 2))
variant(V, "masked_attention_of_one", "keep[i in 0..0, j in 0..0] = true\ny = masked_attention(q, k, v, keep)", attend,
        torch_attend, q=(1, 2), k=(1, 2), v=(1, 3))
variant(V, "masked_attention_of_many_dims", "keep[b in 0..1, h in 0..2, i in 0..2, j in 0..3] = (i + j) % 3 != 1\n"
        "y = masked_attention(q, k, v, keep)", lambda q, k, v: attend(q, k, v, some(3, 4)),
        lambda q, k, v: torch_attend(q, k, v, some(3, 4)), q=(2, 3, 3, 1), k=(2, 3, 4, 1), v=(2, 3, 4, 2))
causal = lambda q, k, v: attend(q, k, v, np.tri(q.shape[-2], dtype=bool))  # noqa: E731
torch_causal = lambda q, k, v: torch_attend(q, k, v, is_causal=True)  # noqa: E731
case(T, "try_causal_attention", causal, torch_causal, q=(3, 4, 3), k=(3, 4, 3), v=(3, 4, 2))
variant(V, "causal_attention_of_one", "causal_attention(q, k, v)", causal, torch_causal, q=(2, 1, 3), k=(2, 1, 3), v=(2, 1, 2))
variant(V, "causal_attention_of_many_dims", "causal_attention(q, k, v)", causal, torch_causal, q=(2, 1, 5, 1), k=(2, 1, 5, 1),
        v=(2, 1, 5, 3))
lengths = np.array([1, 4, 2])


def padded(T):
    return (lambda n, x: jnp.where(np.arange(T) < n[:, None], x, 0),
            lambda n, x: torch.where(torch.arange(T) < n[:, None], x, 0.0))


case(T, "try_padding_mask", *padded(4), length=lengths, x=(3, 4))
for name, given, t in [("of_one", [1], 1), ("beyond", [0, 5, 3, 7], 3)]:
    variant(V, f"padding_mask_{name}", f"keep = padding_mask(length, {t})\ny[n, t] = select(keep[n, t], x[n, t], 0.0)",
            *padded(t), length=np.array(given), x=(len(given), t))
itself = lambda x: x  # noqa: E731
case(T, "try_all_kept", itself, itself, x=(3, 4))
for b, t in [(1, 1), (2, 7)]:
    variant(V, f"all_kept_{b}_{t}", f"keep = all_kept({b}, {t})\ny[n, t] = select(keep[n, t], x[n, t], 0.0)", itself, itself,
            x=(b, t))


def heads_of(x, heads):
    return jnp.swapaxes(x.reshape(x.shape[0], x.shape[1], heads, -1), 1, 2)


def multi_head(x, memory, Wq, Wk, Wv, Wo, bo, heads, kv_heads=None, keep=True):
    q = heads_of(x @ Wq, heads)
    k, v = (jnp.repeat(heads_of(memory @ W, kv_heads or heads), heads // (kv_heads or heads), 1) for W in (Wk, Wv))
    y = jnp.swapaxes(attend(q, k, v, keep), 1, 2).reshape(x.shape)
    return y @ Wo + bo


def torch_multi_head(x, memory, Wq, Wk, Wv, Wo, bo, heads, kv_heads=None, keep=None):
    def part(z, W, n):
        return (z @ W).unflatten(-1, (n, -1)).transpose(1, 2)
    q, k, v = part(x, Wq, heads), part(memory, Wk, kv_heads or heads), part(memory, Wv, kv_heads or heads)
    y = torch_attend(q, k, v, keep, enable_gqa=(kv_heads or heads) != heads)
    return y.transpose(1, 2).flatten(2) @ Wo + bo


def attention_params(path, width, memory, kv_width):
    return {f"{path}.query.W": (width, width), f"{path}.key.W": (memory, kv_width),
            f"{path}.value.W": (memory, kv_width), f"{path}.out.W": (width, width), f"{path}.out.b": (width,)}


def of_itself(**how):
    return (lambda x, *w: multi_head(x, x, *w, **how),
            lambda x, *w: torch_multi_head(x, x, *w, **how))


tri = lambda n: np.tri(n, dtype=bool)  # noqa: E731
case(T, "try_multi_head_attention", *of_itself(heads=2), x=(3, 4, 6), params=attention_params("attend", 6, 6, 6))
case(T, "try_multi_head_attention_causal", *of_itself(heads=4, kv_heads=2, keep=tri(4)), x=(3, 4, 8),
     params=attention_params("attend", 8, 8, 4))
case(T, "try_multi_head_attention_of_memory",
     lambda x, m, n, *w: multi_head(x, m, *w, heads=3, keep=(np.arange(5) < n[:, None])[:, None, None, :]),
     lambda x, m, n, *w: torch_multi_head(x, m, *w, heads=3, keep=(torch.arange(5) < n[:, None])[:, None, None, :]),
     x=(3, 4, 6), memory=(3, 5, 3), length=lengths, params=attention_params("attend", 6, 3, 6))
variant(V, "multi_head_attention_of_one", "x |> attend: multi_head_attention(heads = 1)", *of_itself(heads=1), x=(1, 1, 2),
        params=attention_params("attend", 2, 2, 2))


def torch_gelu_block(x, g1, o1, Wq, Wk, Wv, Wo, bo, g2, o2, W1, b1, W2, b2, heads=2, causal=True):
    z = torch_layer_norm(x, g1, o1)
    a = x + torch_multi_head(z, z, Wq, Wk, Wv, Wo, bo, heads=heads, keep=tri(x.shape[1]) if causal else None)
    return a + F.gelu(torch_layer_norm(a, g2, o2) @ W1 + b1) @ W2 + b2


def transformer(x, g1, o1, Wq, Wk, Wv, Wo, bo, g2, o2, W1, b1, W2, b2, heads=2, causal=True):
    z = layer_norm(x, g1, o1)
    a = x + multi_head(z, z, Wq, Wk, Wv, Wo, bo, heads=heads, keep=tri(x.shape[1]) if causal else True)
    return a + jax.nn.gelu(layer_norm(a, g2, o2) @ W1 + b1, approximate=False) @ W2 + b2


def block_params(path, width, hidden):
    return {**norm(f"{path}.norm1", width), **attention_params(f"{path}.attend", width, width, width),
            **norm(f"{path}.norm2", width), f"{path}.up.W": (width, hidden), f"{path}.up.b": (hidden,),
            f"{path}.down.W": (hidden, width), f"{path}.down.b": (width,)}


case(T, "try_transformer_block", transformer, torch_gelu_block, x=(3, 3, 4), params=block_params("block", 4, 6))
for name, heads, shape, hidden, causal_too in [("of_one", 1, (1, 1, 3), 12, False), ("of_heads", 3, (1, 4, 3), 2, True)]:
    more = "" if hidden == 4 * shape[2] else f", hidden = {hidden}"
    variant(V, f"transformer_block_{name}",
            f"x |> block: transformer_block(heads = {heads}{more}{', causal = true' if causal_too else ''})",
            lambda x, *w: transformer(x, *w, heads=heads, causal=causal_too),
            lambda x, *w: torch_gelu_block(x, *w, heads=heads, causal=causal_too), x=shape,
            params=block_params("block", shape[2], hidden))

# ---- blocks of convolutions; in the order of their convolutions and norms ----


def residual(x, K1, g1, o1, K2, g2, o2, groups=1):
    z = jax.nn.relu(group_norm(groups)(conv(2, pad=1)(x, K1), g1, o1))
    return jax.nn.relu(x + group_norm(groups)(conv(2, pad=1)(z, K2), g2, o2))


def torch_residual(x, K1, g1, o1, K2, g2, o2, groups=1):
    z = F.relu(F.group_norm(F.conv2d(x, K1, padding=1), groups, g1, o1))
    return F.relu(x + F.group_norm(F.conv2d(z, K2, padding=1), groups, g2, o2))


def residual_params(C):
    return {"block.conv1.K": (C, C, 3, 3), **norm("block.norm1", C), "block.conv2.K": (C, C, 3, 3), **norm("block.norm2", C)}


case(T, "try_residual_block_of_groups", residual, torch_residual, x=(3, 2, 4, 3), params=residual_params(2))
variant(V, "residual_block_of_one_channel", "x |> block: residual_block(groups = 1)", residual, torch_residual, x=(1, 1, 2, 3),
        params=residual_params(1))


def projection(x, K1, g1, o1, K2, g2, o2, K3, b3, groups=2, stride=2):
    z = jax.nn.relu(group_norm(groups)(conv(2, stride=stride, pad=1)(x, K1), g1, o1))
    return jax.nn.relu(group_norm(groups)(conv(2, pad=1)(z, K2), g2, o2) + conv(2, stride=stride)(x, K3, b3))


def torch_projection(x, K1, g1, o1, K2, g2, o2, K3, b3, groups=2, stride=2):
    z = F.relu(F.group_norm(F.conv2d(x, K1, stride=stride, padding=1), groups, g1, o1))
    return F.relu(F.group_norm(F.conv2d(z, K2, padding=1), groups, g2, o2) + F.conv2d(x, K3, b3, stride))


def projection_params(C, filters):
    return {"block.conv1.K": (filters, C, 3, 3), **norm("block.norm1", filters), "block.conv2.K": (filters, filters, 3, 3),
            **norm("block.norm2", filters), "block.shortcut.K": (filters, C, 1, 1), "block.shortcut.b": (filters,)}


case(T, "try_residual_projection_of_groups", projection, torch_projection, x=(3, 2, 4, 5), params=projection_params(2, 4))
variant(V, "residual_projection_by_1", "x |> block: residual_projection(3, stride = 1, groups = 1)",
        lambda *v: projection(*v, groups=1, stride=1), lambda *v: torch_projection(*v, groups=1, stride=1), x=(1, 1, 2, 3),
        params=projection_params(1, 3))


def dense_block(x, g, o, K, groups=2):
    return jnp.concatenate([x, conv(2, pad=1)(jax.nn.relu(group_norm(groups)(x, g, o)), K)], 1)


def torch_dense_block(x, g, o, K, groups=2):
    return torch.cat([x, F.conv2d(F.relu(F.group_norm(x, groups, g, o)), K, padding=1)], 1)


case(T, "try_dense_block_of_groups", dense_block, torch_dense_block, x=(3, 2, 4, 3),
     params={**norm("block.norm", 2), "block.conv.K": (3, 2, 3, 3)})
variant(V, "dense_block_of_one_channel", "x |> block: dense_block(1, groups = 1)", lambda *v: dense_block(*v, groups=1),
        lambda *v: torch_dense_block(*v, groups=1), x=(1, 1, 2, 3), params={**norm("block.norm", 1), "block.conv.K": (1, 1, 3, 3)})
