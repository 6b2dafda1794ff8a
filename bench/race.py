"""race.py: one row of bench/run: gradc and its peers started, compared, timed."""
import json
import os

from contest import HERE, OUT, PYTHON, Contestant, Missing, cores, interleaved, pinned, run
from programs import Programs

# The peers and what the head of their column says.
PEERS = {"torch": "eager", "torch-compile": "compile", "jax": "JAX jit", "jax-scan": "scan", "onnx": "ORT",
         "onednn": "oneDNN", "by-hand": "by hand", "f32": "own f32"}
BF16_TOLERANCE = 2e-2  # of losses: five roundings to 8 bits, all in one direction


def applies(peer, row):
    if row.storage != "f32":
        return peer in ("torch", "f32")
    if peer == "f32":
        return False
    if peer == "by-hand":
        return row.by_hand != ""
    if peer == "onnx":
        return not row.optimizer
    return row.optimizer is not None or peer != "jax-scan"


def work(gradc, row, function=None):
    """FLOPs of one call, as gradc counts the formulas it emits, and 2 for each multiply-add of its products; without those
    of zeros around a tensor, which need not be computed."""
    stats = json.loads(run([gradc, "stats", HERE / "specs" / f"{row.spec}.nn", "--json", *Programs.sizes(row)]))
    counted = next(f for f in stats["functions"] if f["name"] == (function or row.function))  # a net: forward comes first
    padding = 2 * counted["padding_macs"]
    return {"flops": counted["flops"] - padding, "flops_of_products": 2 * counted["macs"] - padding}


def least(row, machine, flops, folder):
    """Bytes that move at least (parameters and moments in and out, inputs in), and the least time: all FLOPs at the
    peak, or these bytes once, as many as a level of memory holds at that level's rate."""
    model = json.loads((folder / "model.json").read_text())
    inputs = 0
    for entry in model["inputs"]:
        size = 4
        for extent in entry["shape"]:
            size *= extent
        inputs += size
    moments = model["state_size"] if row.optimizer and row.optimizer[0] == "adam" else 0
    moved = inputs + (2 if row.optimizer else 1) * (model["parameters_size"] + moments)
    seconds, left = 0.0, moved
    for name, size in zip(("read_l1", "read_l2", "read_l3", "read_dram"), (*machine["caches"], left)):
        seconds += min(left, size) / machine[name]
        left -= min(left, size)
    return moved, max(flops / machine["fma_f32"], seconds)


# Memory of peers is in large pages like that of networks here: PyTorch's by its own setting, others' by that of malloc.
def environment(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1",
            "THP_MEM_ALLOC_ENABLE": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def start_peer(peer, row, folder, threads, limit, steps, programs, **more):
    log, around = folder / f"{peer}.log", {**environment(threads), **more}
    if peer == "by-hand":
        size = row.dims.get("B", 1)
        return Contestant(peer, [*pinned(), programs.by_hand(), row.by_hand, folder, size], log, around, limit)
    if peer == "f32":
        own, = programs.contestants(row._replace(id=f"{row.id}.f32", storage="f32"), [row.function], threads)
        own.name = peer
        return own
    if not PYTHON.exists():
        raise Missing("none", "bench/setup was not run")
    if peer == "onednn":
        program, shapes = programs.primitives(), folder / "chain.txt"
        shapes.write_text(run([PYTHON, HERE / "chain.py", row.id, folder], env=around))
        return Contestant(peer, [*pinned(threads), program, shapes], log, around, limit)
    command = [PYTHON, HERE / "peers.py", peer, row.id, folder, ",".join(map(str, cores(threads))), steps]
    return Contestant(peer, command, log, around, limit)


def compare(expected, contestant, tolerance):
    """Losses must agree; a chain of primitives has none."""
    if contestant.name == "onednn":
        return
    got = contestant.losses()
    scale = max(map(abs, expected)) if len(expected) > 1 else abs(expected[0])
    apart = max(abs(a - b) / max(scale, 1e-6) for a, b in zip(expected, got, strict=True))
    if not apart <= tolerance:
        contestant.stop()
        raise Missing("differs", f"losses differ by {apart:.1e}")


def race(row, programs, machine, options, tolerance):
    result = {"row": row.id, "workload": row.title, "seconds": {}, "ratios": {}, "first_steps": {}, "missing": {}}
    folder, started, ready = OUT / "rows" / row.id, [], []

    def miss(peer, why):
        result["missing"][peer] = {"cell": why.cell, "why": str(why)}

    try:
        ours, = programs.contestants(row, [row.function], options.threads)
        ours.name = "gradc"
        expected = ours.losses()
        ours.calibrate()
    except Missing as why:
        miss("gradc", why)
        return result
    steps = min(10000, max(10, ours.calls))
    for peer in (peer for peer in options.peers if applies(peer, row)):
        try:
            started.append(start_peer(peer, row, folder, options.threads, options.limit, steps, programs))
        except Missing as why:
            miss(peer, why)
    for contestant in started:  # they came up side by side
        try:
            if contestant.name != "f32":  # which is
                result["first_steps"][contestant.name] = contestant.ready()
            compare(expected, contestant, tolerance if row.storage == "f32" else BF16_TOLERANCE)
            ready.append(contestant)
        except Missing as why:
            miss(contestant.name, why)
    result["seconds"], failed = interleaved([ours, *ready], options.repetitions)
    for peer, why in failed.items():
        miss(peer, why)
    if "gradc" in result["seconds"]:
        median = result["seconds"]["gradc"]["median"]
        result["ratios"] = {p: t["median"] / median for p, t in result["seconds"].items() if p != "gradc"}
        result.update(work(programs.gradc, row))
        result["bytes"], result["roofline_seconds"] = least(row, machine, result["flops"], folder)
        result["share"] = result["roofline_seconds"] / result["seconds"]["gradc"]["best"]
        result["goal"] = row.goal
    return result
