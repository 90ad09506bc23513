#!/bin/sh
echo "a page"
