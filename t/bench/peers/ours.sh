#!/bin/sh
# Posthorn for a benchmark driver that starts several servers in turn by one
# contract: ours.sh start|stop|info, and in the environment
#
#   BENCH_STATE    a fresh folder, on the disk to be measured
#   BENCH_PORT     the first of 10 ports that are free on loopback
#   BENCH_SINK     where the far hosts listen, for relaying
#   BENCH_DOMAIN   the local domain; its users are u0, u1 … u$BENCH_NUSERS
#   BENCH_UID, BENCH_GID    who owns the mailboxes
#   BENCH_MAXPROC  connections to allow
#   BENCH_CERT, BENCH_KEY   may be empty
#
# start returns when the ports answer, and writes BENCH_STATE/env: the ports,
# the names, and ROOT_PIDS, the process whose tree is the server. `start` after
# `stop` keeps the queue. OURS_EXTRA holds further name=value, a line each.
set -eu

: "${BENCH_STATE:?the folder to work in}"
: "${BENCH_PORT:=20000}" "${BENCH_SINK:=19025}" "${BENCH_DOMAIN:=bench.test}"
: "${BENCH_UID:=8}" "${BENCH_GID:=8}" "${BENCH_NUSERS:=9}"
: "${BENCH_MAXPROC:=100}" "${BENCH_CERT:=}" "${BENCH_KEY:=}" "${OURS_EXTRA:=}"
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
dir=$BENCH_STATE/ours

each_user() { seq -f "u%.0f" 0 "$BENCH_NUSERS"; }

make_users() {
	# a cheap hash: what is measured is the server
	hash=$(openssl passwd -5 -salt 'rounds=1000$benchbench' bench)
	each_user | while read -r user; do
		echo "$user@$BENCH_DOMAIN:{CRYPT}$hash:$BENCH_UID:$BENCH_GID::$dir/mail/$user:"
		for below in new cur tmp; do
			mkdir -p "$dir/mail/$user/Maildir/$below"
		done
	done > "$dir/users"
	chmod 644 "$dir/users"
	chown -R "$BENCH_UID:$BENCH_GID" "$dir/mail"
}

make_zone() {
	echo "one.relay.test. 300 IN A 127.0.1.1"
	# nobody listens there
	echo "dead.test. 300 IN A 127.0.0.9"
	seq 0 199 | while read -r i; do
		echo "d$i.relay.test. 300 IN A 127.0.1.$((i + 1))"
	done
}

start() {
	if [ ! -f "$dir/posthorn.conf" ]; then
		mkdir -p "$dir/mail"
		chmod 755 "$BENCH_STATE" "$dir"
		make_users
		make_zone > "$dir/zone"
	fi
	set -- sandbox_domain="$BENCH_DOMAIN" mynetworks=127.0.0.0/8 \
		virtual_uid_maps=static:"$BENCH_UID" \
		virtual_gid_maps=static:"$BENCH_GID" \
		authcheck_incoming=no disable_plaintext_auth=no \
		smtpd_process_limit="$BENCH_MAXPROC" imap_process_limit=20000 \
		message_size_limit=60000000 smtp_tcp_port="$BENCH_SINK" \
		smtp_port="$BENCH_PORT" submission_port=$((BENCH_PORT + 1)) \
		submissions_port=$((BENCH_PORT + 2)) \
		imap_port=$((BENCH_PORT + 3)) imaps_port=$((BENCH_PORT + 4)) \
		pop3_port=$((BENCH_PORT + 5)) pop3s_port=$((BENCH_PORT + 6))
	[ -z "$BENCH_CERT" ] || set -- "$@" smtpd_tls_cert_file="$BENCH_CERT" \
		smtpd_tls_key_file="$BENCH_KEY"
	while read -r line; do
		[ -z "$line" ] || set -- "$@" "$line"
	done <<-EOF
	$OURS_EXTRA
	EOF
	"$top/t/sandbox" start "$dir" "$@"
	{
		grep -E '^(SMTP|SUBMISSION|IMAPS?|POP3S?)_PORT=' "$dir/env"
		sed -n 's/^PID=/ROOT_PIDS=/p' "$dir/env"
		echo "DOMAIN=$BENCH_DOMAIN"
		echo "USER_PATTERN=u%d"
		echo "PASSWORD=bench"
		echo "MAILDIR_ROOT=$dir/mail"
		echo "QUEUE=$dir/spool"
	} > "$BENCH_STATE/env"
}

case ${1-} in
start) start ;;
stop) "$top/t/sandbox" stop "$dir" ;;
info) "$top/bin/posthorn" --version ;;
*) echo "usage: ours.sh start|stop|info" >&2; exit 64 ;;
esac
