#!/bin/sh
exec convert "$1" -thumbnail 160x160 "$2"
