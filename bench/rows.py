"""rows.py: the workloads of bench/run, each a spec, a size, what the peers compute, and what gradc should reach."""
from collections import namedtuple

import networks as net

# losses: (prefix of the names of the parameters it trains, function); the first is compared. An inference has no
# optimizer, and for its loss what the net gives. consts: of the spec. by_hand: the case of by_hand.cpp, or "".
# storage: of what kernels hand on; bf16 for PyTorch's autocast, too. channels_last: PyTorch's layout for images, where it is faster so. goal: the share of the roofline, and how many times
# as long each peer should take.
Row = namedtuple("Row", "id title spec function dims optimizer losses consts by_hand channels_last storage goal")


def row(id, title, spec, loss, optimizer, goal, function="train", consts=None, by_hand="", channels_last=False,
        storage="f32", **dims):
    losses = loss if isinstance(loss, list) else [("", loss)]
    names = ["share", "torch", "torch-compile", "jax", "onednn"]
    goals = dict(zip(names, goal)) if isinstance(goal, tuple) else goal
    return Row(id, title, spec, function, dims, optimizer, losses, consts or {}, by_hand, channels_last, storage, goals)


def inference(id, title, spec, gives, function, goal, **dims):
    return row(id, title, spec, gives, None, dict(zip(["torch", "onnx"], goal)), function, **dims)


def adamw(lr=1e-3, weight_decay=0.0):
    return ("adam", {"lr": lr, "weight_decay": weight_decay})


sgd = ("sgd", {"lr": 0.01})
smallest = {"torch": 30, "torch-compile": 10, "jax": 6}

ROWS = [
    row("C1", "MLP 3-4-2-5, one example a step", "single", net.tiny, sgd,
        {"torch": 2000, "torch-compile": 400, "jax": 100, "jax-scan": 15}, by_hand="tiny"),
    row("C2", "MLP 3-4-2-5, 1024 examples", "tiny", net.tiny, sgd, {"torch": 30, "torch-compile": 15, "jax": 8},
        by_hand="tiny", B=1024),
    row("C3", "300-512-256-5, batch 1", "fcnn", net.fcnn, sgd, (85, 6, 4, 3, 2), by_hand="fcnn", B=1),
    row("C4a", "300-512-256-5, batch 8", "fcnn", net.fcnn, sgd, (90, 3, 2, 1.8, 1.3), by_hand="fcnn", B=8),
    row("C4b", "300-512-256-5, batch 16", "fcnn", net.fcnn, sgd, (93, 3, 2, 1.8, 1.3), by_hand="fcnn", B=16),
    row("C4c", "300-512-256-5, batch 32", "fcnn", net.fcnn, sgd, (95, 3, 2, 1.8, 1.3), by_hand="fcnn", B=32),
    row("C5", "300-512-256-5, batch 64", "fcnn", net.fcnn, sgd, (96, 1.5, 1.4, 1.4, 1.1), by_hand="fcnn", B=64),
    row("C5b", "300-512-256-5, batch 256", "fcnn", net.fcnn, sgd, (96, 1.5, 1.4, 1.4, 1.1), by_hand="fcnn", B=256),
    row("C6", "300-512-256-5, batch 64, Adam", "fcnn", net.fcnn, adamw(), (92, 1.6, 1.4, 1.4, 1.25),
        function="train_adam", B=64),
    row("C7", "MLP 4-32-16-4 tanh, 10,000 examples, Adam", "curve", net.curve, adamw(),
        {"torch": 25, "torch-compile": 8, "jax": 4}, B=10000),
    row("C8", "LeNet-5, batch 64", "lenet", net.lenet, sgd, (82, 10, 6, 5, 3), by_hand="lenet", B=64),
    row("C9", "autoencoder 640-128x4-8-128x4-640, batch 64", "autoencoder", net.autoencoder, sgd,
        (92, 1.8, 1.5, 1.5, 1.15), B=64),
    row("C10", "VAE 784-400-20-400-784, batch 128, Adam", "vae", net.vae, adamw(), (93, 1.6, 1.4, 1.4, 1.1), B=128),
    row("C11", "GAN 64-256-256-784, batch 64, Adam", "gan", [("judge.", net.judging), ("generate.", net.fooling)],
        adamw(2e-4), (90, 2, 1.7, 1.7, 1.2), B=64),
    row("C12a", "ResNet-8 with group norm, batch 32", "resnet", net.resnet_of(3, {2, 3}), sgd, (88, 2, 1.6, 2.5, 1.25),
        channels_last=True, B=32),
    row("C12b", "ResNet-20 with group norm, batch 32", "resnet20", net.resnet_of(9, {4, 7}), sgd,
        (88, 2, 1.6, 2.5, 1.25), channels_last=True, B=32),
    row("C13", "DS-CNN, depthwise, batch 64", "keywords", net.keywords, sgd, (75, 4, 3, 3, 2), channels_last=True, B=64),
    row("C14", "transformer, 4 layers, width 128, batch 12, AdamW", "transformer", net.transformer, adamw(1e-3, 0.1),
        (84, 3, 2, 2, 1.2), B=12),
    *(row(f"C15{letter}", f"microgpt of width {width}, batch 16, Adam", "microgpt", net.microgpt, adamw(), smallest,
          consts={"width": width}, B=16) for letter, width in zip("abcd", (16, 32, 64, 128))),
    row("C16a", "LSTM 32-128, 64 times, batch 32", "lstm", net.lstm, sgd, (80, 5, 3, 3, 1.2), B=32),
    row("C16b", "GRU 32-128, 64 times, batch 32", "gru", net.gru, sgd, (80, 5, 3, 3, 1.2), B=32),
    row("C18a", "C5 with values of bf16", "fcnn", net.fcnn, sgd, {"torch": 2, "f32": 1.7}, storage="bf16", B=64),
    row("C18b", "C14 with values of bf16", "transformer", net.transformer, adamw(1e-3, 0.1), {"torch": 2, "f32": 1.7},
        storage="bf16", B=12),
    inference("C17a", "inference of C1", "single", net.tiny_answer, "answer", (500, 50)),
    inference("C17b", "inference of C8, one image", "lenet", net.lenet_logits, "classify", (30, 5), B=1),
    inference("C17c", "inference of C14, one text", "transformer", net.transformer_logits, "predict", (8, 3), B=1),
]

# Only compiled and run once (compile_time.py): 12 layers take a peer's compiler minutes.
COMPILED = [next(r for r in ROWS if r.id == "C1"), next(r for r in ROWS if r.id == "C5"),
            next(r for r in ROWS if r.id == "C8"),
            row("deep", "transformer of 12 layers", "deep", net.deep, adamw(1e-3, 0.1), {}, B=4)]
