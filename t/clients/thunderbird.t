#!/usr/bin/env python3
"""Thunderbird on our IMAP and submission: what its user does. PICTURES=DIR
keeps screenshots."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402
from letters import letter  # noqa: E402
from marionette import Failed, Gecko  # noqa: E402

tap = Tap()


def account(s):
    """Preferences: one account, and nothing that asks or calls home."""
    return {
        "mail.accountmanager.accounts": "account1",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.identities": "id1",
        "mail.account.account1.server": "server1",
        "mail.identity.id1.fullName": "Alice",
        "mail.identity.id1.useremail": s.address(),
        "mail.identity.id1.valid": True,
        "mail.identity.id1.smtpServer": "smtp1",
        "mail.identity.id1.compose_html": False,
        "mail.identity.id1.fcc": True,
        "mail.identity.id1.fcc_folder": "imap://%s@localhost/Sent" % s.USER1,
        "mail.identity.id1.fcc_folder_picker_mode": "1",
        "mail.server.server1.type": "imap",
        "mail.server.server1.hostname": "localhost",
        "mail.server.server1.name": "home",
        "mail.server.server1.port": s.IMAPS_PORT,
        "mail.server.server1.socketType": 3,
        "mail.server.server1.authMethod": 3,
        "mail.server.server1.userName": s.USER1,
        "mail.server.server1.login_at_startup": False,
        "mail.server.server1.check_new_mail": False,
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        "mail.smtpserver.smtp1.hostname": "localhost",
        "mail.smtpserver.smtp1.port": s.SUBMISSION_PORT,
        "mail.smtpserver.smtp1.try_ssl": 2,
        "mail.smtpserver.smtp1.authMethod": 3,
        "mail.smtpserver.smtp1.username": s.USER1,
        "mail.quota.mainwindow_threshold.show": 0,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.rights.version": 1,
        "mail.shell.checkDefaultClient": False,
        "mail.spam.version": 1,
        "mailnews.start_page.enabled": False,
        "mailnews.database.global.indexer.enabled": False,
        "app.update.enabled": False,
        "app.donation.eoy.version.viewed": 999,
        "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "mail.inappnotifications.url": "",
        "services.settings.server": "data:,",
        "extensions.getAddons.cache.enabled": False,
    }


# what the certificate is trusted for, and the passwords
PREPARE = """
const [pem, user, password, imaps, submission] = args;
const db = Cc["@mozilla.org/security/x509certdb;1"]
    .getService(Ci.nsIX509CertDB);
const cert = db.constructX509FromBase64(pem);
for (const port of [imaps, submission])
    Cc["@mozilla.org/security/certoverride;1"]
        .getService(Ci.nsICertOverrideService)
        .rememberValidityOverride("localhost", port, {}, cert, true);
for (const where of ["imap://localhost", "smtp://localhost"]) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"]
        .createInstance(Ci.nsILoginInfo);
    login.init(where, null, where, user, password, "", "");
    await Services.logins.addLoginAsync(login);
}
"""
# words for what follows
WORDS = """
const { MailServices } = ChromeUtils.importESModule(
    "resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts[0].incomingServer;
const root = server.rootFolder;
const folder = name => root.descendants.find(f => f.name == name);
const main = Services.wm.getMostRecentWindow("mail:3pane");
const pane = main.document.getElementById("tabmail").currentAbout3Pane;
const view = pane.gDBView;
const listener = done => ({
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener",
        "nsIMsgCopyServiceListener", "nsIMsgSearchNotify"]),
    OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { done(status); },
    onStartCopy() {}, onProgress() {}, setMessageKey() {},
    getMessageId() { return null; }, onStopCopy(status) { done(status); }});
const subjects = () => [...Array(view.rowCount).keys()].map(
    i => view.getMsgHdrAt(i).mime2DecodedSubject);
