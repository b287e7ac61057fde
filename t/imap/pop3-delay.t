#!/usr/bin/env python3
"""POP3 logins that come too soon after another (RFC 2449 section 6.5)."""
import os
import poplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance  # noqa: E402

tap = Tap()


def refusal(s, user, password):
    """What the server says to a login; "" if it takes it."""
    p = poplib.POP3_SSL(s.HOST, s.POP3S_PORT, context=s.context(), timeout=60)
    tap.equal(p.capa().get("LOGIN-DELAY"), ["3600"], "CAPA before the login")
    p.user(user)
    try:
        p.pass_(password)
    except poplib.error_proto as e:
        p.close()
        return str(e)
    tap.equal(p.capa().get("LOGIN-DELAY"), ["3600"], "CAPA after it")
    tap.equal(p.capa().get("EXPIRE"), ["NEVER"], "nothing expires")
    p.quit()
    return ""


with Instance("pop3_login_delay=1h") as s:
    tap.ok("[AUTH]" in refusal(s, s.USER1, "wrong"), "a wrong password")
    tap.equal(refusal(s, s.USER1, s.PASS1), "", "is no login")
    tap.ok("-ERR [LOGIN-DELAY]" in refusal(s, s.USER1, s.PASS1),
           "a second login")
    tap.ok("[AUTH]" in refusal(s, s.USER1, "wrong"),
           "a wrong password is still one")
    tap.ok("-ERR [LOGIN-DELAY]" in refusal(s, s.address(), s.PASS1),
           "another spelling of the name is the same user")
    tap.equal(refusal(s, s.USER2, s.PASS2), "", "another user")
    s.imap().logout()
    tap.ok(True, "IMAP has no delay")
    tap.ok("too soon (pop3_login_delay)" in s.read_log(), "the log says why")
tap.done()
