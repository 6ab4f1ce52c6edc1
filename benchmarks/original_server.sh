#!/bin/sh
# Does what the solve script of the original web service does: reads a job id and a tar of job.axy, writes a tar of the job.
# original_server.sh JOBS ENGINE
jobs=$1 engine=$2
read -r id || exit 1
mkdir -p "$jobs/$id" && cd "$jobs/$id" || exit 1
tar xf - || exit 1
"$engine" job.axy >backend.log 2>&1
tar cf - --ignore-failed-read -- *
