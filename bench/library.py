"""library.py: a product or a convolution by PyTorch on one thread, spoken to as harness.cpp is: `time N`.

  library.py product nn|tn|nt M N K
  library.py convolution B C F SIZE K STRIDE      forward and both gradients
"""
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
import torch  # noqa: E402  the environment is read at import

torch.set_num_threads(1)
kind, *words = sys.argv[1:]
if kind == "product":
    form, (m, n, k) = words[0], map(int, words[1:])
    a = torch.randn((k, m) if form == "tn" else (m, k))
    b = torch.randn((n, k) if form == "nt" else (k, n))
    out = torch.empty(m, n)
    left, right = (a.t() if form == "tn" else a), (b.t() if form == "nt" else b)

    def call():
        torch.mm(left, right, out=out)
else:
    batch, c, f, size, k, stride = map(int, words)
    last = {"memory_format": torch.channels_last} if c >= 16 else {}
    x = torch.randn(batch, c, size, size).to(**last).requires_grad_()
    weight = torch.randn(f, c, k, k).to(**last).requires_grad_()
    dy = torch.randn_like(torch.conv2d(x, weight, None, stride, k // 2))

    def call():
        y = torch.conv2d(x, weight, None, stride, k // 2)
        torch.autograd.grad(y, (x, weight), dy)

print("ready", flush=True)
for line in sys.stdin:
    calls = int(line.split()[1])
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    print(time.perf_counter() - begin, flush=True)
