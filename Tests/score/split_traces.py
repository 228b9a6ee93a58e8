#!/usr/bin/env python3
"""How many true traces did closing by time split?

usage: split_traces.py UNTIMED.jsonl TIMED.jsonl TRUTH.jsonl[.gz] [--json] [--show N] [--require 'split_pct<=2']...

UNTIMED is the output of `replay --local` without --timed (nothing closes before the last span), TIMED that of the same
input with --timed. A true trace counts as split when its spans carry more different ebpf_trace_id in TIMED than in
UNTIMED: what no closing could have joined is not counted. TRUTH is truth.jsonl of a set of real/ or truth/ (the two
write a span's key differently; both are read). --show N prints N split traces.
Exit 0; 1 when a --require does not hold; 2 on bad input.
"""
import argparse
import collections
import gzip
import json
import operator
import re
import sys

OPS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def lines(path):
    op = gzip.open if path.endswith(".gz") else open
    with op(path, "rt") as f:
        for line in f:
            if line.strip():
                yield json.loads(line)


def real_key(o):
    return (f"{o['direction'][:2]}:{o['pid']}:{o['src_ip']}:{o['src_port']}>"
            f"{o['dst_ip']}:{o['dst_port']}:{int(o['req_seq'])}:{int(o['ktime'])}")


def truth_key(o):
    return (f"{o['src_ip']}:{int(o['src_port'])}|{o['dst_ip']}:{int(o['dst_port'])}|{o['direction']}"
            f"|{int(o['req_seq']) & 0xffffffff}|{int(o['resp_seq']) & 0xffffffff}")


def ids_by_trace(path, trace_of, key):
    ids = collections.defaultdict(lambda: collections.defaultdict(int))
    late = lost = 0
    for o in lines(path):
        trace = trace_of.get(key(o))
        late += o.get("late") in (True, "true", 1)
        if trace is None:
            lost += 1
        else:
            ids[trace][o["ebpf_trace_id"]] += 1
    return ids, late, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("untimed")
    parser.add_argument("timed")
    parser.add_argument("truth")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show", type=int, default=0, metavar="N")
    parser.add_argument("--require", action="append", default=[], metavar="NAME<=NUMBER")
    options = parser.parse_args()
    trace_of = {t["key"]: t["trace"] for t in lines(options.truth) if t.get("known", True)}
    if not trace_of:
        parser.error(f"{options.truth} holds no span")
    key = truth_key if "|" in next(iter(trace_of)) else real_key
    untimed, _, _ = ids_by_trace(options.untimed, trace_of, key)
    timed, late, _ = ids_by_trace(options.timed, trace_of, key)
    traces = set(trace_of.values())
    split = sorted(t for t in traces if len(timed[t]) > len(untimed[t]))
    strays = sum(sum(timed[t].values()) - max(timed[t].values()) for t in split)
    result = {
        "traces": len(traces), "split": len(split), "split_pct": round(100 * len(split) / len(traces), 3),
        "spans_outside_largest_piece": strays, "late_spans": late,
        "missing": len(trace_of) - sum(sum(ids.values()) for ids in timed.values()),
    }
    print(json.dumps(result) if options.json else "  ".join(f"{k} {v}" for k, v in result.items()))
    for trace in split[:options.show]:
        print(trace, "untimed", dict(untimed[trace]), "timed", dict(timed[trace]))
    failed = []
    for rule in options.require:
        m = re.fullmatch(r"(\w+)(>=|<=|==|>|<)([\d.]+)", rule)
        if not m or m[1] not in result:
            parser.error(f"cannot read requirement {rule!r}; names: {', '.join(result)}")
        if not OPS[m[2]](float(result[m[1]]), float(m[3])):
            failed.append(rule)
    for rule in failed:
        print(f"does not hold: {rule}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
