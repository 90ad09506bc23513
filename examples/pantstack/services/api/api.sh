#!/bin/sh
echo "an answer"
