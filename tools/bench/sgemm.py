"""Multiplies fp32 matrices with numpy when it is told to: a line "m n k transA transB times" on standard input is that many
products (m,k) (k,n), answered by a line when they are done. The first line that it writes says whose sgemm it is."""
import os
import sys

import numpy as np

np.dot(np.ones((8, 8), np.float32), np.ones((8, 8), np.float32))  # loads the library
libraries = set()
if os.path.exists("/proc/self/maps"):
    libraries = {os.path.basename(line.split()[-1]) for line in open("/proc/self/maps") if "blas" in line.lower()}
print("numpy", np.__version__, *sorted(libraries), flush=True)

kept = {}
for line in sys.stdin:
    *key, times = map(int, line.split())
    if tuple(key) not in kept:
        m, n, k, trans_a, trans_b = key
        rng = np.random.default_rng(1)
        a = rng.standard_normal((k, m) if trans_a else (m, k), dtype=np.float32)
        b = rng.standard_normal((n, k) if trans_b else (k, n), dtype=np.float32)
        kept[tuple(key)] = (a.T if trans_a else a, b.T if trans_b else b, np.empty((m, n), np.float32))
    a, b, c = kept[tuple(key)]
    for _ in range(times):
        np.matmul(a, b, out=c)
    print("done", flush=True)
