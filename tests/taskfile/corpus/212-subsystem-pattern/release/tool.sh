#!/bin/sh
echo "tool of $(cat .bin/.version)"
