#!/usr/bin/env bash
# Holds the documents against the sources, without a build: links, metrics, flags, paths, settings, decisions, width.
# Exit 1 names each thing that a page speaks of and that is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 - <<'PYTHON'
import glob
import os
import re
import subprocess
import sys

COLUMNS = 120
# Pages that are not ours to keep.
NOT_OURS = ("Tests/Fixtures/", "Tests/score/")
ROOTS = ("Sources/", "docs/", "Tests/", "scripts/", "deploy/", "Benchmarks/")
# Words that begin like a metric and are none.
NO_METRICS = {"ebpftrace_part"}
# Flags of every program of ArgumentParser.
BUILT_IN = {"--help", "--version"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sources(*patterns):
    return "\n".join(read(path) for pattern in patterns for path in sorted(glob.glob(pattern, recursive=True)))


def kebab(name):
    return re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).replace("_", "-").lower()


def declared_flags(text):
    arguments = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    found = re.findall(rf"@(?:Option|Flag)\b(?:{arguments})?\s*(?:public\s+)?var\s+(\w+)", text)
    return {"--" + kebab(name) for name in found}


settings = re.findall(r'SettingKey\(\s*"(\w+)"', read("Sources/Shared/Core/Config/SettingKey+Table.swift"))
ours = BUILT_IN | {"--" + kebab(name) for name in settings}
ours |= declared_flags(sources("Sources/Router/**/*.swift", "Sources/Worker/**/*.swift"))
bench_text = sources("Benchmarks/Sources/Bench/*.swift", "Benchmarks/Gates/**/*.swift")
bench = BUILT_IN | declared_flags(bench_text) | set(re.findall(r'"(--[a-z][a-z-]*)', bench_text))
bench |= set(re.findall(r"--[a-z][a-z-]*", sources("scripts/*.sh")))
metrics = set()
for name, kind, rest in re.findall(
        r'MetricDefinition\(\s*"(\w+)",\s*\.(\w+)(.*?)(?=static let|\Z)',
        read("Sources/Shared/Core/Metrics/Metric+Names.swift"), re.DOTALL):
    name = ("traces_service_graph_" if "prefix: graphPrefix" in rest else "ebpftrace_") + name
    metrics.add(name)
    if kind == "histogram":
        metrics |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
if not settings or not metrics:
    sys.exit("docs-check: the tables of settings or metrics cannot be read; mend scripts/docs-check.sh")

listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True)
pages = [page for page in listed.stdout.splitlines() if not page.startswith(NOT_OURS) and os.path.exists(page)]
if listed.returncode or not pages:
    sys.exit("docs-check: git ls-files found no page: run this inside the repository")
breaches = []


def anchors(page):
    found, fenced = set(), False
    for line in read(page).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and re.match(r"#+ ", line):
            title = re.sub(r"[`*\[\]()]", "", line.lstrip("#").strip()).lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def check_link(page, place, target):
    if re.match(r"[a-z]+:", target):
        return
    path, _, anchor = target.partition("#")
    file = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not os.path.exists(file):
        breaches.append(f"{place}: the link {target} leads nowhere")
    elif anchor and file.endswith(".md") and anchor not in anchors(file):
        breaches.append(f"{place}: {file} has no heading #{anchor}")


def check_flags(place, command, known):
    for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", command):
        if flag not in known:
            breaches.append(f"{place}: there is no flag {flag}")


def check_command(place, line):
    """One line of a shell block: of each program that is ours, the flags."""
    for command in re.split(r"&&|\|\||[|;]", line):
        if "bench" in command or "scripts/" in command:
            check_flags(place, command, bench)
        elif re.search(r"ebpftrace-(router|worker)\b(?!\.|/)", command) and not re.match(r"\s*(install|cp)\b", command):
            check_flags(place, command, ours)


def check_code(place, code):
    if code.startswith(ROOTS) and not re.search(r"[…{<]|NNNN", code):
        path = re.sub(r":\d+$", "", code.split()[0])
        if not glob.glob(path):
            breaches.append(f"{place}: there is no {path}")
    if code.startswith("--"):
        check_flags(place, code, ours | bench)
    elif "bench" in code.split(" ")[0] or code.startswith("make bench"):
        check_flags(place, code, bench)
    elif code.startswith(("ebpftrace-", "run ", "replay ", "check ", "demo ")):
        check_flags(place, code, ours)


for page in pages:
    fenced, command = False, ""
    for number, line in enumerate(read(page).splitlines(), 1):
        place = f"{page}:{number}"
        for name in re.findall(r"\bebpftrace_[a-z0-9_]+", line):
            if name not in metrics and name not in NO_METRICS:
                breaches.append(f"{place}: there is no metric {name}")
        if line.startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            command += line.rstrip("\\") if line.endswith("\\") else line
            if not line.endswith("\\"):
                check_command(place, command)
                command = ""
            continue
        if len(line) > COLUMNS and not line.startswith("|"):
            breaches.append(f"{place}: {len(line)} columns, at most {COLUMNS} outside of tables")
        for code in re.findall(r"`([^`]+)`", line):
            check_code(place, code)
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            check_link(page, place, target)
    if fenced:
        breaches.append(f"{page}: a code block has no end")

index = read("docs/adr/README.md")
for path in sorted(glob.glob("docs/adr/[0-9]*.md")):
    if os.path.basename(path) not in index:
        breaches.append(f"docs/adr/README.md: {path} is not in the table")
configuration = read("docs/configuration.md")
for name in settings:
    if f"| `{name}` |" not in configuration:
        breaches.append(f"docs/configuration.md: the setting {name} is missing; run make docs")
page = read("docs/metrics.md")
for name in metrics:
    if f"`{re.sub('_(bucket|sum|count)$', '', name)}`" not in page and f"`{name}`" not in page:
        breaches.append(f"docs/metrics.md: the metric {name} is missing; run make docs")

for breach in breaches:
    print(breach)
print(f"docs-check: {len(pages)} pages, {len(breaches)} breaches")
sys.exit(1 if breaches else 0)
PYTHON
