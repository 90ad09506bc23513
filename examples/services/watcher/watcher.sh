#!/bin/sh
# Asks the counter from time to time; ends with its code when there is no answer.
set -eu
while :; do
    counter ask "$PORT"
    sleep 10
done