"""


def fill(s):
    with s.imap() as m:
        for name in ("Drafts", "Sent", "Trash", "Work"):
            m.create(name)
            m.subscribe(name)
        for i in range(1, 6):
            m.append("INBOX", None, None, letter(i, "letter %d" % i))
        m.append("INBOX", None, None, letter(
            6, "Re: letter 1", References="<m1@elsewhere.test>",
            In_Reply_To="<m1@elsewhere.test>"))


class Thunderbird(Gecko):
    def does(self, script, *args):
        return self.run(WORDS + script, *args)

    def until(self, script, *args):
        return self.wait(WORDS + script, *args)


def log_in(t, s):
    with open(s.CA_FILE) as f:
        pem = "".join(line.strip() for line in f if "-----" not in line)
    t.wait("const w = Services.wm.getMostRecentWindow('mail:3pane'); return w "
           "&& w.document.getElementById('tabmail')?.currentAbout3Pane"
           "?.document.readyState == 'complete'", seconds=60)
    t.run(PREPARE, pem, s.USER1, s.PASS1, s.IMAPS_PORT, s.SUBMISSION_PORT)
    t.does("server.performExpand(null); server.getNewMessages("
           "root, null, null)")
    tap.ok(t.until("return folder('INBOX') && folder('Work') && "
                   "folder('INBOX').getTotalMessages(false) == 6"),
           "logs in, and finds folders and messages",
           t.does("return root.descendants.map(f => f.name)"))


def list_messages(t):
    t.does("pane.displayFolder(folder('INBOX').URI)")
    tap.ok(t.until("return view && view.rowCount >= 5"), "opens the INBOX")
    t.does("view.viewFlags |= Ci.nsMsgViewFlagsType.kThreadedDisplay;"
           "pane.sortController.groupBySort; pane.threadPane;"
           "pane.sortController.sortThreaded()")
    t.does("view.doCommand(Ci.nsMsgViewCommandType.collapseAll)")
    tap.equal(t.does("return view.rowCount"), 5, "a reply is in its thread")
    t.does("view.doCommand(Ci.nsMsgViewCommandType.expandAll)")
    tap.equal(t.does("return view.rowCount"), 6, "and is shown there")
    t.picture("tb-threads")
    t.does("pane.sortController.sortUnthreaded();"
           "pane.sortController.sortThreadPane('subjectCol');"
           "pane.sortController.sortAscending()")
    tap.equal(t.does("return subjects()"),
              ["letter 1", "letter 1"] + ["letter %d" % i for i in range(2, 6)],
              "sorted by subject")


def read(t, s):
    t.does("pane.threadTree.selectedIndex = 2")
    text = t.until("const b = pane.messageBrowser.contentWindow"
                   ".getMessagePaneBrowser(); const d = b.contentDocument;"
                   "return d && d.body && d.body.textContent.includes("
                   "'the body of') && d.body.textContent")
    tap.ok(text and "the body of 2" in text, "reads a message", text)
    t.picture("tb-read")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select() and len(m.search(
            None, "SEEN")[1][0].split()) == 1, 20), "and then it is seen")
    t.does("folder('INBOX').markMessagesFlagged([view.getMsgHdrAt(3)], true)")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select() and m.search(
            None, "FLAGGED")[1][0], 20), "flags one")


def search(t):
    found = t.does("""
const session = Cc["@mozilla.org/messenger/searchSession;1"]
    .createInstance(Ci.nsIMsgSearchSession);
session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder('INBOX'));
const term = session.createTerm();
const value = term.value;
value.attrib = Ci.nsMsgSearchAttrib.Body;
value.str = "body of 4";
term.value = value;
term.attrib = Ci.nsMsgSearchAttrib.Body;
term.op = Ci.nsMsgSearchOp.Contains;
session.appendTerm(term);
const found = [];
await new Promise(done => {
    session.registerListener({
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
        onSearchHit(header) { found.push(header.mime2DecodedSubject); },
        onSearchDone() { done(); }, onNewSearch() {}});
    session.search(null);
});
return found;
""")
    tap.equal(found, ["letter 4"], "searches on the server")


def compose(t, s, home):
    path = os.path.join(home, "attached file.txt")
    with open(path, "w") as f:
        f.write("what is attached\n" * 100)
    t.does("""
const [to, path] = args;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"]
    .createInstance(Ci.nsIMsgCompFields);
fields.to = to;
fields.subject = "aus Köln";
fields.body = "Grüße\\nund ein Anhang\\n";
const attachment = Cc["@mozilla.org/messengercompose/attachment;1"]
    .createInstance(Ci.nsIMsgAttachment);
const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
file.initWithPath(path);
attachment.url = Services.io.newFileURI(file).spec;
attachment.name = file.leafName;
fields.addAttachment(attachment);
const params = Cc["@mozilla.org/messengercompose/composeparams;1"]
    .createInstance(Ci.nsIMsgComposeParams);
