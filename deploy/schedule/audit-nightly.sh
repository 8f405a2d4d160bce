#!/usr/bin/env bash
# Verify the audit trail every night, hold it to the heads of the nights before, and keep tonight's head.
#
#   audit-nightly.sh
#
# Let it run on another machine than the service, or let TREGCAST_HEADS be a folder that the service cannot write and
# that is not restored together with the store: a trail that was put back from a copy, anchor and all, no longer holds
# the head of the night before. Reads TREGCAST_AUDIT, TREGCAST_AUDIT_KEY and, where it is set, TREGCAST_AUDIT_ANCHOR.
#
# Exit code: 0 verified; 1 not verified, or the trail lacks a head of an earlier night; 2 the store cannot be opened;
# 75 where the run before is still at work. Only what a person must know is printed: cron sends it by mail.
set -euo pipefail
: "${TREGCAST_AUDIT:?is not set: sqlite:///FILE or postgresql://...}"
: "${TREGCAST_HEADS:?is not set: the folder that heads are kept in}"
nights=${TREGCAST_NIGHTS:-30}
heads="$TREGCAST_HEADS/audit-heads.txt"
exec 9>"$TREGCAST_HEADS/.audit-nightly.lock"
if ! flock --nonblock 9; then
    echo "not verified, the run before is still at work" >&2
    exit 75
fi
touch "$heads"
expected=()
while read -r _ head; do
    expected+=(--expect-head "$head")
done < <(tail -n "$nights" "$heads")
code=0
said=$(tregcast audit verify "${expected[@]}" 9>&- 2>&1) || code=$?
if [ "$code" -ne 0 ]; then
    echo "the audit trail does not verify, exit code $code:" >&2
    echo "$said" >&2
    exit "$code"
fi
# Notes are no faults, but a person reads each once: a clock that went back, a discontinuity, a new anchor.
seen="$TREGCAST_HEADS/audit-notes.txt"
touch "$seen"
grep '^note: ' <<<"$said" | grep --line-regexp --fixed-strings --invert-match --file="$seen" | tee -a "$seen" >&2 || true
echo "$(date -u +%FT%TZ) $(sed -n 's/^head //p' <<<"$said")" >>"$heads"
