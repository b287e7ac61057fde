// Runs two clients of npm on a mailbox: node npm.js IMAPS POP3S USER PASSWORD.
// Prints what they saw as JSON. The mailbox has five messages.
const { ImapFlow } = require("imapflow");
const Pop3 = require("node-pop3");

const [imaps, pop3s, user, pass] = process.argv.slice(2);
const tls = { rejectUnauthorized: false };
const letter = "Subject: new\r\n\r\nbody\r\n";

async function open(how) {
    const client = new ImapFlow({
        host: "localhost", port: imaps, secure: true, auth: { user, pass },
        logger: false, tls, ...how });
    await client.connect();
    return client;
}

function event(client, name, wanted) {
    return new Promise((done, fail) => {
        const timer = setTimeout(() => fail(Error("no " + name)), 20000);
        client.on(name, data => {
            if (wanted && !wanted(data))
                return;
            clearTimeout(timer);
            done(data);
        });
    });
}

// One idles, another changes the mailbox.
async function idle(saw) {
    const one = await open({ qresync: true });
    const two = await open();
    const lock = await one.getMailboxLock("INBOX");
    saw.exists = one.mailbox.exists;
    const known = one.mailbox.highestModseq;
    const idling = one.idle();
    const told = event(one, "exists");
    await two.append("INBOX", letter);
    saw.told = (await told).count;
    await two.mailboxOpen("INBOX");
    const flags = event(one, "flags", f => f.flags.has("\\Flagged"));
    await two.messageFlagsAdd("2", ["\\Flagged"]);
    saw.flagged = (await flags).uid;
    const gone = event(one, "expunge");
    await two.messageDelete("1");
    const vanished = await gone;
    saw.vanished = [vanished.uid, vanished.vanished];
    await one.noop();
    await idling;
    saw.changed = [];
    for await (const m of one.fetch("1:*", { flags: true, uid: true },
        { changedSince: known, uid: true }))
        saw.changed.push(m.uid);
    saw.changed.sort();
    lock.release();
    await one.logout();
    await two.logout();
}

async function more(saw) {
    const client = await open();
    saw.quota = (await client.getQuota("INBOX")).storage.limit;
    saw.special = (await client.list()).filter(f => f.specialUse)
        .map(f => f.path + " " + f.specialUse).sort();
    const lock = await client.getMailboxLock("INBOX", { readOnly: true });
    const { content } = await client.download("1", "1");
    saw.downloaded = "";
    for await (const piece of content)
        saw.downloaded += piece;
    lock.release();
    await client.logout();
}

async function pop3(saw) {
    const client = new Pop3({ user, password: pass, host: "localhost",
        port: pop3s, tls: true, tlsOptions: tls, servername: "localhost" });
    saw.uidl = (await client.UIDL()).length;
    saw.stat = (await client.STAT()).split(" ")[0];
    saw.retr = /body/.test(await client.RETR(1));
    saw.top = /Subject/.test(await client.TOP(1, 0));
    await client.command("DELE", 1);
    await client.QUIT();
}

async function main() {
    const saw = {};
    await idle(saw);
    await more(saw);
    await pop3(saw);
    console.log(JSON.stringify(saw));
    process.exit(0);
}

main().catch(e => {
    console.error(e);
    process.exit(1);
});
