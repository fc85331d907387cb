"""compare.py SUITE RESULT EXCUSES BASELINE...: what a baseline passes and RESULT does not, and EXCUSES does not name; and excuses that
are not needed any more. Exit code 1 for either."""
import re
import sys


def load(path):
    cases = {}
    for line in open(path, errors="replace"):
        match = re.match(r"(PASS|FAIL|SKIP) (.*?)(?: # .*)?$", line.rstrip("\n"))
        if match:
            cases[match[2]] = match[1]
    return cases


def matches(pattern, case):
    return case.startswith(pattern[:-1]) if pattern.endswith("*") else case == pattern


suite, result, excuses, *baselines = sys.argv[1:]
outcome = load(result)
peers = {path.rsplit("-", 1)[1][:-4]: load(path) for path in baselines}
wanted = {}
for peer, cases in peers.items():
    for case, verdict in cases.items():
        if verdict == "PASS":
            wanted.setdefault(case, []).append(peer)
excused = []
for line in open(excuses):
    match = re.match(r"([\w-]+): (.+?) # (.+)$", line.rstrip("\n"))
    if match and match[1] == suite:
        excused.append(match[2])

missing = [case for case in sorted(wanted) if outcome.get(case) != "PASS"]
unexcused = [case for case in missing if not any(matches(pattern, case) for pattern in excused)]
stale = [pattern for pattern in excused if not any(matches(pattern, case) for case in missing)]
for case in unexcused:
    print(f"{outcome.get(case, 'not run')}: {case} ({', '.join(wanted[case])} passes)", file=sys.stderr)
for pattern in stale:
    print(f"listed as not applicable, but passes: {pattern}", file=sys.stderr)
print(f"{len(wanted) - len(missing)} of {len(wanted)} cases that a peer passes; {len(missing) - len(unexcused)} do not apply")
sys.exit(1 if unexcused or stale else 0)
