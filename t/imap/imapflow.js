// Runs imapflow, a client that enables IMAP4rev2 where it can, on a mailbox:
// node imapflow.js PORT USER PASSWORD. Prints what it saw as JSON.
const { ImapFlow } = require("imapflow");

const [port, user, pass] = process.argv.slice(2);
const folder = "Entwürfe/Grün & Blau";
const letter = "From: Jörg <joerg@client.test>\r\nSubject: Grüße\r\n" +
    "Message-ID: <letter@client.test>\r\n" +
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
    "ein Brief\r\n";

async function inFolder(client, saw) {
    saw.exists = client.mailbox.exists;
    saw.found = await client.search({ subject: "GRÜßE" }, { uid: true });
    saw.all = await client.search({ all: true }, { uid: true });
    const one = await client.fetchOne("1", {
        envelope: true, bodyStructure: true, flags: true, source: true, threadId: true });
    saw.thread = one.threadId;
    saw.inThread = await client.search({ threadId: one.threadId });
    saw.subject = one.envelope.subject;
    saw.type = one.bodyStructure.type;
    saw.source = one.source.toString() === letter;
    saw.flagged = await client.messageFlagsAdd("1", ["$Forwarded"]);
    saw.forwarded = await client.search({ keyword: "$Forwarded" });
    saw.copied = (await client.messageCopy("1", "INBOX")).uidMap.size;
    saw.moved = (await client.messageMove("1", "Work")).uidMap.size;
    saw.left = await client.search({ all: true });
}

async function main() {
    const client = new ImapFlow({
        host: "localhost", port, secure: true, auth: { user, pass },
        logger: false, tls: { rejectUnauthorized: false } });
    const saw = {};

    await client.connect();
    saw.enabled = [...client.enabled].sort();
    saw.created = (await client.mailboxCreate(folder)).created;
    saw.appended = (await client.append(folder, Buffer.from(letter),
        ["\\Seen"])).uid;
    const lock = await client.getMailboxLock(folder);
    await inFolder(client, saw);
    lock.release();
    saw.listed = (await client.list()).map(f => f.path).sort();
    saw.status = await client.status("Work", { messages: true, unseen: true,
        deleted: true, size: true });
    saw.renamed = (await client.mailboxRename(folder, "Ä")).newPath;
    saw.deleted = (await client.mailboxDelete("Ä")).path;
    await client.logout();
    console.log(JSON.stringify(saw));
}

main().catch(e => {
    console.error(e);
    process.exit(1);
});
