#!/bin/sh
# Behaves as the original web service's solve script does: a job id, a tar of job.axy in; all that is there, out.
# original_server.sh JOBS ENGINE
jobs=$1 engine=$2
read -r id || exit 1
mkdir -p "$jobs/$id" && cd "$jobs/$id" || exit 1
tar xf - || exit 1
"$engine" job.axy >backend.log 2>&1
tar cf - --ignore-failed-read -- *
