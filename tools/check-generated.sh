#!/bin/sh
# Fails, with a diff, if the generated Go beside the protos is not what the protos and the pinned plugins give.
# Run from anywhere; writes only to a temporary directory.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go tool -modfile=tools/go.mod buf generate --output "$tmp"
find proto/mailintake -name '*.go' | sort >"$tmp/committed"
(cd "$tmp" && find proto/mailintake -name '*.go' | sort) >"$tmp/fresh"
status=0
diff -u "$tmp/committed" "$tmp/fresh" || status=1
while read -r file; do
	[ -f "$file" ] && { diff -u "$file" "$tmp/$file" || status=1; }
done <"$tmp/fresh"
if [ $status -ne 0 ]; then
	echo "generated code is stale: run 'go tool -modfile=tools/go.mod buf generate' and commit the result" >&2
fi
exit $status
