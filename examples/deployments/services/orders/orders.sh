#!/bin/sh
echo "orders: open for business"
