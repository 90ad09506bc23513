#!/bin/sh
# Answers customers. `api health` says whether it can.
case "$1" in
  --version) echo "api 1" ;;
  health) exit 0 ;;
  *) echo "hello" ;;
esac