params.composeFields = fields;
params.type = Ci.nsIMsgCompType.New;
params.format = Ci.nsIMsgCompFormat.PlainText;
params.identity = MailServices.accounts.accounts[0].identities[0];
MailServices.compose.OpenComposeWindowWithParams(null, params);
""", s.address(s.USER2), path)
    tap.ok(t.wait("const w = Services.wm.getMostRecentWindow('msgcompose');"
                  "return w && w.ComposeFieldsReady !== undefined && "
                  "w.document.readyState == 'complete' && "
                  "w.gAttachmentBucket?.itemCount == 1 && "
                  "!w.gWindowLocked && w.gMsgCompose != null"),
           "composes")
    handles = t.call("WebDriver:GetWindowHandles")
    here = t.call("WebDriver:GetWindowHandle")["value"]
    other = [h for h in handles if h != here]
    if other:
        t.call("WebDriver:SwitchToWindow", handle=other[-1])
        t.picture("tb-compose")
        t.call("WebDriver:SwitchToWindow", handle=here)
    t.run("const w = Services.wm.getMostRecentWindow('msgcompose');"
          "w.goDoCommand('cmd_sendNow')")
    got = s.wait_messages(1, s.USER2, 40)
    tap.ok(len(got) == 1 and b"attached file.txt" in got[0],
           "sends by submission, with an attachment")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Sent")[1] == [b"1"], 30),
               "keeps a copy in Sent")


def names(s):
    with s.imap() as m:
        return [line.decode().split('"/" ')[1].strip('"')
                for line in m.list()[1]]


def folders(t, s):
    t.does("root.createSubfolder('Grün & Blau', null)")
    tap.ok(wait_for(lambda: "Gr&APw-n &- Blau" in names(s) or
                    "Grün & Blau" in names(s), 20), "makes a folder",
           names(s))
    t.until("return folder('Grün & Blau') != null")
    t.does("folder('Work').rename('Play', null)")
    tap.ok(wait_for(lambda: "Play" in names(s) and "Work" not in names(s), 20),
           "renames one", names(s))
    t.until("return folder('Play') != null")
    t.does("""
const inbox = folder('INBOX');
const header = [...inbox.messages].find(h => h.mime2DecodedSubject ==
    "letter 5");
return await new Promise(done => MailServices.copy.copyMessages(
    inbox, [header], folder('Grün & Blau'), true, listener(done), null,
    false));
""")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select('"Gr&APw-n &- Blau"')[1] == [b"1"],
                        20), "moves a message there")
    t.does("const inbox = folder('INBOX'); inbox.deleteMessages("
           "[[...inbox.messages].find(h => h.mime2DecodedSubject == "
           "'letter 4')], null, false, false, null, false)")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Trash")[1] == [b"1"], 20),
               "deletes one, into Trash")


def quota(t):
    t.does("pane.displayFolder(folder('INBOX').URI)")
    found = t.until("const q = folder('INBOX').QueryInterface("
                    "Ci.nsIMsgImapMailFolder).getQuota();"
                    "return q.length && q.map(x => [x.name, Number(x.limit)])")
    tap.ok(found and [n for n in found if n[1] == 10240], "knows the quota",
           found)
    label = t.until("const p = main.document.getElementById('quotaLabel') || "
                    "main.document.getElementById('quotaPanel');"
                    "return p && !p.hidden && (p.value || p.textContent || "
                    "p.tooltipText || 'shown')")
    t.picture("tb-quota")
    tap.ok(label, "and shows it", label)


def new_mail(t, s):
    with s.submission(s.USER2, s.PASS2) as m:
        m.sendmail(s.address(s.USER2), [s.address()], letter(
            7, "brand new").replace(b"Friend 7 <friend7@elsewhere.test>",
                                    b"<bob@example.test>"))
    tap.ok(t.until("return [...folder('INBOX').messages].some("
                   "h => h.mime2DecodedSubject == 'brand new')"),
           "new mail comes by itself")


def steps(s, home):
    fill(s)
    log = os.path.join(home, "imap.log")
    with Thunderbird(["thunderbird"], home, account(s),
                     MOZ_LOG="IMAP:4", MOZ_LOG_FILE=log) as t:
        try:
            log_in(t, s)
            list_messages(t)
            read(t, s)
            search(t)
            compose(t, s, home)
            folders(t, s)
            quota(t)
            new_mail(t, s)
        except Failed as e:
            t.picture("tb-failed")
            tap.ok(False, "all steps are done", repr(e))
    said = ""
    for name in os.listdir(home):
        if name.startswith("imap.log"):
            with open(os.path.join(home, name), errors="replace") as f:
                said += f.read()
    tap.equal([line for line in said.splitlines() if " BAD " in line], [],
              "no answer of ours is BAD")
    tap.ok(said.count(" OK ") > 30, "of many", said[-300:])
    if os.environ.get("PICTURES"):
        with open(os.environ["PICTURES"] + "/tb-imap.log", "w") as f:
            f.write(said)


with Instance("mailbox_quota=10M") as s:
    home = s.path("home")
    os.mkdir(home)
    steps(s, home)
tap.done()
