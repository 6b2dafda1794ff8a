"""words.py: what networks.py is written in, for PyTorch, for JAX, and for a list of the products and convolutions."""
import types


def pair(pad):
    return pad if isinstance(pad, tuple) else (pad, pad)


def torch_words():
    import torch
    import torch.nn.functional as f

    def linear(x, w, b):
        if b is None:
            return x @ w
        return torch.addmm(b, x, w) if x.dim() == 2 else x @ w + b

    def last(sequence):
        return sequence[0][:, -1]

    def lstm(x, w, u, b):
        zero = x.new_zeros(1, x.shape[0], u.shape[0])
        return last(torch.lstm(x, (zero, zero), (w.t(), u.t(), b, torch.zeros_like(b)), True, 1, 0.0, False, False, True))

    def gru(x, w, u, b, v):
        zero = x.new_zeros(1, x.shape[0], u.shape[0])
        return last(torch.gru(x, zero, (w.t(), u.t(), b, v), True, 1, 0.0, False, False, True))

    return types.SimpleNamespace(
        linear=linear, conv=f.conv2d, relu=torch.relu, tanh=torch.tanh, sigmoid=torch.sigmoid, exp=torch.exp,
        sqrt=torch.sqrt, gelu=f.gelu, softplus=f.softplus, leaky_relu=f.leaky_relu, mse=f.mse_loss, mean=torch.mean,
        depthwise=lambda x, k, pad: f.conv2d(x, k[:, None], None, 1, pad, 1, x.shape[1]), lstm=lstm, gru=gru,
        cross_entropy=lambda z, label: f.cross_entropy(z, label.long()), max_pool=lambda x: f.max_pool2d(x, 2),
        reshape=torch.reshape, swap=torch.transpose, detach=lambda x: x.detach(),
        take=lambda table, ids: f.embedding(ids, table),
        causal_attention=lambda q, k, v, scale: f.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale),
        layer_norm=lambda x, gain, offset: f.layer_norm(x, gain.shape, gain, offset, 1e-5),
        batch_norm=lambda x, gain, offset: f.batch_norm(x, None, None, gain, offset, True, 0.1, 1e-5),
        group_norm=lambda x, n, gain, offset: f.group_norm(x, n, gain, offset, 1e-5))


