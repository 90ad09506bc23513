#!/bin/sh
echo "greeter v1.0.0"
