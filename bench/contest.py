"""contest.py: what bench/run and bench/sweep share: programs that are timed in turn, and what one core can do."""
import json
import os
import pathlib
import select
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "build" / "bench"
PYTHON = OUT / "venv" / "bin" / "python"
# As `gradc build --binary` compiles.
FLAGS = ["-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast", "-fno-math-errno",
         "-fno-trapping-math"]
SECONDS = 0.05  # one measurement, about
BUDGET = 6.0  # seconds of measurements of one contestant, after which it has had enough of them
FEWEST = 3  # measurements that each gets
LOSSES = 10  # compared


class Missing(Exception):
    """A number that is not to be had: what its cell of the table says, and why."""

    def __init__(self, cell, why):
        super().__init__(why)
        self.cell = cell


class Contestant:
    """A process that answers lines: the harness or a peer. It is ended when it keeps one waiting for `limit` seconds."""

    def __init__(self, name, command, log, environment=None, limit=60.0):
        self.name, self.log, self.limit = name, log, limit
        with open(log, "w") as errors:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, bufsize=0, env=environment, start_new_session=True)
        self.held = b""
        self.times = []
        self.calls = 1
        self.deadline = time.monotonic() + limit

    def answer(self):
        while b"\n" not in self.held:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.stop()
                raise Missing(f">{self.limit:.0f} s", f"no answer after {self.limit:.0f} s")
            got = os.read(self.process.stdout.fileno(), 1 << 16)
            if not got:
                self.stop()
                raise Missing("failed", f"{self.last_words()} (see {self.log})")
            self.held += got
        line, self.held = self.held.split(b"\n", 1)
        return line.decode().strip()

    def last_words(self):
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:120] if lines else "ended without a word"

    def ready(self):
        """Seconds that its first step took, with what was compiled for it."""
        words = self.answer().split()
        return float(words[1]) if len(words) > 1 else 0.0

    def ask(self, line):
        self.deadline = time.monotonic() + self.limit
        try:
            self.process.stdin.write((line + "\n").encode())
        except BrokenPipeError:
            pass  # answer() says what became of it
        return self.answer()

    def losses(self):
        return [float(word) for word in self.ask(f"losses {LOSSES}").split()]

    def time(self):
        return float(self.ask(f"time {self.calls}")) / self.calls

    def calibrate(self):
        self.time()  # warm
        self.calls = 1
        while (taken := self.time() * self.calls) < SECONDS:
            self.calls = max(self.calls * 2, int(self.calls * SECONDS / max(taken, 1e-7)))

    def enough(self):
        return len(self.times) >= FEWEST and sum(self.times) * self.calls > BUDGET

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # a compiler that it started, too
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def run(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"run: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build_gradc():
    run(["cmake", "--preset", "release"], cwd=ROOT)
    run(["cmake", "--build", "--preset", "release", "--target", "gradc"], cwd=ROOT)
    return ROOT / "build" / "release" / "bin" / "gradc"


def probe(compiler):
    program = OUT / "probe"
    if not program.exists():
        run([compiler, *FLAGS, f"-I{ROOT / 'runtime'}", HERE / "probe.cpp", "-o", program])
    return {**json.loads(run([*pinned(), program])), "caches": caches()}


def caches():
    """Bytes of a processor's caches for data, of the levels 1, 2 and 3; what no file of the system says is a guess."""
    sizes = {1: 32 << 10, 2: 1 << 20, 3: 32 << 20}
    for cache in pathlib.Path(f"/sys/devices/system/cpu/cpu{cores()[0]}/cache").glob("index*"):
        level, kind, size = ((cache / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[int(level)] = int(size.removesuffix("K")) << 10
    return [sizes[level] for level in (1, 2, 3)]


def cores(threads=1):
    """So many processors, the last there are."""
    return sorted(os.sched_getaffinity(0))[-threads:]


def pinned(threads=1):
    return ["taskset", "-c", ",".join(map(str, cores(threads)))]


def summary(times):
    return {"best": min(times), "median": statistics.median(times), "repetitions": len(times)}


def interleaved(contestants, repetitions):
    """Best and median seconds of one call of each, measured in turn; ends them. And who failed, with the reason."""
    missing = {}

    def each(members, action):
        for contestant in members:
            try:
                action(contestant)
            except Missing as why:
                missing[contestant.name] = why

    def racing():
        return [c for c in contestants if c.name not in missing]

    each(contestants, Contestant.calibrate)
    for _ in range(repetitions):
        each([c for c in racing() if not c.enough()], lambda c: c.times.append(c.time()))
    for contestant in contestants:
        contestant.stop()
    return {c.name: summary(c.times) for c in racing()}, missing
