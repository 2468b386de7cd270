"""Does single ops when it is told to, for tools/bench to time: with numpy where the first argument is "cpu", with PyTorch where
it is "cuda". The first line that it writes says whose they are; then a line on standard input is an op, the precision of its
operands, its sizes and how many times; it is answered by a line when all are done:

    matmul fp32 m n k transA transB times      (m,k) (k,n); only fp32 on a CPU
    forward fp16 B T H D times                 scaled_dot_product_attention, heads as PyTorch wants them
    backward fp16 B T H D times                its gradients alone, the forward pass having been done once
"""
import os
import sys


def cpu():
    import numpy as np

    np.dot(np.ones((8, 8), np.float32), np.ones((8, 8), np.float32))  # loads the library
    libraries = set()
    if os.path.exists("/proc/self/maps"):
        libraries = {os.path.basename(line.split()[-1]) for line in open("/proc/self/maps") if "blas" in line.lower()}

    def matmul(_, m, n, k, trans_a, trans_b):
        rng = np.random.default_rng(1)
        a = rng.standard_normal((k, m) if trans_a else (m, k), dtype=np.float32)
        b = rng.standard_normal((n, k) if trans_b else (k, n), dtype=np.float32)
        a, b, c = a.T if trans_a else a, b.T if trans_b else b, np.empty((m, n), np.float32)
        return lambda: np.matmul(a, b, out=c)

    return " ".join(["numpy", np.__version__, *sorted(libraries)]), {"matmul": matmul}, lambda: None


def cuda():
    import torch
    import torch.nn.functional as F

    torch.backends.cuda.matmul.allow_tf32 = False
    types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

    def noise(precision, *shape):
        return torch.randn(*shape, device="cuda", dtype=torch.float32).to(types[precision])

    def matmul(precision, m, n, k, trans_a, trans_b):
        a = noise(precision, k, m).t() if trans_a else noise(precision, m, k)
        b = noise(precision, n, k).t() if trans_b else noise(precision, k, n)
        c = torch.empty(m, n, device="cuda", dtype=types[precision])
        return lambda: torch.matmul(a, b, out=c)

    def forward(precision, B, T, H, D):
        q, k, v = (noise(precision, B, H, T, D) for _ in range(3))
        return lambda: F.scaled_dot_product_attention(q, k, v)

    def backward(precision, B, T, H, D):
        q, k, v = (noise(precision, B, H, T, D).requires_grad_() for _ in range(3))
        o = F.scaled_dot_product_attention(q, k, v)
        do = torch.randn_like(o)
        return lambda: torch.autograd.grad(o, (q, k, v), do, retain_graph=True)

    name = "torch %s on %s" % (torch.__version__, torch.cuda.get_device_name())
    return name, {"matmul": matmul, "forward": forward, "backward": backward}, torch.cuda.synchronize


name, ops, finish = {"cpu": cpu, "cuda": cuda}[sys.argv[1]]()
print(name, flush=True)
kept = {}
for line in sys.stdin:
    call, times = line.rsplit(None, 1)
    if call not in kept:
        op, precision, *sizes = call.split()
        kept[call] = ops[op](precision, *map(int, sizes))
    for _ in range(int(times)):
        kept[call]()
    finish()
    print("done", flush=True)
