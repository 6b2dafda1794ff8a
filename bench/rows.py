"""rows.py: the workloads of bench/run, each a spec and, for the peers, the same loss in words both PyTorch and JAX have.

A loss is a function of F (see peers.py: one set of words over either framework), p (parameters by their names in
gradc) and the inputs of the step in their order.
"""
from collections import namedtuple
from math import sqrt

# losses: (prefix of the names of the parameters it trains, function); the first is compared.
Row = namedtuple("Row", "id title spec function dims optimizer losses")


def mlp(F, p, net, x, layers, activation):
    for k, name in enumerate(layers):
        x = F.linear(x, p[f"{net}.{name}.W"], p.get(f"{net}.{name}.b"))
        if k + 1 < len(layers):
            x = activation(x)
    return x


def tiny(F, p, x, t):
    return F.mse(mlp(F, p, "answer", x, ["fc1", "fc2", "fc3"], F.sigmoid), t)


def fcnn(F, p, x, label):
    return F.cross_entropy(mlp(F, p, "classify", x, ["fc1", "fc2", "fc3"], F.relu), label)


def curve(F, p, x, t):
    return F.mse(mlp(F, p, "fit", x, ["fc1", "fc2", "fc3"], F.tanh), t)


def lenet(F, p, x, label):
    c = "classify."
    x = F.max_pool(F.relu(F.conv(x, p[c + "conv1.K"], p[c + "conv1.b"], 1, 2)))
    x = F.max_pool(F.relu(F.conv(x, p[c + "conv2.K"], p[c + "conv2.b"], 1, 0)))
    return F.cross_entropy(mlp(F, p, "classify", F.reshape(x, (x.shape[0], -1)), ["fc1", "fc2", "fc3"], F.relu), label)


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


def transformer(F, p, ids, label):
    x = F.take(p["predict.embed.E"], ids) + p["predict.place.P"]
    for k in range(1, 5):
        b = f"predict.block{k}"
        x = x + attend(F, p, b + ".attend", norm(F, p, b + ".norm1", x), 4)
        h = F.gelu(F.linear(norm(F, p, b + ".norm2", x), p[b + ".up.W"], p[b + ".up.b"]))
        x = x + F.linear(h, p[b + ".down.W"], p[b + ".down.b"])
    logits = F.linear(norm(F, p, "predict.norm", x), p["predict.head.W"], p["predict.head.b"])
    return F.cross_entropy(F.reshape(logits, (-1, 65)), F.reshape(label, (-1,)))


def resnet(F, p, x, label):
    c = "classify."

    def conv(x, name, stride=1):
        k = p[c + name + ".K"]
        return F.conv(x, k, None, stride, (k.shape[2] - 1) // 2)

    def gn(x, name):
        return F.group_norm(x, 4, p[c + name + ".gain"], p[c + name + ".offset"])

    def block(x, name, stride=1):
        h = F.relu(gn(conv(x, name + ".conv1", stride), name + ".norm1"))
        return gn(conv(h, name + ".conv2"), name + ".norm2")

    a = F.relu(gn(conv(x, "conv"), "norm"))
    b = F.relu(a + block(a, "block1"))
    c3 = F.relu(conv(b, "shortcut2", 2) + block(b, "block2", 2))
    d = F.relu(conv(c3, "shortcut3", 2) + block(c3, "block3", 2))
    return F.cross_entropy(F.linear(F.mean(d, (2, 3)), p[c + "fc.W"], p[c + "fc.b"]), label)


def row(id, title, spec, loss, optimizer, function="train", **dims):
    losses = loss if isinstance(loss, list) else [("", loss)]
    return Row(id, title, spec, function, dims, optimizer, losses)


sgd = ("sgd", {"lr": 0.01})
adam = ("adam", {"lr": 1e-3, "weight_decay": 0.0})

ROWS = [
    row("C1", "MLP 3-4-2-5, one example a step", "single", tiny, sgd),
    row("C2", "MLP 3-4-2-5, 1024 examples", "tiny", tiny, sgd, B=1024),
    row("C3", "300-512-256-5, batch 1", "fcnn", fcnn, sgd, B=1),
    row("C4a", "300-512-256-5, batch 8", "fcnn", fcnn, sgd, B=8),
    row("C4b", "300-512-256-5, batch 16", "fcnn", fcnn, sgd, B=16),
    row("C4c", "300-512-256-5, batch 32", "fcnn", fcnn, sgd, B=32),
    row("C5", "300-512-256-5, batch 64", "fcnn", fcnn, sgd, B=64),
    row("C5b", "300-512-256-5, batch 256", "fcnn", fcnn, sgd, B=256),
    row("C6", "300-512-256-5, batch 64, Adam", "fcnn", fcnn, adam, function="train_adam", B=64),
    row("C7", "MLP 4-32-16-4 tanh, 10,000 examples, Adam", "curve", curve, adam, B=10000),
    row("C8", "LeNet-5, batch 64", "lenet", lenet, sgd, B=64),
    row("C9", "autoencoder 640-128x4-8-128x4-640, batch 64", "autoencoder", autoencoder, sgd, B=64),
    row("C10", "VAE 784-400-20-400-784, batch 128, Adam", "vae", vae, adam, B=128),
    row("C11", "GAN 64-256-256-784, batch 64, Adam", "gan", [("judge.", judging), ("generate.", fooling)],
        ("adam", {"lr": 2e-4, "weight_decay": 0.0}), B=64),
    row("C12", "ResNet-8 with group norm, batch 32", "resnet", resnet, sgd, B=32),
    row("C14", "transformer, 4 layers, width 128, batch 12, AdamW", "transformer", transformer,
        ("adam", {"lr": 1e-3, "weight_decay": 0.1}), B=12),
]
