#!/bin/sh
# Installs a file of settings, unless there is one already. For `meson install`.
set -e
from=$1
to=${DESTDIR-}$2

if [ -e "$to" ]; then
    echo "Keeping $to"
else
    echo "Installing $to"
    install -D -m 644 "$from" "$to"
fi
