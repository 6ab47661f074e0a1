#!/bin/sh
# Installs what the project needs from the Debian distribution, and only what is missing:
#
#   tools/install-deps.sh postgresql | dovecot | race | peers ...
#
# postgresql: server binaries, for the embedded Postgres. dovecot: the mail server that tests run against, with openssl,
# procps and python3 for its scripts. race: the C compiler that go test -race needs. peers: the mail fetchers that
# make bench compares with. No server is started and no database cluster made. Without root, or without apt, it says
# the command to run and fails.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

has() { command -v "$1" >/dev/null 2>&1; }
has_postgres() { has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }
has_dovecot() { [ -x /usr/sbin/dovecot ] && [ -x /usr/lib/dovecot/imap ] && [ -x /usr/lib/dovecot/pop3 ]; }

# The mail server lab beside the project, where there is one, knows best which Dovecot it wants.
lab=$(cd "$(dirname "$0")/.." && pwd)/../shared/mailservers/dovecot/install.sh

missing= run_lab=
need() { missing="$missing $*"; }
for what in "$@"; do
	case $what in
	postgresql) has_postgres || need postgresql ;;
	dovecot)
		if ! has_dovecot; then
			need dovecot-core dovecot-imapd dovecot-pop3d
			[ ! -x "$lab" ] || run_lab=yes
		fi
		has openssl || need openssl
		has ps || need procps
		has python3 || need python3
		;;
	race)
		has gcc || need gcc
		[ -e /usr/include/stdlib.h ] || need libc6-dev
		;;
	peers)
		has mbsync || need isync
		has mpop || need mpop
		;;
	*)
		echo "install-deps: unknown word '$what'; see the head of $0" >&2
		exit 2
		;;
	esac
done
[ -n "$missing" ] || exit 0

if ! has apt-get; then
	echo "install-deps: missing:$missing, and this machine has no apt-get: install what your system calls them, then run this again" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "install-deps: missing:$missing; to install, run: sudo $0 $*" >&2
	exit 1
fi

# Whatever is changed about the machine for the time of the installation is put back, however it ends.
guard=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
made_guard= saved=
restore() {
	[ -z "$made_guard" ] || rm -f "$guard"
	[ -z "$saved" ] || { cat "$saved" >"$cluster" && rm -f "$saved"; }
	made_guard= saved=
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Packages start their services unless this file says no.
if [ ! -e "$guard" ]; then
	made_guard=yes
	printf '#!/bin/sh\nexit 101\n' >"$guard"
	chmod 755 "$guard"
fi

apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
updated=
get() {
	# shellcheck disable=SC2086 # a list of words
	if [ -z "$updated" ]; then
		updated=yes
		# A fresh machine has no package lists, an old one has lists that name files which are gone.
		ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && apt install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
		apt update
	fi
	apt install -y --no-install-recommends "$@" >/dev/null
}

echo "install-deps: installing$missing" >&2
[ -z "$run_lab" ] || "$lab" >/dev/null
case " $missing " in *" postgresql "*)
	# The server package makes a cluster on port 5432 unless told otherwise; its own setting is the only way to say so.
	get postgresql-common
	if [ -e "$cluster" ]; then
		saved=$(mktemp)
		cat "$cluster" >"$saved"
		echo 'create_main_cluster = false' >>"$cluster"
	fi
	;;
esac
# shellcheck disable=SC2086 # a list of words
get $missing
