#!/bin/sh
# Tools that wrap the image call this by its path, with arguments of theirs or none.
[ -n "$TIERRA_AUTH" ] || unset TIERRA_AUTH
exec tierra container -- "$@"
