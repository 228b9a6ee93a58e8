#!/usr/bin/env python3
"""Runs `ebpftrace-router replay --local` and prints its CPU time and the peak of its memory.

    scripts/measure-replay.py [--router PATH] [--spans N] FILE [arguments of replay …]

Memory is the sum of PSS of the router and its workers, from /proc/PID/smaps_rollup, three times a second. The summary
of the replay is printed as it is.
"""
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time

INTERVAL = 1 / 3


def family(root):
    """The process and those below it, with their names."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    head, tail = file.read().rsplit(")", 1)
            except OSError:
                continue
            parents[int(entry)] = int(tail.split()[1])
            names[int(entry)] = head.split("(", 1)[1]
    found, more = {root}, True
    while more:
        new = {pid for pid, parent in parents.items() if parent in found} - found
        found |= new
        more = bool(new)
    return {pid: names.get(pid, "?") for pid in found}


def pss(pid):
    """Bytes of PSS in all, and of those the anonymous ones."""
    values = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("Pss", "Pss_Anon"):
                    values[name] = int(rest.split()[0]) * 1024
    except OSError:
        pass
    return values.get("Pss", 0), values.get("Pss_Anon", 0)


class Sampler(threading.Thread):
    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.peak, self.parts, self.samples, self.ended = root, 0, [], [], threading.Event()

    def run(self):
        began = time.monotonic()
        while not self.ended.wait(INTERVAL):
            parts = [(name, *pss(pid)) for pid, name in sorted(family(self.root).items())]
            total = sum(part[1] for part in parts)
            self.samples.append((time.monotonic() - began, parts))
            if total > self.peak:
                self.peak, self.parts = total, parts


def main():
    arguments = sys.argv[1:]
    router, spans, shows = ".build/release/ebpftrace-router", 0, False
    while arguments and arguments[0].startswith("--"):
        name = arguments.pop(0)
        if name == "--router":
            router = arguments.pop(0)
        elif name == "--spans":
            spans = int(arguments.pop(0))
        elif name == "--samples":
            shows = True
        else:
            sys.exit(__doc__)
    if not arguments:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        run = subprocess.Popen([router, "replay", "--local", "--out", folder + "/out.jsonl", *arguments],
                               env={**os.environ, "TMPDIR": folder})
        sampler = Sampler(run.pid)
        sampler.start()
        status = run.wait()
        sampler.ended.set()
        sampler.join()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if shows:
        for at, parts in sampler.samples:
            print(f"{at:7.1f} s  " + "  ".join(f"{name[:16]} {p / 1e6:.0f}" for name, p, _ in parts))
    print(f"status {status}, {time.monotonic() - began:.0f} s, CPU {used.ru_utime + used.ru_stime:.1f} s, "
          f"peak PSS {sampler.peak / 1e6:.0f} MB" + (f" = {sampler.peak / spans:.1f} B a span" if spans else ""))
    for name, total, anonymous in sampler.parts:
        print(f"  {name}: {total / 1e6:.0f} MB, {anonymous / 1e6:.0f} anonymous")
    sys.exit(status)


if __name__ == "__main__":
    main()
