"""networks.py: what the rows compute, in words that PyTorch, JAX and a list of shapes all have (words.py).

A function of F (the words), p (parameters by their names in gradc) and the inputs in their order: a loss, or what a
net gives.
"""
from math import sqrt


def mlp(F, p, net, x, layers, activation):
    for k, name in enumerate(layers):
        x = F.linear(x, p[f"{net}.{name}.W"], p.get(f"{net}.{name}.b"))
        if k + 1 < len(layers):
            x = activation(x)
    return x


def tiny_answer(F, p, x):
    return mlp(F, p, "answer", x, ["fc1", "fc2", "fc3"], F.sigmoid)


def tiny(F, p, x, t):
    return F.mse(tiny_answer(F, p, x), t)


def fcnn(F, p, x, label):
    return F.cross_entropy(mlp(F, p, "classify", x, ["fc1", "fc2", "fc3"], F.relu), label)


def curve(F, p, x, t):
    return F.mse(mlp(F, p, "fit", x, ["fc1", "fc2", "fc3"], F.tanh), t)


def lenet_logits(F, p, x):
    c = "classify."
    x = F.max_pool(F.relu(F.conv(x, p[c + "conv1.K"], p[c + "conv1.b"], 1, 2)))
    x = F.max_pool(F.relu(F.conv(x, p[c + "conv2.K"], p[c + "conv2.b"], 1, 0)))
    return mlp(F, p, "classify", F.reshape(x, (x.shape[0], -1)), ["fc1", "fc2", "fc3"], F.relu)


def lenet(F, p, x, label):
    return F.cross_entropy(lenet_logits(F, p, x), label)


def autoencoder(F, p, x):
    z = F.relu(mlp(F, p, "restore", x, [f"fc{k}" for k in range(1, 6)], F.relu))
    return F.mse(mlp(F, p, "restore", z, [f"fc{k}" for k in range(6, 11)], F.relu), x)


def vae(F, p, x, eps):
    h = F.relu(F.linear(x, p["encode.fc1.W"], p["encode.fc1.b"]))
    mu = F.linear(h, p["encode.mean.W"], p["encode.mean.b"])
    logvar = F.linear(h, p["encode.spread.W"], p["encode.spread.b"])
    y = mlp(F, p, "decode", mu + F.exp(0.5 * logvar) * eps, ["fc1", "fc2"], F.relu)
    return F.mse(y, x) - 0.5 * F.mean(1 + logvar - mu * mu - F.exp(logvar))


def leaky(F):
    return lambda x: F.leaky_relu(x, 0.2)


def generate(F, p, z):
    return F.tanh(mlp(F, p, "generate", z, ["fc1", "fc2", "fc3"], F.relu))


def judge(F, p, x):
    return mlp(F, p, "judge", x, ["fc1", "fc2", "fc3"], leaky(F))


def judging(F, p, x, z):
    fake = F.detach(generate(F, p, z))
    return F.mean(F.softplus(-judge(F, p, x))) + F.mean(F.softplus(judge(F, p, fake)))


def fooling(F, p, x, z):
    return F.mean(F.softplus(-judge(F, p, generate(F, p, z))))


