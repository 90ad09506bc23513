#!/bin/sh
# Unpacks what follows into a folder: `website FOLDER`.
tail -n +5 "$0" | tar -xf - -C "$1"
exit
