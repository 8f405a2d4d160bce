#!/usr/bin/env bash
# Score one day's export of visits: visits-DAY.parquet in TREGCAST_IN becomes scores-DAY.parquet in TREGCAST_OUT.
#
#   score-nightly.sh [DAY]        DAY is YYYY-MM-DD, by default today
#
# Exit code: that of tregcast score (0; 3 too many rejects, the scores are there all the same; 2 something to mend),
# or 75 where the run before is still at work. Only what a person must know is printed: cron sends it by mail.
set -euo pipefail
: "${TREGCAST_IN:?is not set: the folder of visits-DAY.parquet}"
: "${TREGCAST_OUT:?is not set: the folder that scores go to}"
: "${TREGCAST_PACK:?is not set: a pack folder, or models:/NAME@ALIAS}"
day=${1:-$(date +%F)}
log="$TREGCAST_OUT/scores-$day.log"
exec 9>"$TREGCAST_OUT/.nightly.lock"
if ! flock --nonblock 9; then
    echo "$day: not scored, the run before is still at work" >&2
    exit 75
fi
code=0
# --resume: what a run left that was killed is not done again; where there is nothing of the kind it changes nothing.
tregcast score "$TREGCAST_IN/visits-$day.parquet" "$TREGCAST_OUT/scores-$day.parquet" \
    --pack "$TREGCAST_PACK" --as-of "$day" --resume --max-rejects "${TREGCAST_MAX_REJECTS:-1%}" \
    9>&- >>"$log" 2>&1 || code=$?
case $code in
    0) ;;
    3) echo "$day: scored, but too many rows are rejected; see scores-$day.rejects.csv" >&2 ;;
    *) echo "$day: not scored, exit code $code; see $log" >&2 ;;
esac
exit "$code"
