"""Documents to take text out of, and the commands that do it."""
import io
import os
import zipfile

PDF = "{application/pdf .pdf: /usr/bin/pdftotext - -}"
DOCX = ("{application/vnd.openxmlformats-officedocument.wordprocessingml"
        ".document .docx: /usr/bin/unzip -p /dev/stdin word/document.xml}")
ODT = ("{application/vnd.oasis.opendocument.text .odt: /usr/bin/unzip -p "
       "/dev/stdin content.xml}")
RTF = "{application/rtf: /usr/bin/catdoc -d utf-8}"
DECODER_USER = 65533    # whose own is nothing


def pdf(*lines):
    """A page with LINES."""
    text = "BT /F1 12 Tf 72 720 Td 14 TL %s ET" % " ".join(
        "(%s) Tj T*" % line.replace("\\", "\\\\").replace("(", "\\(")
        .replace(")", "\\)") for line in lines)
    objects = ["<< /Type /Catalog /Pages 2 0 R >>",
               "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents "
               "4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
               "<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    out, places = "%PDF-1.4\n", []
    for number, o in enumerate(objects, 1):
        places.append(len(out))
        out += "%d 0 obj\n%s\nendobj\n" % (number, o)
    start = len(out)
    out += "xref\n0 6\n0000000000 65535 f \n"
    out += "".join("%010d 00000 n \n" % at for at in places)
    out += "trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return out.encode("latin-1")


def packed(name, text):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, text)
    return whole.getvalue()


def docx(*paragraphs):
    """A word processor divides words where it likes."""
    runs = "".join(
        "<w:p><w:pPr/>%s</w:p>" % "".join(
            '<w:r><w:t xml:space="preserve">%s</w:t></w:r>' % p[i:i + 3]
            for i in range(0, len(p), 3)) for p in paragraphs)
    return packed("word/document.xml", '<?xml version="1.0" encoding="UTF-8"?>'
                  "<w:document><w:body>%s</w:body></w:document>" % runs)


def odt(*paragraphs):
    return packed("content.xml", '<?xml version="1.0"?><office:text>%s'
                  "</office:text>" % "".join(
                      "<text:p>%s</text:p>" % p for p in paragraphs))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def key(command):
    """The number by which a command is asked for."""
    return crc32c(b"1\0" + b"".join(w.encode() + b"\0"
                                    for w in command.split()))


def start(folder):
    """The program decoder beside the others in FOLDER, and never as root."""
    user = "%d:%d" % (DECODER_USER, DECODER_USER) if os.getuid() == 0 else ""
    return folder.start("decoder", "public/decoder", chroot=False, user=user)
