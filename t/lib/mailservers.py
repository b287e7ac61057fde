"""Postfix, Dovecot and Cyrus in small instances of their own, to compare with:
what is the same wherever they are tried."""
import os
import socket
import subprocess
import time

PASSWORD = "secret"
# of PASSWORD, SHA-256 with 1000 rounds: the cheapest that all know
HASH = "$5$rounds=1000$benchbench$eD.lwpTEs1cDocuYAIm6q71z0ynpqeujFJioPwGstW2"

MAIN_CF = """compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
mail_owner = postfix
setgid_group = postdrop
daemon_directory = {daemons}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
smtp_dns_support_level = disabled
"""
MASTER_CF = """127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n {pickup} 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n {qmgr} 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
"""
DOVECOT_CONF = """base_dir = {run}
state_dir = {run}
log_path = {folder}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""
# A user's mailbox is there at the first login; passwords are somebody else's
# business, at run/mux (saslauthd's protocol).
CYRUS_IMAPD = """configdirectory: {folder}/config
defaultpartition: default
partition-default: {folder}/mail
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
idlesocket: {folder}/run/idle
lmtpsocket: {folder}/run/lmtp
notifysocket: {folder}/run/notify
admins: cyrus
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {folder}/run/mux
autocreate_users: anyone
autocreate_quota: {quota}
popminpoll: 0
"""
CYRUS_CONF = """START {{
  recover cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{folder}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}"
  pop3 cmd="{folder}/pop3d -C {folder}/imapd.conf" listen="127.0.0.1:{pop3}"
}}
EVENTS {{
}}
DAEMON {{
  idled cmd="{folder}/idled -d -C {folder}/imapd.conf"
}}
"""
CYRUS_BIN = "/usr/lib/cyrus/bin"


def password_line(address, uid, home):
    """Of a file of users; both Posthorn and Dovecot read it."""
    return "%s:{CRYPT}%s:%d:%d::%s:\n" % (address, HASH, uid, uid, home)


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_port(port, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nothing on port %d" % port)


def write_postfix(conf, settings, services, **words):
    """main.cf and master.cf in the folder CONF, with SETTINGS and SERVICES
    beside the common ones; {name} in all of them is what WORDS say."""
    words["daemons"] = subprocess.run(
        ["postconf", "-d", "-h", "daemon_directory"], check=True,
        capture_output=True, text=True).stdout.strip()
    for name, text in (("main.cf", MAIN_CF + settings),
                       ("master.cf", MASTER_CF + services)):
        with open(os.path.join(conf, name), "w") as f:
            f.write(text.format(**words))


def write_dovecot(path, settings, **words):
    with open(path, "w") as f:
        f.write((DOVECOT_CONF + settings).format(**words))


def write_cyrus(folder, settings="", **words):
    """imapd.conf and cyrus.conf in FOLDER, whose owner is to be cyrus, and which
    has the programs imapd, pop3d and idled."""
    words.update(folder=folder, bin=CYRUS_BIN)
    for name, text in (("imapd.conf", CYRUS_IMAPD + settings),
                       ("cyrus.conf", CYRUS_CONF)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text.format(**words))