def jax_words():
    import jax
    import jax.numpy as jnp
    from jax import lax

    def linear(x, w, b):
        return x @ w if b is None else x @ w + b

    def conv(x, k, b, stride, pad, groups=1):
        y = lax.conv_general_dilated(x, k, (stride, stride), [(p, p) for p in pair(pad)], feature_group_count=groups)
        return y if b is None else y + b[None, :, None, None]

    def cross_entropy(z, label):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), label[:, None], 1))

    def causal_attention(q, k, v, scale):
        t = q.shape[2]
        score = jnp.where(jnp.tril(jnp.ones((t, t), bool)), q @ k.swapaxes(2, 3) * scale, -jnp.inf)
        return jax.nn.softmax(score) @ v

    def layer_norm(x, gain, offset):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * gain + offset

    def group_norm(x, n, gain, offset):
        z = x.reshape(x.shape[0], n, -1)
        z = (z - z.mean(-1, keepdims=True)) / jnp.sqrt(z.var(-1, keepdims=True) + 1e-5)
        return z.reshape(x.shape) * gain[None, :, None, None] + offset[None, :, None, None]

    def batch_norm(x, gain, offset):
        m = x.mean((0, 2, 3), keepdims=True)
        z = (x - m) / jnp.sqrt(((x - m) ** 2).mean((0, 2, 3), keepdims=True) + 1e-5)
        return z * gain[None, :, None, None] + offset[None, :, None, None]

    def lstm(x, w, u, b):
        def cell(carry, a):
            h, c = carry
            i, f, g, o = jnp.split(a + h @ u, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zero = jnp.zeros((x.shape[0], u.shape[0]))
        return lax.scan(cell, (zero, zero), (x @ w + b).swapaxes(0, 1))[0][0]

    def gru(x, w, u, b, v):
        def cell(h, a):
            (ar, az, an), (hr, hz, hn) = jnp.split(a, 3, -1), jnp.split(h @ u + v, 3, -1)
            z = jax.nn.sigmoid(az + hz)
            return (1 - z) * jnp.tanh(an + jax.nn.sigmoid(ar + hr) * hn) + z * h, None

        return lax.scan(cell, jnp.zeros((x.shape[0], u.shape[0])), (x @ w + b).swapaxes(0, 1))[0]

    return types.SimpleNamespace(
        linear=linear, conv=conv, relu=jax.nn.relu, tanh=jnp.tanh, sigmoid=jax.nn.sigmoid, exp=jnp.exp, sqrt=jnp.sqrt,
        gelu=lambda x: jax.nn.gelu(x, approximate=False), softplus=jax.nn.softplus, leaky_relu=jax.nn.leaky_relu,
        mse=lambda y, t: jnp.mean((y - t) ** 2), mean=jnp.mean, cross_entropy=cross_entropy,
        depthwise=lambda x, k, pad: conv(x, k[:, None], None, 1, pad, x.shape[1]), lstm=lstm, gru=gru,
        max_pool=lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
        reshape=jnp.reshape, swap=jnp.swapaxes, detach=lax.stop_gradient, take=lambda table, ids: table[ids],
        causal_attention=causal_attention, layer_norm=layer_norm, batch_norm=batch_norm, group_norm=group_norm)


class Traced:
    """The words of a list of shapes: a loss is run on zeros, and its products and convolutions are written down.

    A product is (examples, m, n, k, forms), a convolution (b, c, h, w, f, kh, kw, stride, pad, pad, groups, forms);
    forms is what is needed of it: y(forward), x(gradient of the first factor), w(eights' gradient).
    """

    def __init__(self, inputs, trained):
        import numpy as np
        self.np = np
        self.given = {id(x) for x in inputs}  # what no gradient goes to
        self.kept = list(inputs)  # alive, so that an id stays one's own
        self.trained = {id(w) for w in trained}  # None of them: an inference
        self.all = []
        same = lambda x, *_: self.follow(x, x * 1)  # noqa: E731
        for name in ("relu", "tanh", "sigmoid", "exp", "gelu", "softplus", "leaky_relu", "sqrt"):
            setattr(self, name, same)
        self.mean = lambda x, axis=None: np.zeros(np.zeros(x.shape).mean(axis).shape, np.float32)
        self.mse = self.cross_entropy = lambda *_: np.float32(0)
        self.swap = np.swapaxes
        self.batch_norm = lambda x, *_: same(x)
        self.layer_norm = lambda x, *_: same(x)
        self.group_norm = lambda x, *_: same(x)

    def forms(self, x, w):
        if not self.trained:
            return "y"
        return "y" + ("" if id(x) in self.given else "x") + ("w" if id(w) in self.trained else "")

    def follow(self, x, y):
        """y is computed from x alone: no gradient goes to it where none goes to x."""
        return self.detach(y) if id(x) in self.given else y

    def reshape(self, x, shape):
        return self.follow(x, x.reshape(shape))

    def detach(self, x):
        self.given.add(id(x))
        self.kept.append(x)
        return x

    def zeros(self, *shape):
        return self.np.zeros(shape, self.np.float32)

    def product(self, batch, m, n, k, forms):
        self.all.append(["product", batch, m, n, k, forms])

    def linear(self, x, w, b):
        self.product(1, int(self.np.prod(x.shape[:-1])), w.shape[1], w.shape[0], self.forms(x, w))
        y = self.zeros(*x.shape[:-1], w.shape[1])
        return y if id(w) in self.trained else self.follow(x, y)

    def conv(self, x, k, b, stride, pad, groups=1):
        (b, c, h, w), (f, _, u, v), (p, q) = x.shape, k.shape, pair(pad)
        self.all.append(["convolution", b, c, h, w, f, u, v, stride, p, q, groups, self.forms(x, k)])
        return self.zeros(b, f, (h + 2 * p - u) // stride + 1, (w + 2 * q - v) // stride + 1)

    def depthwise(self, x, k, pad):
        one = k[:, None]
        if id(k) in self.trained:
            self.trained.add(id(one))
            self.kept.append(one)
        return self.conv(x, one, None, 1, pad, x.shape[1])

    def max_pool(self, x):
        return self.zeros(x.shape[0], x.shape[1], x.shape[2] // 2, x.shape[3] // 2)

    def take(self, table, ids):
        return self.zeros(*ids.shape, table.shape[1])

    def causal_attention(self, q, k, v, scale):
        b, heads, t, d = q.shape
        forms = "yxw" if self.trained else "y"
        self.product(b * heads, t, t, d, forms)
        self.product(b * heads, t, d, t, forms)
        return v * 1

    def recurrent(self, x, w, u):
        b, t, i = x.shape
        self.product(1, b * t, w.shape[1], i, self.forms(x, w))
        for _ in range(t - 1):  # the gradient of u is one product over all times
            self.product(1, b, u.shape[1], u.shape[0], "yx")
        self.product(1, b * (t - 1), u.shape[1], u.shape[0], "w")
        return self.zeros(b, u.shape[0])

    def lstm(self, x, w, u, b):
        return self.recurrent(x, w, u)

    def gru(self, x, w, u, b, v):
        return self.recurrent(x, w, u)


def chain(row, parameters, inputs):
    """What a step of the row multiplies, in order. A later loss shares what it computes forward with the first."""
    found = []
    for k, (prefix, loss) in enumerate(row.losses):
        trained = [w for name, w in parameters.items() if name.startswith(prefix)] if row.optimizer else []
        F = Traced(inputs, trained)
        loss(F, parameters, *inputs)
        found += [[*what, forms if k == 0 else forms.replace("y", "")] for *what, forms in F.all]
    return [entry for entry in found if entry[-1]]
