"""recompute.py: row K6 of bench/run: the FLOPs that keeping within a limit of memory adds, beside the least there could be.

Both have the tasks and values of `gradc stats --json`: calls in the order in which they run first, the FLOPs of each, the
bytes of what they read and write. The least is that of a mixed-integer program after Checkmate (Jain et al., MLSys 2020,
arXiv 1910.02653), solved by HiGHS in a process of its own, for which bench/setup installs scipy.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

from contest import HERE, PYTHON

CASES = [("autoencoder", "train"), ("lenet", "train"), ("resnet", "train"), ("microgpt", "train")]
SHARES = [95, 90, 80, 70, 60, 50]  # limits, in percent of what a step takes without one
QUICK = [90, 70]
GOAL = 1.05  # times the added FLOPs of the best
SMALL = 1 / 500  # of the limit: values that take less take nothing in the program, which makes its answer no larger


class Program:
    """Columns of 0 or 1, and rows lower <= sum of factors times columns <= upper."""

    def __init__(self):
        self.costs, self.rows, self.columns, self.factors, self.lower, self.upper = [], [], [], [], [], []

    def column(self, cost=0.0):
        self.costs.append(cost)
        return len(self.costs) - 1

    def row(self, terms, lower, upper):
        for column, factor in terms:
            self.rows.append(len(self.lower))
            self.columns.append(column)
            self.factors.append(factor)
        self.lower.append(lower)
        self.upper.append(upper)

    def solve(self, seconds):
        import numpy
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        matrix = csr_array((self.factors, (self.rows, self.columns)), shape=(len(self.lower), len(self.costs)))
        return milp(self.costs, integrality=numpy.ones(len(self.costs)), bounds=Bounds(0, 1),
                    constraints=LinearConstraint(matrix, self.lower, self.upper),
                    options={"time_limit": seconds, "mip_rel_gap": 1e-4})


def touching(tasks, values):
    """The tasks that read each value, and those that write it."""
    readers, writers = [[] for _ in values], [[] for _ in values]
    for k, task in enumerate(tasks):
        for value in task["reads"]:
            readers[value].append(k)
        for value in task["writes"]:
            writers[value].append(k)
    return readers, writers


def places(tasks, readers):
    """(t, k): task k may run again just before task t does for the first time; (t, t) is that. In the order of time."""
    last = [0] * len(tasks)  # where what the task writes may be read for the last time
    for k in reversed(range(len(tasks))):
        for reader in (r for value in tasks[k]["writes"] for r in readers[value]):
            last[k] = max(last[k], reader, min(last[reader], tasks[reader]["repeatable_before"]))
    return [(t, k) for t in range(len(tasks)) for k in range(t + 1)
            if k == t or t <= min(last[k], tasks[k]["repeatable_before"])]


def least(tasks, values, limit, seconds):
    """The FLOPs of the best repetitions that were found, and a number that is proved to be no more than the best there are."""
    values = [{**value, "bytes": value["bytes"] if value["bytes"] > SMALL * limit else 0} for value in values]
    tasks = [{**task, **{way: [v for v in task[way] if values[v]["bytes"]] for way in ("reads", "writes")}} for task in tasks]
    readers, writers = touching(tasks, values)
    where = places(tasks, readers)
    total = sum(task["cost"] for task in tasks)
    program = Program()
    # What costs 1 has no FLOPs: gradc counts it so that nothing is repeated for nothing.
    again = {p: program.column(tasks[k]["cost"] / total if tasks[k]["cost"] > 1 else 0)
             for p, (t, k) in enumerate(where) if t != k}
    alive = [[] for _ in where]  # by place: columns with the shares of the limit that they take there
    always = [0.0] * len(where)
    for v, value in enumerate(values):
        size, before = value["bytes"] / limit, None  # a column: whether the value is kept until it is touched again
        touched = [p for p, (_, k) in enumerate(where) if k in readers[v] or k in writers[v]]
        if not value["in_workspace"]:  # a copy that nobody reads
            for p in touched:
                alive[p] += [(again[p], size)] if p in again else []
            continue
        for p, following in zip(touched, touched[1:] + [None]):
            k = where[p][1]
            run = [(again[p], 1)] if p in again else []
            made = k in writers[v] and (run or k == writers[v][0])
            if made:
                alive[p] += [(column, size) for column, _ in run]
                always[p] += 0 if run else size
            else:  # it has to be there, if the task runs
                program.row([(before, 1), *((column, -1) for column, _ in run)], 0 if run else 1, 1)
            if before is not None:
                alive[p].append((before, size))
            if following is None:
                continue
            after = program.column()
            if run or not made:  # it is there afterwards if it was there or is made
                there = [(before, -1)] + ([(column, -1) for column, _ in run] if made else [])
                program.row([(after, 1), *there], -2, 0)
            for between in range(p + 1, following):
                alive[between].append((after, size))
            before = after
    for p, terms in enumerate(alive):
        program.row(terms, -1, 1 - always[p])
    solved = program.solve(seconds)
    if solved.status == 2:
        return {"infeasible": True}
    return {"found": None if solved.x is None else solved.fun * total, "bound": max(solved.mip_dual_bound or 0, 0) * total}


def limited(gradc, spec, limit):
    """What gradc plans within the limit, or else the names of the functions for which it finds no way."""
    done = subprocess.run([str(gradc), "stats", str(HERE / "specs" / f"{spec}.nn"), "--json", f"--memory-limit={limit}"],
                          capture_output=True, text=True)
    return (json.loads(done.stdout), []) if done.returncode == 0 else (None, re.findall(r"'(\w+)' needs", done.stderr))


def compared(gradc, spec, function, share, seconds):
    free, _ = limited(gradc, spec, 1 << 50)
    limit = next(f["peak"] for f in free["limited"] if f["function"] == function) * share // 100
    plans, failed = limited(gradc, spec, limit)
    function = failed[0] if failed else function
    problem = next(f for f in free["limited"] if f["function"] == function)
    row = {"spec": spec, "function": function, "share": share, "limit": limit, "flops": problem["flops_without"]}
    if plans:
        plan, memory = (next(f for f in plans[key] if f["function"] == function) for key in ("limited", "memory"))
        row |= {"added": plan["flops_added"], "peak": plan["peak"], "alive": memory["lower_bound"]}
    asked = json.dumps([problem["tasks"], problem["values"], limit, seconds])
    answer = subprocess.run([str(PYTHON), __file__], input=asked, capture_output=True, text=True)
    row["least"] = json.loads(answer.stdout) if answer.returncode == 0 else {"why": answer.stderr.strip().splitlines()[-1]}
    return row


def cells(row):
    found, bound = row["least"].get("found"), row["least"].get("bound")
    if "why" in row["least"]:
        return [row["least"]["why"]]
    if "infeasible" in row["least"]:
        return ["infeasible", "infeasible", "", ""]
    proved = found is not None and found - bound <= max(1e-3 * found, 1)
    best = [f"{(found if proved else bound) / 1e6:.3f} M", "" if found is None else f"{found / 1e6:.3f} M"]
    if "added" not in row:
        return [*best, "none*", ""]
    below = found if proved else bound  # against what is proved, so that the ratio is at most this
    added = row["added"] / below if below > 0 else 1.0 if row["added"] == 0 else float("inf")
    whole = (row["flops"] + row["added"]) / (row["flops"] + below)
    return [*best, f"{'' if proved else '<= '}{added:.3f}{'*' if added > GOAL else ''}", f"{whole:.4f}"]


def print_row(row):
    plan = [f"{row['peak']:,}", f"{row['alive']:,}"] if "peak" in row else ["none", ""]
    added = f"{row['added'] / 1e6:.3f} M" if "added" in row else "none"
    bound, found, ratio, whole = (cells(row) + [""] * 3)[:4]
    print(f"{'K6':5}{row['spec'] + ' ' + row['function']:20}{row['limit']:>11,} {row['share']:>2} %"
          + "".join(f"{cell:>11}" for cell in [*plan, f"{row['flops'] / 1e6:.1f} M"])
          + "".join(f"{cell:>12}" for cell in [added, bound, found, ratio]) + f"{whole:>9}", flush=True)


def measure(programs, options):
    print(f"{'K6':5}{'step':20}{'limit':>16}{'peak':>11}{'alive':>11}{'FLOPs':>11}{'added':>12}{'at least':>12}{'found':>12}"
          f"{'added':>12}{'all':>9}")
    seconds, shares = (3, QUICK) if options.quick else (8, SHARES)

    def within_limits(case):
        rows = []
        for share in shares:
            rows.append(compared(programs.gradc, *case, share, seconds))
            if "infeasible" in rows[-1]["least"]:
                break
        return rows

    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(within_limits, CASES):
            for row in rows:
                print_row(row)
            results += rows
    return results


if __name__ == "__main__":
    print(json.dumps(least(*json.load(sys.stdin))))
