#!/bin/sh
# Installs mailtrace, its manual and its completions.
#
#   packaging/install.sh [--prefix DIR] [--binary FILE]
#
# Without --binary it builds one with cargo. The default prefix is /usr/local; DESTDIR is put before
# it for packages.
set -eu
prefix=/usr/local
binary=
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift 2 ;;
    --binary) binary=${2:?--binary needs a file}; shift 2 ;;
    *) echo "install.sh: $1 is not known; see the first lines of this script" >&2; exit 2 ;;
  esac
done
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "$binary" ]; then
  (cd "$root" && cargo build --release --locked)
  binary=$root/target/release/mailtrace
fi
to=${DESTDIR:-}$prefix
install -d "$to/bin" "$to/share/man/man1" "$to/share/man/man5" "$to/share/man/man7" \
  "$to/share/bash-completion/completions" "$to/share/zsh/site-functions" \
  "$to/share/fish/vendor_completions.d" "$to/share/doc/mailtrace"
install -m 755 "$binary" "$to/bin/mailtrace"
for section in 1 5 7; do
  install -m 644 "$root"/man/*."$section" "$to/share/man/man$section/"
done
"$binary" completions bash > "$to/share/bash-completion/completions/mailtrace"
"$binary" completions zsh > "$to/share/zsh/site-functions/_mailtrace"
"$binary" completions fish > "$to/share/fish/vendor_completions.d/mailtrace.fish"
install -m 644 "$root/README.md" "$root/CHANGELOG.md" "$root"/LICENSE-* "$to/share/doc/mailtrace/"
echo "mailtrace is in $to/bin"