def attend(F, p, at, x, heads):
    b, t, d = x.shape
    q, k, v = (F.swap(F.reshape(F.linear(x, p[f"{at}.{n}.W"], None), (b, t, heads, d // heads)), 1, 2)
               for n in ("query", "key", "value"))
    y = F.causal_attention(q, k, v, 1 / sqrt(d // heads))
    return F.linear(F.reshape(F.swap(y, 1, 2), (b, t, d)), p[at + ".out.W"], p[at + ".out.b"])


def norm(F, p, at, x):
    return F.layer_norm(x, p[at + ".gain"], p[at + ".offset"])


def transformer_logits(F, p, ids, prefix="predict.", layers=4):
    x = F.take(p["predict.embed.E"], ids) + p["predict.place.P"]
    for k in range(1, layers + 1):
        b = f"{prefix}block{k}"
        x = x + attend(F, p, b + ".attend", norm(F, p, b + ".norm1", x), 4)
        h = F.gelu(F.linear(norm(F, p, b + ".norm2", x), p[b + ".up.W"], p[b + ".up.b"]))
        x = x + F.linear(h, p[b + ".down.W"], p[b + ".down.b"])
    return F.linear(norm(F, p, "predict.norm", x), p["predict.head.W"], p["predict.head.b"])


def each(F, logits, label):
    """The mean over all positions of all examples."""
    return F.cross_entropy(F.reshape(logits, (-1, logits.shape[-1])), F.reshape(label, (-1,)))


def transformer(F, p, ids, label):
    return each(F, transformer_logits(F, p, ids), label)


def deep(F, p, ids, label):
    return each(F, transformer_logits(F, p, ids, "predict.blocks.", 12), label)


def rms(F, x):
    return x / F.sqrt(F.mean(x * x, -1)[..., None] + 1e-5)


def microgpt(F, p, ids, label):
    w = {name[len("predict."):]: value for name, value in p.items()}
    x = rms(F, F.take(w["embed.E"], ids) + w["place.P"])
    n = rms(F, x)
    b, t, d = x.shape
    q, k, v = (F.swap(F.reshape(F.linear(n, w[name + ".W"], None), (b, t, 4, d // 4)), 1, 2)
               for name in ("query", "key", "value"))
    y = F.reshape(F.swap(F.causal_attention(q, k, v, 1 / sqrt(d // 4)), 1, 2), (b, t, d))
    a = x + F.linear(y, w["out.W"], None)
    a = a + F.linear(F.relu(F.linear(rms(F, a), w["up.W"], None)), w["down.W"], None)
    return each(F, F.linear(a, w["head.W"], None), label)


def lstm(F, p, x, label):
    h = F.lstm(x, p["classify.lstm.W"], p["classify.lstm.U"], p["classify.lstm.b"])
    return F.cross_entropy(F.linear(h, p["classify.fc.W"], p["classify.fc.b"]), label)


def gru(F, p, x, label):
    h = F.gru(x, p["classify.gru.W"], p["classify.gru.U"], p["classify.gru.b"], p["classify.gru.v"])
    return F.cross_entropy(F.linear(h, p["classify.fc.W"], p["classify.fc.b"]), label)


def keywords(F, p, x, label):
    c = "classify."

    def bn(x, name):
        return F.relu(F.batch_norm(x, p[c + name + ".gain"], p[c + name + ".offset"]))

    x = bn(F.conv(x, p[c + "conv.K"], None, 2, (5, 1)), "norm")
    for k in range(1, 5):
        x = bn(F.depthwise(x, p[f"{c}block{k}.depth.K"], 1), f"block{k}.norm1")
        x = bn(F.conv(x, p[f"{c}block{k}.point.K"], None, 1, 0), f"block{k}.norm2")
    return F.cross_entropy(F.linear(F.mean(x, (2, 3)), p[c + "fc.W"], p[c + "fc.b"]), label)


def resnet_of(blocks, widening):
    """Blocks from 1 on; those in `widening` have stride 2 and a projected shortcut."""
    def resnet(F, p, x, label):
        c = "classify."

        def conv(x, name, stride=1):
            k = p[c + name + ".K"]
            return F.conv(x, k, None, stride, (k.shape[2] - 1) // 2)

        def gn(x, name):
            return F.group_norm(x, 4, p[c + name + ".gain"], p[c + name + ".offset"])

        x = F.relu(gn(conv(x, "conv"), "norm"))
        for k in range(1, blocks + 1):
            name, stride = f"block{k}", 2 if k in widening else 1
            h = F.relu(gn(conv(x, name + ".conv1", stride), name + ".norm1"))
            shortcut = conv(x, f"shortcut{k}", 2) if stride == 2 else x
            x = F.relu(shortcut + gn(conv(h, name + ".conv2"), name + ".norm2"))
        return F.cross_entropy(F.linear(F.mean(x, (2, 3)), p[c + "fc.W"], p[c + "fc.b"]), label)

    return resnet
